"""A filter answered in memory, over the same rows that a store keeps (`scim.values`)."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from scim.attributes import AttrPath, ResourceType
from scim.nodes import And, Compare, Node, Not, Or, Present, ValuePath
from scim.values import Row, index_values, item_rows

_TESTS: Final[dict[str, Callable[[Any, Any], bool]]] = {
    "eq": operator.eq,
    "ne": operator.ne,
    "gt": operator.gt,
    "ge": operator.ge,
    "lt": operator.lt,
    "le": operator.le,
    "co": operator.contains,
    "sw": str.startswith,
    "ew": str.endswith,
}

_ByPath = Mapping[str, list[Row]]


def matches(node: Node, resource: Mapping[str, Any], of: ResourceType) -> bool:
    """Whether a canonical resource satisfies the filter (RFC 7644 §3.4.2.2)."""
    return matches_rows(node, index_values(resource, of))


def matches_rows(node: Node, rows: Iterable[Row]) -> bool:
    """The same for rows made before: many filters, one resource."""
    return _holds(node, _by_path(rows))


def matches_item(node: Node, item: Any, path: AttrPath) -> bool:
    """Whether one entry of a multi-valued attribute satisfies what stands in the brackets."""
    return _holds(node, _by_path(item_rows(path.attribute, item, path.text)))


def _by_path(rows: Iterable[Row]) -> _ByPath:
    grouped: dict[str, list[Row]] = {}
    for row in rows:
        grouped.setdefault(row.path, []).append(row)
    return grouped


def _holds(node: Node, rows: _ByPath) -> bool:
    match node:
        case Compare():
            return _compare(node, rows)
        case Present(path):
            return any(leaf in rows for leaf in path.leaves)
        case Not(inner):
            return not _holds(inner, rows)
        case And(nodes):
            return all(_holds(n, rows) for n in nodes)
        case Or(nodes):
            return any(_holds(n, rows) for n in nodes)
        case ValuePath(path, inner):
            entries: dict[int, dict[str, list[Row]]] = {}
            for leaf in path.leaves:
                for row in rows.get(leaf, ()):
                    entries.setdefault(row.item, {}).setdefault(leaf, []).append(row)
            return any(_holds(inner, entry) for entry in entries.values())


def _compare(node: Compare, rows: _ByPath) -> bool:
    found = rows.get(node.path.text, ())
    if not found:
        return node.op == "ne"
    test = _TESTS[node.op]
    if node.on_number:
        return any(r.number is not None and test(r.number, node.operand) for r in found)
    return any(test(r.text, node.operand) for r in found)
