"""Access tokens that platforms gave us, sealed, by registration and scope (never without either)."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select

from app.store.db import Read, Tx
from app.store.sql import upsert
from app.store.tables.tenants import access_token

_KEY = ("tenant_id", "registration_id", "scope")


def get(read: Read, registration_id: str, scope: str, now: datetime) -> str | None:
    """Return the sealed token if it still holds."""
    return read.conn.execute(
        select(access_token.c.sealed_token).where(
            access_token.c.tenant_id == read.tenant,
            access_token.c.registration_id == registration_id,
            access_token.c.scope == scope,
            access_token.c.expires_at > now,
        )
    ).scalar()


def put(tx: Tx, registration_id: str, scope: str, sealed: str, expires_at: datetime) -> None:
    """Keep a token until it ends."""
    row = {
        "tenant_id": tx.tenant, "registration_id": registration_id, "scope": scope,
        "sealed_token": sealed, "expires_at": expires_at,
    }  # fmt: skip
    upsert(tx.conn, access_token, row, _KEY)
