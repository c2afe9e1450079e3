"""The control API: how a demo or a test sets the campus up and reads what happened.

JSON only, so that no web page elsewhere can call it. README.md lists it.
"""

from __future__ import annotations

import re
import secrets
from dataclasses import asdict
from typing import Any

from flask import Blueprint, Response, jsonify, request
from werkzeug.wrappers import Response as AnyResponse

from sandbox import fields
from sandbox.campus import here
from sandbox.errors import Refused
from sandbox.faults import SERVICES, Fault
from sandbox.idp import clients
from sandbox.idp import push as scim
from sandbox.idp.dialects import DIALECTS
from sandbox.lms import pages, tool
from sandbox.lms.course import gradebook, put_link
from sandbox.lms.flavour import FLAVOURS
from sandbox.store import Json
from sandbox.web import json_object, own_pages_only

control = Blueprint("control", __name__, url_prefix="/control")

_KEY = re.compile(r"[a-z0-9][a-z0-9-]{0,63}", re.ASCII)
_FAULTS = {
    "slow_ms": fields.whole(0, 120_000),
    "status": fields.whole(400, 599),
    "fail_next": fields.whole(0, 1_000_000),
    "error_rate": fields.number(0, 1),
    "throttle_next": fields.whole(0, 1_000_000),
    "retry_after": fields.whole(0, 86_400),
    "html_next": fields.whole(0, 1_000_000),
    "html_status": fields.whole(200, 599),
    "lose_next": fields.whole(0, 1_000_000),
    "only": fields.maybe_text,
}


@control.before_request
def guard() -> None:
    own_pages_only()


@control.put("/lms/tool")
def put_tool() -> Response:
    return jsonify(tool.register(here(), json_object()))


@control.get("/lms/tool")
def get_tool() -> Response:
    return jsonify(tool.registered(here()))


@control.put("/lms/links/<key>")
def put_activity(key: str) -> Response:
    checks = {
        "title": fields.text,
        "description": fields.maybe_text,
        "custom": fields.texts,
        "score_maximum": fields.number(0.01, 1e6),
    }
    return jsonify(put_link(here(), _key(key), fields.read(json_object(), checks)))


@control.get("/lms/links")
def get_links() -> Response:
    return jsonify(here().store.all("link"))


@control.put("/lms/manners")
def put_manners() -> Response:
    checks = {"flavour": fields.one_of(*FLAVOURS), "page_size": fields.whole(1, 1_000)}
    campus = here()
    before = campus.store.get("setting", "lms") or {}
    campus.store.put("setting", "lms", {**before, **fields.read(json_object(), checks)})
    return jsonify(campus.store.get("setting", "lms"))


@control.post("/lms/launches")
def begin_launch() -> AnyResponse:
    """Begin a launch without a page: {url, method, fields}, and the LMS's cookie."""
    checks = {
        "person": fields.text,
        "link": fields.text,
        "target": fields.one_of("iframe", "window"),
    }
    body = fields.read(json_object(), checks, ("person", "link"))
    campus = here()
    person = campus.people.get(body["person"])
    if person is None or not person.enrolled:
        raise Refused(404, "not_found", "nobody of that name is on this course")
    started, browser = pages.begin(campus, person, body["link"], body.get("target", "window"))
    response = jsonify(started)
    pages.remember(response, browser)
    return response


@control.get("/lms/gradebook")
def get_gradebook() -> Response:
    return jsonify(gradebook(here()))


@control.get("/lms/line-items")
def get_line_items() -> Response:
    return jsonify(here().store.all("line_item"))


@control.put("/idp/clients/<client_id>")
def put_client(client_id: str) -> Response:
    return jsonify(clients.register(here(), client_id, json_object()))


@control.put("/idp/scim")
def put_scim() -> Response:
    return jsonify(scim.configure(here(), json_object()))


@control.post("/idp/push")
def post_push() -> Response:
    """Do one provisioning action: {ok, exchanges: [...]}."""
    checks = {
        "action": fields.one_of(*scim.ACTIONS),
        "user": fields.text,
        "dialect": fields.one_of(*DIALECTS),
        "group": fields.text,
    }
    body = fields.read(json_object(), checks, ("action", "user"))
    campus = here()
    person = campus.people.get(body["user"])
    if person is None:
        raise Refused(404, "not_found", "the directory has nobody of that name")
    done = scim.push(
        campus,
        body["action"],
        person,
        dialect=body.get("dialect"),
        group=body.get("group", "Sales"),
    )
    return jsonify(ok=200 <= done[-1]["status"] < 300, exchanges=done)


@control.get("/idp/exchanges")
def get_exchanges() -> Response:
    return jsonify(here().store.all("exchange"))


@control.get("/people")
def get_people() -> Response:
    return jsonify([_person(asdict(one), one.email) for one in here().people.all()])


@control.put("/people/<key>")
def put_person(key: str) -> Response:
    """Change a person, or let a new one join: {given, family} are then needed."""
    checks = {
        "given": fields.text,
        "family": fields.text,
        "title": fields.text,
        "department": fields.text,
        "teacher": fields.flag,
        "enrolled": fields.flag,
        "active": fields.flag,
    }
    campus = here()
    body = fields.read(json_object(), checks)
    if campus.people.get(_key(key)):
        person = campus.people.change(key, **body)
    else:
        fields.read(body, checks, ("given", "family"))
        person = campus.people.add(key, **body)
    return jsonify(_person(asdict(person), person.email))


@control.put("/lrs/credentials")
def put_credentials() -> Response:
    checks = {"key": fields.text, "secret": fields.text}
    body = fields.read(json_object(), checks, checks)
    if ":" in body["key"]:
        raise Refused(400, "invalid_request", "key must not contain a colon (RFC 7617 §2)")
    here().store.put("lrs", "credentials", body)
    return jsonify(body)


@control.get("/lrs/credentials")
def get_credentials() -> Response:
    return jsonify(here().store.get("lrs", "credentials"))


@control.get("/lrs/statements")
def get_statements() -> Response:
    """All statements in order of arrival, voided ones marked: [{kept, sent, voided}]."""
    return jsonify(here().store.all("statement"))


@control.put("/faults/<service>")
def put_faults(service: str) -> Response:
    body = fields.read(json_object(), _FAULTS)
    here().faults.set(_service(service), Fault(**body))
    return jsonify(asdict(here().faults.get(service)))


@control.get("/faults/<service>")
def get_faults(service: str) -> Response:
    return jsonify(asdict(here().faults.get(_service(service))))


@control.post("/<service>/keys")
def rotate(service: str) -> Response:
    """A new signing key: {"keep_old": true} leaves the old ones published."""
    body = fields.read(json_object(), {"keep_old": fields.flag})
    ring = here().keys.get(service)
    if ring is None:
        raise Refused(404, "not_found", "keys are kept by lms and idp")
    return jsonify(kid=ring.rotate(keep_old=body.get("keep_old", True)))


@control.get("/requests")
def get_requests() -> Response:
    service = request.args.get("service")
    after = request.args.get("after", "0")
    if not (after.isascii() and after.isdigit()):
        raise Refused(400, "invalid_request", "after must be a whole number")
    return jsonify(here().journal.seen(service and _service(service), int(after[:15])))


def new_credentials() -> Json:
    """Credentials that the LRS starts with."""
    return {"key": "campus", "secret": secrets.token_urlsafe(18)}


def _person(person: dict[str, Any], email: str) -> Json:
    return {**person, "email": email}


def _service(name: str) -> str:
    if name not in SERVICES:
        raise Refused(404, "not_found", f"services are {', '.join(SERVICES)}")
    return name


def _key(key: str) -> str:
    if not _KEY.fullmatch(key):
        raise Refused(400, "invalid_request", "a name here is small letters, digits and hyphens")
    return key
