"""A resource's values as rows, the one form in which filters see a resource.

In memory (`evaluate`) and in a store's SQL the same rows are asked the same questions, so that
both answer alike. A row is (path, item, text, number):

- `path`: the canonical text of a simple attribute (`AttrPath.text`);
- `item`: 0, or the position within a multi-valued attribute; rows of one `emails` entry share it;
- `text`: the value, folded (`scim.text.fold`) unless the attribute is caseExact;
- `number`: booleans as 0 and 1, integers and decimals, instants in microseconds since 1970;
  None for the others.

Absent, null and empty values have no row (RFC 7643 §2.5).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from hashlib import sha256
from typing import Any, NamedTuple

from scim.attributes import Attribute, AttrType, ResourceType
from scim.text import fold, instant_number, parse_instant


class Row(NamedTuple):
    path: str
    item: int
    text: str
    number: float | None


def index_values(resource: Mapping[str, Any], of: ResourceType) -> list[Row]:
    """The rows of a resource in canonical form (as `scim.resource.parse` and PATCH leave it).

    Never a row of an attribute that is never returned: a password can't be searched for. Rows of
    `id`, `meta`, `members` and `groups` are made where the resource holds them; a store that keeps
    those in columns and tables of their own leaves them out of the resource.
    """
    rows: list[Row] = []
    for attribute in of.roots:
        if attribute.name in resource:
            rows.extend(attribute_rows(attribute, resource[attribute.name], attribute.name))
    rows.extend(Row("schemas", i, urn, None) for i, urn in enumerate(schemas_of(resource, of)))
    for schema in of.extensions:
        extension = resource.get(schema.id, {})
        for attribute in schema.attributes:
            if attribute.name in extension:
                name = f"{schema.id}:{attribute.name}"
                rows.extend(attribute_rows(attribute, extension[attribute.name], name))
    return rows


def schemas_of(resource: Mapping[str, Any], of: ResourceType) -> list[str]:
    """The URNs present in a resource (RFC 7643 §3)."""
    return [of.schema.id, *(s.id for s in of.extensions if resource.get(s.id))]


def attribute_rows(attribute: Attribute, value: Any, path: str) -> Iterator[Row]:
    """The rows of one attribute's whole value, under the canonical `path`."""
    if attribute.returned == "never" or attribute.name == "schemas":
        return
    items = value if attribute.multi_valued else [value]
    for number, item in enumerate(items):
        yield from item_rows(attribute, item, path, number)


def item_rows(attribute: Attribute, item: Any, path: str, number: int = 0) -> Iterator[Row]:
    """The rows of one entry of a multi-valued attribute, or of a single value."""
    if not attribute.is_complex:
        yield _row(attribute, item, path, number)
        return
    for sub in attribute.sub_attributes:
        if sub.name in item and sub.returned != "never":
            yield _row(sub, item[sub.name], f"{path}.{sub.name}", number)


def text_key(attribute: Attribute, value: str) -> str:
    """A string as the rows of that attribute hold it; of binary values only a digest."""
    if attribute.type is AttrType.BINARY:
        return sha256(value.encode()).hexdigest()
    return value if attribute.case_exact else fold(value)


def _row(attribute: Attribute, value: Any, path: str, item: int) -> Row:
    match attribute.type:
        case AttrType.BOOLEAN:
            return Row(path, item, "true" if value else "false", float(value))
        case AttrType.INTEGER | AttrType.DECIMAL:
            return Row(path, item, str(value), float(value))
        case AttrType.DATE_TIME:
            instant = parse_instant(value)
            return Row(path, item, value, None if instant is None else instant_number(instant))
        case _:
            return Row(path, item, text_key(attribute, value), None)
