"""Attribute characteristics as data, and paths resolved against them (RFC 7643 §2, §7).

Everything else in this package is driven by these values: validation, casting, filters, PATCH,
projection, index rows and the discovery documents. A tenant with schemas of its own builds its
own `ResourceType`; nothing here knows User or Group.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from enum import StrEnum


class AttrType(StrEnum):
    """RFC 7643 §2.3."""

    STRING = "string"
    BOOLEAN = "boolean"
    DECIMAL = "decimal"
    INTEGER = "integer"
    DATE_TIME = "dateTime"
    BINARY = "binary"
    REFERENCE = "reference"
    COMPLEX = "complex"


NUMERIC = frozenset({AttrType.BOOLEAN, AttrType.DECIMAL, AttrType.INTEGER, AttrType.DATE_TIME})


@dataclass(frozen=True, slots=True, eq=False)
class Attribute:
    """One attribute definition (RFC 7643 §7). Compared by identity."""

    name: str
    type: AttrType = AttrType.STRING
    description: str = ""
    multi_valued: bool = False
    required: bool = False
    case_exact: bool = False
    mutability: str = "readWrite"
    returned: str = "default"
    uniqueness: str = "none"
    canonical_values: tuple[str, ...] = ()
    reference_types: tuple[str, ...] = ()
    sub_attributes: tuple[Attribute, ...] = ()
    _by_name: dict[str, Attribute] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_by_name", {a.name.lower(): a for a in self.sub_attributes})

    def sub(self, name: str) -> Attribute | None:
        """The sub-attribute of that name in any letter case (RFC 7643 §2.1), or None."""
        return self._by_name.get(name.lower())

    @property
    def is_complex(self) -> bool:
        return self.type is AttrType.COMPLEX

    @property
    def read_only(self) -> bool:
        return self.mutability == "readOnly"


@dataclass(frozen=True, slots=True, eq=False)
class Schema:
    """A schema: its URN, name, description and attributes (RFC 7643 §7)."""

    id: str
    name: str
    description: str
    attributes: tuple[Attribute, ...]


@dataclass(frozen=True, slots=True)
class AttrPath:
    """A path that exists: [extension URN] + attribute + [sub-attribute].

    `urn` is None for the resource type's own schema and the common attributes.
    """

    urn: str | None
    attribute: Attribute
    sub: Attribute | None = None

    @property
    def leaf(self) -> Attribute:
        return self.sub or self.attribute

    @property
    def text(self) -> str:
        """The canonical text: `emails.value`, `urn:...:User:manager.value`."""
        head = self.attribute.name if self.urn is None else f"{self.urn}:{self.attribute.name}"
        return head if self.sub is None else f"{head}.{self.sub.name}"

    @property
    def leaves(self) -> tuple[str, ...]:
        """Canonical texts of the simple paths at or under this one."""
        if not self.leaf.is_complex:
            return (self.text,)
        return tuple(f"{self.text}.{sub.name}" for sub in self.leaf.sub_attributes)

    def within(self, of: ResourceType) -> AttrPath:
        """The same at a type, which names its own attributes without a URN."""
        return replace(self, urn=None) if self.urn == of.schema.id else self


@dataclass(frozen=True, slots=True, eq=False)
class ResourceType:
    """A resource type (RFC 7643 §6): its own schema, the common attributes and its extensions.

    Built once and kept: filters are cached per instance. `members` names the attribute that a
    store keeps as rows of its own, never inside the resource.
    """

    name: str
    endpoint: str
    description: str
    schema: Schema
    extensions: tuple[Schema, ...] = ()
    common: tuple[Attribute, ...] = ()
    members: str | None = None
    _paths: dict[str, AttrPath] = field(init=False, repr=False)
    _roots: dict[str, Attribute] = field(init=False, repr=False)
    _extensions: dict[str, Schema] = field(init=False, repr=False)
    _plain: bool = field(init=False, repr=False)

    def __post_init__(self) -> None:
        roots = {a.name.lower(): a for a in (*self.common, *self.schema.attributes)}
        object.__setattr__(self, "_roots", roots)
        object.__setattr__(self, "_extensions", {s.id.lower(): s for s in self.extensions})
        object.__setattr__(self, "_paths", dict(self._spellings()))
        kept = (a for a in self._every() if a.mutability not in {"readOnly", "writeOnly"})
        plain = all(a.returned in {"default", "always"} for a in kept)
        object.__setattr__(self, "_plain", plain)

    def _every(self) -> Iterator[Attribute]:
        for attributes in (self.roots, *(s.attributes for s in self.extensions)):
            for attribute in attributes:
                yield attribute
                yield from attribute.sub_attributes

    def _spellings(self) -> Iterator[tuple[str, AttrPath]]:
        # Later pairs win: an extension's short name never hides an attribute of the core.
        for schema in self.extensions:
            for path in _expand(schema.id, schema.attributes):
                name = path.text[len(schema.id) + 1 :]
                yield name.lower(), path
        for schema in self.extensions:
            for path in _expand(schema.id, schema.attributes):
                yield path.text.lower(), path
        for path in _expand(None, (*self.common, *self.schema.attributes)):
            yield f"{self.schema.id}:{path.text}".lower(), path
            yield path.text.lower(), path

    def find(self, text: str) -> AttrPath | None:
        """The path written as `text`, or None.

        Any letter case; prefixed with the type's own or an extension's URN, or bare. A bare
        extension attribute resolves too where the core has none of that name: clients write
        `manager` and `department` (RFC 7644 §3.10 asks for the URN).
        """
        return self._paths.get(text.lower())

    def root(self, name: str) -> Attribute | None:
        """A top-level attribute by name, common ones included."""
        return self._roots.get(name.lower())

    def extension(self, urn: str) -> Schema | None:
        return self._extensions.get(urn.lower())

    @property
    def plain(self) -> bool:
        """Whether whatever a body keeps is returned unless a request says otherwise (RFC 7643 §7)."""
        return self._plain

    @property
    def roots(self) -> tuple[Attribute, ...]:
        return (*self.common, *self.schema.attributes)


def _expand(urn: str | None, attributes: tuple[Attribute, ...]) -> Iterator[AttrPath]:
    for attribute in attributes:
        yield AttrPath(urn, attribute)
        for sub in attribute.sub_attributes:
            yield AttrPath(urn, attribute, sub)
