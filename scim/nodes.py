"""The AST of a filter: what `scim.filters` makes, `scim.evaluate` and a store's SQL read.

Meaning, in terms of the rows of `scim.values` (a store must compile to just this):

- `Present(p)`: some row has a path of `p.leaves`.
- `Compare(p, op, x)`: some row of `p.text` compares so, its `number` with x where `on_number`,
  else its `text`; texts by code points. With `ne` also when there is no row at all
  (RFC 7643 §2.5: unassigned is null, and null is not x).
- `ValuePath(p, n)`: for some item number among the rows of `p.leaves`, n holds of the rows with
  that number alone (RFC 7644 §3.4.2.2: brackets speak of one and the same entry).
- `Not`, `And`, `Or`: as in logic, two-valued.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TypeAlias

from scim.attributes import NUMERIC, Attribute, AttrPath, ResourceType


@dataclass(frozen=True, slots=True)
class Present:
    path: AttrPath


@dataclass(frozen=True, slots=True)
class Compare:
    """`op` is one of eq ne co sw ew gt ge lt le; `operand` is `literal` in the rows' terms."""

    path: AttrPath
    op: str
    operand: str | float
    literal: str | float | bool

    @property
    def on_number(self) -> bool:
        """Whether rows are compared by `number` (else by `text`)."""
        return self.path.leaf.type in NUMERIC and not isinstance(self.operand, str)


@dataclass(frozen=True, slots=True)
class Not:
    node: Node


@dataclass(frozen=True, slots=True)
class And:
    nodes: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Or:
    nodes: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class ValuePath:
    path: AttrPath
    node: Node


Node: TypeAlias = Present | Compare | Not | And | Or | ValuePath


@dataclass(frozen=True, slots=True)
class PatchPath:
    """A PATCH path: [extension URN] [attribute [filter of its entries] [sub-attribute]].

    Without an attribute it is the extension as a whole.
    """

    urn: str | None
    attribute: Attribute | None
    selector: Node | None
    sub: Attribute | None

    @property
    def text(self) -> str:
        if self.attribute is None:
            return self.urn or ""
        return AttrPath(self.urn, self.attribute, self.sub).text


def within(node: Node, of: ResourceType) -> Node:
    """What was asked of every type, asked of one: another type's own attribute stays one without a value."""
    match node:
        case Present(path):
            return Present(path.within(of))
        case Compare(path):
            return replace(node, path=path.within(of))
        case Not(inner):
            return Not(within(inner, of))
        case ValuePath(path, inner):
            return ValuePath(path.within(of), within(inner, of))
        case And(nodes) | Or(nodes):
            return type(node)(tuple(within(one, of) for one in nodes))


def equalities(node: Node) -> tuple[Compare, ...] | None:
    """The comparisons, if the node is nothing but `eq`s joined by `and`; else None."""
    match node:
        case Compare(op="eq"):
            return (node,)
        case And(nodes):
            parts = [equalities(n) for n in nodes]
            if any(part is None for part in parts):
                return None
            return tuple(c for part in parts if part is not None for c in part)
        case _:
            return None
