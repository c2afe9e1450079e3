"""The audit log: entries are added in the transaction of what they tell, and never changed."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import select

from app.store import chain
from app.store.chain import End, Entry, Verdict
from app.store.db import Read, Tx
from app.store.tables.tenants import audit
from keys.seal import Seal


def record(
    tx: Tx, audit_id: str, now: datetime, actor: str, action: str, subject: str, **detail: Any
) -> None:
    """Note that `actor` did `action` to `subject`; ids only, no names. Written when the block ends."""
    tx.entries.append(Entry(audit_id, now, actor, action, subject, detail))


def about(read: Read, subject: str, limit: int = 50) -> list[dict[str, Any]]:
    """Return the latest entries about a subject, newest first."""
    rows = read.conn.execute(
        select(audit)
        .where(audit.c.tenant_id == read.tenant, audit.c.subject == subject)
        .order_by(audit.c.at.desc(), audit.c.n.desc())
        .limit(limit)
    )
    return [dict(row._mapping) for row in rows]  # noqa: SLF001 - SQLAlchemy's public name


def page(read: Read, before: int | None, limit: int) -> list[dict[str, Any]]:
    """Return entries of the chain, newest first, those before number `before`."""
    mine = (audit.c.tenant_id == read.tenant) & audit.c.n.is_not(None)
    if before is not None:
        mine &= audit.c.n < before
    rows = read.conn.execute(select(audit).where(mine).order_by(audit.c.n.desc()).limit(limit))
    return [dict(row._mapping) for row in rows]  # noqa: SLF001 - SQLAlchemy's public name


def end(read: Read) -> End:
    """Return where the chain ends: a checkpoint, if it is kept where nobody can change it."""
    return chain.end(read.conn, read.tenant)


def verify(read: Read, seal: Seal, checkpoint: End | None = None) -> Verdict:
    """Walk the chain and tell what does not fit (`app.store.chain`)."""
    return chain.verify(read.conn, read.tenant, seal, checkpoint)
