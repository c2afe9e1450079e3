"""Filters of a kind that was asked before, answered without making their SQL anew.

Clients ask the same few questions about ever other people: `userName eq "…"`, `externalId eq "…"`. What
differs is a text here and there; so the statement is made once with marks in their places, compiled, and
run with the texts of the day.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from sqlalchemy import Select

from app.store.db import Read
from app.store.prepared import Prepared
from app.store.scim_compare import Condition
from app.store.scim_filter import Asked, built
from app.store.tables.scim import HEAD
from scim.attributes import AttrType, ResourceType
from scim.nodes import And, Compare, Node, Not, Or, ValuePath

_MARK = "\x00{}"
"""Holds what neither a stored text nor a client's can (`scim.text.storable`)."""
_TENANT, _CLIENT = _MARK.format("tenant"), _MARK.format("client")
_ALIKE = frozenset({"eq", "ne", "co", "gt", "ge", "lt", "le"})
"""Whose SQL is the same for every text that fits into a head; those of `sw` and `ew` depend on it."""
_MOST_TEXTS = 8
_TEXTS = frozenset({AttrType.STRING, AttrType.REFERENCE})


@dataclass(frozen=True, slots=True)
class Shape:
    """A filter with marks in the places of its `texts`."""

    node: Node
    texts: tuple[str, ...]


def shape_of(node: Node) -> Shape | None:
    """Return a filter's shape; None where its SQL depends on more than a few texts put into it."""
    texts: list[str] = []

    def marked(node: Node) -> Node:
        match node:
            case Compare():
                if not _is_text(node):
                    raise _Unlike
                texts.append(str(node.operand))
                mark = _MARK.format(len(texts))
                return replace(node, operand=mark, literal=mark)
            case And(nodes) | Or(nodes):
                return type(node)(tuple(map(marked, nodes)))
            case Not(inner):
                return Not(marked(inner))
            case ValuePath(path, inner):
                return ValuePath(path, marked(inner))
            case _:
                return node

    try:
        found = marked(node)
    except _Unlike:
        return None
    return Shape(found, tuple(texts)) if len(texts) <= _MOST_TEXTS else None


def rows(
    read: Read, shape: Shape, of: ResourceType, client: str, base_url: str,
    query: Callable[[Condition], Select[Any]], given: Mapping[str, Any],
) -> list[Any]:  # fmt: skip
    """Run what `query`, the same function each time, makes of the filter's condition."""
    dialect = read.conn.dialect.name
    statement = _made(Asked(_TENANT, dialect, of, _CLIENT, base_url), shape.node, query)
    texts = {_TENANT: read.tenant, _CLIENT: client}
    texts |= {_MARK.format(number): text for number, text in enumerate(shape.texts, 1)}
    marked = {
        name: texts[value]
        for name, value in statement.fixed(read.conn).items()
        if isinstance(value, str) and value in texts
    }
    return statement.all(read.conn, {**given, **marked})


class _Unlike(Exception):  # noqa: N818 - it is no error
    """The filter has no shape."""


def _is_text(node: Compare) -> bool:
    path = node.path
    return (
        node.op in _ALIKE
        and path.leaf.type in _TEXTS
        and path.attribute.name not in {"meta", "schemas"}
        and len(str(node.operand)) <= HEAD
    )


@lru_cache(maxsize=256)
def _made(asked: Asked, node: Node, query: Callable[[Condition], Select[Any]]) -> Prepared:
    return Prepared(query(built(node, asked)))
