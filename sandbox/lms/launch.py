"""Third-party initiated login: the LMS's half of an LTI launch (LTI Security Framework §5.1).

`start` makes what the browser carries to the tool; `authorize` checks what the tool asks for in
return and gives the fields to post to it: an id_token, or an OAuth error.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping

from sandbox.campus import Campus
from sandbox.errors import Refused
from sandbox.lms.claims import claims
from sandbox.lms.course import find_link
from sandbox.lms.tool import registered
from sandbox.people import Person
from sandbox.store import Json

HINT_LIFE_S = 300


def start(campus: Campus, person: Person, link_id: str, target: str, browser: str) -> Json:
    """{url, method, fields} of the login initiation; its message hint works once, in one browser.

    `target` is how the tool is shown: "iframe" or "window".
    """
    tool = registered(campus)
    link = find_link(campus, link_id)
    hint = secrets.token_urlsafe(16)
    campus.store.put(
        "hint",
        hint,
        {
            "person": person.key,
            "link": link["id"],
            "target": target,
            "browser": browser,
            "until": campus.clock() + HINT_LIFE_S,
        },
    )
    return {
        "url": tool["login_url"],
        "method": tool["initiate_by"],
        "fields": {
            "iss": campus.issuer("lms"),
            "login_hint": person.lms_id,
            "target_link_uri": tool["launch_url"],
            # JSON with quotes, as Moodle sends it: a tool must carry it unread and unharmed.
            "lti_message_hint": json.dumps({"cmid": link["id"], "launchid": hint}),
            "client_id": tool["client_id"],
            "lti_deployment_id": tool["deployment_id"],
        },
    }


def authorize(campus: Campus, asked: Mapping[str, str], browser: str | None) -> Json:
    """{url, fields} to post to the tool. Raises Refused where no answer may be sent on."""
    tool = registered(campus)
    if asked.get("client_id") != tool["client_id"]:
        raise Refused(400, "unauthorized_client", "no tool is registered under that client_id")
    target = asked.get("redirect_uri", "")
    if target not in tool["redirect_uris"]:
        raise Refused(400, "invalid_request", "that redirect_uri is not registered for this tool")
    state = {"state": asked["state"]} if "state" in asked else {}
    try:
        hint = _checked(campus, asked, browser)
    except Refused as refusal:
        error = {"error": refusal.code, "error_description": refusal.message}
        return {"url": target, "fields": {**error, **state}}
    token = campus.keys["lms"].sign(claims(campus, tool, hint, asked["nonce"]))
    return {"url": target, "fields": {"id_token": token, **state}}


def _checked(campus: Campus, asked: Mapping[str, str], browser: str | None) -> Json:
    """The message hint's own record, once the whole request is in order."""
    expected = {
        "scope": ("openid", "invalid_scope"),
        "response_type": ("id_token", "unsupported_response_type"),
        "response_mode": ("form_post", "invalid_request"),
        "prompt": ("none", "invalid_request"),
    }
    for name, (value, code) in expected.items():
        if asked.get(name) != value:
            raise Refused(400, code, f"{name} must be {value}")
    if not asked.get("nonce"):
        raise Refused(400, "invalid_request", "nonce is missing")
    hint = campus.store.pop("hint", _hint_id(asked.get("lti_message_hint", "")))
    if hint is None or hint["until"] < campus.clock():
        raise Refused(400, "invalid_request", "lti_message_hint is unknown, used or over")
    if hint["browser"] != browser:
        raise Refused(400, "login_required", "nobody is signed in to the LMS in this browser")
    if asked.get("login_hint") != campus.people[hint["person"]].lms_id:
        raise Refused(400, "login_required", "login_hint names somebody else")
    return hint


def _hint_id(text: str) -> str:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return ""
    held = found.get("launchid") if isinstance(found, dict) else None
    return held if isinstance(held, str) else ""
