"""A filter (`scim.nodes`) as a condition on the rows of `scim_resource`.

It means what `scim.evaluate` says, row by row: both ask the same rows. A condition is true or
false, never unknown. Whoever uses it adds tenant and type outside of it; inside, every sub-query
names them too.

Where a condition must hold, it is `id IN (the ids of the matching rows)`, which both databases answer
from the index of values; below a `not` it is EXISTS, asked of one resource.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol

from sqlalchemy import (
    ColumnElement,
    FromClause,
    Select,
    Text,
    and_,
    case,
    cast,
    exists,
    false,
    func,
    literal,
    not_,
    or_,
    select,
    true,
)

from app.store.db import Read
from app.store.scim_compare import Condition, beneath, on_text, on_time, row
from app.store.sql import one_of
from app.store.tables.people import membership
from app.store.tables.scim import external_id, resource, value
from scim.attributes import AttrPath, ResourceType
from scim.errors import InvalidFilter
from scim.evaluate import matches_rows
from scim.nodes import And, Compare, Node, Not, Or, Present, ValuePath
from scim.values import Row

# Making an alias is slow; each stands once within a sub-query, so they can be shared.
_V, _W = value.alias("v"), value.alias("w")
_X, _M, _LIVE = external_id.alias("x"), membership.alias("m"), resource.alias("live")

_ELSEWHERE = {"id", "externalId", "meta", "schemas", "members", "groups"}
"""What has no rows there."""


def condition(
    node: Node, read: Read, of: ResourceType, client: str, base_url: str, *, indexed: bool = True
) -> Condition:
    """The condition under which a row of `scim_resource` matches the filter.

    externalIds are those of the `client`; `base_url` is the SCIM root's. Not `indexed`, it is asked of
    one resource after the other: for whoever walks through them until enough match. Raises InvalidFilter
    for what is no string in the database (`meta.created co "2026"`).
    """
    asked = Asked(read.tenant, read.conn.dialect.name, of, client, base_url)
    return _holds(node, _Whole(asked, indexed))


def owners(node: Node, read: Read, of: ResourceType) -> Select[str] | None:
    """The ids of what matches, where one look at the index of values finds them: some several times."""
    if not isinstance(node, Present | Compare | ValuePath) or (
        isinstance(node, Compare) and node.op == "ne"
    ):
        return None
    path = node.path
    if path.urn is None and path.attribute.name in _ELSEWHERE:
        return None
    if isinstance(node, ValuePath):
        found = _entry_rows(path, node.node)
    else:
        found = [row(_V, path, node if isinstance(node, Compare) else None)]
    mine = _V.c.tenant_id == read.tenant, _V.c.type == of.name
    return select(_V.c.resource_id).where(*mine, *found)


@dataclass(frozen=True, slots=True)
class Asked:
    """Of whose resources, and on which database, a filter is asked."""

    tenant: str
    dialect: str
    of: ResourceType
    client: str
    base_url: str


def built(node: Node, asked: Asked) -> Condition:
    """The same, of what need be no transaction's."""
    return _holds(node, _Whole(asked, indexed=True))


class _Scope(Protocol):
    """Whom the question is about: a whole resource, or one entry of a multi-valued attribute."""

    def some(self, path: AttrPath, compare: Compare | None) -> Condition:
        """Whether some row of the path, or beneath it, compares so (any row, without a comparison)."""

    def aside(self) -> _Scope:
        """The same, asked of one resource at a time."""


def _holds(node: Node, scope: _Scope) -> Condition:
    match node:
        case Present(path):
            return scope.some(path, None)
        case Compare(path, op):
            if op != "ne":
                return scope.some(path, node)
            aside = scope.aside()
            found = or_(not_(aside.some(path, None)), aside.some(path, node))
        case Not(inner):
            found = not_(_holds(inner, scope.aside()))
        case And(nodes):
            found = and_(*(_holds(n, scope) for n in nodes))
        case Or(nodes):
            found = or_(*(_holds(n, scope) for n in nodes))
        case ValuePath(path, inner):
            if not isinstance(scope, _Whole):
                raise InvalidFilter(f"Brackets cannot stand within brackets: {path.text}.")
            found = scope.entry(path, inner)
    return found


@dataclass(frozen=True, slots=True)
class _Whole:
    """A resource: its values' rows, and what is kept in columns and tables of their own."""

    asked: Asked
    indexed: bool

    def aside(self) -> _Whole:
        return replace(self, indexed=False)

    def some(self, path: AttrPath, compare: Compare | None) -> Condition:
        match path.attribute.name if path.urn is None else "":
            case "id":
                return on_text(resource.c.id, compare)
            case "externalId":
                return self._external(compare)
            case "meta":
                return self._meta(path, compare)
            case "schemas":
                return self._schemas(lambda row: compare is None or matches_rows(compare, [row]))
            case "members" | "groups" as name:
                return self._linked(name, lambda link: link.some(path, compare))
        return self._with(_V, _V.c.resource_id, *self.typed, row(_V, path, compare))

    def entry(self, path: AttrPath, inner: Node) -> Condition:
        match path.attribute.name if path.urn is None else "":
            case "meta":
                return _holds(inner, self)
            case "schemas":
                return self._schemas(lambda row: matches_rows(inner, [row]))
            case "members" | "groups" as name:
                return self._linked(name, lambda link: _holds(inner, link))
        return self._with(_V, _V.c.resource_id, *self.typed, *_entry_rows(path, inner))

    @property
    def typed(self) -> tuple[Condition, ...]:
        """What leads to the index; with one resource's id it would lead SQLite astray, to all of its type."""
        return (_V.c.type == self.asked.of.name,) if self.indexed else ()

    def _with(
        self, rows: FromClause, owner: ColumnElement[str], *conditions: Condition
    ) -> Condition:
        """Whether the resource owns a row for which the conditions hold."""
        mine = rows.c.tenant_id == self.asked.tenant
        if not self.indexed:
            return exists(literal(1)).where(mine, owner == resource.c.id, *conditions)
        owners = select(owner).where(mine, *conditions)
        return one_of(self.asked.dialect, resource.c.id, owners)

    def _external(self, compare: Compare | None) -> Condition:
        of = (_X.c.client == self.asked.client) & (_X.c.type == self.asked.of.name)
        found = on_text(_X.c.external_id, compare)
        return self._with(_X, _X.c.resource_id, of, found)

    def _meta(self, path: AttrPath, compare: Compare | None) -> Condition:
        of, root = self.asked.of, self.asked.base_url
        match path.sub.name if path.sub else "":
            case "created":
                return on_time(resource.c.created_at, path, compare)
            case "lastModified":
                return on_time(resource.c.updated_at, path, compare)
            case "location":
                text = literal(f"{root}{of.endpoint}/") + resource.c.id
                return on_text(text, compare)
            case "version":
                text = literal('W/"') + cast(resource.c.version, Text) + literal('"')
                return on_text(text, compare)
            case _:
                said = Row(path.text, 0, of.name, None)
                return true() if compare is None or matches_rows(compare, [said]) else false()

    def _schemas(self, test: Callable[[Row], bool]) -> Condition:
        """A schema is present where one of its attributes is; a resource's own always is."""
        of = self.asked.of
        if test(Row("schemas", 0, of.schema.id, None)):
            return true()
        found = [
            beneath(_V, f"{schema.id}:")  # no URN begins with another and a colon
            for schema in of.extensions
            if test(Row("schemas", 0, schema.id, None))
        ]
        if not found:
            return false()
        return self._with(_V, _V.c.resource_id, *self.typed, or_(*found))

    def _linked(self, name: str, test: Callable[[_Link], Condition]) -> Condition:
        if self.asked.of.root(name) is None:
            return false()
        mine, other = (
            (_M.c.group_id, _M.c.person_id)
            if name == "members"
            else (_M.c.person_id, _M.c.group_id)
        )
        known = exists(literal(1)).where(
            _LIVE.c.tenant_id == _M.c.tenant_id, _LIVE.c.id == other, _LIVE.c.deleted_at.is_(None)
        )
        return self._with(_M, mine, test(_Link(self.asked, _M, other, name)), known)


@dataclass(frozen=True, slots=True)
class _Entry:
    """One entry of a multi-valued attribute: the rows that share owner and item with this one."""

    row: FromClause

    def aside(self) -> _Entry:
        return self

    def some(self, path: AttrPath, compare: Compare | None) -> Condition:
        return exists(literal(1)).where(
            _W.c.tenant_id == self.row.c.tenant_id,
            _W.c.resource_id == self.row.c.resource_id,
            _W.c.item == self.row.c.item,
            row(_W, path, compare),
        )


@dataclass(frozen=True, slots=True)
class _Link:
    """One membership, seen from the group (`members`) or from the member (`groups`)."""

    asked: Asked
    row: FromClause
    other: ColumnElement[str]
    name: str

    def aside(self) -> _Link:
        return self

    def some(self, path: AttrPath, compare: Compare | None) -> Condition:
        if path.sub is None:
            return true()
        return on_text(self._text(path.sub.name), compare)

    def _text(self, sub: str) -> ColumnElement[str]:
        kind, root = self.row.c.kind, self.asked.base_url
        match sub:
            case "value":
                return self.other
            case "type":
                return literal("direct") if self.name == "groups" else func.lower(kind)
            case "$ref" if self.name == "groups":
                return literal(f"{root}/Groups/") + self.other
            case "$ref":
                return (
                    case((kind == "Group", f"{root}/Groups/"), else_=f"{root}/Users/") + self.other
                )
        if self.name == "groups":
            return self._value("displayName")
        # What is shown of a member who has no displayName (`app.flows.provision_people.person_of`).
        said = func.nullif(self._value("displayName"), "")
        return func.coalesce(said, self._value("name.formatted"))

    def _value(self, path: str) -> ColumnElement[str]:
        """A single value of the other side's, or null."""
        return (
            select(_V.c.head + _V.c.tail)
            .where(
                _V.c.tenant_id == self.row.c.tenant_id,
                _V.c.resource_id == self.other,
                _V.c.path == path,
            )
            .scalar_subquery()
        )


def _entry_rows(path: AttrPath, inner: Node) -> list[Condition]:
    """What a row must be for its entry to be as the brackets say: first the term to look up by."""
    terms, entry = _terms(inner), _Entry(_V)
    lead = min((t for t in terms if _leads(t)), key=_breadth, default=None)
    if not isinstance(lead, Compare):
        return [row(_V, path, None), _holds(inner, entry)]
    rest = [_holds(term, entry) for term in terms if term is not lead]
    return [row(_V, lead.path, lead), *rest]


def _terms(node: Node) -> list[Node]:
    return [t for n in node.nodes for t in _terms(n)] if isinstance(node, And) else [node]


def _leads(term: Node) -> bool:
    """Whether the term alone finds entries by the index."""
    return isinstance(term, Compare) and term.op in {"eq", "sw"} and not term.on_number


def _breadth(term: Node) -> tuple[bool, bool]:
    """Which term to look up first: values tell more apart than types do."""
    assert isinstance(term, Compare)  # noqa: S101 - _leads
    return bool(term.path.leaf.canonical_values) or term.path.leaf.name == "type", term.op != "eq"
