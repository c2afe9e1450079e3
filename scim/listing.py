"""Queries and their answers (RFC 7644 §3.4.2, §3.4.3; RFC 9865 §2)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from scim.attributes import AttrPath, AttrType, ResourceType
from scim.errors import InvalidCount, InvalidCursor, InvalidFilter, InvalidPath, InvalidValue
from scim.filters import parse_filter
from scim.nodes import Node, within
from scim.represent import Projection, parse_projection
from scim.text import to_json

LIST_URN = "urn:ietf:params:scim:api:messages:2.0:ListResponse"

_INTEGER = re.compile(r"\s*[+-]?[0-9]{1,18}\s*", re.ASCII)
_LARGEST: Final = 10**18


@dataclass(frozen=True, slots=True)
class Page:
    """`start_index` is 1-based; `count` is 0 where only the total is asked for.

    `cursor`: what stands in the place of `start_index` where pages go by cursor, empty for the first
    """

    start_index: int
    count: int
    cursor: str | None = None

    @property
    def offset(self) -> int:
        return self.start_index - 1


@dataclass(frozen=True, slots=True)
class Sort:
    path: AttrPath
    descending: bool


@dataclass(frozen=True, slots=True)
class Query:
    """`text` is the filter as it was written."""

    text: str
    filter: Node | None
    page: Page
    sort: Sort | None
    projection: Projection

    def within(self, of: ResourceType) -> Query:
        """A query of every type as one of them answers it (RFC 7644 §3.4.2.1)."""
        asked = None if self.filter is None else within(self.filter, of)
        return replace(self, filter=asked, projection=self.projection.within(of))


def parse_query(parameters: Mapping[str, Any], of: ResourceType, *, page_size: int) -> Query:
    """A GET's parameters (strings) or a `/.search` body (JSON values).

    `page_size` is both the default and the largest count. Raises InvalidFilter, InvalidPath,
    InvalidValue, and for pages by cursor InvalidCursor or InvalidCount.
    """
    text = parameters.get("filter")
    if text is not None and not isinstance(text, str):
        raise InvalidFilter("filter must be a string.")
    text = (text or "").strip()
    return Query(
        text=text,
        filter=parse_filter(text, of) if text else None,
        page=parse_page(parameters, page_size=page_size),
        sort=_sort(parameters, of),
        projection=parse_projection(
            parameters.get("attributes"), parameters.get("excludedAttributes"), of
        ),
    )


def parse_page(parameters: Mapping[str, Any], *, page_size: int) -> Page:
    """`startIndex` below 1 means 1, a negative `count` 0 (RFC 7644 §3.4.2.4).

    With a `cursor` a negative `count` is refused, and so is a `startIndex` (RFC 9865 §2).
    """
    cursor = parameters.get("cursor")
    if cursor is not None:
        return _by_cursor(cursor, parameters, page_size)
    start = _integer(parameters.get("startIndex"), "startIndex", 1)
    count = _integer(parameters.get("count"), "count", page_size)
    return Page(max(start, 1), min(max(count, 0), page_size))


def list_response(
    resources: Sequence[Mapping[str, Any]],
    total: int,
    page: Page,
    next_cursor: str | None = None,
) -> dict[str, object]:
    """A ListResponse; `itemsPerPage` is how many are in it.

    Without `next_cursor` a page by cursor is the last.
    """
    place: dict[str, object] = {"startIndex": page.start_index}
    if page.cursor is not None:
        place = {} if next_cursor is None else {"nextCursor": next_cursor}
    return {
        "schemas": [LIST_URN],
        "totalResults": total,
        **place,
        "itemsPerPage": len(resources),
        "Resources": list(resources),
    }


def list_text(
    resources: Sequence[str], total: int, page: Page, next_cursor: str | None = None
) -> str:
    """The same of resources that are JSON already."""
    head = to_json(list_response([], total, page, next_cursor) | {"itemsPerPage": len(resources)})
    return f"{head.removesuffix(']}')}{','.join(resources)}]}}"


def _by_cursor(cursor: Any, parameters: Mapping[str, Any], page_size: int) -> Page:
    if not isinstance(cursor, str):
        raise InvalidCursor("cursor must be a string.")
    if parameters.get("startIndex") not in (None, ""):
        raise InvalidValue("A page begins at a cursor or at a startIndex, not at both.")
    try:
        count = _integer(parameters.get("count"), "count", page_size)
    except InvalidValue as wrong:
        raise InvalidCount(wrong.message) from None
    if count < 0:
        raise InvalidCount("count must not be negative.")
    return Page(1, min(count, page_size), cursor)


def _sort(parameters: Mapping[str, Any], of: ResourceType) -> Sort | None:
    by, order = parameters.get("sortBy"), parameters.get("sortOrder")
    if order not in (None, "") and str(order).lower() not in {"ascending", "descending"}:
        raise InvalidValue("sortOrder is ascending or descending.")
    if by in (None, ""):
        return None
    path = of.find(by) if isinstance(by, str) else None
    if path is None or path.leaf.returned == "never":
        raise InvalidPath(f"{of.name} cannot be sorted by {str(by)[:200]!r}.")
    if path.leaf.is_complex:
        value = path.leaf.sub("value")
        if value is None:
            raise InvalidPath(f"{path.text} has sub-attributes: name one of them.")
        path = AttrPath(path.urn, path.attribute, value)
    if path.leaf.type is AttrType.BINARY:
        raise InvalidPath(f"{path.text} is binary and has no order.")
    return Sort(path, str(order).lower() == "descending")


def _integer(value: Any, name: str, default: int) -> int:
    if value is None or value == "":
        return default
    if isinstance(value, str) and _INTEGER.fullmatch(value):
        return int(value)
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) < _LARGEST:
        return value
    raise InvalidValue(f"{name} must be an integer.")
