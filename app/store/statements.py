"""xAPI statements: written with the fact, read on by cursor."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select, tuple_

from app.store.db import Read, System, Tx
from app.store.sql import insert_once, settled_before, transaction_id
from app.store.tables.learning import statement


@dataclass(frozen=True, slots=True)
class Stored:
    """A statement with its place in the order; `body` is its JSON as it is sent."""

    txid: int
    seq: int
    id: str
    body: str


def add(tx: Tx, statements: Iterable[Mapping[str, Any]], person_id: str, now: datetime) -> None:
    """Store statements; one whose id is known already is the same fact and is left as it is."""
    txid = transaction_id(tx.conn)
    for one in statements:
        insert_once(tx.conn, statement, {
            "txid": txid, "tenant_id": tx.tenant, "id": one["id"], "person_id": person_id,
            "body": json.dumps(one, ensure_ascii=False, separators=(",", ":")), "stored_at": now,
        })  # fmt: skip


def known(read: Read, statement_id: str) -> bool:
    """Tell whether a statement is stored."""
    mine = (statement.c.tenant_id == read.tenant) & (statement.c.id == statement_id)
    return read.conn.execute(select(statement.c.seq).where(mine)).first() is not None


def after(system: System, tenant_id: str, txid: int, seq: int, limit: int) -> list[Stored]:
    """Return the next statements in commit order, only up to where nothing earlier can still appear."""
    rows = system.conn.execute(
        select(statement.c.txid, statement.c.seq, statement.c.id, statement.c.body)
        .where(
            statement.c.tenant_id == tenant_id,
            tuple_(statement.c.txid, statement.c.seq) > tuple_(txid, seq),
            statement.c.txid < settled_before(system.conn),
        )
        .order_by(statement.c.txid, statement.c.seq)
        .limit(limit)
    )
    return [Stored(*row) for row in rows]


def newest(system: System, tenant_id: str, txid: int, seq: int) -> Stored | None:
    """Return the last statement after a cursor, of those that `after` would return in the end."""
    row = system.conn.execute(
        select(statement.c.txid, statement.c.seq, statement.c.id, statement.c.body)
        .where(
            statement.c.tenant_id == tenant_id,
            tuple_(statement.c.txid, statement.c.seq) > tuple_(txid, seq),
            statement.c.txid < settled_before(system.conn),
        )
        .order_by(statement.c.txid.desc(), statement.c.seq.desc())
        .limit(1)
    ).first()
    return None if row is None else Stored(*row)


def end_of(read: Read) -> tuple[int, int]:
    """Return the cursor behind the newest statement."""
    row = read.conn.execute(
        select(statement.c.txid, statement.c.seq)
        .where(statement.c.tenant_id == read.tenant)
        .order_by(statement.c.txid.desc(), statement.c.seq.desc())
        .limit(1)
    ).first()
    return (row.txid, row.seq) if row else (0, 0)
