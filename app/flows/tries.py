"""Bounds how often a password may be tried, so that nobody guesses it and nobody locks its owner out.

Tries are bounded for each account and network address. Those from everywhere together only slow each
other down. A browser that has signed in before is bounded by its own tries alone.
"""

from __future__ import annotations

import hashlib
import ipaddress
from dataclasses import dataclass
from datetime import datetime, timedelta

from app.deps import Deps
from app.kernel.credential import Credential
from app.kernel.errors import Throttled
from app.kernel.tenant import Tenant
from app.store import once
from app.store.db import Tx
from app.store.sql import exclusive

_TRIES, _WINDOW = 10, timedelta(minutes=15)
"""By one network address or one known browser."""

_UNHURRIED, _PAUSE = 30, timedelta(seconds=10)
"""From everywhere, in the same window; from there on one try in each pause is judged."""

KNOWN = timedelta(days=90)
"""So long after its last sign-in a browser is known by its cookie, which lives as long."""


@dataclass(frozen=True, slots=True)
class Visit:
    """Where a try comes from: the browser's secret, its network address, the session that it holds."""

    browser: str
    address: str | None
    previous: Credential | None = None


def count(deps: Deps, tenant: Tenant, account: str, visit: Visit) -> None:
    """Count a try before it is judged, so that tries at once in all processes stay within the bounds.

    `account` is an e-mail address, whether or not anybody has it; raises Throttled.
    """
    now, everyones = deps.clock(), _tries(account)
    with deps.db.tx(tenant.id) as tx:
        exclusive(tx.conn, tenant.id, everyones)
        known = once.claimed(tx, _browsers(account), _hashed(visit.browser))
        own = _own(account, visit, known=known)
        if once.standing(tx, own, now) >= _TRIES:
            raise Throttled(
                "Too many tries for this account. Wait a quarter of an hour, or ask your operator for a new password.",
                code="too_many_tries",
                retry_after=int(_WINDOW.total_seconds()),
            )
        if not known:
            _slow_down(tx, everyones, now)
            once.claim(tx, everyones, deps.ids.new(), now + _WINDOW)
        once.claim(tx, own, deps.ids.new(), now + _WINDOW)


def succeeded(tx: Tx, account: str, visit: Visit, now: datetime) -> None:
    """Forget the failures before a success, and know the browser from now on."""
    browsers, browser = _browsers(account), _hashed(visit.browser)
    once.forget(tx, _own(account, visit, known=once.claimed(tx, browsers, browser)))
    once.renew(tx, browsers, browser, now + KNOWN)


def forget(tx: Tx, account: str) -> None:
    """Forget all tries on an account, and the browsers that signed in to it."""
    once.forget_under(tx, _tries(account))
    once.forget(tx, _browsers(account))


def _own(account: str, visit: Visit, *, known: bool) -> str:
    """The kind under which a try counts for those who made it."""
    return f"{_tries(account)}:{_hashed(visit.browser if known else network(visit.address))}"


def _slow_down(tx: Tx, everyones: str, now: datetime) -> None:
    last = once.last_to_expire(tx, everyones)
    if last is None or once.standing(tx, everyones, now) < _UNHURRIED:
        return
    if now - (last - _WINDOW) < _PAUSE:
        raise Throttled(
            "This account is being tried very often. Wait ten seconds, then try again.",
            code="too_many_tries",
            retry_after=int(_PAUSE.total_seconds()),
        )


def _tries(account: str) -> str:
    return f"password-try:{_hashed(account.casefold())}"


def _browsers(account: str) -> str:
    return f"known-browser:{_hashed(account.casefold())}"


def _hashed(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def network(address: str | None) -> str:
    """Return one IPv4 address, or the /64 in which an IPv6 address is free to move."""
    try:
        found = ipaddress.ip_address(address or "")
    except ValueError:
        return address or ""
    if not isinstance(found, ipaddress.IPv6Address):
        return str(found)
    return str(found.ipv4_mapped or ipaddress.ip_network((found, 64), strict=False))
