"""The outbox: a fact and its deliveries are written with what made it true, and claimed by lease.

A lease is a fence: who has lost it can't record an outcome. Per (destination, ordering key) only the
oldest waiting delivery can be claimed, so what belongs together arrives in order.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import and_, exists, func, insert, or_, select, update

from app.kernel.delivery import Outcome
from app.kernel.tenant import TenantId
from app.store.db import Read, System, Tx
from app.store.tables.outbox import delivery, delivery_attempt, event


@dataclass(frozen=True, slots=True)
class Fact:
    """Something that became true. `subject` is the id of what it is about."""

    id: str
    type: str
    subject: str
    payload: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Claimed:
    """A delivery that this holder of the lease may send."""

    tenant: TenantId
    id: str
    kind: str
    destination: str
    attempts: int
    lease: str
    fact: Fact
    key: str


def emit(tx: Tx, fact: Fact, now: datetime) -> int:
    """Append a fact; returns its place in the order."""
    added = tx.conn.execute(
        insert(event).values(
            tenant_id=tx.tenant, id=fact.id, type=fact.type, subject=fact.subject,
            payload=dict(fact.payload), at=now,
        )
    )  # fmt: skip
    return int((added.inserted_primary_key or (0,))[0])


def enqueue(
    tx: Tx, delivery_id: str, fact: Fact, now: datetime,
    *, kind: str, destination: str, key: str, newest_only: bool = False,
) -> None:  # fmt: skip
    """Append a fact and one delivery of it.

    With `newest_only` the waiting deliveries of the same key, not yet under way, are superseded.
    """
    if newest_only:
        older = _same_key(tx.tenant, destination, key)
        idle = or_(delivery.c.lease_until.is_(None), delivery.c.lease_until < now)
        tx.conn.execute(
            update(delivery)
            .where(older, idle)
            .values(status="superseded", finished_at=now, lease=None)
        )
    seq = emit(tx, fact, now)
    tx.conn.execute(insert(delivery).values(
        tenant_id=tx.tenant, id=delivery_id, seq=seq, event_id=fact.id, kind=kind,
        destination=destination, ordering_key=key, status="waiting", attempts=0, next_at=now, created_at=now,
    ))  # fmt: skip


def add_dead(
    tx: Tx, delivery_id: str, fact: Fact, now: datetime, *, kind: str, destination: str, error: str
) -> None:
    """Keep what was refused for good where an administrator sees it and can replay it."""
    seq = emit(tx, fact, now)
    tx.conn.execute(insert(delivery).values(
        tenant_id=tx.tenant, id=delivery_id, seq=seq, event_id=fact.id, kind=kind, destination=destination,
        ordering_key=fact.subject, status="dead", attempts=1, next_at=now, last_error=error,
        created_at=now, finished_at=now,
    ))  # fmt: skip


def anything_due(system: System, now: datetime, *, full: Collection[str] = ()) -> bool:
    """Tell by a mere read whether `claim` would find something."""
    return (
        system.conn.execute(select(delivery.c.id).where(_due(now, full)).limit(1)).first()
        is not None
    )


def claim(
    system: System, now: datetime, lease: str, until: datetime, limit: int,
    *, full: Collection[str] = (),
) -> list[Claimed]:  # fmt: skip
    """Lease due deliveries, the oldest of each key, passing over destinations that are `full`."""
    due = _due(now, full)
    statement = (
        select(delivery, event.c.type, event.c.subject, event.c.payload)
        .join(event, event.c.id == delivery.c.event_id)
        .where(due)
        .order_by(delivery.c.next_at, delivery.c.seq)
        .limit(limit)
    )
    if system.conn.dialect.name != "sqlite":
        statement = statement.with_for_update(skip_locked=True, of=delivery)
    rows = system.conn.execute(statement).all()
    for row in rows:
        system.conn.execute(
            update(delivery)
            .where(delivery.c.tenant_id == row.tenant_id, delivery.c.id == row.id)
            .values(lease=lease, lease_until=until, attempts=row.attempts + 1)
        )
    return [
        Claimed(
            TenantId(row.tenant_id), row.id, row.kind, row.destination, row.attempts + 1, lease,
            Fact(row.event_id, row.type, row.subject, row.payload), row.ordering_key,
        )
        for row in rows
    ]  # fmt: skip


def record(
    system: System, claimed: Claimed, attempt_id: str, outcome: Outcome, now: datetime, took_ms: int,
    next_at: datetime | None,
) -> bool:  # fmt: skip
    """Record a try's outcome; False when the lease was lost, and then nothing is changed."""
    change: dict[str, Any] = {"lease": None, "lease_until": None, "last_error": outcome.message}
    if outcome.kind in {"delivered", "superseded"}:
        change |= {"status": outcome.kind, "finished_at": now}
    elif outcome.kind == "later" and next_at is not None:
        change |= {"next_at": next_at}
    else:
        change |= {"status": "dead", "finished_at": now}
    mine = and_(
        delivery.c.tenant_id == claimed.tenant,
        delivery.c.id == claimed.id,
        delivery.c.lease == claimed.lease,
    )
    if system.conn.execute(update(delivery).where(mine).values(**change)).rowcount == 0:
        return False
    system.conn.execute(insert(delivery_attempt).values(
        tenant_id=claimed.tenant, id=attempt_id, delivery_id=claimed.id, at=now, outcome=outcome.kind,
        status=outcome.status, error=outcome.message, took_ms=took_ms,
    ))  # fmt: skip
    return True


def has_newer(read: Read, claimed: Claimed) -> bool:
    """Tell whether a later delivery of the same key waits behind this one."""
    mine = and_(delivery.c.tenant_id == claimed.tenant, delivery.c.id == claimed.id)
    seq = select(delivery.c.seq).where(mine).scalar_subquery()
    later = _same_key(claimed.tenant, claimed.destination, claimed.key)
    found = read.conn.execute(select(delivery.c.id).where(later, delivery.c.seq > seq).limit(1))
    return found.first() is not None


def replay(tx: Tx, delivery_ids: Sequence[str], now: datetime) -> int:
    """Let dead deliveries wait again from the start; returns how many."""
    mine = (
        (delivery.c.tenant_id == tx.tenant)
        & delivery.c.id.in_(delivery_ids)
        & (delivery.c.status == "dead")
    )
    fresh = {"status": "waiting", "attempts": 0, "next_at": now, "finished_at": None}
    return tx.conn.execute(update(delivery).where(mine).values(**fresh)).rowcount


def listed(read: Read, limit: int = 100, statuses: Collection[str] = ()) -> list[dict[str, Any]]:
    """Return the newest deliveries with what they are about."""
    statement = (
        select(delivery, event.c.type, event.c.subject)
        .join(event, event.c.id == delivery.c.event_id)
        .where(delivery.c.tenant_id == read.tenant)
        .order_by(delivery.c.seq.desc())
        .limit(limit)
    )
    if statuses:
        statement = statement.where(delivery.c.status.in_(sorted(statuses)))
    return [dict(row._mapping) for row in read.conn.execute(statement)]  # noqa: SLF001 - SQLAlchemy's public name


def counts(system: System) -> dict[str, int]:
    """Return how many deliveries there are by status, over all tenants."""
    rows = system.conn.execute(select(delivery.c.status, func.count()).group_by(delivery.c.status))
    return {status: count for status, count in rows}  # noqa: C416 - rows are not pairs to mypy


def _due(now: datetime, full: Collection[str]) -> Any:
    older = delivery.alias("older")
    first = ~exists().where(
        older.c.tenant_id == delivery.c.tenant_id,
        older.c.destination == delivery.c.destination,
        older.c.ordering_key == delivery.c.ordering_key,
        older.c.status == "waiting",
        older.c.seq < delivery.c.seq,
    )
    free = or_(delivery.c.lease_until.is_(None), delivery.c.lease_until < now)
    due = and_(delivery.c.status == "waiting", delivery.c.next_at <= now, free, first)
    return and_(due, delivery.c.destination.not_in(sorted(full))) if full else due


def _same_key(tenant: str, destination: str, key: str) -> Any:
    return and_(
        delivery.c.tenant_id == tenant,
        delivery.c.destination == destination,
        delivery.c.ordering_key == key,
        delivery.c.status == "waiting",
    )
