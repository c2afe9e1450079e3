"""What provisioning clients asked for, request by request, and what became of it. Kept for some days."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, delete, insert, select

from app.store.db import Read, Tx
from app.store.prepared import Prepared
from app.store.sql import among
from app.store.tables.scim import trace
from app.store.types import Time


@dataclass(frozen=True, slots=True)
class Traced:
    """One request. `subject`: the resource's id, or the name by which a refused one asked for it.

    `refusal` says why nothing was done · `sent`: its JSON, without passwords · `before`, `after`: the resource
    """

    subject: str
    id: str
    at: datetime
    client: str
    method: str
    status: int
    refusal: str | None
    sent: str | None
    before: str | None
    after: str | None


_NAMES = tuple(Traced.__slots__)
_COLUMNS = [trace.c[name] for name in _NAMES]
_NEW = Prepared(insert(trace), "tenant_id", *_NAMES)
_OVER = (
    select(trace.c.subject, trace.c.id)
    .where(
        trace.c.tenant_id == bindparam("tenant"), trace.c.at < bindparam("before", type_=Time)
    )
    .order_by(trace.c.at)
    .limit(bindparam("most"))
)  # fmt: skip


def add(tx: Tx, every: Iterable[Traced]) -> None:
    """Take requests down."""
    _NEW.run_each(tx.conn, [{"tenant_id": tx.tenant, **_values(one)} for one in every])


def _values(one: Traced) -> dict[str, Any]:
    # `asdict` copies each value deeply, which costs more than the insert.
    return {name: getattr(one, name) for name in _NAMES}


def about(read: Read, subjects: Collection[str], limit: int) -> list[Traced]:
    """Return the latest requests about someone, the newest first."""
    mine = (trace.c.tenant_id == read.tenant) & among(read.conn, trace.c.subject, subjects)
    rows = read.conn.execute(
        select(*_COLUMNS).where(mine).order_by(trace.c.at.desc(), trace.c.id.desc()).limit(limit)
    )
    return [Traced(*row) for row in rows]


def refused(read: Read, limit: int, before: datetime | None = None) -> list[Traced]:
    """Return a tenant's refused requests, the newest first."""
    mine = (trace.c.tenant_id == read.tenant) & trace.c.refusal.is_not(None)
    if before is not None:
        mine &= trace.c.at < before
    rows = read.conn.execute(
        select(*_COLUMNS).where(mine).order_by(trace.c.at.desc(), trace.c.id.desc()).limit(limit)
    )
    return [Traced(*row) for row in rows]


def over(read: Read, before: datetime, most: int) -> bool:
    """Tell by a mere read whether anything is older than that."""
    return bool(read.conn.execute(_OVER, {"tenant": read.tenant, "before": before, "most": most}).first())  # fmt: skip


def forget(tx: Tx, before: datetime, most: int) -> int:
    """Drop the oldest of what is older than that; returns how many."""
    rows = tx.conn.execute(_OVER, {"tenant": tx.tenant, "before": before, "most": most}).all()
    keys = [row.id for row in rows]
    mine = (trace.c.tenant_id == tx.tenant) & among(tx.conn, trace.c.id, keys)
    tx.conn.execute(delete(trace).where(mine, among(tx.conn, trace.c.subject, {row.subject for row in rows})))  # fmt: skip
    return len(keys)
