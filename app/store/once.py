"""One-time claims. The insert is the claim, so two processes can't both succeed."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import delete, func, select

from app.store.db import Read, System, Tx
from app.store.sql import insert_once, upsert
from app.store.tables.tenants import once


def claim(tx: Tx, kind: str, key: str, expires_at: datetime) -> bool:
    """Claim (kind, key) until it expires; False when it was claimed before."""
    row = {"tenant_id": tx.tenant, "kind": kind, "key": key, "expires_at": expires_at}
    return insert_once(tx.conn, once, row)


def standing(read: Read, kind: str, now: datetime) -> int:
    """Count the claims of a kind that have not expired."""
    mine = (once.c.tenant_id == read.tenant) & (once.c.kind == kind) & (once.c.expires_at > now)
    return int(read.conn.execute(select(func.count()).where(mine)).scalar_one())


def claimed(read: Read, kind: str, key: str) -> bool:
    """Tell whether (kind, key) was claimed and is not yet forgotten."""
    mine = (once.c.tenant_id == read.tenant) & (once.c.kind == kind) & (once.c.key == key)
    return read.conn.execute(select(once.c.key).where(mine)).first() is not None


def last_to_expire(read: Read, kind: str) -> datetime | None:
    """Return when the last claim of a kind expires, or did."""
    mine = (once.c.tenant_id == read.tenant) & (once.c.kind == kind)
    last: datetime | None = read.conn.execute(
        select(func.max(once.c.expires_at)).where(mine)
    ).scalar()
    return last


def renew(tx: Tx, kind: str, key: str, expires_at: datetime) -> None:
    """Claim (kind, key) until it expires, whoever claimed it before."""
    row = {"tenant_id": tx.tenant, "kind": kind, "key": key, "expires_at": expires_at}
    upsert(tx.conn, once, row, ("tenant_id", "kind", "key"))


def until(read: Read, kind: str, key: str) -> datetime | None:
    """Return until when (kind, key) is claimed."""
    mine = (once.c.tenant_id == read.tenant) & (once.c.kind == kind) & (once.c.key == key)
    return read.conn.execute(select(once.c.expires_at).where(mine)).scalar()


def forget(tx: Tx, kind: str) -> None:
    """Drop all claims of a kind."""
    tx.conn.execute(delete(once).where(once.c.tenant_id == tx.tenant, once.c.kind == kind))


def forget_under(tx: Tx, kind: str) -> None:
    """Drop all claims of a kind, and of kinds `kind:...` below it."""
    below = once.c.kind.startswith(kind + ":", autoescape=True)
    tx.conn.execute(
        delete(once).where(once.c.tenant_id == tx.tenant, (once.c.kind == kind) | below)
    )


def forget_expired(system: System, now: datetime) -> int:
    """Drop claims whose credential has expired by itself."""
    return system.conn.execute(delete(once).where(once.c.expires_at < now)).rowcount
