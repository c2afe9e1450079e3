"""PATCH (RFC 7644 §3.5.2): a canonical resource and operations in, a new resource out.

All or nothing: the given resource is never altered, and the first refusal ends it. A group's
members are not part of the resource; what happens to them comes back as MemberChanges.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from scim import entries, quirks
from scim.attributes import Attribute, ResourceType
from scim.cast import assigned, by_name, cast, only, parts
from scim.errors import (
    InvalidPath,
    InvalidSyntax,
    InvalidValue,
    MutabilityError,
    NoTarget,
    PayloadTooLarge,
)
from scim.filters import parse_path
from scim.members import (
    MemberChanges,
    MemberEdits,
    member_ids,
    refuse_member_parts,
    selected_ids,
)
from scim.nodes import PatchPath
from scim.resource import ALWAYS_SAID, Resource, check_immutable, check_required, is_kept

MAX_OPERATIONS: Final = 1_000
_MOST_LOOKS: Final = 20_000
_LONG_FILTER: Final = 64
_MANY: Final = 16
_OPS: Final = frozenset({"add", "remove", "replace"})


@dataclass(frozen=True, slots=True)
class Operation:
    """`op` is add, remove or replace; a `remove` may name the values that it means."""

    op: str
    path: str | None
    value: Any


@dataclass(frozen=True, slots=True)
class PatchResult:
    """`changed` tells whether the resource itself differs; `members` speaks for itself."""

    resource: Resource
    changed: bool
    members: MemberChanges


def parse_operations(body: Any, kind: str = quirks.AUTO) -> tuple[Operation, ...]:
    """The operations of a PatchOp message, the dialect of that kind of client normalised.

    Raises InvalidSyntax, InvalidValue, NoTarget, PayloadTooLarge past MAX_OPERATIONS.
    """
    if not isinstance(body, dict):
        raise InvalidSyntax("The body must be a JSON object.")
    raw = by_name(body, "PatchOp").get("operations")
    if not isinstance(raw, list) or not raw:
        raise InvalidSyntax("Operations must be an array of at least one operation.")
    operations: list[Operation] = []
    counted = 0
    for item in raw:
        if not isinstance(item, dict):
            raise InvalidSyntax("Each of Operations must be a JSON object.")
        meant = quirks.normalise(by_name(item, "An operation"), kind)
        new = [_operation(one) for one in meant]
        counted += sum(map(_count, new))
        if counted > MAX_OPERATIONS:
            raise PayloadTooLarge(f"A PATCH may have {MAX_OPERATIONS} operations at most.")
        operations += new
    return tuple(operations)


def apply(
    resource: Mapping[str, Any], operations: Sequence[Operation], of: ResourceType
) -> PatchResult:
    """Raises InvalidPath, InvalidFilter, InvalidValue, MutabilityError or NoTarget."""
    patcher = _Patcher(resource, of)
    for operation in operations:
        patcher.run(operation)
    patcher.settle()
    check_required(patcher.resource, of)
    return PatchResult(patcher.resource, patcher.resource != resource, patcher.edits.changes())


def _operation(raw: quirks.RawOperation) -> Operation:
    op, path = raw.get("op"), raw.get("path")
    if not isinstance(op, str) or op not in _OPS:
        raise InvalidSyntax("An operation's op is add, remove or replace.")
    if path is not None and not isinstance(path, str):
        raise InvalidPath("An operation's path must be a string.")
    if op == "remove" and path is None:
        raise NoTarget("A remove needs a path.")
    if op != "remove" and "value" not in raw:
        raise InvalidSyntax(f"{op} needs a value.")
    return Operation(op, path, raw.get("value"))


def _count(operation: Operation) -> int:
    """How many an operation counts for: where each key of its value is a path, each is one."""
    paths = operation.path is None or operation.path.strip().lower().startswith("urn:")
    if not paths or not isinstance(operation.value, dict):
        return 1
    inner = (one for one in operation.value.values() if isinstance(one, dict))
    return max(1, len(operation.value) + sum(map(len, inner)))


class _Patcher:
    """One run over one resource. Values are replaced, never altered in place."""

    def __init__(self, resource: Mapping[str, Any], of: ResourceType) -> None:
        self.resource: Resource = dict(resource)
        self.edits = MemberEdits()
        self._of = of
        self._looks = 0
        self._touched: set[tuple[str | None, str]] = set()

    def run(self, operation: Operation) -> None:
        if operation.path is None:
            self._assign_each("", operation.op, operation.value)
            return
        path = parse_path(operation.path, self._of)
        if path.attribute is None:
            self._extension(path.urn or "", operation)
            return
        self._refuse_read_only(path, path.attribute)
        self._one(path, path.attribute, operation.op, operation.value)

    def settle(self) -> None:
        """Drop the entries that were emptied on the way."""
        for urn, name in self._touched:
            holder = self.resource if urn is None else dict(self.resource.get(urn, {}))
            left = entries.without_emptied(holder.get(name, []))
            self._put(urn, holder, name, left)

    def _assign_each(self, prefix: str, op: str, value: Any) -> None:
        """Each key of the value is a path. Unknown and readOnly ones are ignored, as in a PUT:
        clients send whole resources.
        """
        if not isinstance(value, dict):
            raise InvalidValue(f"{op} without a path takes an object of attributes.")
        for name, inner in value.items():
            try:
                path = parse_path(f"{prefix}{name}", self._of)
            except InvalidPath:
                continue
            if path.attribute is None:
                self._extended(path.urn or "", op, inner)
            elif not (path.attribute.read_only or (path.sub and path.sub.read_only)):
                self._said(path, path.attribute, op, inner)

    def _said(self, path: PatchPath, attribute: Attribute, op: str, value: Any) -> None:
        # A null among other attributes is no wish to empty a group.
        if attribute.name != self._of.members or value is not None:
            self._one(path, attribute, op, value)

    def _extension(self, urn: str, operation: Operation) -> None:
        if operation.op == "remove":
            self.resource.pop(urn, None)
        else:
            self._extended(urn, operation.op, operation.value)

    def _extended(self, urn: str, op: str, value: Any) -> None:
        if value is not None and value not in ("", []):
            self._assign_each(f"{urn}:", op, value)
        elif op == "replace":  # an add of nothing takes nothing away
            self.resource.pop(urn, None)

    def _refuse_read_only(self, path: PatchPath, attribute: Attribute) -> None:
        if attribute.read_only or (path.sub is not None and path.sub.read_only):
            raise MutabilityError(f"{path.text} is set by the server.")

    def _one(self, path: PatchPath, attribute: Attribute, op: str, value: Any) -> None:
        if attribute.name == self._of.members:
            self._members(path, op, value)
            return
        holder = self.resource if path.urn is None else dict(self.resource.get(path.urn, {}))
        current = holder.get(attribute.name)
        self._look(path, value, current)
        new = _changed(path, attribute, op, value, current)
        if not is_kept(attribute, self._of) or (new is None and self._adds_nothing(attribute, op)):
            return
        if new is None and current is not None and attribute.mutability == "immutable":
            raise MutabilityError(f"{path.text} cannot be removed once it is set.")
        check_immutable(attribute, current, new)
        if new is None:
            self._check_removable(attribute, op, path)
        if attribute.multi_valued and attribute.is_complex:
            self._touched.add((path.urn, attribute.name))
        self._put(path.urn, holder, attribute.name, new)

    def _put(self, urn: str | None, holder: dict[str, Any], name: str, new: Any) -> None:
        if new is None:
            holder.pop(name, None)
        else:
            holder[name] = new
        if urn is None:
            return
        self.resource[urn] = holder
        if not holder:
            del self.resource[urn]

    def _adds_nothing(self, attribute: Attribute, op: str) -> bool:
        """An add takes nothing away (RFC 7644 §3.5.2.1); what must have a value is refused all the same."""
        return op == "add" and not (attribute.required or attribute.name in ALWAYS_SAID)

    def _look(self, path: PatchPath, value: Any, current: Any) -> None:
        """Count the entries that an operation goes through: others wait for this request."""
        if isinstance(current, list):
            named = len(value) if isinstance(value, list) else 1
            self._looks += len(current) * (1 + len(path.text) // _LONG_FILTER + named // _MANY)
        if self._looks > _MOST_LOOKS:
            raise PayloadTooLarge("This PATCH looks at too many values. Send it in several.")

    def _check_removable(self, attribute: Attribute, op: str, path: PatchPath) -> None:
        """RFC 7644 §3.5.2.2. `active` goes only where it is meant: a null could mean anything."""
        if path.urn is not None:
            return
        if attribute.required and op == "remove":
            raise MutabilityError(f"{path.text} cannot be removed.")
        if attribute.required or (attribute.name in ALWAYS_SAID and op != "remove"):
            raise InvalidValue(f"{path.text} needs a value.")

    def _members(self, path: PatchPath, op: str, value: Any) -> None:
        if path.sub is not None or (path.selector is not None and op == "replace"):
            refuse_member_parts("members", "value" if path.sub is None else path.sub.name)
        if path.selector is not None:
            chosen = selected_ids(path.selector)
            edit = self.edits.remove if op == "remove" else self.edits.add
            edit(chosen)
        elif op == "add":
            self.edits.add(member_ids(value))
        elif op == "replace":
            self.edits.replace(member_ids(value))
        elif value is None:
            self.edits.replace(())
        else:
            self.edits.remove(member_ids(value))


def _changed(path: PatchPath, attribute: Attribute, op: str, value: Any, current: Any) -> Any:
    """The attribute's new value, or None for none."""
    if attribute.multi_valued:
        if op == "remove":
            return entries.remove(path, attribute, value, current or [])
        return entries.assign(path, attribute, op, value, current or [])
    if op == "remove":
        value = None
        if path.sub is None:
            return None
    if path.sub is not None:
        part = cast(path.sub, value, path.text)
        adds_nothing = part is None and op == "add"
        return current if adds_nothing else entries.with_part(current or {}, path.sub, part) or None
    if not attribute.is_complex:
        return cast(attribute, value, path.text)
    return _merged(parts(attribute, only(value, path.text), path.text), op, current)


def _merged(said: Mapping[str, Any] | None, op: str, current: Any) -> Any:
    """A complex value with its parts as they are said; what is not spoken of stays (RFC 7644 §3.5.2.3)."""
    if said is None:
        return current if op == "add" else None
    return assigned({**(current or {}), **said})
