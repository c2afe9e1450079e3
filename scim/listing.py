"""Queries and their answers (RFC 7644 §3.4.2, §3.4.3)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from scim.attributes import AttrPath, ResourceType
from scim.errors import InvalidFilter, InvalidPath, InvalidValue
from scim.filters import parse_filter
from scim.nodes import Node
from scim.represent import Projection, parse_projection
from scim.text import to_json

LIST_URN = "urn:ietf:params:scim:api:messages:2.0:ListResponse"

_INTEGER = re.compile(r"\s*[+-]?[0-9]{1,18}\s*", re.ASCII)
_LARGEST: Final = 10**18


@dataclass(frozen=True, slots=True)
class Page:
    """`start_index` is 1-based; `count` is 0 where only the total is asked for."""

    start_index: int
    count: int

    @property
    def offset(self) -> int:
        return self.start_index - 1


@dataclass(frozen=True, slots=True)
class Sort:
    path: AttrPath
    descending: bool


@dataclass(frozen=True, slots=True)
class Query:
    filter: Node | None
    page: Page
    sort: Sort | None
    projection: Projection


def parse_query(parameters: Mapping[str, Any], of: ResourceType, *, page_size: int) -> Query:
    """A GET's parameters (strings) or a `/.search` body (JSON values).

    `page_size` is both the default and the largest count. Raises InvalidFilter, InvalidPath or
    InvalidValue.
    """
    text = parameters.get("filter")
    if text is not None and not isinstance(text, str):
        raise InvalidFilter("filter must be a string.")
    return Query(
        filter=parse_filter(text, of) if text is not None and text.strip() else None,
        page=parse_page(parameters, page_size=page_size),
        sort=_sort(parameters, of),
        projection=parse_projection(
            parameters.get("attributes"), parameters.get("excludedAttributes"), of
        ),
    )


def parse_page(parameters: Mapping[str, Any], *, page_size: int) -> Page:
    """`startIndex` below 1 means 1, a negative `count` 0 (RFC 7644 §3.4.2.4)."""
    start = _integer(parameters.get("startIndex"), "startIndex", 1)
    count = _integer(parameters.get("count"), "count", page_size)
    return Page(max(start, 1), min(max(count, 0), page_size))


def list_response(
    resources: Sequence[Mapping[str, Any]], total: int, page: Page
) -> dict[str, object]:
    """A ListResponse; `itemsPerPage` is how many are in it."""
    return {
        "schemas": [LIST_URN],
        "totalResults": total,
        "startIndex": page.start_index,
        "itemsPerPage": len(resources),
        "Resources": list(resources),
    }


def list_text(resources: Sequence[str], total: int, page: Page) -> str:
    """The same of resources that are JSON already."""
    head = to_json(list_response([], total, page) | {"itemsPerPage": len(resources)})
    return f"{head.removesuffix(']}')}{','.join(resources)}]}}"


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
    return Sort(path, str(order).lower() == "descending")


def _integer(value: Any, name: str, default: int) -> int:
    if value is None or value == "":
        return default
    if isinstance(value, str) and _INTEGER.fullmatch(value):
        return int(value)
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) < _LARGEST:
        return value
    raise InvalidValue(f"{name} must be an integer.")
