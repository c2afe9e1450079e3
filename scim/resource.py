"""A User or Group as a client sends it, made canonical (RFC 7644 §3.3, §3.5.1).

A canonical resource is a JSON object with the schemas' own spelling of names, values of the
schemas' types, and nothing the server owns: no `id`, `meta`, `schemas`, `groups`, `members`, and
never a password. Extensions stand under their URN. It is what a store keeps as JSON.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from scim.attributes import Attribute, ResourceType
from scim.cast import by_name, cast
from scim.errors import InvalidSyntax, InvalidValue, MutabilityError
from scim.members import member_ids

Resource: TypeAlias = dict[str, Any]

# RFC 7643 §4.1.1 leaves it open what an absent `active` means. Here a POST's silence means active;
# once a client has removed it, nobody vouches for the person any more, who is out.
ALWAYS_SAID: Final = {"active": True}


@dataclass(frozen=True, slots=True)
class Incoming:
    """A resource as a POST or PUT asserts it.

    `members` is None where the type has none or the body does not speak of them.
    """

    resource: Resource
    members: tuple[str, ...] | None


def decode(body: bytes) -> Any:
    """The JSON of a request body. Raises InvalidSyntax for whatever is not JSON in UTF-8."""
    try:
        return json.loads(body.decode("utf-8-sig"), parse_constant=_refuse_constant)
    except RecursionError as why:
        raise InvalidSyntax("The body is nested too deeply.") from why
    except ValueError as why:
        raise InvalidSyntax("The body is not JSON.") from why


def parse(body: Any, of: ResourceType) -> Incoming:
    """The body of a POST. Raises InvalidSyntax or InvalidValue.

    Names match in any letter case. What the schemas don't know and what is readOnly is ignored
    (RFC 7644 §3.3), so is whatever `schemas` claims: the attributes themselves tell.
    """
    said = _said(body, of)
    defaults = {name: v for name, v in ALWAYS_SAID.items() if of.root(name) is not None}
    return Incoming(defaults | said.resource, said.members)


def replace(current: Mapping[str, Any], body: Any, of: ResourceType) -> Incoming:
    """The body of a PUT upon the `current` resource (RFC 7644 §3.5.1).

    What the body leaves out is cleared, but for `active` (silence must let nobody back in) and
    for what is immutable. Raises MutabilityError too.
    """
    said = _said(body, of)
    kept = {name: current[name] for name in ALWAYS_SAID if name in current}
    for attribute in of.schema.attributes:
        if attribute.mutability == "immutable" and attribute.name in current:
            kept[attribute.name] = current[attribute.name]
            check_immutable(attribute, current[attribute.name], said.resource.get(attribute.name))
    return Incoming(kept | said.resource, said.members)


def check_immutable(attribute: Attribute, current: Any, new: Any) -> None:
    """Raises MutabilityError if a value that is set once and for all would become another."""
    if attribute.mutability == "immutable" and None not in (current, new) and current != new:
        raise MutabilityError(f"{attribute.name} cannot be changed once it is set.")


def check_required(resource: Mapping[str, Any], of: ResourceType) -> None:
    """Raises InvalidValue if a required attribute has no value, or only blanks."""
    for attribute in of.schema.attributes:
        value = resource.get(attribute.name)
        blank = isinstance(value, str) and not value.strip()
        if attribute.required and (value is None or blank):
            raise InvalidValue(f"{of.name} needs {attribute.name}.")


def is_kept(attribute: Attribute, of: ResourceType) -> bool:
    """Whether the attribute's value belongs into the canonical resource."""
    return attribute.mutability not in {"readOnly", "writeOnly"} and attribute.name != of.members


def _said(body: Any, of: ResourceType) -> Incoming:
    if not isinstance(body, dict):
        raise InvalidSyntax("The body must be a JSON object.")
    given = by_name(body, of.name)
    resource = _known(of.roots, given, of, "")
    for schema in of.extensions:
        inner = given.get(schema.id.lower())
        if inner is None or inner in ("", []):
            continue
        if not isinstance(inner, dict):
            raise InvalidValue(f"{schema.id} takes an object.")
        extension = _known(schema.attributes, by_name(inner, schema.id), of, f"{schema.id}:")
        if extension:
            resource[schema.id] = extension
    check_required(resource, of)
    members = None
    if of.members is not None and given.get(of.members.lower()) is not None:
        members = member_ids(given[of.members.lower()], of.members)
    return Incoming(resource, members)


def _known(
    attributes: tuple[Attribute, ...], given: Mapping[str, Any], of: ResourceType, prefix: str
) -> Resource:
    result: Resource = {}
    for attribute in attributes:
        name = attribute.name.lower()
        if name not in given or attribute.read_only or attribute.name == of.members:
            continue
        value = cast(attribute, given[name], f"{prefix}{attribute.name}")
        if value is not None and is_kept(attribute, of):
            result[attribute.name] = value
    return result


def _refuse_constant(name: str) -> float:
    raise ValueError(name)
