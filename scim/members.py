"""A group's membership as sets of ids, so that a change costs what it changes (RFC 7643 §4.2)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from scim.cast import by_name
from scim.errors import InvalidFilter, InvalidValue, MutabilityError, PayloadTooLarge
from scim.nodes import Compare, Node, Or
from scim.text import storable

MAX_MEMBERS: Final = 100_000
MAX_ID: Final = 255


@dataclass(frozen=True, slots=True)
class MemberChanges:
    """What becomes of the members: ((none if `reset` else those present) - `remove`) | `add`.

    `add` and `remove` have no id in common and keep the order in which they were said.
    """

    reset: bool = False
    add: tuple[str, ...] = ()
    remove: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return self.reset or bool(self.add) or bool(self.remove)


class MemberEdits:
    """Gathers the edits of one request, in order, into one MemberChanges."""

    def __init__(self) -> None:
        self._reset = False
        self._add: dict[str, None] = {}
        self._remove: dict[str, None] = {}

    def add(self, ids: tuple[str, ...]) -> None:
        for member in ids:
            self._remove.pop(member, None)
            self._add[member] = None

    def remove(self, ids: tuple[str, ...]) -> None:
        for member in ids:
            self._add.pop(member, None)
            if not self._reset:
                self._remove[member] = None

    def replace(self, ids: tuple[str, ...]) -> None:
        self._reset = True
        self._remove = {}
        self._add = dict.fromkeys(ids)

    def changes(self) -> MemberChanges:
        return MemberChanges(self._reset, tuple(self._add), tuple(self._remove))


def member_ids(value: Any, path: str = "members") -> tuple[str, ...]:
    """The ids out of `[{"value": "u1", ...}, ...]`, a single such object, or bare ids; each once.

    Raises InvalidValue, PayloadTooLarge past MAX_MEMBERS.
    """
    if value is None:
        return ()
    items = value if isinstance(value, list) else [value]
    if len(items) > MAX_MEMBERS:
        raise PayloadTooLarge(f"A request may name {MAX_MEMBERS} members at most.")
    return tuple(dict.fromkeys(_member_id(item, path) for item in items))


def selected_ids(selector: Node, path: str = "members") -> tuple[str, ...]:
    """The ids that `value eq "a" or value eq "b"` names; what else a filter may ask of members
    would have to load them.
    """
    match selector:
        case Compare(op="eq", literal=str(member)) if selector.path.leaf.name == "value":
            return (member,)
        case Or(nodes):
            return tuple(member for node in nodes for member in selected_ids(node, path))
        case _:
            raise InvalidFilter(f'{path} are selected by their value: {path}[value eq "..."].')


def refuse_member_parts(path: str, name: str) -> None:
    """A membership is added and removed, never altered (RFC 7643 §4.2: immutable)."""
    raise MutabilityError(f"{path}.{name} cannot be changed: remove the member and add another.")


def _member_id(item: Any, path: str) -> str:
    member = by_name(item, path).get("value") if isinstance(item, dict) else item
    if not isinstance(member, str) or not 0 < len(member) <= MAX_ID or not storable(member):
        raise InvalidValue(f"Each of {path} takes a value, the id of a User or Group.")
    return member
