"""The value a filter compares with, brought into the terms of the index rows."""

from __future__ import annotations

from typing import Final, TypeAlias

from scim.attributes import AttrPath, AttrType
from scim.errors import InvalidFilter
from scim.text import instant_number, parse_instant
from scim.values import text_key

Scalar: TypeAlias = bool | float | str

_SUBSTRING: Final = frozenset({"co", "sw", "ew"})


def operand(path: AttrPath, operator: str, value: Scalar) -> str | float:
    """The value in the terms of the index rows, checked against the attribute's type."""
    leaf = path.leaf
    if leaf.type is AttrType.BOOLEAN:
        return _boolean(path, operator, value)
    if leaf.type is AttrType.BINARY and operator not in {"eq", "ne"}:
        raise InvalidFilter(f"{path.text} is binary and cannot be compared by {operator}.")
    if leaf.type in {AttrType.INTEGER, AttrType.DECIMAL}:
        if isinstance(value, bool | str) or operator in _SUBSTRING:
            raise InvalidFilter(f"{path.text} is a number and cannot be compared so.")
        return float(value)
    if not isinstance(value, str):
        raise InvalidFilter(f"{path.text} is compared with a string in double quotes.")
    if leaf.type is AttrType.DATE_TIME and operator not in _SUBSTRING:
        instant = parse_instant(value)
        if instant is None:
            raise InvalidFilter(f"{path.text} is compared with a date and time, not {value!r}.")
        return instant_number(instant)
    return text_key(leaf, value)


def _boolean(path: AttrPath, operator: str, value: Scalar) -> float:
    if operator not in {"eq", "ne"}:
        raise InvalidFilter(f"{path.text} is boolean and cannot be compared by {operator}.")
    if isinstance(value, str):
        # Entra writes `roles[primary eq "True"]`.
        value = {"true": True, "false": False}.get(value.lower(), value)
    if not isinstance(value, bool):
        raise InvalidFilter(f"{path.text} is compared with true or false.")
    return float(value)
