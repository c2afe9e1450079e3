"""A resource as a response shows it: what the server knows added, the projection applied
(RFC 7644 §3.9; RFC 7643 §3.1, §7 "returned").
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from scim.attributes import Attribute, AttrPath, ResourceType
from scim.errors import InvalidValue
from scim.etag import etag
from scim.text import format_instant, quoted, to_json
from scim.values import schemas_of

MAX_NAMES: Final = 256
_DEFAULT: Final = frozenset({"default", "always"})


@dataclass(frozen=True, slots=True)
class Meta:
    """What the server says of a resource (RFC 7643 §3.1).

    `base_url` is that of the SCIM root, without a slash at its end; times are aware.
    """

    id: str
    created: datetime
    last_modified: datetime
    version: int
    base_url: str


@dataclass(frozen=True, slots=True)
class Projection:
    """`include` None: what is returned by default. Both hold canonical paths (`AttrPath.text`)."""

    include: frozenset[str] | None = None
    exclude: frozenset[str] = frozenset()

    def wants(self, path: AttrPath) -> bool:
        """Whether any of this attribute would be returned: ask before loading what is costly."""
        if path.leaf.returned in {"always", "never"}:
            return path.leaf.returned == "always"
        if self.include is None:
            return path.text not in self.exclude and path.leaf.returned == "default"
        return (
            path.text in self.include
            or (path.sub is not None and AttrPath(path.urn, path.attribute).text in self.include)
            or any(leaf in self.include for leaf in path.leaves)
        )

    def wants_named(self, name: str, of: ResourceType) -> bool:
        """`wants` of a top-level attribute, `members` say, by its name."""
        path = of.find(name)
        return path is not None and self.wants(path)

    def within(self, of: ResourceType) -> Projection:
        """What was asked of every type, asked of one, which names its own attributes without a URN."""
        own = f"{of.schema.id}:"
        asked = None if self.include is None else _bare(self.include, own)
        return Projection(asked, _bare(self.exclude, own))


EVERYTHING: Final = Projection()


def parse_projection(attributes: Any, excluded: Any, of: ResourceType) -> Projection:
    """From `attributes` and `excludedAttributes`: comma-separated text, or lists of names as a
    `/.search` body has them. Unknown names are ignored. Raises InvalidValue.
    """
    include = _names(attributes, "attributes", of)
    exclude = _names(excluded, "excludedAttributes", of)
    if include is not None and exclude is not None:
        raise InvalidValue("attributes and excludedAttributes exclude each other.")
    return Projection(include, exclude or frozenset())


def represent(
    resource: Mapping[str, Any],
    of: ResourceType,
    meta: Meta,
    projection: Projection = EVERYTHING,
) -> dict[str, Any]:
    """The JSON of one resource. `members` and `groups` are shown if the caller put them in."""
    full = dict(resource) | {
        "schemas": schemas_of(resource, of),
        "id": meta.id,
        "meta": {
            "resourceType": of.name,
            "created": format_instant(meta.created),
            "lastModified": format_instant(meta.last_modified),
            "location": location(meta.base_url, of, meta.id),
            "version": etag(meta.version),
        },
    }
    shown = _shown(None, of.roots, full, projection)
    for schema in of.extensions:
        inner = _shown(schema.id, schema.attributes, full.get(schema.id, {}), projection)
        if inner:
            shown[schema.id] = inner
    return shown


def spliced(
    kept: str, of: ResourceType, meta: Meta, more: Mapping[str, Any], *, external_id: str | None
) -> str:
    """The text of what `represent` shows of everything, around a body that is kept as JSON text.

    The body is not read for it, so this serves types without anything to leave out (`of.plain`). `more`
    holds members or groups.
    """
    external = "" if external_id is None else f',"externalId":{quoted(external_id)}'
    return (
        f'{{"schemas":{_schemas(kept, of)},"id":{quoted(meta.id)},"meta":{{"resourceType":"{of.name}",'
        f'"created":"{format_instant(meta.created)}","lastModified":"{format_instant(meta.last_modified)}",'
        f'"location":{quoted(location(meta.base_url, of, meta.id))},"version":{quoted(etag(meta.version))}}}'
        f"{external}{_rest(to_json(more)) if more else ''}{_rest(kept)}}}"
    )


def _rest(document: str) -> str:
    return "" if document == "{}" else f",{document[1:-1]}"


def _schemas(kept: str, of: ResourceType) -> str:
    # Inside a string of JSON this can't stand: its quotes would be escaped.
    present = [f',"{s.id}"' for s in of.extensions if f'"{s.id}":' in kept]
    return f'["{of.schema.id}"{"".join(present)}]'


def location(base_url: str, of: ResourceType, identifier: str) -> str:
    return f"{base_url}{of.endpoint}/{identifier}"


def _shown(
    urn: str | None,
    attributes: tuple[Attribute, ...],
    values: Mapping[str, Any],
    projection: Projection,
) -> dict[str, Any]:
    result = {}
    unprojected = projection.include is None and not projection.exclude
    for attribute in attributes:
        value = values.get(attribute.name)
        if value in (None, [], {}):
            continue
        if unprojected and not attribute.is_complex:
            if attribute.returned in _DEFAULT:
                result[attribute.name] = value
            continue
        path = AttrPath(urn, attribute)
        if not projection.wants(path):
            continue
        if not (unprojected and all(s.returned in _DEFAULT for s in attribute.sub_attributes)):
            value = _parts(path, value, projection)
        if value not in (None, []):
            result[attribute.name] = value
    return result


def _parts(path: AttrPath, value: Any, projection: Projection) -> Any:
    kept = {
        sub.name
        for sub in path.attribute.sub_attributes
        if projection.wants(AttrPath(path.urn, path.attribute, sub))
    }
    if not path.attribute.is_complex:
        return value
    items = value if path.attribute.multi_valued else [value]
    parts = [{k: v for k, v in item.items() if k in kept} for item in items]
    parts = [part for part in parts if part]
    if path.attribute.multi_valued:
        return parts
    return parts[0] if parts else None


def _bare(names: frozenset[str], prefix: str) -> frozenset[str]:
    return frozenset(name.removeprefix(prefix) for name in names)


def _names(given: Any, parameter: str, of: ResourceType) -> frozenset[str] | None:
    names = given.split(",") if isinstance(given, str) else given
    if names is None or names in ([], [""]):
        return None
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise InvalidValue(f"{parameter} takes names of attributes.")
    if len(names) > MAX_NAMES:
        raise InvalidValue(f"{parameter} may name {MAX_NAMES} attributes at most.")
    found: set[str] = set()
    for name in names:
        extension = of.extension(name.strip())
        if extension is not None:
            found |= {f"{extension.id}:{a.name}" for a in extension.attributes}
        elif (path := of.find(name.strip())) is not None:
            found.add(path.text)
    return frozenset(found)
