"""Where a tenant's statements go: one cursor a destination, moved only by who holds its lease."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    and_,
    bindparam,
    exists,
    func,
    insert,
    or_,
    select,
    tuple_,
    update,
)

from app.kernel.delivery import REMOVED, STATEMENTS
from app.kernel.tenant import TenantId
from app.store.db import Read, System, Tx
from app.store.sql import locked, settled_before
from app.store.tables.learning import statement
from app.store.tables.outbox import destination
from app.store.tables.tenants import tenant
from app.store.types import Time


@dataclass(frozen=True, slots=True)
class Stream:
    """A destination whose next statements this holder of the lease may send."""

    tenant: TenantId
    id: str
    url: str
    sealed_secret: str
    txid: int
    seq: int
    attempts: int
    refusals: int
    lease: str


def add(
    tx: Tx,
    destination_id: str,
    kind: str,
    url: str,
    sealed_secret: str | None,
    now: datetime,
    cursor: tuple[int, int] = (0, 0),
    options: Mapping[str, Any] | None = None,
) -> None:
    """Add a destination; a record store gets what comes after the cursor."""
    tx.conn.execute(insert(destination).values(
        tenant_id=tx.tenant, id=destination_id, kind=kind, url=url, sealed_secret=sealed_secret, enabled=True,
        created_at=now, cursor_txid=cursor[0], cursor_seq=cursor[1], attempts=0, next_at=now, options=options,
    ))  # fmt: skip


def get(read: Read, destination_id: str) -> dict[str, Any] | None:
    """Return one destination's row."""
    mine = (destination.c.tenant_id == read.tenant) & (destination.c.id == destination_id)
    row = read.conn.execute(select(destination).where(mine)).first()
    return None if row is None else dict(row._mapping)  # noqa: SLF001 - SQLAlchemy's public name


def anything_due(system: System, now: datetime, probes: int) -> bool:
    """Tell by a mere read whether `claim` would find something."""
    due = _due(system, now) if probes > 0 else _due(system, now) & (destination.c.attempts == 0)
    return system.conn.execute(select(destination.c.id).where(due).limit(1)).first() is not None


def claim(
    system: System, now: datetime, lease: str, until: datetime, limit: int, probes: int
) -> list[Stream]:
    """Lease destinations that have statements to send and are due: `limit`, failing ones `probes` at most.

    Those that fail come last: many that hang must not keep a healthy one waiting.
    """
    rows = _take(system, now, limit, failing=False)
    rows += _take(system, now, min(limit - len(rows), probes), failing=True)
    for row in rows:
        system.conn.execute(
            update(destination)
            .where(destination.c.tenant_id == row.tenant_id, destination.c.id == row.id)
            .values(lease=lease, lease_until=until)
        )
    return [
        Stream(
            TenantId(row.tenant_id), row.id, row.url, row.sealed_secret, row.cursor_txid, row.cursor_seq,
            row.attempts, row.refusals, lease,
        )
        for row in rows
    ]  # fmt: skip


def renew(system: System, stream: Stream, until: datetime) -> bool:
    """Hold a lease for longer; False when it was lost."""
    mine = and_(
        destination.c.tenant_id == stream.tenant,
        destination.c.id == stream.id,
        destination.c.lease == stream.lease,
    )
    return (
        system.conn.execute(update(destination).where(mine).values(lease_until=until)).rowcount == 1
    )


def advance(
    system: System, stream: Stream, cursor: tuple[int, int], now: datetime, *, refusals: int = 0
) -> bool:
    """Move the cursor behind what was accepted, or refused for good; False when the lease was lost.

    `refusals`: so many in a row were refused.
    """
    return _release(
        system,
        stream,
        cursor_txid=cursor[0],
        cursor_seq=cursor[1],
        attempts=0,
        next_at=now,
        last_error=None,
        failing_since=None,
        refusals=refusals,
    )


def failed(system: System, stream: Stream, error: str, now: datetime, next_at: datetime) -> bool:
    """Leave the cursor where it is until `next_at`; False when the lease was lost."""
    since = func.coalesce(destination.c.failing_since, bindparam("since", now, Time))
    return _release(
        system, stream, attempts=stream.attempts + 1, next_at=next_at, last_error=error,
        failing_since=since,
    )  # fmt: skip


def gone(tx: Tx, destination_id: str, said: str, now: datetime) -> None:
    """Switch a destination off that says of a delivery that it is gone for good (410).

    An administrator looks at it then. To be called by who holds the delivery's lease.
    """
    mine = (destination.c.tenant_id == tx.tenant) & (destination.c.id == destination_id)
    tx.conn.execute(
        update(destination)
        .where(mine)
        .values(lease=None, lease_until=None, **_switched_off(said, now))
    )


def ended(system: System, stream: Stream, said: str, now: datetime) -> bool:
    """Switch a destination off that says so of a batch; False when the lease was lost."""
    return _release(system, stream, **_switched_off(said, now))


def enable(tx: Tx, destination_id: str, now: datetime, *, enabled: bool) -> bool:
    """Switch a destination on, to be tried at once, or off; False when there is none.

    Who was sending when it was switched on has lost the lease by it: what it hears is of the time before.
    """
    change: dict[str, Any] = {"enabled": enabled}
    if enabled:
        change |= {
            "attempts": 0, "refusals": 0, "next_at": now, "failing_since": None, "last_error": None,
            "lease": None, "lease_until": None,
        }  # fmt: skip
    mine = _there(tx, destination_id)
    return tx.conn.execute(update(destination).where(mine).values(**change)).rowcount == 1


def remove(tx: Tx, destination_id: str) -> bool:
    """Let nothing go there any more, for good; False when there is none. Its address is kept for the log's readers.

    Who is sending loses the lease by it.
    """
    row = tx.conn.execute(
        locked(tx.conn, select(destination).where(_there(tx, destination_id)))
    ).first()
    if row is None:
        return False
    options = {**(row.options or {}), "was": row.kind}
    mine = (destination.c.tenant_id == tx.tenant) & (destination.c.id == destination_id)
    tx.conn.execute(update(destination).where(mine).values(
        kind=REMOVED, enabled=False, sealed_secret=None, lease=None, lease_until=None, options=options,
    ))  # fmt: skip
    return True


def rewind(tx: Tx, destination_id: str, since: datetime, now: datetime) -> int | None:
    """Set a cursor back before the first statement stored at or after `since`; returns how many go again.

    Who was sending has lost the lease by it, and can't move the cursor on. None when there is no such
    record store.
    """
    mine = (destination.c.tenant_id == tx.tenant) & (destination.c.id == destination_id)
    stream = mine & (destination.c.kind == STATEMENTS)
    row = tx.conn.execute(locked(tx.conn, select(destination).where(stream))).first()
    if row is None:
        return None
    order = tuple_(statement.c.txid, statement.c.seq)
    first = tx.conn.execute(
        select(statement.c.txid, statement.c.seq)
        .where(statement.c.tenant_id == tx.tenant, statement.c.stored_at >= since)
        .order_by(statement.c.txid, statement.c.seq)
        .limit(1)
    ).first()
    cursor = (row.cursor_txid, row.cursor_seq)
    if first is None or (first.txid, first.seq) > cursor:
        return 0
    again = tx.conn.execute(
        select(func.count()).where(
            statement.c.tenant_id == tx.tenant,
            order >= tuple_(first.txid, first.seq),
            order <= tuple_(*cursor),
        )
    ).scalar_one()
    tx.conn.execute(update(destination).where(mine).values(
        cursor_txid=first.txid, cursor_seq=first.seq - 1, lease=None, lease_until=None, next_at=now,
    ))  # fmt: skip
    return int(again)


def listed(read: Read) -> list[dict[str, Any]]:
    """Return a tenant's destinations, the oldest first, with since when each is behind; no secrets."""
    columns = [one for one in destination.c if one.name != "sealed_secret"]
    rows = read.conn.execute(
        select(*columns, _BEHIND_SINCE.label("behind_since"))
        .where(destination.c.tenant_id == read.tenant, destination.c.kind != REMOVED)
        .order_by(destination.c.created_at, destination.c.id)
    )
    return [dict(row._mapping) for row in rows]  # noqa: SLF001 - SQLAlchemy's public name


def backlog(read: Read) -> list[dict[str, Any]]:
    """Return the destinations that are behind or failing."""
    return [row for row in listed(read) if row["behind_since"]]


def _there(tx: Tx, destination_id: str) -> ColumnElement[bool]:
    return and_(
        destination.c.tenant_id == tx.tenant,
        destination.c.id == destination_id,
        destination.c.kind != REMOVED,
    )


_BEHIND_SINCE = (
    select(statement.c.stored_at)
    .where(
        destination.c.kind == STATEMENTS,
        statement.c.tenant_id == destination.c.tenant_id,
        tuple_(statement.c.txid, statement.c.seq)
        > tuple_(destination.c.cursor_txid, destination.c.cursor_seq),
    )
    .order_by(statement.c.txid, statement.c.seq)
    .limit(1)
    .scalar_subquery()
)


def _due(system: System, now: datetime) -> Any:
    waiting = exists().where(
        statement.c.tenant_id == destination.c.tenant_id,
        tuple_(statement.c.txid, statement.c.seq)
        > tuple_(destination.c.cursor_txid, destination.c.cursor_seq),
        statement.c.txid < settled_before(system.conn),
    )
    return and_(
        destination.c.kind == STATEMENTS,
        destination.c.enabled,
        destination.c.next_at <= now,
        or_(destination.c.lease_until.is_(None), destination.c.lease_until < now),
        exists().where(tenant.c.id == destination.c.tenant_id, tenant.c.enabled),
        waiting,
    )


def _take(system: System, now: datetime, most: int, *, failing: bool) -> list[Any]:
    if most < 1:
        return []
    fares = destination.c.attempts > 0 if failing else destination.c.attempts == 0
    query = select(destination).where(_due(system, now), fares)
    query = query.order_by(destination.c.next_at).limit(most)
    if system.conn.dialect.name != "sqlite":
        query = query.with_for_update(skip_locked=True, of=destination)
    return list(system.conn.execute(query))


def _switched_off(said: str, now: datetime) -> dict[str, Any]:
    since = func.coalesce(destination.c.failing_since, bindparam("since", now, Time))
    told = f"Switched off, since it says that it is gone for good. {said}".rstrip()
    return {"enabled": False, "last_error": told, "failing_since": since}


def _release(system: System, stream: Stream, **change: Any) -> bool:
    mine = and_(
        destination.c.tenant_id == stream.tenant,
        destination.c.id == stream.id,
        destination.c.lease == stream.lease,
    )
    released = update(destination).where(mine).values(lease=None, lease_until=None, **change)
    return system.conn.execute(released).rowcount == 1
