"""The one tool that this LMS knows: the gateway, as an administrator registered it."""

from __future__ import annotations

from sandbox import fields
from sandbox.campus import Campus
from sandbox.errors import Refused
from sandbox.store import Json

_CHECKS = {
    "login_url": fields.url,
    "launch_url": fields.url,
    "jwks_url": fields.url,
    "redirect_uris": fields.urls,
    "client_id": fields.text,
    "deployment_id": fields.text,
    "name": fields.text,
    "custom": fields.texts,
    "initiate_by": fields.one_of("POST", "GET"),
    "privacy": fields.one_of("public", "name", "email", "none"),
    "token_lifetime": fields.whole(1, 86_400),
}
_REQUIRED = ("login_url", "launch_url", "jwks_url", "client_id", "deployment_id")


def register(campus: Campus, body: Json) -> Json:
    """Keep the tool's registration, all of it anew."""
    found = fields.read(body, _CHECKS, _REQUIRED)
    defaults = {
        "redirect_uris": [found["launch_url"]],
        "name": "Learning gateway",
        "custom": {},
        "initiate_by": "POST",
        "privacy": "public",
        "token_lifetime": 3600,
    }
    kept = {**defaults, **found}
    campus.store.put("tool", "tool", kept)
    campus.keysets.clear()
    return kept


def registered(campus: Campus) -> Json:
    tool = campus.store.get("tool", "tool")
    if tool is None:
        raise Refused(409, "no_tool", "no tool is registered yet: PUT /control/lms/tool")
    return tool
