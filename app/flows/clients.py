"""OAuth clients as an operator or an administrator sets them up: made, switched on and off, a new secret."""

from __future__ import annotations

import json
from dataclasses import dataclass, field

from app.deps import Deps
from app.flows import bearers
from app.flows.acting import Acting
from app.kernel import credential
from app.kernel.errors import Conflict, Invalid, NotFound
from app.store import audit, oauth_clients, tokens
from app.store.db import Tx
from app.store.oauth_clients import OAuthClient
from keys.errors import BadKey
from keys.jwk import parse_jwks
from keys.strict_json import StrictJsonError, parse_object

SECRET = "ost_client_"  # noqa: S105 - what a secret begins with
_LONGEST_URL = 2000
_PRIVATE = {"d", "k", "p", "q", "dp", "dq", "qi", "oth"}
"""Members of a JWK that are nobody else's business (RFC 7518 §6)."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """A client as somebody wants it. With `keys`, a JWK Set or its address, it signs; else it has a secret."""

    name: str
    client: str = bearers.DEFAULT_CLIENT
    scope: str = "write"
    keys: str = ""


@dataclass(frozen=True, slots=True)
class Made:
    """What the client's own administrator enters there; the secret is shown this once."""

    id: str
    client_id: str
    client_secret: str | None = field(repr=False)
    token_url: str


def token_url(deps: Deps) -> str:
    """Return the token endpoint's address."""
    return f"{deps.settings.base_url}/oauth/token"


def client_id(of: OAuthClient) -> str:
    """Return a client's public id, which names its tenant too."""
    return credential.scoped(of.tenant_id, of.id)


def add(deps: Deps, acting: Acting, wanted: Wanted) -> Made:
    """Make a client, which may ask for tokens at once; raises Invalid."""
    if wanted.scope not in bearers.SCOPES:
        raise Invalid("A client may read or write.")
    name = bearers.named(wanted.name, "A client's name")
    client = bearers.named(wanted.client, "A provisioning client's name")
    jwks, url = _keys(wanted.keys.strip(), allow_http=deps.settings.insecure_neighbours)
    row, now, secret = deps.ids.new(), deps.clock(), deps.ids.secret()
    signs = jwks is not None or url is not None
    with acting as (tx, by):
        made = OAuthClient(
            tx.tenant, row, name, client, wanted.scope, None if signs else credential.digest(secret),
            jwks, url, enabled=True, cut_at=None, created_at=now, created_by=by, last_used_at=None,
        )  # fmt: skip
        oauth_clients.add(tx, made)
        audit.record(
            tx, deps.ids.new(), now, by, "client.added", row, client=client, scope=wanted.scope,
            signs=signs,
        )  # fmt: skip
    return _made(deps, made, None if signs else secret)


def switch(deps: Deps, acting: Acting, row: str, *, enabled: bool) -> None:
    """Switch a client on or off; off, every token that it was given has ended. Raises NotFound."""
    with acting as (tx, by):
        _found(tx, row)
        now = deps.clock()
        # The row first: who is about to give a token holds it, and what they give is revoked here then.
        if oauth_clients.enable(tx, row, now, enabled=enabled):
            ended = 0 if enabled else tokens.revoke_given(tx, row, now)
            action = "client.enabled" if enabled else "client.disabled"
            audit.record(tx, deps.ids.new(), now, by, action, row, tokens=ended)


def rotate_secret(deps: Deps, acting: Acting, row: str) -> Made:
    """Give a client a new secret; the old one and all that it opened has ended. Raises NotFound or Conflict."""
    secret = deps.ids.secret()
    with acting as (tx, by):
        of = _found(tx, row)
        if of.digest is None:
            raise Conflict("This client has no secret: it signs with keys of its own.")
        now = deps.clock()
        oauth_clients.set_digest(tx, row, credential.digest(secret))
        ended = tokens.revoke_given(tx, row, now)
        audit.record(tx, deps.ids.new(), now, by, "client.secret_rotated", row, tokens=ended)
    return _made(deps, of, secret)


def _made(deps: Deps, of: OAuthClient, secret: bytes | None) -> Made:
    text = credential.mint(SECRET, of.tenant_id, of.id, secret) if secret else None
    return Made(of.id, client_id(of), text, token_url(deps))


def _found(tx: Tx, row: str) -> OAuthClient:
    found = oauth_clients.get(tx, row)
    if found is None:
        raise NotFound("There is no such client.")
    return found


def _keys(text: str, *, allow_http: bool) -> tuple[str | None, str | None]:
    """Read a JWK Set or its address: (the set, None), (None, the address), or neither."""
    if not text:
        return None, None
    if text.startswith(("https://", "http://")):
        plain = text.startswith("http://") and not allow_http
        if plain or len(text) > _LONGEST_URL or not text.isprintable() or " " in text:
            raise Invalid(
                "A key set's address begins with https:// and has at most 2000 characters."
            )
        return None, text
    try:
        usable = parse_jwks(text.encode()).keys
        entries = parse_object(text.encode())["keys"]
    except (BadKey, StrictJsonError, UnicodeEncodeError) as error:
        raise Invalid(f"This is neither a key set (JWKS) nor an address of one: {error}") from None
    if any(isinstance(one, dict) and _PRIVATE & set(one) for one in _listed(entries)):
        raise Invalid("This key set holds a private key. Keep that, and give its public half.")
    if not usable:
        raise Invalid("This key set holds no RSA or EC key that can verify a signature.")
    return json.dumps({"keys": entries}), None


def _listed(entries: object) -> list[object]:
    return entries if isinstance(entries, list) else []
