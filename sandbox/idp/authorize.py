"""The authorization endpoint: checks the request, waits for the sign-in, hands out a code.

OpenID Connect Core §3.1.2; PKCE with S256 is demanded (RFC 7636); the answer names its issuer
(RFC 9207).
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping

from sandbox.campus import Campus
from sandbox.errors import Refused
from sandbox.idp import clients
from sandbox.people import Person
from sandbox.store import Json
from sandbox.web import with_query

CODE_LIFE_S = 60
TICKET_LIFE_S = 600
SCOPES = ("openid", "profile", "email")
_CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43}", re.ASCII)
_KEPT = ("client_id", "redirect_uri", "state", "nonce", "code_challenge", "scope")


class SendBack(Exception):  # noqa: N818 - it reads as what happens
    """The request was refused, and its client is told so by redirect."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.url = url


def check(campus: Campus, asked: Mapping[str, str]) -> Json:
    """The request's own fields, in order. Refused while the client is not sure, SendBack after."""
    client = clients.find(campus, asked.get("client_id", ""))
    if asked.get("redirect_uri", "") not in client["redirect_uris"]:
        raise Refused(400, "invalid_request", "that redirect_uri is not registered for this client")
    request = {name: asked[name] for name in _KEPT if name in asked}

    def refuse(code: str, message: str) -> SendBack:
        return SendBack(answer(campus, request, error=code, error_description=message))

    if any(len(held) > 4_000 for held in asked.values()):
        raise refuse("invalid_request", "a parameter is too long")
    if asked.get("response_type") != "code":
        raise refuse("unsupported_response_type", "response_type must be code")
    if asked.get("response_mode", "query") != "query":
        raise refuse("invalid_request", "response_mode must be query")
    if "request" in asked or "request_uri" in asked:
        raise refuse("request_not_supported", "request objects are not supported")
    if "openid" not in asked.get("scope", "").split():
        raise refuse("invalid_scope", "scope must contain openid")
    if asked.get("code_challenge_method") != "S256":
        raise refuse("invalid_request", "PKCE with S256 is required")
    if not _CHALLENGE.fullmatch(asked.get("code_challenge", "")):
        raise refuse("invalid_request", "code_challenge is missing or malformed")
    request["prompt"] = asked.get("prompt", "")
    request["login_hint"] = asked.get("login_hint", "")
    request["max_age"] = asked.get("max_age", "")
    return request


def must_sign_in(campus: Campus, request: Json, session: Json | None) -> bool:
    """Whether the person has to show themselves now; `prompt=none` turns that into an error."""
    prompts = request["prompt"].split()
    stale = (
        session is not None
        and request["max_age"].isdecimal()
        and campus.now() - session["auth_time"] > int(request["max_age"][:9])
    )
    needed = session is None or stale or "login" in prompts
    if needed and "none" in prompts:
        raise SendBack(
            answer(campus, request, error="login_required", error_description="nobody is signed in")
        )
    return needed


def ticket(campus: Campus, request: Json, browser: str) -> str:
    """Keep the request while the sign-in page is open, for this browser only."""
    name = secrets.token_urlsafe(16)
    kept = {**request, "browser": browser, "until": campus.clock() + TICKET_LIFE_S}
    campus.store.put("ticket", name, kept)
    return name


def read_ticket(campus: Campus, name: str, browser: str | None) -> Json:
    found = campus.store.get("ticket", name)
    if found is None or found["until"] < campus.clock() or found["browser"] != browser:
        raise Refused(400, "expired", "this sign-in page is no longer good: start again")
    return found


def code_url(campus: Campus, request: Json, person: Person, session: Json) -> str:
    """Where to send the browser with a fresh code."""
    code = secrets.token_urlsafe(24)
    grant = {
        **{name: request.get(name) for name in _KEPT if name != "state"},
        "person": person.key,
        "auth_time": session["auth_time"],
        "sid": session["sid"],
        "until": campus.clock() + CODE_LIFE_S,
    }
    campus.store.put("code", code, grant)
    return answer(campus, request, code=code)


def answer(campus: Campus, request: Json, **fields: str) -> str:
    state = {"state": request["state"]} if "state" in request else {}
    return with_query(request["redirect_uri"], {**fields, **state, "iss": campus.issuer("idp")})
