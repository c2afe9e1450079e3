"""Bulk requests (RFC 7644 §3.7): what is asked, in which order it can be done, and the answer.

A `bulkId` names what a POST of the same request makes. `"bulkId:x"` may stand for its id wherever a
value does, in a path (`/Groups/bulkId:x`) and in a PATCH's filter (`members[value eq "bulkId:x"]`), also
before the POST itself, and also where two that are made name each other (`scim.bulk_order`).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from scim.attributes import ResourceType
from scim.cast import by_name
from scim.errors import InvalidSyntax, InvalidValue, NotFound, PayloadTooLarge, ScimError
from scim.schemas import GROUP, USER
from scim.text import storable

RESPONSE_URN: Final = "urn:ietf:params:scim:api:messages:2.0:BulkResponse"
MAX_OPERATIONS: Final = 1_000
MAX_BULK_ID: Final = 255
_MAX_DEPTH: Final = 32
_METHODS: Final = frozenset({"POST", "PUT", "PATCH", "DELETE"})
_TYPES: Final = {of.endpoint: of for of in (USER, GROUP)}
_PATH: Final = re.compile(r"(/[A-Za-z]+)(?:/(.+))?", re.DOTALL)
_PREFIX: Final = "bulkId:"
_QUOTED: Final = re.compile(r'"bulkId:([^"\\]*)"')
_MAX_TARGET: Final = MAX_BULK_ID + len(_PREFIX)
_NOTHING: Final = object()


@dataclass(frozen=True, slots=True)
class Operation:
    """One request of a bulk. `target`: an id, or `bulkId:x`; None with POST · `version`: its If-Match

    `refers_to`: the bulkIds it needs, each once · `fault`: why it can't even be tried; what was not
    understood is None then, and it refers to nothing.
    """

    method: str | None = None
    bulk_id: str | None = None
    of: ResourceType | None = None
    target: str | None = None
    version: str | None = None
    data: Any = None
    refers_to: tuple[str, ...] = ()
    fault: ScimError | None = None

    @property
    def makes(self) -> str | None:
        """The bulkId under which others may refer to what this makes."""
        return self.bulk_id if self.method == "POST" and self.fault is None else None

    def data_with(self, made: Mapping[str, str]) -> Any:
        """The data with ids in the place of bulkIds (`resolve`)."""
        return resolve(self.data, made) if self.refers_to else self.data


@dataclass(frozen=True, slots=True)
class BulkRequest:
    """`fail_on_errors`: so many errors end it; None for never."""

    operations: tuple[Operation, ...]
    fail_on_errors: int | None


def parse(body: Any) -> BulkRequest:
    """A BulkRequest message. Raises InvalidSyntax, InvalidValue, PayloadTooLarge past MAX_OPERATIONS.

    What is wrong with one operation is that operation's `fault`, since the others may succeed.
    """
    if not isinstance(body, dict):
        raise InvalidSyntax("The body must be a JSON object.")
    said = by_name(body, "BulkRequest")
    raw, most = said.get("operations"), said.get("failonerrors")
    if not isinstance(raw, list) or not raw:
        raise InvalidSyntax("Operations must be an array of at least one operation.")
    if len(raw) > MAX_OPERATIONS:
        raise PayloadTooLarge(f"A bulk request may have {MAX_OPERATIONS} operations at most.")
    if most is not None and (not isinstance(most, int) or isinstance(most, bool) or most < 1):
        raise InvalidValue("failOnErrors takes an integer from 1 on.")
    return BulkRequest(_checked([_operation(one) for one in raw]), most)


def resolve(data: Any, made: Mapping[str, str]) -> Any:
    """Data with ids in the place of bulkIds.

    A value that names an unknown one is left out, with the object that it is a member of: nothing remains
    of a manager or a member that is not there yet.
    """
    if isinstance(data, dict):
        return {
            name: value
            for name, said in data.items()
            if (value := _resolved(name, said, made)) is not _NOTHING
        }
    return data


def resolve_id(target: str, made: Mapping[str, str]) -> str:
    """The id of a path, out of `bulkId:x` as well."""
    return made.get(target.removeprefix(_PREFIX), target) if target.startswith(_PREFIX) else target


def response(results: Sequence[Mapping[str, Any]]) -> dict[str, object]:
    """A BulkResponse message."""
    return {"schemas": [RESPONSE_URN], "Operations": list(results)}


def _operation(raw: Any) -> Operation:
    if not isinstance(raw, dict):
        return Operation(fault=InvalidSyntax("Each of Operations must be a JSON object."))
    known: dict[str, Any] = {}
    try:
        said = by_name(raw, "An operation")
        method = said.get("method")
        method = method.upper() if isinstance(method, str) else None
        known["data"] = said.get("data") if method != "DELETE" else None
        if method not in _METHODS:
            raise InvalidSyntax("An operation's method is POST, PUT, PATCH or DELETE.")
        known["method"] = method
        known["bulk_id"] = _bulk_id(said.get("bulkid"), method)
        known["of"], known["target"] = _path(said.get("path"), method)
        known["version"] = said.get("version")
        if not isinstance(known["version"], str | None):
            raise InvalidValue("An operation's version is an entity tag.")
        refers_to = _references(known["target"], known["data"])
    except ScimError as fault:
        return Operation(**known, fault=fault)
    return Operation(**known, refers_to=refers_to)


def _bulk_id(said: Any, method: str) -> str | None:
    if said is None and method != "POST":
        return None
    if not isinstance(said, str) or not 0 < len(said) <= MAX_BULK_ID or not storable(said):
        raise InvalidSyntax(f"A POST needs a bulkId, of {MAX_BULK_ID} characters at most.")
    return said


def _path(said: Any, method: str) -> tuple[ResourceType, str | None]:
    found = _PATH.fullmatch(said.strip()) if isinstance(said, str) else None
    of = _TYPES.get(found[1]) if found else None
    if found is None or of is None:
        raise InvalidValue("An operation's path begins with /Users or /Groups.")
    if (method == "POST") == (found[2] is not None):
        takes = "/Users or /Groups" if method == "POST" else "that of one resource"
        raise InvalidValue(f"The path of a {method} is {takes}.")
    target = found[2]
    if target is not None and (len(target) > _MAX_TARGET or not storable(target)):
        raise NotFound(f"There is no {of.name} {target[:MAX_BULK_ID]!r}.")
    return of, target


def _references(target: str | None, data: Any) -> tuple[str, ...]:
    found: dict[str, None] = {}
    if target is not None and target.startswith(_PREFIX):
        found[target[len(_PREFIX) :]] = None
    if isinstance(data, dict):
        _gather("", data, found)
    return tuple(found)


def _gather(name: str, data: Any, found: dict[str, None], depth: int = 0) -> None:
    """The bulkIds within an object or array; `name` is that of the attribute which it is the value of."""
    if depth > _MAX_DEPTH:
        raise InvalidSyntax("The data is nested too deeply.")
    inner = data.items() if isinstance(data, dict) else ((name, value) for value in data)
    for key, value in inner:
        if isinstance(value, str):
            if value.startswith(_PREFIX):
                found[value[len(_PREFIX) :]] = None
            elif _PREFIX in value and key.lower() == "path":
                found |= dict.fromkeys(_QUOTED.findall(value))
        elif isinstance(value, dict | list):
            _gather(key, value, found, depth + 1)


def _checked(operations: list[Operation]) -> tuple[Operation, ...]:
    """With a fault where bulkIds are not what they must be: unique, and some POST's."""
    counted = Counter(one.makes for one in operations)
    why = [_misnamed(one, counted) for one in operations]
    return tuple(
        replace(one, fault=InvalidValue(fault), refers_to=()) if fault else one
        for one, fault in zip(operations, why, strict=True)
    )


def _misnamed(one: Operation, counted: Mapping[str | None, int]) -> str | None:
    if one.makes is not None and counted[one.makes] > 1:
        return f"More than one POST has the bulkId {one.makes!r}."
    for name in one.refers_to:
        if name not in counted:
            return f"No POST of this request has the bulkId {name[:MAX_BULK_ID]!r}."
    return None


def _resolved(name: str, value: Any, made: Mapping[str, str]) -> Any:
    if isinstance(value, str):
        if value.startswith(_PREFIX):
            return made.get(value[len(_PREFIX) :], _NOTHING)
        if name.lower() == "path" and _PREFIX in value:
            return _QUOTED.sub(lambda at: f'"{made.get(at[1], at[0][1:-1])}"', value)
    elif isinstance(value, list):
        items = [_resolved(name, one, made) for one in value]
        return [one for one in items if one is not _NOTHING]
    elif isinstance(value, dict):
        inner = {key: _resolved(key, one, made) for key, one in value.items()}
        if any(one is _NOTHING and isinstance(value[key], str) for key, one in inner.items()):
            return _NOTHING
        return {key: one for key, one in inner.items() if one is not _NOTHING}
    return value
