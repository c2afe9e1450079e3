"""What is over in the outbox and old enough to go: deliveries with their tries, and facts nobody needs."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from itertools import groupby
from typing import Literal

from sqlalchemy import bindparam, delete, or_, select

from app.store.db import System
from app.store.sql import among, exclusive
from app.store.tables.outbox import delivery, delivery_attempt, event
from app.store.types import Time

Over = Literal["delivered", "superseded", "dead"]
Found = tuple[str, str]
"""A delivery's tenant and id."""

_older = delivery.alias("older")
_OLDER = (
    select(_older.c.seq)
    .where(
        _older.c.tenant_id == delivery.c.tenant_id,
        _older.c.destination == delivery.c.destination,
        _older.c.ordering_key == delivery.c.ordering_key,
        _older.c.seq < delivery.c.seq,
        _older.c.status.in_(("waiting", "dead")),
    )
    .limit(1)
    .scalar_subquery()
)
# Where only the newest counts, an older one that may still be sent is told by it that it must not be.
_NEEDLESS = or_(~delivery.c.newest_only, _OLDER.is_(None))
_FOUND = (
    select(delivery.c.tenant_id, delivery.c.id)
    .where(
        delivery.c.status == bindparam("how"),
        delivery.c.finished_at < bindparam("before", type_=Time),
        _NEEDLESS,
    )
    .order_by(delivery.c.finished_at)
    .limit(bindparam("most"))
)
# How and when they ended is looked at outside: a plan would go by it through all that is over.
_STILL = select(
    delivery.c.id, delivery.c.event_id, delivery.c.status, delivery.c.finished_at
).where(_NEEDLESS)
_NEEDED = (
    select(delivery.c.seq)
    .where(
        delivery.c.tenant_id == event.c.tenant_id,
        delivery.c.status.in_(("waiting", "delivered", "superseded", "dead")),
        delivery.c.seq == event.c.seq,
    )
    .limit(1)
    .scalar_subquery()
)
"""All statuses are named, since the index begins with them."""


def over(system: System, how: Over, before: datetime, most: int) -> Sequence[Found]:
    """Return deliveries that ended so before then, the oldest first, by a mere read."""
    rows = system.conn.execute(_FOUND, {"how": how, "before": before, "most": most})
    return [(row.tenant_id, row.id) for row in rows]


def drop(system: System, found: Sequence[Found], how: Over, before: datetime) -> int:
    """Drop those among the found that are still over, with what is theirs alone; returns how many.

    Waits for nobody's rows: one that is being replayed at this moment stays.
    """
    # One at a time: two that dropped deliveries of one fact would each leave it to the other.
    exclusive(system.conn, "retention")
    return sum(
        _drop_of(system, tenant, [one for _, one in theirs], how, before)
        for tenant, theirs in groupby(sorted(found), key=lambda one: one[0])
    )


def _drop_of(system: System, tenant: str, ids: list[str], how: Over, before: datetime) -> int:
    conn = system.conn
    still = _STILL.where(delivery.c.tenant_id == tenant, among(conn, delivery.c.id, ids))
    if conn.dialect.name != "sqlite":
        still = still.with_for_update(skip_locked=True, of=delivery)
    ended = [row for row in conn.execute(still) if row.status == how and row.finished_at < before]
    gone, facts = [row.id for row in ended], [row.event_id for row in ended]
    tries = delivery_attempt.c
    conn.execute(delete(delivery_attempt).where(
        tries.tenant_id == tenant, among(conn, tries.delivery_id, gone)
    ))  # fmt: skip
    conn.execute(delete(delivery).where(
        delivery.c.tenant_id == tenant, among(conn, delivery.c.id, gone)
    ))  # fmt: skip
    conn.execute(delete(event).where(
        event.c.tenant_id == tenant, among(conn, event.c.id, facts), _NEEDED.is_(None)
    ))  # fmt: skip
    return len(gone)
