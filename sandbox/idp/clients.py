"""The relying parties that this provider knows, and how they prove themselves."""

from __future__ import annotations

import base64
import binascii
import hmac
from collections.abc import Mapping
from urllib.parse import unquote_plus

from sandbox import fields
from sandbox.campus import Campus
from sandbox.errors import Refused
from sandbox.store import Json

_CHECKS = {
    "redirect_uris": fields.urls,
    "post_logout_redirect_uris": fields.urls,
    "secret": fields.text,
    "name": fields.text,
}


def register(campus: Campus, client_id: str, body: Json) -> Json:
    """Keep a client's registration, all of it anew."""
    found = fields.read(body, _CHECKS, ("redirect_uris", "secret"))
    defaults: Json = {"id": client_id, "name": "Learning gateway", "post_logout_redirect_uris": []}
    kept = {**defaults, **found}
    campus.store.put("client", client_id, kept)
    return kept


def find(campus: Campus, client_id: str) -> Json:
    client = campus.store.get("client", client_id)
    if client is None:
        raise Refused(400, "unauthorized_client", "no client is registered under that client_id")
    return client


def authenticate(campus: Campus, header: str, form: Mapping[str, str]) -> Json:
    """The client that calls the token endpoint, by client_secret_basic or _post, never by both.

    Names and secrets in the header are form-encoded first (RFC 6749 §2.3.1).
    """
    scheme, _, packed = header.partition(" ")
    if scheme.lower() == "basic":
        if "client_secret" in form:
            raise Refused(400, "invalid_request", "send the client secret in one way only")
        client_id, secret = _basic(packed)
    else:
        client_id, secret = form.get("client_id", ""), form.get("client_secret", "")
    client = campus.store.get("client", client_id)
    if client is None or not hmac.compare_digest(client["secret"].encode(), secret.encode()):
        raise Refused(401, "invalid_client", "the client is unknown or its secret is wrong")
    return client


def _basic(packed: str) -> tuple[str, str]:
    try:
        name, _, secret = base64.b64decode(packed, validate=True).decode().partition(":")
    except (binascii.Error, ValueError):
        return "", ""
    return unquote_plus(name), unquote_plus(secret)
