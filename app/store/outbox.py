"""The outbox: a fact and its deliveries are written in the transaction of what made it true."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import and_, bindparam, exists, func, insert, or_, select, update

from app.kernel.delivery import RECORD_STORE, REMOVED
from app.store import lanes
from app.store.db import Read, System, Tx
from app.store.lanes import WAITING
from app.store.sql import among, locked
from app.store.tables.outbox import delivery, destination, event
from app.store.tables.tenants import tenant

NEWER_EXISTS = "A newer one of the same has taken its place, so this one is not sent."


@dataclass(frozen=True, slots=True)
class Fact:
    """Something that became true. `subject` is the id of what it is about."""

    id: str
    type: str
    subject: str
    payload: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Replayed:
    """How many wait again, how many a newer one made needless, and whether the call's bound left some."""

    waiting: int
    superseded: int
    more: bool


_EMIT = insert(event)
_EMIT_ALL = _EMIT.returning(event.c.id, event.c.seq)
_ENQUEUE = insert(delivery)
OF_LANE = and_(
    delivery.c.tenant_id == bindparam("of_tenant"),
    delivery.c.destination == bindparam("of_destination"),
)
OF_KEY = and_(OF_LANE, delivery.c.ordering_key == bindparam("of_key"))
_IDLE = or_(delivery.c.lease_until.is_(None), delivery.c.lease_until < bindparam("as_of"))
_SUPERSEDE = (
    update(delivery)
    .where(OF_KEY, WAITING, _IDLE)
    .values(status="superseded", finished_at=bindparam("as_of"), lease=None, lease_until=None)
)


def take_back(tx: Tx, destination: str) -> None:
    """Let nobody have what waits for a destination: what a sender hears of it now is of the time before."""
    mine = (delivery.c.tenant_id == tx.tenant) & (delivery.c.destination == destination)
    leased = select(delivery.c.id).where(mine, WAITING, delivery.c.lease.is_not(None))
    # In the order in which the worker records: neither then waits for the other.
    held = tx.conn.execute(locked(tx.conn, leased.order_by(delivery.c.seq))).scalars().all()
    _set(tx, held, {"lease": None, "lease_until": None})


def emit(tx: Tx, fact: Fact, now: datetime) -> int:
    """Append a fact; returns its place in the order."""
    added = tx.conn.execute(_EMIT, _row(tx, fact, now))
    return int((added.inserted_primary_key or (0,))[0])


def _row(tx: Tx, fact: Fact, now: datetime) -> dict[str, Any]:
    return {
        "tenant_id": tx.tenant, "id": fact.id, "type": fact.type, "subject": fact.subject,
        "payload": dict(fact.payload), "at": now,
    }  # fmt: skip


def enqueue(
    tx: Tx, delivery_id: str, fact: Fact, now: datetime,
    *, kind: str, destination: str, key: str, newest_only: bool = False,
) -> None:  # fmt: skip
    """Append a fact and one delivery of it.

    With `newest_only` the waiting deliveries of the same key, not yet under way, are superseded.
    """
    lanes.ensure(tx, destination, now)
    if newest_only:
        tx.conn.execute(_SUPERSEDE, {
            "of_tenant": tx.tenant, "of_destination": destination, "of_key": key, "as_of": now,
        })  # fmt: skip
    tx.conn.execute(_ENQUEUE, {
        "tenant_id": tx.tenant, "id": delivery_id, "seq": emit(tx, fact, now), "event_id": fact.id,
        "kind": kind, "destination": destination, "ordering_key": key, "status": "waiting",
        "attempts": 0, "next_at": now, "created_at": now, "newest_only": newest_only,
    })  # fmt: skip


def spread(
    tx: Tx, facts: Sequence[tuple[Fact, Sequence[tuple[str, str, datetime]]]], now: datetime, *, kind: str
) -> None:  # fmt: skip
    """Append facts, each with its deliveries: where to, the delivery's id, and when it may go.

    The key is the subject; there is one fact of a subject at most.
    """
    for name in sorted({name for _, deliveries in facts for name, _, _ in deliveries}):
        lanes.ensure(tx, name, now)
    rows = tx.conn.execute(_EMIT_ALL, [_row(tx, fact, now) for fact, _ in facts])
    places = {row.id: row.seq for row in rows}
    tx.conn.execute(_ENQUEUE, [
        {
            "tenant_id": tx.tenant, "id": delivery_id, "seq": places[fact.id], "event_id": fact.id,
            "kind": kind, "destination": name, "ordering_key": fact.subject, "status": "waiting",
            "attempts": 0, "next_at": due, "created_at": now, "newest_only": False,
        }
        for fact, deliveries in facts for name, delivery_id, due in deliveries
    ])  # fmt: skip


def add_dead(
    tx: Tx, delivery_id: str, fact: Fact, now: datetime, *, kind: str, destination: str, error: str
) -> None:
    """Keep what was refused for good where an administrator sees it and can replay it."""
    lanes.ensure(tx, destination, now)
    tx.conn.execute(_ENQUEUE.values(
        tenant_id=tx.tenant, id=delivery_id, seq=emit(tx, fact, now), event_id=fact.id, kind=kind,
        destination=destination, ordering_key=fact.subject, status="dead", attempts=1, next_at=now,
        last_error=error, created_at=now, finished_at=now,
    ))  # fmt: skip


def replay(
    tx: Tx, now: datetime, *, ids: Sequence[str] | None = None, destination: str | None = None,
    since: datetime | None = None, until: datetime | None = None, delivered: bool = False,
    most: int = 1000,
) -> Replayed:  # fmt: skip
    """Let deliveries wait again from the start: those named, or those of a range of time, the oldest first.

    The range is of when they were written, from `since` to before `until`. Only what was given up is
    sent again, with `delivered` also what had arrived. Where only the newest counts, an older one than
    another of its key is not sent: given up before, it is superseded now.
    """
    chosen = _chosen(tx, ids, destination, since, until, delivered=delivered)
    rows = tx.conn.execute(locked(tx.conn, chosen.limit(most + 1))).all()
    more, rows = len(rows) > most, rows[:most]
    newest = {(row.destination, row.ordering_key): row.id for row in rows}
    needless = {
        row.id for row in rows
        if row.newest_only and (row.newer or newest[row.destination, row.ordering_key] != row.id)
    }  # fmt: skip
    for name in sorted({row.destination for row in rows}):
        lanes.ensure(tx, name, now)
    again = [row.id for row in rows if row.id not in needless]
    _set(tx, again, {"status": "waiting", "attempts": 0, "next_at": now, "finished_at": None})
    given_up = [row.id for row in rows if row.id in needless and row.status == "dead"]
    _set(tx, given_up, {"status": "superseded", "finished_at": now, "last_error": NEWER_EXISTS})
    return Replayed(len(again), len(needless), more)


def _chosen(
    tx: Tx, ids: Sequence[str] | None, destination: str | None, since: datetime | None,
    until: datetime | None, *, delivered: bool,
) -> Any:  # fmt: skip
    later = delivery.alias("later")
    newer = exists().where(
        later.c.tenant_id == delivery.c.tenant_id,
        later.c.destination == delivery.c.destination,
        later.c.ordering_key == delivery.c.ordering_key,
        later.c.seq > delivery.c.seq,
        later.c.status != "dead",
    )
    statement = select(
        delivery.c.id, delivery.c.destination, delivery.c.ordering_key, delivery.c.newest_only,
        delivery.c.status, newer.label("newer"),
    ).order_by(delivery.c.seq)  # fmt: skip
    statuses = ("dead", "delivered") if delivered else ("dead",)
    wanted = [delivery.c.tenant_id == tx.tenant, delivery.c.status.in_(statuses), ~_removed()]
    if ids is not None:
        wanted.append(among(tx.conn, delivery.c.id, ids))
    if destination is not None:
        wanted.append(delivery.c.destination == destination)
    if since is not None:
        wanted.append(delivery.c.created_at >= since)
    if until is not None:
        wanted.append(delivery.c.created_at < until)
    return statement.where(*wanted)


def let_go(tx: Tx, name: str) -> None:
    """What was given up of a destination is nobody's concern any more."""
    dead = (delivery.c.tenant_id == tx.tenant) & (delivery.c.destination == name)
    change = update(delivery).where(dead, delivery.c.status == "dead")
    tx.conn.execute(change.values(status="superseded"))


def _removed() -> Any:
    """Where it would go is no more."""
    there = func.substr(delivery.c.destination, len(RECORD_STORE) + 1)
    return exists().where(
        delivery.c.destination.startswith(RECORD_STORE),
        destination.c.tenant_id == delivery.c.tenant_id,
        destination.c.id == there,
        destination.c.kind == REMOVED,
    )


def _set(tx: Tx, ids: Sequence[str], change: dict[str, Any]) -> None:
    if ids:
        mine = (delivery.c.tenant_id == tx.tenant) & among(tx.conn, delivery.c.id, ids)
        tx.conn.execute(update(delivery).where(mine).values(**change))


def listed(
    read: Read, limit: int = 100, statuses: Collection[str] = (), *, destination: str | None = None,
    before: int | None = None, delivery_id: str | None = None,
) -> list[dict[str, Any]]:  # fmt: skip
    """Return the newest deliveries with what they are about; `before` this place in the order."""
    statement = (
        select(delivery, event.c.type, event.c.subject, event.c.payload)
        .join(event, event.c.id == delivery.c.event_id)
        .where(delivery.c.tenant_id == read.tenant)
        .order_by(delivery.c.seq.desc())
        .limit(limit)
    )
    if statuses:
        statement = statement.where(delivery.c.status.in_(sorted(statuses)))
    if destination is not None:
        statement = statement.where(delivery.c.destination == destination)
    if before is not None:
        statement = statement.where(delivery.c.seq < before)
    if delivery_id is not None:
        statement = statement.where(delivery.c.id == delivery_id)
    return [dict(row._mapping) for row in read.conn.execute(statement)]  # noqa: SLF001 - SQLAlchemy's public name


def counts(system: System) -> dict[str, int]:
    """Return how many deliveries wait and how many were given up, over all tenants.

    Those that have arrived are not counted: they are ever more.
    """
    unfinished = (delivery.c.tenant_id == tenant.c.id) & delivery.c.status.in_(("waiting", "dead"))
    rows = system.conn.execute(
        select(delivery.c.status, func.count())
        .select_from(tenant.join(delivery, unfinished))
        .group_by(delivery.c.status)
    )
    return {"waiting": 0, "dead": 0} | {row[0]: row[1] for row in rows}
