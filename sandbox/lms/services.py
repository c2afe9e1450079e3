"""The LMS's services over HTTP: JWKS, token, AGS and NRPS."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, json, jsonify, request
from werkzeug.wrappers import Response as AnyResponse

from sandbox import fields
from sandbox.campus import here
from sandbox.errors import Refused
from sandbox.lms import scores
from sandbox.lms.claims import SCOPES
from sandbox.lms.course import (
    COURSE,
    api,
    find_line_item,
    flavour,
    line_item_url,
    new_line_item,
    page_size,
)
from sandbox.lms.roster import container
from sandbox.lms.tokens import bearer, issue
from sandbox.paging import page_of
from sandbox.store import Json
from sandbox.web import json_object, json_value

services = Blueprint("lms_services", __name__, url_prefix="/lms")

_AGS = f"/api/courses/{COURSE}/lineitems"
_ITEM = f"{_AGS}/<key>/lineitem"
_LINE_ITEM, _LINE_ITEM_READ, _SCORE, _RESULT, _MEMBERS = SCOPES
_V1 = "application/vnd.ims.lis.v1."
_V2 = "application/vnd.ims.lis.v2."
_NRPS_TYPE = "application/vnd.ims.lti-nrps.v2.membershipcontainer+json"


@services.get("/jwks")
def jwks() -> Response:
    return jsonify(here().keys["lms"].jwks())


@services.post("/token")
def token() -> Response:
    campus = here()
    answer = issue(campus, request.form)
    return _json(answer, flavour(campus).token_media_type)


@services.get(f"/api/courses/{COURSE}/members")
def members() -> Response:
    campus = here()
    _authorize(_MEMBERS)
    _accepts(_NRPS_TYPE)
    body, next_page = container(campus, request.args)
    return _paged(_json(body, _NRPS_TYPE), f"{api(campus)}/members", next_page)


@services.get(_AGS)
def line_items() -> Response:
    """All columns, narrowed by resource_link_id, resource_id or tag (AGS §3.2.4)."""
    campus = here()
    _authorize(_LINE_ITEM, _LINE_ITEM_READ)
    _accepts(f"{_V2}lineitemcontainer+json")
    names = {"resource_link_id": "resourceLinkId", "resource_id": "resourceId", "tag": "tag"}
    asked = {names[name]: held for name, held in request.args.items() if name in names}
    found = [
        item
        for item in campus.store.all("line_item")
        if all(item.get(name) == held for name, held in asked.items())
    ]
    page, next_page = page_of(found, request.args, page_size(campus), past_the_end=False)
    body = [_shown(item) for item in page]
    return _paged(
        _json(body, f"{_V2}lineitemcontainer+json"), f"{api(campus)}/lineitems", next_page
    )


@services.post(_AGS)
def create_line_item() -> Response:
    _authorize(_LINE_ITEM)
    item = new_line_item(here(), _line_item_fields())
    answer = _json(_shown(item), f"{_V2}lineitem+json", 201)
    answer.headers["Location"] = line_item_url(here(), item["id"])
    return answer


@services.get(_ITEM)
def line_item(key: str) -> Response:
    _authorize(_LINE_ITEM, _LINE_ITEM_READ)
    return _json(_shown(_asked_item(key)), f"{_V2}lineitem+json")


@services.put(_ITEM)
def change_line_item(key: str) -> Response:
    _authorize(_LINE_ITEM)
    item = _asked_item(key)
    # The link that a column belongs to is the platform's to say (AGS §3.2.2).
    fixed: Json = {name: item[name] for name in ("id", "resourceLinkId") if name in item}
    changed = {**_line_item_fields(), **fixed}
    here().store.put("line_item", key, changed)
    return _json(_shown(changed), f"{_V2}lineitem+json")


@services.delete(_ITEM)
def delete_line_item(key: str) -> AnyResponse:
    _authorize(_LINE_ITEM)
    here().store.pop("line_item", _asked_item(key)["id"])
    return Response(status=204)


@services.post(f"{_ITEM}/scores")
def score(key: str) -> Response:
    campus = here()
    _authorize(_SCORE)
    if request.mimetype != f"{_V1}score+json":
        raise Refused(415, "unsupported_media_type", f"a score is sent as {_V1}score+json")
    scores.receive(campus, _asked_item(key), _json_object())
    if flavour(campus).empty_success:
        return Response(status=200)
    return Response(status=204)


@services.get(f"{_ITEM}/results")
def results(key: str) -> Response:
    """Grades that stand, one for each learner (AGS §3.3)."""
    campus = here()
    _authorize(_RESULT)
    _accepts(f"{_V2}resultcontainer+json")
    item = _asked_item(key)
    where = line_item_url(campus, item["id"]).partition("?")[0]
    wanted = request.args.get("user_id")
    body = [
        {
            "id": f"{where}/results/{cell['user']}",
            "scoreOf": line_item_url(campus, item["id"]),
            "userId": cell["user"],
            **cell["result"],
        }
        for cell in campus.store.all("cell")
        if cell["line_item"] == item["id"] and cell["result"] and wanted in (None, cell["user"])
    ]
    return _json(body, f"{_V2}resultcontainer+json")


def _asked_item(key: str) -> Json:
    campus = here()
    if flavour(campus).query_in_line_item and request.args.get("type_id") != "1":
        raise Refused(404, "not_found", "the line item's URL lost its query on the way")
    return find_line_item(campus, key)


def _line_item_fields() -> Json:
    body = _json_object()
    label = body.get("label")
    maximum = body.get("scoreMaximum")
    if not isinstance(label, str) or not 0 < len(label) <= 255:
        raise Refused(400, "invalid_line_item", "label is missing")
    if not fields.number(1e-6, 1e9)(maximum):
        raise Refused(400, "invalid_line_item", "scoreMaximum must be a number above 0")
    texts = ("resourceLinkId", "resourceId", "tag", "startDateTime", "endDateTime")
    kept = {name: body[name] for name in texts if isinstance(body.get(name), str)}
    return {"label": label, "scoreMaximum": maximum, **kept}


def _json_object() -> Json:
    if request.is_json:
        return json_object()
    value = json_value()
    if not isinstance(value, dict):
        raise Refused(400, "invalid_request", "the body must be a JSON object")
    return value


def _shown(item: Json) -> Json:
    return {**item, "id": line_item_url(here(), item["id"])}


def _authorize(*scopes: str) -> None:
    bearer(here(), request.headers.get("Authorization", ""), *scopes)


def _accepts(media_type: str) -> None:
    if "Accept" in request.headers and not request.accept_mimetypes[media_type]:
        raise Refused(406, "not_acceptable", f"this is answered as {media_type}")


def _json(body: Any, media_type: str, status: int = 200) -> Response:
    return Response(json.dumps(body), status, content_type=media_type)


def _paged(answer: Response, url: str, next_page: str | None) -> Response:
    if next_page:
        answer.headers["Link"] = f'<{url}?{next_page}>; rel="next"'
    return answer
