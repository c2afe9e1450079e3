"""The token endpoint: a signed assertion in, a bearer token out (LTI Security Framework §4.1)."""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from typing import Any

from joserfc import jws, jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from sandbox.campus import Campus
from sandbox.errors import OutsideError, Refused
from sandbox.lms.claims import SCOPES
from sandbox.lms.tool import registered
from sandbox.store import Json

_BEARER = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_SKEW_S = 30
_LONGEST_S = 3600
_LIMIT = 8_000


def issue(campus: Campus, form: Mapping[str, str]) -> Json:
    """The token response (RFC 6749 §5.1); Refused carries the error code of §5.2."""
    if form.get("grant_type") != "client_credentials":
        raise Refused(400, "unsupported_grant_type", "grant_type must be client_credentials")
    if form.get("client_assertion_type") != _BEARER:
        raise Refused(400, "invalid_request", f"client_assertion_type must be {_BEARER}")
    tool = registered(campus)
    check_assertion(campus, tool, form.get("client_assertion", ""))
    wanted = form.get("scope", "").split()
    granted = [scope for scope in SCOPES if scope in wanted]
    if not granted:
        raise Refused(400, "invalid_scope", "none of the scopes asked for is offered here")
    token = secrets.token_urlsafe(32)
    life = tool["token_lifetime"]
    kept = {"client_id": tool["client_id"], "scopes": granted, "until": campus.clock() + life}
    campus.store.put("lms_token", token, kept)
    return {
        "access_token": token,
        "token_type": "Bearer",
        "expires_in": life,
        "scope": " ".join(granted),
    }


def check_assertion(campus: Campus, tool: Json, assertion: str) -> None:
    """Refuse an assertion that the tool did not sign for us, now, for the first time."""
    claims = _verified(campus, tool["jwks_url"], assertion)
    if not claims.get("iss") == claims.get("sub") == tool["client_id"]:
        raise _invalid("iss and sub must both be the client_id")
    audience = claims.get("aud")
    mine = (f"{campus.base_url}/lms/token", campus.issuer("lms"))
    named = audience if isinstance(audience, list) else [audience]
    if not any(one in mine for one in named):
        raise _invalid("aud must be the token endpoint")
    now = campus.now()
    issued, expires = _time(claims, "iat"), _time(claims, "exp")
    if expires < now - _SKEW_S:
        raise _invalid("the assertion has expired")
    if issued > now + _SKEW_S:
        raise _invalid("iat lies in the future")
    if expires - now > _LONGEST_S:
        raise _invalid("exp lies more than an hour ahead")
    jti = claims.get("jti")
    if not isinstance(jti, str) or not 0 < len(jti) <= 255:
        raise _invalid("jti is missing")
    if not campus.store.claim("jti", jti, expires + _SKEW_S, now):
        raise _invalid("jti was used before")


def bearer(campus: Campus, header: str, *scopes: str) -> None:
    """Refuse a request whose token is not ours, is over, or has none of the scopes."""
    scheme, _, token = header.partition(" ")
    kept = campus.store.get("lms_token", token) if scheme.lower() == "bearer" else None
    if kept is None or kept["until"] < campus.clock():
        raise Refused(401, "invalid_token", "the access token is unknown or has expired")
    if not set(scopes) & set(kept["scopes"]):
        raise Refused(403, "insufficient_scope", f"this needs the scope {' or '.join(scopes)}")


def _verified(campus: Campus, jwks_url: str, assertion: str) -> dict[str, Any]:
    if not assertion or len(assertion) > _LIMIT:
        raise _invalid("client_assertion is missing or too long")
    try:
        header = jws.extract_compact(assertion.encode()).headers()
    except (JoseError, ValueError) as error:
        raise _invalid("client_assertion is not a signed JWT") from error
    kid = header.get("kid")
    if header.get("alg") != "RS256" or not isinstance(kid, str):
        raise _invalid("the assertion must be signed with RS256 and name its kid")
    # First with the keys at hand; a key that is new, or replaced under its name, is fetched.
    for fresh in (False, True):
        keys = _keys(campus, jwks_url, fresh=fresh)
        try:
            return jwt.decode(assertion, _only(keys, kid), algorithms=["RS256"]).claims
        except (JoseError, ValueError, TypeError, KeyError):
            continue
    raise _invalid("no key of the tool's JWKS verifies the assertion")


def _only(keys: Json, kid: str) -> KeySet:
    matching = [key for key in keys["keys"] if key.get("kid") == kid and key.get("kty") == "RSA"]
    if not matching:
        raise KeyError(kid)
    return KeySet.import_key_set({"keys": matching})


def _keys(campus: Campus, url: str, *, fresh: bool) -> Json:
    if not fresh and url in campus.keysets:
        return campus.keysets[url]
    try:
        answer = campus.send("GET", url, {"Accept": "application/json"}, None)
        found = json.loads(answer.text)
    except (OutsideError, ValueError, RecursionError) as error:
        raise _invalid(f"the tool's JWKS cannot be read: {url}") from error
    listed = found.get("keys") if isinstance(found, dict) else None
    if answer.status != 200 or not isinstance(listed, list):
        raise _invalid(f"the tool's JWKS cannot be read: {url}")
    keys = {"keys": [key for key in listed if isinstance(key, dict)]}
    campus.keysets[url] = keys
    return keys


def _time(claims: dict[str, Any], name: str) -> float:
    value = claims.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _invalid(f"{name} is missing")
    return value


def _invalid(message: str) -> Refused:
    return Refused(400, "invalid_client", message)
