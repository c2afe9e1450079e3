"""Deleted SCIM resources whose time is over: which they are, and letting them go."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import bindparam, delete, exists, literal, or_, select

from app.kernel.tenant import TenantId
from app.store import groups
from app.store.db import System, Tx
from app.store.sql import among
from app.store.tables.guard import departure, hold
from app.store.tables.scim import external_id, resource
from app.store.types import Time

_HELD = exists(literal(1)).where(
    departure.c.tenant_id == resource.c.tenant_id,
    or_(departure.c.person_id == resource.c.id, departure.c.group_id == resource.c.id),
    departure.c.hold_id == hold.c.id,
    hold.c.tenant_id == resource.c.tenant_id,
    hold.c.status.in_(("open", "restoring")),
)
"""Whom an administrator may still bring back; their clock stands."""

_OVER = resource.c.deleted_at < bindparam("before", type_=Time)
_FOUND = (
    select(resource.c.tenant_id, resource.c.type, resource.c.id)
    .where(_OVER, ~_HELD)
    .order_by(resource.c.deleted_at)
    .limit(bindparam("most"))
)
_STILL = select(resource.c.id, resource.c.type).where(
    resource.c.tenant_id == bindparam("tenant"), _OVER, ~_HELD
)


@dataclass(frozen=True, slots=True)
class Gone:
    """A resource that was dropped: its id, and whether it was a User or a Group."""

    id: str
    type: str


def over(system: System, before: datetime, most: int) -> list[tuple[TenantId, str, str]]:
    """Return resources that were deleted before then, the longest ago first: tenant, type and id."""
    rows = system.conn.execute(_FOUND, {"before": before, "most": most})
    return [(TenantId(row.tenant_id), row.type, row.id) for row in rows]


def drop(tx: Tx, ids: Sequence[str], before: datetime) -> list[Gone]:
    """Drop those that are still deleted and not held, with every client's externalId for them."""
    still = _STILL.where(among(tx.conn, resource.c.id, ids))
    if tx.conn.dialect.name != "sqlite":
        still = still.with_for_update(of=resource)
    rows = tx.conn.execute(still, {"tenant": tx.tenant, "before": before})
    gone = [Gone(row.id, row.type) for row in rows]
    keys = [one.id for one in gone]
    for table, key in ((external_id, external_id.c.resource_id), (resource, resource.c.id)):
        mine = (table.c.tenant_id == tx.tenant) & among(tx.conn, key, keys)
        tx.conn.execute(delete(table).where(mine))
    groups.forget(tx, keys)
    return gone
