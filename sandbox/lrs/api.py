"""The LRS over HTTP, and its page that shows statements as they come."""

from __future__ import annotations

import base64
import binascii
import hmac
from datetime import UTC, datetime
from typing import Any

from flask import Blueprint, Response, jsonify, render_template, request
from werkzeug.wrappers import Response as AnyResponse

from sandbox.campus import here
from sandbox.errors import Refused
from sandbox.lrs import check, statements
from sandbox.paging import page_of
from sandbox.store import Json
from sandbox.web import json_value

xapi = Blueprint("lrs_xapi", __name__, url_prefix="/lrs/xapi")
pages = Blueprint("lrs", __name__, url_prefix="/lrs")

_VERSIONS = ("1.0.3", "2.0.0")
_FILTERS = frozenset(
    {"verb", "activity", "registration", "since", "until", "limit", "ascending", "bookmark"}
)
_PAGE = 100
_HEADER = "X-Experience-API-Version"


@xapi.before_request
def guard() -> None:
    if request.endpoint == "lrs_xapi.about":
        return
    _authorize(request.headers.get("Authorization", ""))
    version = request.headers.get(_HEADER)
    if version is None:
        raise Refused(400, "no_version", f"the {_HEADER} header is missing")
    if not version.startswith(("1.0.", "2.0.")) and version not in ("1.0", "2.0"):
        raise Refused(400, "unknown_version", f"known versions are {', '.join(_VERSIONS)}")


@xapi.after_request
def versioned(response: Response) -> Response:
    response.headers[_HEADER] = "2.0.0" if _version().startswith("2") else "1.0.3"
    if request.path.endswith("/statements"):
        now = datetime.fromtimestamp(here().clock(), UTC).isoformat(timespec="milliseconds")
        response.headers["X-Experience-API-Consistent-Through"] = now
    return response


@xapi.get("/about")
def about() -> Response:
    return jsonify(version=list(_VERSIONS))


@xapi.post("/statements")
def post() -> Response:
    _only_json()
    value = json_value()
    values = value if isinstance(value, list) else [value]
    return jsonify(statements.keep(here(), values, _version()))


@xapi.put("/statements")
def put() -> AnyResponse:
    _only_json()
    value: Any = json_value()
    key = request.args.get("statementId", "")
    if not check.is_uuid(key) or set(request.args) != {"statementId"}:
        raise Refused(400, "invalid_request", "statementId, and it alone, must name a UUID")
    if not isinstance(value, dict):
        raise Refused(400, "invalid_statement", "PUT takes one statement")
    if str(value.get("id", key)).lower() != key.lower():
        raise Refused(400, "invalid_statement", "the id differs from statementId")
    statements.keep(here(), [{**value, "id": key}], _version())
    return Response(status=204)


@xapi.get("/statements")
def get() -> Response:
    campus = here()
    for name, voided in (("statementId", False), ("voidedStatementId", True)):
        if name in request.args:
            if len(request.args) > 1:
                raise Refused(400, "invalid_request", f"{name} stands alone")
            return jsonify(statements.one(campus, request.args[name], voided=voided))
    unknown = set(request.args) - _FILTERS
    if unknown:
        raise Refused(400, "invalid_request", f"unknown parameters: {', '.join(sorted(unknown))}")
    # limit=0 asks for as many as the LRS likes to give (§2.1.3).
    asked = {name: held for name, held in request.args.items() if (name, held) != ("limit", "0")}
    page, more = page_of(statements.listed(campus, asked), asked, _PAGE, past_the_end=False)
    return jsonify(statements=page, more=f"/lrs/xapi/statements?{more}" if more else "")


@pages.get("/")
def stream() -> str:
    campus = here()
    rows = campus.store.latest("statement", 60)
    return render_template(
        "lrs_stream.html",
        rows=[{**row, "told": _told(row["kept"])} for row in rows],
        total=campus.store.count("statement"),
    )


def _told(statement: Json) -> Json:
    """A statement in a few words."""
    actor, verb, thing = statement["actor"], statement["verb"], statement["object"]
    definition = thing.get("definition", {})
    score = statement.get("result", {}).get("score", {}).get("scaled")
    account = actor.get("account", {}).get("name")
    return {
        "who": actor.get("name") or account or actor.get("mbox", "somebody"),
        "did": _word(verb.get("display", {})) or verb["id"].rpartition("/")[2],
        "what": _word(definition.get("name", {})) or thing.get("id", "something"),
        "success": statement.get("result", {}).get("success"),
        "score": None if score is None else f"{round(score * 100)} %",
    }


def _word(language_map: dict[str, str]) -> str:
    return language_map.get("en") or next(iter(language_map.values()), "")


def _version() -> str:
    return request.headers.get(_HEADER, "1.0.3")


def _only_json() -> None:
    if request.mimetype != "application/json":
        raise Refused(400, "invalid_request", "statements are sent as application/json")


def _authorize(header: str) -> None:
    known = here().store.get("lrs", "credentials") or {}
    scheme, _, packed = header.partition(" ")
    try:
        given = base64.b64decode(packed, validate=True) if scheme.lower() == "basic" else b""
    except (binascii.Error, ValueError):
        given = b""
    wanted = f"{known.get('key', '')}:{known.get('secret', '')}".encode()
    if not known or not hmac.compare_digest(given, wanted):
        raise Refused(401, "unauthorized", "this needs the key and secret of the LRS")
