"""Our signing keys by owner: a tenant's slug, or `_operator`."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import delete, insert, select, update

from app.store.db import System
from app.store.tables.tenants import signing_key


@dataclass(frozen=True, slots=True)
class StoredKey:
    """A key with its place in the rotation; the private half is sealed PEM."""

    owner: str
    kid: str
    public_jwk: dict[str, Any]
    sealed_private: str
    published_at: datetime
    signs_from: datetime
    retires_at: datetime | None
    gone_at: datetime | None


def of_owner(system: System, owner: str) -> list[StoredKey]:
    """Return the owner's keys, oldest first."""
    columns = [signing_key.c[name] for name in StoredKey.__slots__]
    rows = system.conn.execute(
        select(*columns).where(signing_key.c.owner == owner).order_by(signing_key.c.published_at)
    )
    return [StoredKey(*row) for row in rows]


def add(system: System, key: StoredKey, tenant_id: str | None) -> None:
    """Publish a key."""
    row = {name: getattr(key, name) for name in StoredKey.__slots__}
    system.conn.execute(insert(signing_key).values(tenant_id=tenant_id, **row))


def reschedule(system: System, owner: str, kid: str, **times: datetime | None) -> None:
    """Change when a key signs, retires or is gone."""
    mine = (signing_key.c.owner == owner) & (signing_key.c.kid == kid)
    system.conn.execute(update(signing_key).where(mine).values(**times))


def erase(system: System, owner: str, kid: str) -> None:
    """Drop a key that nobody needs any more, its private half with it."""
    mine = (signing_key.c.owner == owner) & (signing_key.c.kid == kid)
    system.conn.execute(delete(signing_key).where(mine))
