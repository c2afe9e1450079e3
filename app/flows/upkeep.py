"""What the worker does beside delivering: it forgets what is over, and writes down where audit logs end."""

from __future__ import annotations

from datetime import timedelta

import structlog

from app.deps import Deps
from app.store import audit, guard, once, tenants

_DEPARTURES = timedelta(days=90)
"""So long it can be read who left when; those of a hold stay."""


def forget(deps: Deps) -> None:
    """Drop claims that have expired, and departures of long ago."""
    now = deps.clock()
    with deps.db.system(write=True) as system:
        once.forget_expired(system, now)
        guard.forget(system, now - _DEPARTURES)


def checkpoints(deps: Deps) -> int:
    """Write each tenant's audit checkpoint into the log, which is kept elsewhere; returns how many."""
    log = structlog.get_logger("ostiary.audit")
    with deps.db.system() as system:
        found = tenants.listed(system)
    for tenant in found:
        with deps.db.read(tenant.id) as read:
            end = audit.end(read)
        log.info("audit checkpoint", tenant=tenant.slug, entries=end.n, mac=end.mac)
    return len(found)
