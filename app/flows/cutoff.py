"""Out at once: the one way in which access ends, inside the write transaction of what ends it.

Whoever is cut off is out before the call that did it returns, on every process: sessions, launches and
tokens are read at every request with all that they rest on. What was cut off never revives.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from app.deps import Deps
from app.kernel.tenant import TenantId
from app.store import audit, connections, launches, people, platforms, sessions, tenants, tokens
from app.store.db import System, Tx


@dataclass(frozen=True, slots=True)
class Trigger:
    """What ends access: whose doing (`actor`), by which kind of call, and when that was received."""

    actor: str
    by: str
    received_at: datetime


@dataclass(frozen=True, slots=True)
class Ended:
    """How many of each stood until now."""

    sessions: int = 0
    launches: int = 0
    tokens: int = 0

    @property
    def total(self) -> int:
        """All of them."""
        return self.sessions + self.launches + self.tokens


def person(deps: Deps, tx: Tx, person_id: str, trigger: Trigger, action: str) -> Ended:
    """End all that lets a person in; logins that they have begun lead nowhere.

    Whether they may come back is not said here: that is the person's row, which the caller holds.
    """
    now = deps.clock()
    people.cut(tx, person_id, now)
    ended = Ended(
        sessions.end_all(tx, person_id, trigger.actor, now),
        launches.end_all(tx, person_id, trigger.actor, now),
        tokens.revoke_all(tx, person_id, now),
    )
    _note(deps, tx, trigger, action, person_id, ended)
    return ended


def connection(deps: Deps, tx: Tx, connection_id: str, trigger: Trigger) -> Ended | None:
    """Switch a connection off with all sessions that came by it; None when it was off."""
    stood = Ended(sessions=sessions.count(tx, deps.clock(), connection_id))
    if not connections.enable(tx, connection_id, deps.clock(), enabled=False):
        return None
    _note(deps, tx, trigger, "connection.disabled", connection_id, stood)
    return stood


def platform(deps: Deps, system: System, registration_id: str, trigger: Trigger) -> Ended | None:
    """Switch a platform off with all launches that came by it, in every tenant; None when it was off."""
    into = platforms.led_into(system, registration_id)
    stood = {one: _launches(deps, system.within(one), registration_id) for one in into}
    if not platforms.enable(system, registration_id, deps.clock(), enabled=False):
        return None
    for tenant_id, ended in stood.items():
        _note(deps, system.within(tenant_id), trigger, "platform.disabled", registration_id, ended)
    return Ended(launches=sum(ended.launches for ended in stood.values()))


def tenant(deps: Deps, system: System, tenant_id: TenantId, trigger: Trigger) -> Ended | None:
    """Close a tenant with every session and launch of it; None when it was closed. Its tokens rest."""
    tx = system.within(tenant_id)
    now = deps.clock()
    stood = Ended(sessions.count(tx, now), launches.count(tx, now))
    if not tenants.enable(system, tenant_id, now, enabled=False):
        return None
    _note(deps, tx, trigger, "tenant.disabled", tenant_id, stood)
    return stood


def _launches(deps: Deps, tx: Tx, registration_id: str) -> Ended:
    return Ended(launches=launches.count(tx, deps.clock(), registration_id))


def _note(deps: Deps, tx: Tx, trigger: Trigger, action: str, subject: str, ended: Ended) -> None:
    now = deps.clock()
    audit.record(
        tx, deps.ids.new(), now, trigger.actor, action, subject, by=trigger.by, ended=ended.total,
        sessions=ended.sessions, launches=ended.launches, tokens=ended.tokens,
        took_ms=(now - trigger.received_at) // timedelta(milliseconds=1),
    )  # fmt: skip
