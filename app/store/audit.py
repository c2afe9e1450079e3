"""The audit log: rows are added in the transaction of what they tell, and never changed."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import insert, select

from app.store.db import Read, Tx
from app.store.tables.tenants import audit

_RECORD = insert(audit)


def record(
    tx: Tx, audit_id: str, now: datetime, actor: str, action: str, subject: str, **detail: Any
) -> None:
    """Write that `actor` did `action` to `subject`; ids only, no names."""
    tx.conn.execute(_RECORD, {
        "tenant_id": tx.tenant, "id": audit_id, "at": now, "actor": actor, "action": action,
        "subject": subject, "detail": detail,
    })  # fmt: skip


def about(read: Read, subject: str, limit: int = 50) -> list[dict[str, Any]]:
    """Return the latest entries about a subject, newest first."""
    rows = read.conn.execute(
        select(audit)
        .where(audit.c.tenant_id == read.tenant, audit.c.subject == subject)
        .order_by(audit.c.at.desc())
        .limit(limit)
    )
    return [dict(row._mapping) for row in rows]  # noqa: SLF001 - SQLAlchemy's public name
