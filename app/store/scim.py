"""SCIM resources: one JSON body each, beside the rows that filters ask (`scim.values`).

A body is canonical (`scim.resource`), without externalId, which is kept per provisioning client,
and without members, which are rows of `app.store.memberships`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property
from typing import Any

from sqlalchemy import (
    Text,
    bindparam,
    cast,
    delete,
    exists,
    func,
    insert,
    literal,
    select,
    update,
)

from app.store.db import Read, Tx
from app.store.prepared import Prepared
from app.store.sql import count_up, upsert
from app.store.tables.people import membership
from app.store.tables.scim import HEAD, external_id, resource, tally, value
from app.store.types import JsonText
from scim import values
from scim.attributes import ResourceType
from scim.text import to_json

_EXTERNAL_ID = "externalId"


@dataclass(frozen=True)
class Stored:
    """A resource as one provisioning client sees it: with that client's externalId.

    `kept`: its JSON text without it · `grouped` tells whether it is a member of any group · `owner`: the
    client that made it
    """

    id: str
    kept: str
    external_id: str | None
    version: int
    created_at: datetime
    updated_at: datetime
    owner: str
    grouped: bool = False

    @cached_property
    def body(self) -> dict[str, Any]:
        """The resource as `scim.resource` has it."""
        read: dict[str, Any] = json.loads(self.kept)
        return read if self.external_id is None else read | {_EXTERNAL_ID: self.external_id}


# As sub-queries, each asked once a row: a join PostgreSQL may get wrong until it has counted the rows.
_EXTERNAL = (
    select(external_id.c.external_id)
    .where(
        external_id.c.tenant_id == resource.c.tenant_id,
        external_id.c.client == bindparam("client"),
        external_id.c.type == resource.c.type,
        external_id.c.resource_id == resource.c.id,
    )
    .scalar_subquery()
)
_GROUPED = exists(literal(1)).where(
    membership.c.tenant_id == resource.c.tenant_id, membership.c.person_id == resource.c.id
)
RESOURCES = select(
    resource.c.id, cast(resource.c.body, Text).label("kept"), resource.c.version, resource.c.created_at, resource.c.updated_at,
    resource.c.client, _EXTERNAL.label("external_id"), _GROUPED.label("grouped"),
).where(resource.c.tenant_id == bindparam("tenant"), resource.c.type == bindparam("type"))  # fmt: skip
_BY_ID = RESOURCES.where(resource.c.id == bindparam("id"))
_ONE = Prepared(_BY_ID.where(resource.c.deleted_at.is_(None)))
_DELETED = Prepared(_BY_ID.where(resource.c.deleted_at.is_not(None)))
_BEARING = Prepared(
    select(resource.c.id, resource.c.deleted_at)
    .join(
        external_id,
        (external_id.c.tenant_id == resource.c.tenant_id)
        & (external_id.c.type == resource.c.type)
        & (external_id.c.resource_id == resource.c.id),
    )
    .where(
        external_id.c.tenant_id == bindparam("tenant"),
        external_id.c.client == bindparam("client"),
        external_id.c.type == bindparam("type"),
        external_id.c.external_id == bindparam("external_id"),
    )
    .order_by(resource.c.deleted_at.desc())
    .limit(100)
)
_BODY = bindparam("body", type_=JsonText)
_NEW_RESOURCE = Prepared(
    insert(resource).values(body=_BODY),
    "tenant_id", "id", "type", "client", "version", "created_at", "updated_at",
)  # fmt: skip
_NEW_VALUE = Prepared(
    insert(value), "tenant_id", "resource_id", "path", "item", "type", "head", "tail", "number"
)
_NEW_EXTERNAL_ID = Prepared(
    insert(external_id), "tenant_id", "client", "type", "resource_id", "external_id"
)
_REWRITTEN = Prepared(
    update(resource)
    .where(resource.c.tenant_id == bindparam("tenant"), resource.c.id == bindparam("key"))
    .values(body=_BODY),
    "version", "updated_at", "deleted_at",
)  # fmt: skip
_OLD_VALUE = Prepared(delete(value).where(
    value.c.tenant_id == bindparam("tenant"),
    value.c.resource_id == bindparam("id"),
    value.c.path == bindparam("at"),
    value.c.item == bindparam("number"),
))  # fmt: skip
_OLD_VALUES = Prepared(delete(value).where(
    value.c.tenant_id == bindparam("tenant"), value.c.resource_id == bindparam("id")
))  # fmt: skip
_LOCKED = Prepared(
    select(resource.c.version)
    .where(resource.c.tenant_id == bindparam("tenant"), resource.c.id == bindparam("id"))
    .with_for_update()
)
_KNOWN = Prepared(
    select(resource.c.id).where(
        resource.c.tenant_id == bindparam("tenant"), resource.c.id == bindparam("id")
    )
)
_ACTIVE = Prepared(
    select(tally.c.active).where(
        tally.c.tenant_id == bindparam("tenant"),
        tally.c.type == "User",
        tally.c.client == bindparam("client"),
    )
)


_LIVE = Prepared(
    select(func.sum(tally.c.live)).where(
        tally.c.tenant_id == bindparam("tenant"), tally.c.type == bindparam("type")
    )
)


def get(read: Read, client: str, of: ResourceType, resource_id: str) -> Stored | None:
    """Find a live resource."""
    return _one(read, _ONE, client, of, resource_id)


def deleted(read: Read, client: str, of: ResourceType, resource_id: str) -> Stored | None:
    """Find a deleted resource."""
    return _one(read, _DELETED, client, of, resource_id)


def lock(tx: Tx, resource_id: str) -> None:
    """Keep others from changing a resource until the transaction ends."""
    _LOCKED.first(tx.conn, {"tenant": tx.tenant, "id": resource_id})


def is_known(read: Read, resource_id: str) -> bool:
    """Tell whether any resource, live or deleted, has this id."""
    return _KNOWN.first(read.conn, {"tenant": read.tenant, "id": resource_id}) is not None


def deleted_bearing(read: Read, client: str, of: ResourceType, external: str) -> str | None:
    """Return the id of the latest deleted resource with this externalId, unless a live one bears it."""
    found = _BEARING.all(
        read.conn,
        {"tenant": read.tenant, "client": client, "type": of.name, "external_id": external},
    )
    gone = [row for row in found if row.deleted_at is not None]
    return (
        max(gone, key=lambda row: row.deleted_at).id if gone and len(gone) == len(found) else None
    )


def counted(read: Read, of: ResourceType) -> int:
    """Return how many live resources there are, as their writers have counted them."""
    return _LIVE.scalar(read.conn, {"tenant": read.tenant, "type": of.name}) or 0


def active_people(read: Read, client: str) -> int:
    """Return how many active people a provisioning client has made."""
    return _ACTIVE.scalar(read.conn, {"tenant": read.tenant, "client": client}) or 0


def add(
    tx: Tx, client: str, of: ResourceType, bodies: Mapping[str, Mapping[str, Any]], now: datetime
) -> list[Stored]:
    """Insert resources by id, and return them."""
    made = [
        Stored(key, to_json(_kept(body)), body.get(_EXTERNAL_ID), 1, now, now, client)
        for key, body in bodies.items()
    ]
    _NEW_RESOURCE.run_each(tx.conn, [
        {"tenant_id": tx.tenant, "id": one.id, "type": of.name, "client": client, "body": one.kept,
         "version": 1, "created_at": now, "updated_at": now}
        for one in made
    ])  # fmt: skip
    named = [
        {"tenant_id": tx.tenant, "client": client, "type": of.name, "resource_id": key,
         "external_id": body[_EXTERNAL_ID]}
        for key, body in bodies.items() if _EXTERNAL_ID in body
    ]  # fmt: skip
    if named:
        _NEW_EXTERNAL_ID.run_each(tx.conn, named)
    _NEW_VALUE.run_each(
        tx.conn,
        [_value_row(tx, of, key, row) for key, body in bodies.items() for row in _rows(body, of)],
    )
    _count_up(tx, of, client, live=len(bodies), active=sum(map(_active, bodies.values())))
    return made


def save(
    tx: Tx, client: str, of: ResourceType, before: Stored, body: Mapping[str, Any], now: datetime
) -> Stored:
    """Write a resource back, with the version counted up; of its values only the changed rows."""
    kept = _rewrite(tx, before, body, now)
    _rename(tx, client, of, before, body)
    old, new = set(_rows(before.body, of)), set(_rows(body, of))
    gone = [
        {"tenant": tx.tenant, "id": before.id, "at": row.path, "number": row.item}
        for row in old - new
    ]
    if gone:
        _OLD_VALUE.run_each(tx.conn, gone)
    come = [_value_row(tx, of, before.id, row) for row in new - old]
    if come:
        _NEW_VALUE.run_each(tx.conn, come)
    if by := _active(body) - _active(before.body):
        _count_up(tx, of, before.owner, live=0, active=by)
    return _next(before, kept, body, now)


def remove(tx: Tx, of: ResourceType, gone: Stored, now: datetime) -> None:
    """Delete a resource softly: its body and externalIds stay, so that it can be restored."""
    _rewrite(tx, gone, gone.body, now, deleted_at=now)
    _OLD_VALUES.run(tx.conn, {"tenant": tx.tenant, "id": gone.id})
    _count_up(tx, of, gone.owner, live=-1, active=-_active(gone.body))


def restore(
    tx: Tx, client: str, of: ResourceType, gone: Stored, body: Mapping[str, Any], now: datetime
) -> Stored:
    """Let a deleted resource live again, with a new body."""
    kept = _rewrite(tx, gone, body, now)
    _rename(tx, client, of, gone, body)
    _NEW_VALUE.run_each(tx.conn, [_value_row(tx, of, gone.id, row) for row in _rows(body, of)])
    _count_up(tx, of, gone.owner, live=1, active=_active(body))
    return replace(_next(gone, kept, body, now), grouped=False)


def _next(before: Stored, kept: str, body: Mapping[str, Any], now: datetime) -> Stored:
    return replace(
        before, kept=kept, external_id=body.get(_EXTERNAL_ID), version=before.version + 1, updated_at=now
    )  # fmt: skip


def _one(
    read: Read, statement: Prepared, client: str, of: ResourceType, resource_id: str
) -> Stored | None:
    row = statement.first(read.conn, {"id": resource_id} | asked(read, client, of))
    return None if row is None else stored(row)


def asked(read: Read, client: str, of: ResourceType) -> dict[str, Any]:
    """What `RESOURCES` asks by."""
    return {"tenant": read.tenant, "client": client, "type": of.name}


def stored(row: Any) -> Stored:
    """Read one of its rows."""
    return Stored(
        row.id, row.kept, row.external_id, row.version, row.created_at, row.updated_at, row.client,
        bool(row.grouped),
    )  # fmt: skip


def _count_up(tx: Tx, of: ResourceType, owner: str, *, live: int, active: int) -> None:
    # Last of all, since every writer of this client wants this row.
    key = {"tenant_id": tx.tenant, "type": of.name, "client": owner}
    count_up(tx.conn, tally, key, {"live": live, "active": active})


def _active(body: Mapping[str, Any]) -> int:
    """1 for an active person, else 0; groups have no such attribute."""
    return int(body.get("active", False))


def _kept(body: Mapping[str, Any]) -> dict[str, Any]:
    return {name: said for name, said in body.items() if name != _EXTERNAL_ID}


def _rows(body: Mapping[str, Any], of: ResourceType) -> list[values.Row]:
    # Which schemas are present follows from the other rows.
    return [row for row in values.index_values(_kept(body), of) if row.path != "schemas"]


def _value_row(tx: Tx, of: ResourceType, resource_id: str, row: values.Row) -> dict[str, Any]:
    return {
        "tenant_id": tx.tenant, "resource_id": resource_id, "path": row.path, "item": row.item,
        "type": of.name, "head": row.text[:HEAD], "tail": row.text[HEAD:], "number": row.number,
    }  # fmt: skip


def _rewrite(
    tx: Tx,
    before: Stored,
    body: Mapping[str, Any],
    now: datetime,
    deleted_at: datetime | None = None,
) -> str:
    kept = to_json(_kept(body))
    _REWRITTEN.run(tx.conn, {
        "tenant": tx.tenant, "key": before.id, "body": kept, "version": before.version + 1,
        "updated_at": now, "deleted_at": deleted_at,
    })  # fmt: skip
    return kept


def _rename(tx: Tx, client: str, of: ResourceType, before: Stored, body: Mapping[str, Any]) -> None:
    external = body.get(_EXTERNAL_ID)
    if external == before.body.get(_EXTERNAL_ID):
        return
    key = {"tenant_id": tx.tenant, "client": client, "type": of.name, "resource_id": before.id}
    if external is None:
        mine = (external_id.c[name] == said for name, said in key.items())
        tx.conn.execute(delete(external_id).where(*mine))
    else:
        upsert(tx.conn, external_id, key | {"external_id": external}, tuple(key))
