"""Pages of resources in an order, from a place in it on.

In ascending order come those that have a value, by it and their id, then those that have none, by id;
descending is the same backwards. A page begins after a place, not at a number, so that it costs the same
however deep it lies, and so that whoever does not change is seen once whatever is written meanwhile.

What matches a filter is either few, and all of it is looked up and put in order here, or it is many, and
the order's index is walked, each resource asked, until the page is full. Neither is left to a planner that
may not have counted the rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from sqlalchemy import ColumnElement, Select, and_, func, literal, null, select, tuple_

from app.store import scim, scim_list
from app.store.db import Read
from app.store.scim import Stored
from app.store.scim_compare import Condition
from app.store.scim_filter import condition, owners
from app.store.scim_members import Crowd, crowd_of, members
from app.store.scim_order import Source, Value, live, source
from app.store.sql import among
from app.store.tables.scim import resource
from scim.attributes import ResourceType
from scim.listing import Sort
from scim.nodes import Compare, Node, Present

FEW: Final = 10_000
"""Up to so many matches are put in order here, in some 60 ms. To find a page of 200 among more of a million
takes a walk of 20,000 steps, unless they all lie at its end: that is what the bound on a query is for."""


@dataclass(frozen=True, slots=True)
class Listing:
    """Which resources, as a client sees them, and in which order; by id where no `sort` is said."""

    of: ResourceType
    client: str
    base_url: str
    filter: Node | None
    sort: Sort | None


@dataclass(frozen=True, slots=True)
class Place:
    """Where a resource stands in the order: its value, None where it has none, and its id."""

    value: Value | None
    id: str

    @property
    def rank(self) -> tuple[bool, Any, str]:
        """What places are compared by."""
        return self.value is None, 0 if self.value is None else self.value, self.id


@dataclass(frozen=True, slots=True)
class Start:
    """Where a page begins: after a place, or after so many; `total` is what an earlier page counted."""

    after: Place | None = None
    offset: int = 0
    total: int | None = None


@dataclass(frozen=True, slots=True)
class Part:
    """A page: its resources, how many there are on all pages, and the last one's place if more follow."""

    found: list[Stored]
    total: int
    last: Place | None


def part(read: Read, asked: Listing, start: Start, count: int) -> Part:
    """Return a page; raises InvalidFilter, and InvalidPath for what can't be sorted by."""
    rows = source(read, asked.of, asked.client, asked.sort, asked.filter)
    few, total = _matching(read, asked, start.total)
    if not count:
        return Part([], total, None)
    if few is None:
        crowd = _crowd(asked)
        if crowd is not None and asked.sort is None:
            rows = members(read, crowd.group_id)
            asked = replace(asked, filter=crowd.rest)
        places = _Walk(read, asked, rows).places(start, count + 1)
    else:
        places = _in_order(read, asked, rows, few, start)[: count + 1]
    page = places[:count]
    found = scim_list.several(read, asked.client, asked.of, [place.id for place in page])
    return Part(found, total, page[-1] if len(places) > count else None)


def _matching(read: Read, asked: Listing, known: int | None) -> tuple[list[str] | None, int]:
    """The ids of what matches, if they are few, and how many match."""
    if asked.filter is None:
        return None, scim.counted(read, asked.of)
    if known is not None and known > FEW:
        return None, known
    if is_walked(asked):
        return None, matching(read, asked) if known is None else known
    ids = _ids(read, asked)
    few = [row[0] for row in read.conn.execute(ids.limit(FEW + 1))]
    return (few, len(few)) if len(few) <= FEW else (None, _counted(read, ids))


def is_walked(asked: Listing) -> bool:
    """Whether the filter itself names an index to walk, that of one group's members."""
    crowd = _crowd(asked)
    return crowd is not None and crowd.rest is None and asked.sort is None


def _crowd(asked: Listing) -> Crowd | None:
    if asked.filter is None or asked.of.root("groups") is None:
        return None
    return crowd_of(asked.filter)


def matching(read: Read, asked: Listing) -> int:
    """Return how many match the filter."""
    return _counted(read, _ids(read, asked))


def _ids(read: Read, asked: Listing) -> Select[str]:
    """The ids of what matches, each once; from the index of values alone, where it tells them."""
    assert asked.filter is not None  # noqa: S101 - who asks has looked
    crowd = _crowd(asked)
    if crowd is not None and crowd.rest is None:
        rows = members(read, crowd.group_id)
        return select(rows.id).where(*rows.rows)
    found = owners(asked.filter, read, asked.of)
    if found is None:
        matches = condition(asked.filter, read, asked.of, asked.client, asked.base_url)
        return select(resource.c.id).where(*live(read, asked.of), matches)
    return found if _is_single(asked.filter) else found.distinct()


def _is_single(node: Node) -> bool:
    """Whether a resource has one such row at most."""
    match node:
        case Compare(path):
            return not path.attribute.multi_valued
        case Present(path):
            return not path.attribute.multi_valued and not path.leaf.is_complex
    return False


def _counted(read: Read, ids: Select[Any]) -> int:
    counted = select(func.count()).select_from(ids.subquery())
    return read.conn.execute(counted).scalar_one()


def _in_order(
    read: Read, asked: Listing, rows: Source, ids: Sequence[str], start: Start
) -> list[Place]:
    """All of these from the start on."""
    descending = _descending(asked)
    if rows.key is resource.c.id:
        values: dict[str, Value] = dict(zip(ids, ids, strict=True))
    else:
        found = select(rows.id, rows.key).where(*rows.rows, among(read.conn, rows.id, ids))
        values = {row[0]: row[1] for row in read.conn.execute(found)}
    places = [Place(values.get(key), key) for key in ids]
    if start.after is not None:
        after = start.after.rank
        places = [p for p in places if (p.rank < after if descending else p.rank > after)]
    places.sort(key=lambda place: place.rank, reverse=descending)
    return places[start.offset :]


class _Walk:
    """Through the resources in their order: its halves are those with a value and those without."""

    def __init__(self, read: Read, asked: Listing, rows: Source) -> None:
        self._read, self._of, self._rows = read, asked.of, rows
        self._descending = _descending(asked)
        self._matches: Condition | None = None
        if asked.filter is not None:
            self._matches = condition(
                asked.filter, read, asked.of, asked.client, asked.base_url, indexed=False
            )

    def places(self, start: Start, count: int) -> list[Place]:
        """Return the next so many places."""
        halves = [self._having, self._lacking]
        if self._descending:
            halves.reverse()
        if start.after is not None and (start.after.value is None) != self._descending:
            del halves[0]  # it lies in the second
        found: list[Place] = []
        for half in halves:
            rows = half(start)
            if rows is None:
                continue
            found += self._taken(rows, start, count - len(found))
            if len(found) == count:
                break
            passed = _counted(self._read, rows.rows) if start.offset and not found else start.offset
            start = Start(offset=start.offset - passed)
        return found

    def _having(self, _start: Start) -> _Half:
        rows = self._rows
        statement = select(rows.id, rows.key).where(*rows.typed, *rows.rows)
        if not rows.aside:
            return _Half(self._matching(statement), rows.id, rows.key)
        asked: tuple[Condition, ...] = () if self._matches is None else (self._matches,)
        if rows.bearers is None:
            asked += live(self._read, self._of)
        if asked:
            # As a value, not as a join, which a planner could begin at its other end.
            one = resource.c.tenant_id == self._read.tenant, resource.c.id == rows.id
            statement = statement.where(select(and_(*asked)).where(*one).scalar_subquery())
        return _Half(statement, rows.id, rows.key)

    def _lacking(self, start: Start) -> _Half | None:
        if self._rows.lacking is None or (start.after is None and self._nobody_lacks()):
            return None
        statement = select(resource.c.id, null()).where(
            *live(self._read, self._of), self._rows.lacking
        )
        return _Half(self._matching(statement), resource.c.id, resource.c.id)

    def _nobody_lacks(self) -> bool:
        """To look among a million for who lacks a value, and find nobody, takes longer than to count."""
        bearers = self._rows.bearers
        if bearers is None:
            return False
        return _counted(self._read, bearers) == scim.counted(self._read, self._of)

    def _matching(self, statement: Select[Any]) -> Select[Any]:
        return statement if self._matches is None else statement.where(self._matches)

    def _taken(self, half: _Half, start: Start, count: int) -> list[Place]:
        rows, after = half.rows, start.after
        order: list[ColumnElement[Any]] = [half.id] if half.key is half.id else [half.key, half.id]
        if after is not None:
            rows = rows.where(_beyond(order, after, descending=self._descending))
        if self._descending:
            order = [column.desc() for column in order]
        rows = rows.order_by(*order).limit(count).offset(start.offset)
        return [Place(value, key) for key, value in self._read.conn.execute(rows)]


@dataclass(frozen=True, slots=True)
class _Half:
    """`rows` of an id and a value, in order of `key` and `id`."""

    rows: Select[Any]
    id: ColumnElement[str]
    key: ColumnElement[Any]


def _beyond(order: Sequence[ColumnElement[Any]], after: Place, *, descending: bool) -> Condition:
    if len(order) == 1:
        return order[0] < after.id if descending else order[0] > after.id
    here, there = tuple_(*order), tuple_(literal(after.value, order[0].type), after.id)
    return here < there if descending else here > there


def _descending(asked: Listing) -> bool:
    return asked.sort is not None and asked.sort.descending
