"""The token and userinfo endpoints (OpenID Connect Core §3.1.3, §5.3)."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from collections.abc import Mapping

from sandbox.campus import Campus
from sandbox.errors import Refused
from sandbox.people import Person, pairwise_subject
from sandbox.store import Json

_LIFE_S = 300


def redeem(campus: Campus, client: Json, form: Mapping[str, str]) -> Json:
    """The token response for a code that is this client's, fresh, and used for the first time."""
    if form.get("grant_type") != "authorization_code":
        raise Refused(400, "unsupported_grant_type", "grant_type must be authorization_code")
    code = form.get("code", "")
    with campus.store.change():
        grant = campus.store.pop("code", code)
        if grant is not None:
            campus.store.put("spent_code", code, {"until": grant["until"] + _LIFE_S})
    if grant is None:
        _revoke_issued_from(campus, code)
        raise _bad("the code is unknown or was used before")
    if grant["until"] < campus.clock():
        raise _bad("the code has expired")
    if grant["client_id"] != client["id"]:
        raise _bad("the code was given to another client")
    if grant["redirect_uri"] != form.get("redirect_uri"):
        raise _bad("redirect_uri differs from the one in the authorization request")
    if not _proves(form.get("code_verifier", ""), grant["code_challenge"]):
        raise _bad("code_verifier is missing or does not match")
    person = campus.people.get(grant["person"])
    if person is None or not person.active:
        raise _bad("this person may not sign in")
    return _response(campus, client, grant, person, code)


def userinfo(campus: Campus, header: str) -> Json:
    """The claims that an access token opens."""
    scheme, _, token = header.partition(" ")
    kept = campus.store.get("idp_token", token) if scheme.lower() == "bearer" else None
    if kept is None or kept["until"] < campus.clock():
        raise Refused(401, "invalid_token", "the access token is unknown or has expired")
    person = campus.people.get(kept["person"])
    if person is None or not person.active:
        raise Refused(401, "invalid_token", "this person may not sign in")
    subject = pairwise_subject(kept["client_id"], person)
    return {"sub": subject, **_claims(person, kept["scope"])}


def _response(campus: Campus, client: Json, grant: Json, person: Person, code: str) -> Json:
    access = secrets.token_urlsafe(32)
    kept = {
        "client_id": client["id"],
        "person": person.key,
        "scope": grant["scope"],
        "code": code,
        "until": campus.clock() + _LIFE_S,
        "token": access,
    }
    campus.store.put("idp_token", access, kept)
    now = campus.now()
    digest = hashlib.sha256(access.encode()).digest()
    nonce = {"nonce": grant["nonce"]} if grant["nonce"] else {}
    id_token = campus.keys["idp"].sign(
        {
            "iss": campus.issuer("idp"),
            "aud": client["id"],
            "sub": pairwise_subject(client["id"], person),
            "iat": now,
            "exp": now + _LIFE_S,
            "auth_time": grant["auth_time"],
            "sid": grant["sid"],
            "at_hash": base64.urlsafe_b64encode(digest[:16]).decode().rstrip("="),
            **nonce,
            **_claims(person, grant["scope"]),
        }
    )
    return {
        "access_token": access,
        "token_type": "Bearer",
        "expires_in": _LIFE_S,
        "id_token": id_token,
        "scope": grant["scope"],
    }


def _claims(person: Person, scope: str) -> Json:
    claims: Json = {"oid": person.oid}
    granted = scope.split()
    if "profile" in granted:
        claims |= {
            "name": person.name,
            "given_name": person.given,
            "family_name": person.family,
            "preferred_username": person.email,
        }
    if "email" in granted:
        claims |= {"email": person.email, "email_verified": True}
    return claims


def _proves(verifier: str, challenge: str) -> bool:
    """RFC 7636 §4.6."""
    if not 43 <= len(verifier) <= 128:
        return False
    digest = hashlib.sha256(verifier.encode()).digest()
    made = base64.urlsafe_b64encode(digest).rstrip(b"=")
    return hmac.compare_digest(made, challenge.encode())


def _revoke_issued_from(campus: Campus, code: str) -> None:
    """A code that comes twice was stolen: what it brought is worth nothing (RFC 6749 §4.1.2)."""
    if campus.store.get("spent_code", code) is None:
        return
    for kept in campus.store.all("idp_token"):
        if kept["code"] == code:
            campus.store.pop("idp_token", kept["token"])


def _bad(message: str) -> Refused:
    return Refused(400, "invalid_grant", message)
