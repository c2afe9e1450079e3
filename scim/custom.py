"""A tenant's own schemas: documents as RFC 7643 §7 writes them, and the types that they extend."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from scim import discovery
from scim.attributes import Attribute, AttrType, ResourceType, Schema
from scim.cast import by_name
from scim.errors import InvalidValue
from scim.schemas import COMMON, GROUP, USER
from scim.text import storable

MAX_URN: Final = 200
MAX_ATTRIBUTES: Final = 100
MAX_NAME: Final = 100
MAX_TEXT: Final = 1_000
_URN: Final = re.compile(r"urn:[A-Za-z0-9][A-Za-z0-9-]{0,31}:[A-Za-z0-9()+,.:=@;$_!*-]*[A-Za-z0-9]")
_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9$_-]*")
_OURS: Final = "urn:ietf:params:scim:"
_RESERVED: Final = frozenset({"members", "groups", "password", *(a.name.lower() for a in COMMON)})
_RETURNED: Final = frozenset({"always", "default", "request"})
_TYPES: Final = {one.value.lower(): one for one in AttrType}


@dataclass(frozen=True, slots=True)
class Types:
    """What serves a tenant: User and Group with its extensions. `number`: which of its changes made them so.

    `every` has the attributes of all, for a query at the root: by their bare names, and by the URN of their type,
    which then means that type's alone (`AttrPath.within`).
    """

    user: ResourceType = USER
    group: ResourceType = GROUP
    number: int = 0
    every: ResourceType = field(init=False)

    def __post_init__(self) -> None:
        both = (self.group, self.user)
        roots = {a.name: a for of in both for a in of.schema.attributes}
        own = (replace(of.schema, attributes=of.roots) for of in both)
        object.__setattr__(self, "every", ResourceType(
            "Resource", "", "What a query at the root may ask of any type.",
            Schema("Resource", "Resource", "", tuple(roots.values())),
            (*own, *self.group.extensions, *self.user.extensions), COMMON, self.group.members,
        ))  # fmt: skip

    @property
    def both(self) -> tuple[ResourceType, ResourceType]:
        """User and Group, in the order in which they are listed."""
        return self.user, self.group

    def named(self, name: str) -> ResourceType:
        """The type of a `name`, User or Group."""
        return self.group if name == GROUP.name else self.user

    def at(self, endpoint: str) -> ResourceType | None:
        """The type at `Users` or `Groups`, or None."""
        return next((of for of in self.both if of.endpoint == f"/{endpoint}"), None)


STANDARD: Final = Types()


def types(own: Iterable[tuple[str, Schema]], number: int) -> Types:
    """The types with a tenant's own schemas, each beside the name of the type that it extends."""
    extra: dict[str, list[Schema]] = {USER.name: [], GROUP.name: []}
    for name, schema in own:
        extra[name].append(schema)
    # The last one has the short names: a tenant's never take them from the standard's.
    user = replace(USER, extensions=(*extra[USER.name], *USER.extensions))
    group = replace(GROUP, extensions=(*extra[GROUP.name], *GROUP.extensions))
    return Types(user, group, number)


def read(document: Any) -> Schema:
    """A schema document as a schema; raises InvalidValue, or InvalidSyntax for a name said twice."""
    said = _object(document, "A schema")
    urn = said.get("id")
    if not isinstance(urn, str) or len(urn) > MAX_URN or not _URN.fullmatch(urn):
        raise InvalidValue(
            f"A schema's id is a URN of {MAX_URN} characters at most, such as urn:example:badge."
        )
    if urn.lower().startswith(_OURS):
        raise InvalidValue(f"{urn} is not yours to define: {_OURS} belongs to the standard.")
    name = _text(said.get("name") or urn.rpartition(":")[2], f"The name of {urn}")
    description = _text(said.get("description") or "", f"The description of {urn}")
    return Schema(urn, name, description, _attributes(said.get("attributes"), urn, nested=False))


def written(schema: Schema) -> dict[str, object]:
    """The document that `read` reads as this schema."""
    said = discovery.schema(schema, "")
    return {name: said[name] for name in ("schemas", "id", "name", "description", "attributes")}


def may_be_of(body: Any) -> bool:
    """Whether a POST, PUT or PATCH says something under a URN that a schema of a tenant's own could have.

    Not where a PATCH names it as its path: there a schema that is not known is refused, never ignored.
    """
    if not isinstance(body, dict):
        return False
    objects = [body]
    for name, said in body.items():
        if isinstance(said, list) and name.lower() == "operations":
            values = (value for one in said if isinstance(one, dict) for value in one.values())
            objects += [value for value in values if isinstance(value, dict)]
    return any(
        name[:4].lower() == "urn:" and not name.lower().startswith(_OURS)
        for one in objects for name in one
    )  # fmt: skip


def hindrance(before: Schema, after: Schema) -> str | None:
    """Why values of the one can't be taken for values of the other: a sentence; None where nothing is in the way."""
    if before.id != after.id:
        return f"its id must stay {before.id}"
    return _changed(before.attributes, after.attributes, "")


def _changed(
    before: tuple[Attribute, ...], after: tuple[Attribute, ...], prefix: str
) -> str | None:
    now = {one.name: one for one in after}
    for one in before:
        other, name = now.get(one.name), f"{prefix}{one.name}"
        if other is None:
            return f"{name} must stay"
        if _kind(one) != _kind(other):
            return f"{name} must stay as it is"
        if why := _changed(one.sub_attributes, other.sub_attributes, f"{name}."):
            return why
    return None


def _kind(of: Attribute) -> tuple[object, ...]:
    return of.type, of.multi_valued, of.case_exact


def _attributes(said: Any, path: str, *, nested: bool) -> tuple[Attribute, ...]:
    if not isinstance(said, list) or not 0 < len(said) <= MAX_ATTRIBUTES:
        raise InvalidValue(f"{path} needs attributes, from 1 to {MAX_ATTRIBUTES}.")
    found = tuple(_attribute(one, path, nested=nested) for one in said)
    if len({one.name.lower() for one in found}) != len(found):
        raise InvalidValue(f"{path} names an attribute twice.")
    return found


def _attribute(document: Any, path: str, *, nested: bool) -> Attribute:
    said = _object(document, f"An attribute of {path}")
    name = said.get("name")
    if not isinstance(name, str) or len(name) > MAX_NAME or not _NAME.fullmatch(name):
        raise InvalidValue(
            f"An attribute's name begins with a letter and goes on with letters, digits, $, - or _, "
            f"{MAX_NAME} at most; {path} has {str(name)[:MAX_NAME]!r}."
        )
    if not nested and name.lower() in _RESERVED:
        raise InvalidValue(f"An extension can't have an attribute called {name}.")
    at = f"{path}.{name}" if nested else f"{path}:{name}"
    kind = _TYPES.get(str(said.get("type") or "string").lower())
    if kind is None:
        raise InvalidValue(f"The type of {at} is one of {', '.join(AttrType)}.")
    _check(said, at)
    many = _flag(said, "multiValued", at)
    if nested and (kind is AttrType.COMPLEX or many):
        raise InvalidValue(f"{at} stands within another, so it has one simple value.")
    exact = kind in {AttrType.BINARY, AttrType.REFERENCE}
    complex_ = kind is AttrType.COMPLEX
    return Attribute(
        name, kind, _text(said.get("description") or "", f"The description of {at}"),
        multi_valued=many,
        case_exact=exact or _flag(said, "caseExact", at),
        returned=str(said.get("returned") or "default"),
        canonical_values=_texts(said, "canonicalValues", at),
        reference_types=_texts(said, "referenceTypes", at),
        sub_attributes=_attributes(said.get("subattributes"), at, nested=True) if complex_ else (),
    )  # fmt: skip


def _check(said: Mapping[str, Any], at: str) -> None:
    """Refuse what this server would not keep to."""
    if _flag(said, "required", at):
        raise InvalidValue(f"{at} can't be required: clients that don't know it must go on.")
    if said.get("mutability", "readWrite") != "readWrite":
        raise InvalidValue(f"The mutability of {at} can only be readWrite.")
    if said.get("uniqueness", "none") != "none":
        raise InvalidValue(f"The uniqueness of {at} can only be none.")
    if (said.get("returned") or "default") not in tuple(_RETURNED):
        raise InvalidValue(f"{at} is returned always, by default or by request.")


def _object(document: Any, what: str) -> dict[str, Any]:
    if not isinstance(document, dict):
        raise InvalidValue(f"{what} is a JSON object.")
    return by_name(document, what)


def _flag(said: Mapping[str, Any], name: str, at: str) -> bool:
    value = said.get(name.lower(), False)
    if not isinstance(value, bool):
        raise InvalidValue(f"{name} of {at} is true or false.")
    return value


def _text(value: Any, what: str) -> str:
    if not isinstance(value, str) or len(value) > MAX_TEXT or not storable(value):
        raise InvalidValue(f"{what} is a text of {MAX_TEXT} characters at most.")
    return value


def _texts(said: Mapping[str, Any], name: str, at: str) -> tuple[str, ...]:
    values = said.get(name.lower()) or []
    if not isinstance(values, list) or len(values) > MAX_ATTRIBUTES:
        raise InvalidValue(f"{name} of {at} are texts, {MAX_ATTRIBUTES} at most.")
    return tuple(_text(value, f"Each of {name} of {at}") for value in values)
