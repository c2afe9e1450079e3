"""Lanes: how each destination of a tenant's deliveries fares, so that one that is away is left in peace.

A destination that fails, throttles or refuses everything gets a pause. After it one delivery, the probe,
tries whether it is well again and holds the lane for all workers while it does; the first success opens
the lane.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Boolean, and_, bindparam, exists, func, literal_column, or_, select, update

from app.kernel.delivery import (
    BRAKE,
    POLLED,
    PUSHED,
    RECORD_STORE,
    REGISTRATION,
    REMOVED,
    Outcome,
    pause,
)
from app.kernel.tenant import TenantId
from app.store.db import System, Tx
from app.store.sql import insert_once, locked
from app.store.tables.lti import registration
from app.store.tables.outbox import delivery, destination, lane
from app.store.tables.tenants import tenant
from app.store.types import Str, Time

WAITING = delivery.c.status == literal_column("'waiting'")
"""A literal, not a parameter: the planner must see that it is the partial index's condition."""

_REAL_OUTAGE = 2
"""So many failures in a row are the destination's; a single one may be its delivery's alone."""

_EARLY_TRIES = 3
"""So many tries of one that may be at fault itself are let go early; the others keep to the schedule."""

_BRAKED_PAUSE = timedelta(minutes=1)
"""The longest where everything is refused: one that would be taken waits no longer than this."""

BREATH = timedelta(seconds=1)
_NOW = bindparam("now", type_=Time)


@dataclass(frozen=True, slots=True)
class Lane:
    """A lane with something due in it. While it fails a probe alone may go.

    `braked`: everything was refused there; the probe is the newest then, since the others were refused
    """

    tenant: TenantId
    destination: str
    failing: bool
    braked: bool = False


def due_head() -> Any:
    """A delivery that may go now: waiting, due, under no lease, and the oldest waiting of its key.

    Asked row by row: as a join PostgreSQL would first read all that waits, while it has not counted it.
    And what waits is said of the older one by its end, lest the index of what is due be taken for it.
    """
    older = delivery.alias("older")
    before = (
        select(older.c.seq)
        .where(
            older.c.tenant_id == delivery.c.tenant_id,
            older.c.destination == delivery.c.destination,
            older.c.ordering_key == delivery.c.ordering_key,
            older.c.seq < delivery.c.seq,
            older.c.finished_at.is_(None),
        )
        .limit(1)
        .scalar_subquery()
    )
    free = or_(delivery.c.lease_until.is_(None), delivery.c.lease_until < _NOW)
    return and_(WAITING, delivery.c.next_at <= _NOW, free, before.is_(None))


def off(table: Any, prefix: str, *same: Any) -> Any:
    """The lane's platform, record store or receiver is there, and not enabled."""
    return _whose(table, prefix, *same, ~table.c.enabled)


def _whose(table: Any, prefix: str, *so: Any) -> Any:
    named = func.substr(lane.c.destination, len(prefix) + 1)
    return exists().where(lane.c.destination.startswith(prefix), table.c.id == named, *so)


_ITS_TENANT = destination.c.tenant_id == lane.c.tenant_id
SWITCHED_OFF = or_(off(registration, REGISTRATION), off(destination, RECORD_STORE, _ITS_TENANT))
GONE = _whose(destination, RECORD_STORE, _ITS_TENANT, destination.c.kind == REMOVED)
_HEARS = destination.c.kind.in_((PUSHED, POLLED))
RECEIVER_OFF = off(destination, RECORD_STORE, _ITS_TENANT, _HEARS)
OF_EVENTS = _whose(destination, RECORD_STORE, _ITS_TENANT, _HEARS)
FETCHED = _whose(destination, RECORD_STORE, _ITS_TENANT, destination.c.kind == POLLED)
"""Nothing is sent there: the receiver comes for it."""

_head = (
    select(delivery.c.next_at)
    .where(
        delivery.c.tenant_id == lane.c.tenant_id,
        delivery.c.destination == lane.c.destination,
        due_head(),
    )
    .order_by(delivery.c.next_at, delivery.c.seq)
    .limit(1)
    .scalar_subquery()
)
_OPEN = and_(
    lane.c.open_at <= _NOW,
    or_(lane.c.failures == 0, bindparam("probing", type_=Boolean)),
    lane.c.destination.not_in(bindparam("full", expanding=True, type_=Str)),
    exists().where(tenant.c.id == lane.c.tenant_id, tenant.c.enabled),
    ~or_(SWITCHED_OFF, FETCHED),
)  # fmt: skip
_ANY = select(lane.c.destination).where(_OPEN, _head.is_not(None)).limit(1)
_DUE = (
    select(lane.c.tenant_id, lane.c.destination, lane.c.failures, lane.c.refusals)
    .where(_OPEN, _head.is_not(None))
    # Those that work before those that may not, and then who has waited longest.
    .order_by(lane.c.failures > 0, _head, lane.c.tenant_id, lane.c.destination)
    .limit(bindparam("most"))
)
_MINE = and_(
    lane.c.tenant_id == bindparam("of_tenant"), lane.c.destination == bindparam("of_destination")
)
_THERE = select(
    lane.c.failures, lane.c.throttled, lane.c.open_at, lane.c.failing_since, lane.c.refusals
).where(_MINE)
_COUNT = update(lane).where(_MINE)


def ensure(tx: Tx, name: str, now: datetime) -> None:
    """Make a destination's lane where there is none.

    Before deliveries are touched, and by a mere read where it is there: whoever holds a delivery's row
    must not wait for a lane's.
    """
    if tx.conn.execute(_THERE, {"of_tenant": tx.tenant, "of_destination": name}).first() is None:
        row = {"tenant_id": tx.tenant, "destination": name, "open_at": now, "failures": 0}
        insert_once(tx.conn, lane, row)


def anything_due(system: System, now: datetime, full: Collection[str], *, probing: bool) -> bool:
    """Tell by a mere read whether `due` would find a lane."""
    given = {"now": now, "full": sorted(full), "probing": probing}
    return system.conn.execute(_ANY, given).first() is not None


def due(
    system: System, now: datetime, most: int, full: Collection[str], *, probing: bool
) -> list[Lane]:
    """Return open lanes with something due, but those `full`; failing ones only where `probing`."""
    given = {"now": now, "most": most, "full": sorted(full), "probing": probing}
    rows = system.conn.execute(_DUE, given)
    return [
        Lane(TenantId(row.tenant_id), row.destination, row.failures > 0, row.refusals >= BRAKE)
        for row in rows
    ]


def may_probe(system: System, failing: Lane, now: datetime) -> bool:
    """Tell whether no other worker has a failing lane just now; it is this transaction's then."""
    free = _THERE.where(lane.c.open_at <= _NOW)
    if system.conn.dialect.name != "sqlite":
        free = free.with_for_update(skip_locked=True)
    return system.conn.execute(free, {**_of(failing), "now": now}).first() is not None


def hold(system: System, failing: Lane, until: datetime) -> None:
    """Let one probe have a failing lane until it is recorded, or its lease is over."""
    system.conn.execute(update(lane).where(_MINE).values(open_at=until), _of(failing))


def settle(
    system: System, of: Lane, outcome: Outcome, now: datetime, random: float
) -> datetime | None:
    """Let a lane fare as a try there shows; returns until when it pauses, if the outcome makes it.

    `of` is the lane as it was when the try was claimed: failing, the try was its probe. A refusal makes it
    pause where it is one too many in a row.
    """
    mine, probe = _of(of), of.failing
    closes = outcome.kind in {"failed", "throttled"}
    statement = locked(system.conn, _THERE) if closes or outcome.unfit else _THERE
    row = system.conn.execute(statement, mine).first()
    if row is None:
        return None
    refusals = row.refusals + outcome.unfit
    if refusals != row.refusals:
        system.conn.execute(_COUNT.values(refusals=refusals), mine)
    longest = None
    if outcome.unfit and refusals >= BRAKE:
        outcome, closes, longest = outcome.braked(), True, _BRAKED_PAUSE
    if not closes:
        _go_on(system, mine, row, outcome, now, probe=probe)
        return None
    return _pause(system, mine, row, outcome, now, random, longest, probe=probe)


def _pause(
    system: System, mine: dict[str, str], row: Any, outcome: Outcome, now: datetime, random: float,
    longest: timedelta | None, *, probe: bool,
) -> datetime:  # fmt: skip
    # Of a wave that failed together one counts.
    counts = probe or row.failures == 0
    failures = row.failures + counts
    wait = now + min(pause(failures, random, outcome), longest or timedelta.max)
    throttled = outcome.kind == "throttled"
    if not counts:
        asked = throttled or outcome.retry_after is not None
        wait = max(row.open_at, wait) if asked else row.open_at
        throttled = throttled or row.throttled
    system.conn.execute(update(lane).where(_MINE).values(
        failures=failures, failing_since=row.failing_since or now, throttled=throttled,
        last_error=outcome.message, open_at=wait,
    ), mine)  # fmt: skip
    return wait


def _go_on(
    system: System, mine: dict[str, str], row: Any, outcome: Outcome, now: datetime, *, probe: bool
) -> None:
    if row.refusals and outcome.answered and not outcome.unfit:
        system.conn.execute(_COUNT.values(refusals=0), mine)
    if row.failures == 0:
        return
    if not outcome.answered:
        if probe:
            system.conn.execute(update(lane).where(_MINE).values(open_at=now + BREATH), mine)
        return
    if row.throttled and not probe:
        return  # it was under way when they asked for a pause
    fresh = {"failures": 0, "throttled": False, "failing_since": None, "last_error": None}
    system.conn.execute(update(lane).where(_MINE).values(open_at=now, **fresh), mine)
    early = None if row.failures >= _REAL_OUTAGE else _EARLY_TRIES
    _all_due(system, mine["of_tenant"], mine["of_destination"], now, early)


def try_now(tx: Tx, name: str, now: datetime) -> bool:
    """End a lane's pause, and let all that waits there be due; False when there is no such lane."""
    mine = {"of_tenant": tx.tenant, "of_destination": name}
    opened = tx.conn.execute(update(lane).where(_MINE).values(open_at=now), mine).rowcount
    if opened:
        _all_due(tx, tx.tenant, name, now)
    return bool(opened)


def _of(one: Lane) -> dict[str, str]:
    return {"of_tenant": one.tenant, "of_destination": one.destination}


_LET_GO = (
    update(delivery)
    .where(
        delivery.c.tenant_id == bindparam("of_tenant"),
        delivery.c.destination == bindparam("of_destination"),
        WAITING,
        delivery.c.next_at > bindparam("as_of"),
    )
    .values(next_at=bindparam("as_of"))
)
_LET_EARLY_GO = _LET_GO.where(delivery.c.attempts <= bindparam("tries"))


def _all_due(
    handle: System | Tx, tenant_id: str, name: str, now: datetime, tries: int | None = None
) -> None:
    given = {"of_tenant": tenant_id, "of_destination": name, "as_of": now}
    if tries is None:
        handle.conn.execute(_LET_GO, given)
    else:
        handle.conn.execute(_LET_EARLY_GO, given | {"tries": tries})
