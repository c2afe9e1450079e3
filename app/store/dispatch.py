"""The worker's side of the outbox: deliveries are claimed by lease, and what came of them is recorded.

A lease is a fence: who has lost it can't record an outcome. Per (destination, ordering key) only the
oldest waiting delivery can be claimed, so what belongs together arrives in order. Claims go by lanes
(`store.lanes`), so that their cost does not grow with what waits.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Any

from sqlalchemy import and_, bindparam, func, insert, select, update

from app.kernel.delivery import FREE_TRIES, TRIES, Outcome, next_try
from app.kernel.tenant import TenantId
from app.store import lanes
from app.store.db import System
from app.store.lanes import WAITING, Lane
from app.store.outbox import OF_KEY, OF_LANE, Fact
from app.store.tables.outbox import delivery, delivery_attempt, event

PER_DESTINATION = 4
"""So many deliveries of one worker may be under way to a destination, and one more that is a probe.

While a lane fails, one of all workers. A platform may be many tenants' at once: one that keeps its four
busy must not keep another's failing lane from being probed.
"""


@dataclass(frozen=True, slots=True)
class Claimed:
    """A delivery that this holder of the lease may send. A `probe` finds out whether its lane is well again."""

    tenant: TenantId
    id: str
    seq: int
    kind: str
    destination: str
    key: str
    attempts: int
    newest_only: bool
    lease: str
    probe: bool
    fact: Fact


@dataclass(frozen=True, slots=True)
class Sent:
    """A try: what came of it, when it began, and how long it took."""

    claimed: Claimed
    outcome: Outcome
    began: datetime
    took_ms: int


_ENDS = MappingProxyType({"delivered": "delivered", "superseded": "superseded", "refused": "dead"})
_LOG = insert(delivery_attempt)
_HEADS = (
    select(delivery, event.c.type, event.c.subject, event.c.payload)
    .join(event, event.c.id == delivery.c.event_id)
    .where(OF_LANE, lanes.due_head())
    .limit(bindparam("most"))
)
_TAKE = _HEADS.order_by(delivery.c.next_at, delivery.c.seq)
_TAKE_NEWEST = _HEADS.order_by(delivery.c.seq.desc())
_ONE = and_(delivery.c.tenant_id == bindparam("of_tenant"), delivery.c.id == bindparam("of_id"))
_LEASE = (
    update(delivery)
    .where(_ONE)
    .values(lease=bindparam("by"), lease_until=bindparam("till"), attempts=bindparam("count"))
)
_MINE = and_(_ONE, delivery.c.lease == bindparam("by"))
_HELD = select(delivery.c.id).where(_MINE)
_NEWER = select(delivery.c.id).where(OF_KEY, WAITING, delivery.c.seq > bindparam("than")).limit(1)
_TRIES = select(func.count()).where(
    delivery_attempt.c.tenant_id == bindparam("of_tenant"),
    delivery_attempt.c.delivery_id == bindparam("of_id"),
)


def anything_due(system: System, now: datetime, under_way: Mapping[str, int], probes: int) -> bool:
    """Tell by a mere read whether `claim` would find something."""
    return lanes.anything_due(system, now, _full(under_way), probing=probes > 0)


def claim(
    system: System, now: datetime, lease: str, until: datetime, limit: int,
    under_way: Mapping[str, int], probes: int,
) -> list[Claimed]:  # fmt: skip
    """Lease due deliveries, the oldest of each key, lane by lane, `limit` of them and `probes` of those at most.

    `under_way` says how many this worker has by destination: a lane gets what is left of four, a
    failing one a single probe.
    """
    found = lanes.due(system, now, limit, _full(under_way), probing=probes > 0)
    taken = dict(under_way)
    claimed: list[Claimed] = []
    for number, one in enumerate(found):
        # Every lane has its share before one has more.
        share = max(1, (limit - len(claimed)) // (len(found) - number))
        room = PER_DESTINATION - taken.get(one.destination, 0)
        fits = min(1, room + 1, probes) if one.failing else room
        most = min(share, limit - len(claimed), fits)
        if most < 1 or (one.failing and not lanes.may_probe(system, one, now)):
            continue
        rows = _take(system, one, now, lease, most)
        if rows and one.failing:
            lanes.hold(system, one, until)
            probes -= 1
        taken[one.destination] = taken.get(one.destination, 0) + len(rows)
        claimed += rows
    if claimed:
        system.conn.execute(_LEASE, [
            {"of_tenant": one.tenant, "of_id": one.id, "by": lease, "till": until, "count": one.attempts}
            for one in claimed
        ])  # fmt: skip
    return claimed


def record(system: System, sent: Sent, attempt_id: str, now: datetime, random: float) -> bool:
    """Record what came of a try, and let its lane fare accordingly.

    False when the lease was lost, and then nothing is changed. `random` in 0..1 spreads the waits.
    """
    claimed, outcome = sent.claimed, sent.outcome
    mine = {"of_tenant": claimed.tenant, "of_id": claimed.id, "by": claimed.lease}
    if system.conn.execute(_HELD, mine).first() is None:
        return False
    lane = Lane(claimed.tenant, claimed.destination, claimed.probe)
    paused = lanes.settle(system, lane, outcome, now, random)
    verdict = outcome.braked() if paused and outcome.unfit else outcome
    change = _change(system, claimed, verdict, now, random, paused)
    change |= {"lease": None, "lease_until": None}
    system.conn.execute(update(delivery).where(_MINE).values(**change), mine)
    system.conn.execute(_LOG, {
        "tenant_id": claimed.tenant, "id": attempt_id, "delivery_id": claimed.id, "at": sent.began,
        "outcome": outcome.kind, "status": outcome.status, "error": outcome.message,
        "took_ms": sent.took_ms,
    })  # fmt: skip
    return True


def _change(
    system: System, claimed: Claimed, outcome: Outcome, now: datetime, random: float,
    paused: datetime | None,
) -> dict[str, Any]:  # fmt: skip
    ended = _ENDS.get(outcome.kind)
    if ended is None and claimed.newest_only and _newer_waits(system, claimed):
        ended = "superseded"
    if ended is not None:
        error = None if ended == "delivered" else outcome.message
        return {"status": ended, "last_error": error, "finished_at": now}
    free = outcome.kind in {"held", "gone"}
    if free or (outcome.kind == "throttled" and _may_be_free(system, claimed)):
        again, tries = paused or now + lanes.BREATH, claimed.attempts - 1
        return {"last_error": outcome.message, "attempts": tries, "next_at": again}
    later = next_try(claimed.attempts, now, random, outcome.retry_after)
    if later is not None:
        return {"last_error": outcome.message, "next_at": later}
    given_up = f"Given up after {TRIES} tries. {outcome.message or ''}".rstrip()
    return {"status": "dead", "last_error": given_up, "finished_at": now}


def _newer_waits(system: System, claimed: Claimed) -> bool:
    newer = system.conn.execute(_NEWER, {
        "of_tenant": claimed.tenant, "of_destination": claimed.destination, "of_key": claimed.key,
        "than": claimed.seq,
    })  # fmt: skip
    return newer.first() is not None


def _may_be_free(system: System, claimed: Claimed) -> bool:
    logged = system.conn.execute(_TRIES, {"of_tenant": claimed.tenant, "of_id": claimed.id})
    return bool(logged.scalar_one() < FREE_TRIES)


def _take(system: System, of: Lane, now: datetime, lease: str, most: int) -> list[Claimed]:
    statement = _TAKE_NEWEST if of.braked else _TAKE
    if system.conn.dialect.name != "sqlite":
        statement = statement.with_for_update(skip_locked=True, of=delivery)
    rows = system.conn.execute(statement, {
        "of_tenant": of.tenant, "of_destination": of.destination, "now": now, "most": most,
    })  # fmt: skip
    return [
        Claimed(
            TenantId(row.tenant_id), row.id, row.seq, row.kind, row.destination, row.ordering_key,
            row.attempts + 1, row.newest_only, lease, of.failing,
            Fact(row.event_id, row.type, row.subject, row.payload),
        )
        for row in rows
    ]  # fmt: skip


def _full(under_way: Mapping[str, int]) -> list[str]:
    return [name for name, many in under_way.items() if many >= PER_DESTINATION]
