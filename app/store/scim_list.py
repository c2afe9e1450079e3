"""Lists of SCIM resources by id: the first of them, a page from a number on, and some by their ids."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from sqlalchemy import ColumnElement, bindparam, func, select

from app.store import scim, scim_shape
from app.store.db import Read
from app.store.prepared import Prepared
from app.store.scim import RESOURCES, Stored, stored
from app.store.scim import asked as asked_by
from app.store.scim_shape import Shape
from app.store.sql import among
from app.store.tables.scim import resource
from scim.attributes import ResourceType

_PAGE = (
    RESOURCES.where(resource.c.deleted_at.is_(None))
    .order_by(resource.c.id)
    .limit(bindparam("count"))
    .offset(bindparam("offset"))
)
_FIRST = Prepared(_PAGE)
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


def first_page(
    read: Read, client: str, of: ResourceType, shape: Shape | None, base_url: str, count: int
) -> list[Stored]:
    """Return the first resources by id: those that match a filter of some shape, or of all."""
    asked = {"count": count, "offset": 0} | asked_by(read, client, of)
    if shape is None:
        rows = _FIRST.all(read.conn, asked)
    else:
        rows = scim_shape.rows(read, shape, of, client, base_url, _PAGE.where, asked)
    return [stored(row) for row in rows]


def page(
    read: Read, client: str, of: ResourceType, condition: ColumnElement[bool] | None, offset: int, count: int,
    counting: Callable[[], int] | None = None,
) -> tuple[list[Stored], int]:  # fmt: skip
    """Return the live resources of one page, by id, and how many there are on all pages.

    `counting`: what counts those that match quicker than asking each
    """
    found: list[Stored] = []
    if count:
        conditions = () if condition is None else (condition,)
        asked = {"count": count, "offset": offset} | asked_by(read, client, of)
        statement = _PAGE.where(*conditions)
        if offset:
            # Skipping is cheap over ids alone, and dear over rows with all that is joined to them.
            ids = read.conn.execute(_IDS.where(*conditions), asked).scalars().all()
            asked["offset"] = 0
            statement = _PAGE.where(among(read.conn, resource.c.id, ids))
        found = [stored(row) for row in read.conn.execute(statement, asked)]
    if condition is None:
        return found, scim.counted(read, of)
    if len(found) < count and (found or not offset):
        return found, offset + len(found)
    return found, counting() if counting else _count(read, of, condition)


def several(read: Read, client: str, of: ResourceType, ids: Sequence[str]) -> list[Stored]:
    """Return the live resources with these ids, in their order."""
    if not ids:
        return []
    one_of = _PAGE.where(among(read.conn, resource.c.id, ids))
    asked = {"count": len(ids), "offset": 0} | asked_by(read, client, of)
    found = {row.id: stored(row) for row in read.conn.execute(one_of, asked)}
    return [found[key] for key in ids if key in found]


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
