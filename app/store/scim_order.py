"""What a list is sorted by (RFC 7644 §3.4.2.3): where each resource's value lies.

A text is its first HEAD characters, as far as the index goes, folded unless the attribute is caseExact;
numbers, booleans, instants and versions are by value. Of several entries the primary one's value counts, else the
first. Ties are by id, which makes the order total: a page can begin after any resource.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, case, exists, literal, select

from app.store.db import Read
from app.store.scim_compare import Condition, row
from app.store.tables.scim import external_id, resource, value
from scim.attributes import NUMERIC, AttrPath, AttrType, ResourceType
from scim.errors import InvalidPath
from scim.listing import Sort
from scim.nodes import And, Compare, Node, Present

Value = str | float | datetime

# Named unlike those of `scim_filter`, whose conditions stand within these queries.
_S, _T, _P, _X = value.alias("s"), value.alias("t"), value.alias("p"), external_id.alias("sx")


@dataclass(frozen=True, slots=True)
class Source:
    """Rows that bear a resource's `id` and its value, the `key`; `rows` says which these are.

    `typed`: what leads to an index by value as well, and would lead away from that by the ids of a few ·
    `lacking`: the condition under which a resource has none, None where each has one · `aside`: whether
    the rows are not those of `scim_resource` themselves · `bearers`: the ids of the live resources that
    have a value, None where that is not to be had by index
    """

    id: ColumnElement[str]
    key: ColumnElement[Any]
    rows: tuple[Condition, ...]
    lacking: Condition | None
    aside: bool
    typed: tuple[Condition, ...] = ()
    bearers: Select[str] | None = None


def live(read: Read, of: ResourceType) -> tuple[Condition, ...]:
    """Which rows of `scim_resource` are of this type, and not deleted."""
    return (
        resource.c.tenant_id == read.tenant,
        resource.c.type == of.name,
        resource.c.deleted_at.is_(None),
    )


def source(
    read: Read, of: ResourceType, client: str, sort: Sort | None, node: Node | None
) -> Source:
    """Where the values of the attribute lie, ids where none is named, as far as the filter lets them.

    Raises InvalidPath for members and groups, which have no order of their own, and for schemas.
    """
    if sort is None:
        return _column(read, of, resource.c.id)
    path = sort.path
    match path.attribute.name if path.urn is None else "":
        case "id":
            return _column(read, of, resource.c.id)
        case "meta":
            return _column(read, of, _meta(path))
        case "externalId":
            return _external(read, of, client)
        case "schemas" | "members" | "groups":
            raise InvalidPath(f"{of.name} cannot be sorted by {path.text}.")
    return _values(read, of, path, _of_itself(path, node))


def _column(read: Read, of: ResourceType, key: ColumnElement[Any]) -> Source:
    return Source(resource.c.id, key, live(read, of), None, aside=False)


def _meta(path: AttrPath) -> ColumnElement[Any]:
    match path.sub.name if path.sub else "":
        case "created":
            return resource.c.created_at
        case "lastModified":
            return resource.c.updated_at
        case "version":
            return resource.c.version
        case _:  # the same for all, or as their ids
            return resource.c.id


def _external(read: Read, of: ResourceType, client: str) -> Source:
    mine = (_X.c.tenant_id == read.tenant, _X.c.client == client, _X.c.type == of.name)
    has = exists(literal(1)).where(*mine, _X.c.resource_id == resource.c.id)
    return Source(_X.c.resource_id, _X.c.external_id, mine, ~has, aside=True)


def _of_itself(path: AttrPath, node: Node | None) -> list[Compare | None]:
    """What the filter demands of the very value that is sorted by: `userName sw "j"`, or that there is one."""
    terms = node.nodes if isinstance(node, And) else (node,)
    if path.attribute.multi_valued:
        return []
    return [
        term if isinstance(term, Compare) else None
        for term in terms
        if (isinstance(term, Present) or (isinstance(term, Compare) and term.op != "ne"))
        and term.path == path
    ]


def _values(
    read: Read, of: ResourceType, path: AttrPath, demands: Sequence[Compare | None]
) -> Source:
    numeric = path.leaf.type in NUMERIC and path.leaf.type is not AttrType.BOOLEAN
    known = (_S.c.number.is_not(None),) if numeric else ()
    rows = (_S.c.tenant_id == read.tenant, _S.c.path == path.text, *known)
    rows += tuple(row(_S, path, demand) for demand in demands if demand is not None)
    typed = (_S.c.type == of.name,)
    bearers = select(_S.c.resource_id).where(*typed, *rows)
    if path.attribute.multi_valued:
        rows, bearers = (*rows, _S.c.item == _foremost(path)), bearers.distinct()
    has = exists(literal(1)).where(
        _S.c.tenant_id == read.tenant, _S.c.resource_id == resource.c.id, _S.c.path == path.text, *known
    )  # fmt: skip
    required = (path.attribute.required and path.sub is None) or bool(demands)
    key = _S.c.number if numeric else _S.c.head
    lacking = None if required else ~has
    return Source(_S.c.resource_id, key, rows, lacking, True, typed, bearers)  # noqa: FBT003


def _foremost(path: AttrPath) -> ColumnElement[int]:
    """Which entry of a resource counts: the primary one, else the first that has a value."""
    entries = select(_T.c.item).where(
        _T.c.tenant_id == _S.c.tenant_id,
        _T.c.resource_id == _S.c.resource_id,
        _T.c.path == path.text,
    )
    primary = path.attribute.sub("primary")
    if primary is not None:
        preferred = exists(literal(1)).where(
            _P.c.tenant_id == _T.c.tenant_id,
            _P.c.resource_id == _T.c.resource_id,
            _P.c.item == _T.c.item,
            _P.c.path == AttrPath(path.urn, path.attribute, primary).text,
            _P.c.head == "true",
        )
        entries = entries.order_by(case((preferred, 0), else_=1))
    return entries.order_by(_T.c.item).limit(1).scalar_subquery()
