"""SCIM resources: one JSON body each, beside the rows that filters ask (`scim.values`).

A body is canonical (`scim.resource`), without externalId, which is kept per provisioning client,
and without members, which are rows of `app.store.memberships`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Row,
    Select,
    bindparam,
    delete,
    exists,
    func,
    insert,
    literal,
    select,
    update,
)

from app.store.db import Read, Tx
from app.store.sql import among, count_up, locked, upsert
from app.store.tables.people import membership
from app.store.tables.scim import HEAD, external_id, resource, tally, value
from scim import values
from scim.attributes import ResourceType

_EXTERNAL_ID = "externalId"


@dataclass(frozen=True, slots=True)
class Stored:
    """A resource as one provisioning client sees it: `body` holds that client's externalId.

    `grouped` tells whether it is a member of any group · `owner`: the client that made it
    """

    id: str
    body: dict[str, Any]
    version: int
    created_at: datetime
    updated_at: datetime
    owner: str
    grouped: bool = False


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
_RESOURCES = select(
    resource.c.id, resource.c.body, resource.c.version, resource.c.created_at, resource.c.updated_at,
    resource.c.client, _EXTERNAL.label("external_id"), _GROUPED.label("grouped"),
).where(resource.c.tenant_id == bindparam("tenant"), resource.c.type == bindparam("type"))  # fmt: skip
_ONE = _RESOURCES.where(resource.c.id == bindparam("id"), resource.c.deleted_at.is_(None))
_DELETED = _RESOURCES.where(resource.c.id == bindparam("id"), resource.c.deleted_at.is_not(None))
_PAGE = (
    _RESOURCES.where(resource.c.deleted_at.is_(None))
    .order_by(resource.c.id)
    .limit(bindparam("count"))
    .offset(bindparam("offset"))
)
_IDS = (
    select(resource.c.id)
    .where(
        resource.c.tenant_id == bindparam("tenant"),
        resource.c.type == bindparam("type"),
        resource.c.deleted_at.is_(None),
    )
    .order_by(resource.c.id)
    .limit(bindparam("count"))
    .offset(bindparam("offset"))
)
_BEARING = (
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
_NEW_RESOURCE, _NEW_VALUE, _NEW_EXTERNAL_ID = insert(resource), insert(value), insert(external_id)
_REWRITTEN = update(resource).where(
    resource.c.tenant_id == bindparam("tenant"), resource.c.id == bindparam("key")
)
_OLD_VALUE = delete(value).where(
    value.c.tenant_id == bindparam("tenant"),
    value.c.resource_id == bindparam("id"),
    value.c.path == bindparam("at"),
    value.c.item == bindparam("number"),
)


def get(read: Read, client: str, of: ResourceType, resource_id: str) -> Stored | None:
    """Find a live resource."""
    return _one(read, _ONE, client, of, resource_id)


def deleted(read: Read, client: str, of: ResourceType, resource_id: str) -> Stored | None:
    """Find a deleted resource."""
    return _one(read, _DELETED, client, of, resource_id)


def lock(tx: Tx, resource_id: str) -> None:
    """Keep others from changing a resource until the transaction ends."""
    tx.conn.execute(locked(tx.conn, select(resource.c.version).where(_this(tx, resource_id))))


def is_known(read: Read, resource_id: str) -> bool:
    """Tell whether any resource, live or deleted, has this id."""
    found = read.conn.execute(select(resource.c.id).where(_this(read, resource_id)))
    return found.first() is not None


def deleted_bearing(read: Read, client: str, of: ResourceType, external: str) -> str | None:
    """Return the id of the latest deleted resource with this externalId, unless a live one bears it."""
    found = read.conn.execute(
        _BEARING,
        {"tenant": read.tenant, "client": client, "type": of.name, "external_id": external},
    ).all()
    gone = [row for row in found if row.deleted_at is not None]
    return (
        max(gone, key=lambda row: row.deleted_at).id if gone and len(gone) == len(found) else None
    )


def page(
    read: Read, client: str, of: ResourceType, condition: ColumnElement[bool] | None, offset: int, count: int
) -> tuple[list[Stored], int]:  # fmt: skip
    """Return the live resources of one page, by id, and how many there are on all pages."""
    found: list[Stored] = []
    if count:
        conditions = () if condition is None else (condition,)
        asked = {"count": count, "offset": offset} | _of(read, client, of)
        statement = _PAGE.where(*conditions)
        if offset:
            # Skipping is cheap over ids alone, and dear over rows with all that is joined to them.
            ids = read.conn.execute(_IDS.where(*conditions), asked).scalars().all()
            asked["offset"] = 0
            statement = _PAGE.where(among(read.conn, resource.c.id, ids))
        found = [_stored(row) for row in read.conn.execute(statement, asked)]
    if condition is None:
        return found, counted(read, of)
    if len(found) < count and (found or not offset):
        return found, offset + len(found)
    return found, _count(read, of, condition)


def counted(read: Read, of: ResourceType) -> int:
    """Return how many live resources there are, as their writers have counted them."""
    mine = (tally.c.tenant_id == read.tenant) & (tally.c.type == of.name)
    return read.conn.execute(select(func.sum(tally.c.live)).where(mine)).scalar() or 0


def active_people(read: Read, client: str) -> int:
    """Return how many active people a provisioning client has made."""
    mine = (
        (tally.c.tenant_id == read.tenant) & (tally.c.type == "User") & (tally.c.client == client)
    )
    return read.conn.execute(select(tally.c.active).where(mine)).scalar() or 0


def add(
    tx: Tx, client: str, of: ResourceType, bodies: Mapping[str, Mapping[str, Any]], now: datetime
) -> None:
    """Insert resources by id."""
    tx.conn.execute(_NEW_RESOURCE, [
        {"tenant_id": tx.tenant, "id": key, "type": of.name, "client": client, "body": _kept(body), "version": 1,
         "created_at": now, "updated_at": now}
        for key, body in bodies.items()
    ])  # fmt: skip
    named = [
        {"tenant_id": tx.tenant, "client": client, "type": of.name, "resource_id": key,
         "external_id": body[_EXTERNAL_ID]}
        for key, body in bodies.items() if _EXTERNAL_ID in body
    ]  # fmt: skip
    if named:
        tx.conn.execute(_NEW_EXTERNAL_ID, named)
    tx.conn.execute(
        _NEW_VALUE,
        [_value_row(tx, of, key, row) for key, body in bodies.items() for row in _rows(body, of)],
    )
    _count_up(tx, of, client, live=len(bodies), active=sum(map(_active, bodies.values())))


def save(
    tx: Tx, client: str, of: ResourceType, before: Stored, body: Mapping[str, Any], now: datetime
) -> Stored:
    """Write a resource back, with the version counted up; of its values only the changed rows."""
    _rewrite(tx, before, body, now)
    _rename(tx, client, of, before, body)
    old, new = set(_rows(before.body, of)), set(_rows(body, of))
    gone = [
        {"tenant": tx.tenant, "id": before.id, "at": row.path, "number": row.item}
        for row in old - new
    ]
    if gone:
        tx.conn.execute(_OLD_VALUE, gone)
    come = [_value_row(tx, of, before.id, row) for row in new - old]
    if come:
        tx.conn.execute(_NEW_VALUE, come)
    if by := _active(body) - _active(before.body):
        _count_up(tx, of, before.owner, live=0, active=by)
    return replace(before, body=dict(body), version=before.version + 1, updated_at=now)


def remove(tx: Tx, of: ResourceType, gone: Stored, now: datetime) -> None:
    """Delete a resource softly: its body and externalIds stay, so that it can be restored."""
    _rewrite(tx, gone, gone.body, now, deleted_at=now)
    tx.conn.execute(
        delete(value).where(value.c.tenant_id == tx.tenant, value.c.resource_id == gone.id)
    )
    _count_up(tx, of, gone.owner, live=-1, active=-_active(gone.body))


def restore(
    tx: Tx, client: str, of: ResourceType, gone: Stored, body: Mapping[str, Any], now: datetime
) -> Stored:
    """Let a deleted resource live again, with a new body."""
    _rewrite(tx, gone, body, now)
    _rename(tx, client, of, gone, body)
    tx.conn.execute(_NEW_VALUE, [_value_row(tx, of, gone.id, row) for row in _rows(body, of)])
    _count_up(tx, of, gone.owner, live=1, active=_active(body))
    return replace(gone, body=dict(body), version=gone.version + 1, updated_at=now, grouped=False)


def _one(
    read: Read, statement: Select[Any], client: str, of: ResourceType, resource_id: str
) -> Stored | None:
    row = read.conn.execute(statement, {"id": resource_id} | _of(read, client, of)).first()
    return None if row is None else _stored(row)


def _of(read: Read, client: str, of: ResourceType) -> dict[str, Any]:
    return {"tenant": read.tenant, "client": client, "type": of.name}


def _this(read: Read, resource_id: str) -> ColumnElement[bool]:
    return (resource.c.tenant_id == read.tenant) & (resource.c.id == resource_id)


def _stored(row: Row[Any]) -> Stored:
    body = dict(row.body)
    if row.external_id is not None:
        body[_EXTERNAL_ID] = row.external_id
    return Stored(
        row.id, body, row.version, row.created_at, row.updated_at, row.client, bool(row.grouped)
    )


def _count(read: Read, of: ResourceType, condition: ColumnElement[bool]) -> int:
    statement = (
        select(func.count())
        .select_from(resource)
        .where(
            resource.c.tenant_id == read.tenant,
            resource.c.type == of.name,
            resource.c.deleted_at.is_(None),
            condition,
        )
    )
    return read.conn.execute(statement).scalar_one()


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
) -> None:
    tx.conn.execute(_REWRITTEN, {
        "tenant": tx.tenant, "key": before.id, "body": _kept(body), "version": before.version + 1,
        "updated_at": now, "deleted_at": deleted_at,
    })  # fmt: skip


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
