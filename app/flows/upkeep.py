"""What the worker does beside delivering: it forgets what is over, and writes down where audit logs end."""

from __future__ import annotations

from datetime import datetime, timedelta

import structlog

from app.deps import Deps
from app.flows import event_streams, provision_purge
from app.store import audit, guard, leases, once, retention, scim_trace, tenants, tokens
from app.store.retention import Over

_DEPARTURES = timedelta(days=90)
"""So long it can be read who left when; those of a hold stay."""

_GIVEN_UP = timedelta(days=365)
"""So long an administrator can see and replay what was given up."""

_STEP = 300
"""Rows dropped in one transaction: others wait at the write gate meanwhile."""

_STEPS = 5
"""Of a sweep, for each way in which they end: the worker does nothing else meanwhile."""

_CHECKPOINT = "audit checkpoint"
_CHECKPOINT_EVERY = timedelta(hours=1)


def forget(deps: Deps) -> bool:
    """Drop what has expired, departures of long ago, deliveries that are over, traces, and the deleted.

    And give up events that no receiver has come for.

    A bounded number at once; tells whether some may be left.
    """
    now = deps.clock()
    with deps.db.system(write=True) as system:
        once.forget_expired(system, now)
        guard.forget(system, now - _DEPARTURES)
    kept = now - timedelta(days=deps.settings.delivered_days)
    ends: dict[Over, datetime] = {"delivered": kept, "superseded": kept, "dead": now - _GIVEN_UP}
    left = [_drop(deps, how, before) for how, before in ends.items()]
    left += [_drop_expired(deps, now), provision_purge.purge(deps), _drop_traces(deps)]
    return any([*left, event_streams.give_up(deps, _STEP)])


def checkpoints(deps: Deps) -> int:
    """Write each tenant's audit checkpoint into the log, which is kept elsewhere; returns how many.

    Whichever worker comes first does, once an hour; the others find that it is done.
    """
    log, holder = structlog.get_logger("ostiary.audit"), deps.ids.new()
    with deps.db.system() as system:
        found = tenants.listed(system)
    written = 0
    for tenant in found:
        now = deps.clock()
        with deps.db.read(tenant.id) as read:  # looking must not take the write lock
            if leases.held(read, _CHECKPOINT, now):
                continue
        with deps.db.tx(tenant.id) as tx:
            mine = leases.take(tx, _CHECKPOINT, holder, now, now + _CHECKPOINT_EVERY)
            end = audit.end(tx)
        if mine:
            log.info("audit checkpoint", tenant=tenant.slug, entries=end.n, mac=end.mac)
            written += 1
    return written


def _drop_traces(deps: Deps) -> bool:
    before, left = deps.clock() - timedelta(days=deps.settings.trace_days), False
    with deps.db.system() as system:
        found = tenants.listed(system)
    for tenant in found:
        with deps.db.read(tenant.id) as read:
            over = scim_trace.over(read, before, 1)
        for _ in range(_STEPS if over else 0):
            with deps.db.tx(tenant.id) as tx:
                over = scim_trace.forget(tx, before, _STEP) == _STEP
            if not over:
                break
        left = left or over
    return left


def _drop_expired(deps: Deps, now: datetime) -> bool:
    with deps.db.system() as system:
        found = tokens.expired(system, now, _STEP * _STEPS)
    for start in range(0, len(found), _STEP):
        with deps.db.system(write=True) as system:
            tokens.drop(system, found[start : start + _STEP])
    return len(found) == _STEP * _STEPS


def _drop(deps: Deps, how: Over, before: datetime) -> bool:
    with deps.db.system() as system:
        found = retention.over(system, how, before, _STEP * _STEPS)
    for start in range(0, len(found), _STEP):
        with deps.db.system(write=True) as system:
            retention.drop(system, found[start : start + _STEP], how, before)
    return len(found) == _STEP * _STEPS
