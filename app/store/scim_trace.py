"""What provisioning clients asked for, request by request, and what became of it. Kept for some days."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, delete, insert, or_, select, union_all

from app.store.db import Read, Tx
from app.store.prepared import Prepared
from app.store.sql import among, upsert
from app.store.tables.scim import HEAD, external_id, trace, value
from app.store.types import Time
from scim.text import fold


@dataclass(frozen=True, slots=True)
class Traced:
    """One request. `subject`: the resource's id, or the name by which a refused one asked for it.

    A row whose subject is a former name has the resource's id for its own, and says only that it was called so.

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
_WAS = "was:"
_LONGEST_SUBJECT = 255
"""What an index takes in any case."""


_CALLED = (("User", "userName"), ("User", "emails.value"), ("Group", "displayName"))
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


def was_called(tx: Tx, name: str, one: Traced) -> None:
    """Let a resource be found by a name that it has no longer: `one` is what took it away."""
    row = _values(one) | {
        "tenant_id": tx.tenant, "subject": _former(name), "id": one.subject,
        "refusal": None, "sent": None, "before": None, "after": None,
    }  # fmt: skip
    upsert(tx.conn, trace, row, ("tenant_id", "subject", "id"))


def _former(name: str) -> str:
    return f"{_WAS}{fold(name)}"[:_LONGEST_SUBJECT]


def _values(one: Traced) -> dict[str, Any]:
    # `asdict` copies each value deeply, which costs more than the insert.
    return {name: getattr(one, name) for name in _NAMES}


def about(
    read: Read, subjects: Collection[str], limit: int, saying: str | None = None
) -> list[Traced]:
    """Return the latest requests about someone, the newest first; only those in which a text was sent."""
    mine = (trace.c.tenant_id == read.tenant) & among(read.conn, trace.c.subject, subjects)
    if saying is not None:
        mine &= trace.c.sent.contains(saying, autoescape=True)
    rows = read.conn.execute(
        select(*_COLUMNS).where(mine).order_by(trace.c.at.desc(), trace.c.id.desc()).limit(limit)
    )
    return [Traced(*row) for row in rows]


def meant(read: Read, name: str, limit: int) -> list[str]:
    """Return the ids of whom a name means: by userName, e-mail address or displayName, externalId or a former name."""
    folded = fold(name)
    now = select(value.c.resource_id.label("id")).where(
        value.c.tenant_id == read.tenant, value.c.head == folded[:HEAD], value.c.tail == folded[HEAD:],
        or_(*((value.c.type == of) & (value.c.path == path) for of, path in _CALLED)),
    )  # fmt: skip
    by_client = select(external_id.c.resource_id.label("id")).where(
        external_id.c.tenant_id == read.tenant, external_id.c.external_id == name
    )
    once = select(trace.c.id).where(
        trace.c.tenant_id == read.tenant, trace.c.subject == _former(name)
    )
    every = union_all(*(one.limit(limit).subquery().select() for one in (now, by_client, once)))
    return list(dict.fromkeys(read.conn.execute(every).scalars()))


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
    tx.conn.execute(delete(trace).where(
        mine, among(tx.conn, trace.c.subject, {row.subject for row in rows}), trace.c.at < before
    ))  # fmt: skip
    return len(keys)
