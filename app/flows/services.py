"""Calling a platform's services (AGS, NRPS): with an access token from the store, or a new one.

All processes share the tokens, and one at a time asks for a new one; who holds no lock waits for nobody
else's platform.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import timedelta

from app.deps import Deps
from app.flows import rings
from app.http import Response
from app.kernel.errors import Refused
from app.kernel.tenant import TenantId
from app.store import access_tokens, leases, platforms
from app.store.db import Read
from app.store.platforms import Platform
from lti import token
from lti.errors import ServiceRefused, ServiceUnavailable
from lti.service import HttpRequest

_PURPOSE = "access token"
_UNAUTHORIZED = 401
_ASKING = timedelta(seconds=30)
"""Longer than a request may take; who asks and dies lets another ask then."""
_WAIT_SECONDS = 0.05
_WAITS = 60


class TokenAwaited(ServiceUnavailable):
    """Another is asking for the token; nobody's fault, and soon over."""

    def __init__(self) -> None:
        super().__init__(
            "token_awaited", "A new access token is being asked for. Try again shortly."
        )


def platform(deps: Deps, registration_id: str) -> Platform:
    """Find a platform whose services may be called.

    Raises Refused with the code platform_gone, or platform_disabled while it is switched off.
    """
    with deps.db.system() as system:
        found = platforms.by_id(system, registration_id)
    if found is None:
        raise Refused("The platform is gone.", code="platform_gone")
    if not found.enabled:
        raise Refused("The platform is switched off.", code="platform_disabled")
    return found


def call(
    deps: Deps, tenant: TenantId, registration_id: str, scope: str, build: Callable[[str], HttpRequest]
) -> Response:  # fmt: skip
    """Send what `build` makes of an access token, once more with a new one where that one is refused.

    Raises Refused (the platform is gone or switched off), lti's ServiceRefused or ServiceUnavailable
    (it gave no token, or TokenAwaited) and HttpFailed.
    """
    at = platform(deps, registration_id)
    held = _token(deps, tenant, at, scope, refused=None)
    response = deps.http.send(build(held))
    if response.status != _UNAUTHORIZED:
        return response
    return deps.http.send(build(_token(deps, tenant, at, scope, refused=held)))


def _token(deps: Deps, tenant: TenantId, at: Platform, scope: str, *, refused: str | None) -> str:
    """Return a token that still holds and is not the `refused` one; one of all processes asks for a new one.

    Raises TokenAwaited when another is asking and the token does not come in a moment.
    """
    name = f"token {at.registration.id} {scope}"
    for _ in range(_WAITS):
        with deps.db.read(tenant) as read:
            held = _good(deps, read, at, scope, refused)
            asking = held is None and leases.held(read, name, deps.clock())
        if held is None and not asking:
            # Who asked may have just got the very token that was refused here since, or none.
            held = _asked(deps, tenant, at, scope, name, refused)
        if held is not None:
            return held
        time.sleep(_WAIT_SECONDS)
    raise TokenAwaited


def _asked(
    deps: Deps, tenant: TenantId, at: Platform, scope: str, name: str, refused: str | None
) -> str | None:
    """Ask for a new token; None while another does."""
    holder = deps.ids.new()
    with deps.db.tx(tenant) as tx:
        now = deps.clock()
        if not leases.take(tx, name, holder, now, now + _ASKING):
            return None
        # Another may have been faster than the look at the lease.
        held = _good(deps, tx, at, scope, refused)
    try:
        return held or _new_token(deps, tenant, at, scope)
    finally:
        with deps.db.tx(tenant) as tx:
            leases.release(tx, name, holder)


def _good(deps: Deps, read: Read, at: Platform, scope: str, refused: str | None) -> str | None:
    sealed = access_tokens.get(read, at.registration.id, scope, deps.clock())
    held = deps.seal.open(_PURPOSE, sealed).decode() if sealed else None
    return None if held == refused else held


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
