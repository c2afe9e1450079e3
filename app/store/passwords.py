"""Hashes of local passwords."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select

from app.store.db import Read, Tx
from app.store.sql import upsert
from app.store.tables.people import local_password


def put(tx: Tx, person_id: str, hashed: str, now: datetime) -> None:
    """Set a person's password, in place of an older one."""
    row = {"tenant_id": tx.tenant, "person_id": person_id, "hash": hashed, "changed_at": now}
    upsert(tx.conn, local_password, row, ("tenant_id", "person_id"))


def get(read: Read, person_id: str) -> str | None:
    """Return the hash of a person's password."""
    mine = (local_password.c.tenant_id == read.tenant) & (local_password.c.person_id == person_id)
    return read.conn.execute(select(local_password.c.hash).where(mine)).scalar()
