"""Calling a platform's services (AGS, NRPS): with an access token from the store, or a new one."""

from __future__ import annotations

import threading
from collections.abc import Callable

from app.deps import Deps
from app.flows import rings
from app.http import Response
from app.kernel.errors import Refused
from app.kernel.tenant import TenantId
from app.store import access_tokens, platforms
from app.store.platforms import Platform
from lti import token
from lti.errors import ServiceRefused
from lti.service import HttpRequest

_PURPOSE = "access token"
_UNAUTHORIZED = 401
_LOCKS = tuple(threading.Lock() for _ in range(64))


def platform(deps: Deps, registration_id: str) -> Platform:
    """Find a platform whose services may be called; raises Refused when it is gone or switched off."""
    with deps.db.system() as system:
        found = platforms.by_id(system, registration_id)
    if found is None or not found.enabled:
        raise Refused("The platform is gone or switched off.", code="platform_disabled")
    return found


def call(
    deps: Deps, tenant: TenantId, registration_id: str, scope: str, build: Callable[[str], HttpRequest]
) -> Response:  # fmt: skip
    """Send what `build` makes of an access token, once more with a new one where that one is refused.

    Raises Refused (the platform is switched off), lti's ServiceRefused or ServiceUnavailable (it
    gave no token) and HttpFailed.
    """
    at = platform(deps, registration_id)
    held = _token(deps, tenant, at, scope, refused=None)
    response = deps.http.send(build(held))
    if response.status != _UNAUTHORIZED:
        return response
    return deps.http.send(build(_token(deps, tenant, at, scope, refused=held)))


def _token(deps: Deps, tenant: TenantId, at: Platform, scope: str, *, refused: str | None) -> str:
    """Return a token that still holds and is not the `refused` one; one thread asks for a new one."""
    with _LOCKS[hash((tenant, at.registration.id, scope)) % len(_LOCKS)]:
        with deps.db.read(tenant) as read:
            sealed = access_tokens.get(read, at.registration.id, scope, deps.clock())
        held = deps.seal.open(_PURPOSE, sealed).decode() if sealed else None
        if held is not None and held != refused:
            return held
        return _new_token(deps, tenant, at, scope)


def _new_token(deps: Deps, tenant: TenantId, at: Platform, scope: str) -> str:
    key, now = rings.signing_key(deps, at.key_owner), deps.clock()
    # The id in the assertion is a secret's worth of random bits: it must not be guessed ahead.
    jti = deps.ids.secret().hex()
    request = token.grant_request(at.registration, key, [scope], now=now, jti=jti)
    granted = token.read_grant(deps.http.send(request), [scope], deps.clock())
    if granted.missing:
        raise ServiceRefused("invalid_scope", f"The platform did not grant the scope {scope}.")
    sealed = deps.seal.seal(_PURPOSE, granted.token.encode())
    with deps.db.tx(tenant) as tx:
        access_tokens.put(tx, at.registration.id, scope, sealed, granted.expires_at)
    return granted.token
