"""A tenant's own schemas, and the types that follow from them.

Each change counts `tenant.scim_schemas` up, which is read with every token: so a process knows without
asking whether the types that it keeps still hold.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime
from threading import Lock
from typing import Final

from sqlalchemy import Text, bindparam, cast, delete, func, select, update

from app.kernel.tenant import TenantId
from app.store.db import Read, Tx
from app.store.prepared import Prepared
from app.store.sql import upsert
from app.store.tables.scim import resource
from app.store.tables.scim import schema as table
from app.store.tables.tenants import tenant
from scim import custom
from scim.attributes import Schema
from scim.custom import STANDARD, Types

_KEPT: Final = 256
_NUMBER = select(tenant.c.scim_schemas).where(tenant.c.id == bindparam("tenant"))
_HELD = Prepared(_NUMBER.with_for_update(read=True))
_types: OrderedDict[tuple[TenantId, int], Types] = OrderedDict()
_guard = Lock()


@dataclass(frozen=True, slots=True)
class Own:
    """A schema of a tenant's own, and the type that it extends: User or Group."""

    type: str
    schema: Schema
    created_at: datetime
    updated_at: datetime


def listed(read: Read) -> list[Own]:
    """Return the tenant's schemas by URN."""
    mine = select(table).where(table.c.tenant_id == read.tenant).order_by(table.c.urn)
    return [
        Own(row.type, custom.read(row.document), row.created_at, row.updated_at)
        for row in read.conn.execute(mine)
    ]


def put(tx: Tx, of: str, schema: Schema, created_at: datetime, now: datetime) -> None:
    """Insert a schema, or replace the one of its URN."""
    row = {
        "tenant_id": tx.tenant, "urn": schema.id.lower(), "type": of,
        "document": custom.written(schema), "created_at": created_at, "updated_at": now,
    }  # fmt: skip
    upsert(tx.conn, table, row, ("tenant_id", "urn"))


def remove(tx: Tx, urn: str) -> None:
    """Delete the schema of a URN."""
    mine = (table.c.tenant_id == tx.tenant) & (table.c.urn == urn.lower())
    tx.conn.execute(delete(table).where(mine))


def count_up(tx: Tx) -> None:
    """Note that the schemas change; requests of the types from before are over then, or fail (`hold`)."""
    mine = tenant.c.id == tx.tenant
    tx.conn.execute(update(tenant).where(mine).values(scim_schemas=tenant.c.scim_schemas + 1))


def hold(tx: Tx, types: Types) -> bool:
    """Keep the schemas as they are until the transaction ends; False where these are not the types any more."""
    return bool(_HELD.scalar(tx.conn, {"tenant": tx.tenant}) == types.number)


def held(tx: Tx) -> Types:
    """Return the tenant's types, and keep its schemas as they are until the transaction ends."""
    return types(tx, _HELD.scalar(tx.conn, {"tenant": tx.tenant}))


def holders(read: Read, schema: Schema) -> int:
    """Return how many resources have values of a schema, those included that were deleted and may come back."""
    # As JSON nothing but a name is written like this: within a string its quotes would be escaped.
    has = cast(resource.c.body, Text).contains(f'"{schema.id}":', autoescape=True)
    mine = (resource.c.tenant_id == read.tenant) & has
    return read.conn.execute(select(func.count()).select_from(resource).where(mine)).scalar_one()


def current(read: Read) -> Types:
    """Return the tenant's types, for whoever has not read its counter."""
    return types(read, read.conn.execute(_NUMBER, {"tenant": read.tenant}).scalar_one())


def types(read: Read, number: int) -> Types:
    """Return the tenant's types after so many changes, of which this handle sees the last."""
    if number == 0:
        return STANDARD
    key = read.tenant, number
    with _guard:
        found = _types.get(key)
        if found is not None:
            _types.move_to_end(key)
            return found
    made = custom.types([(one.type, one.schema) for one in listed(read)], number)
    with _guard:
        made = _types.setdefault(key, made)
        while len(_types) > _KEPT:
            _types.popitem(last=False)
    return made
