"""JSON values brought into an attribute's type (RFC 7643 §2.3), with a bound on every size.

`None` is "unassigned" throughout: null, an empty string, an empty array and a complex value with
nothing in it are one and the same (RFC 7643 §2.5).
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable, Mapping
from typing import Any, Final

from scim.attributes import Attribute, AttrType
from scim.errors import InvalidSyntax, InvalidValue
from scim.text import format_instant, parse_instant, storable

MAX_STRING: Final = 4_096
MAX_BINARY: Final = 65_536
MAX_ITEMS: Final = 256
MAX_NUMBER: Final = 2**53

_BOOLEANS: Final = {"true": True, "false": False}
# What says of a multi-valued entry only how it is called and used.
_LABELS: Final = frozenset({"type", "primary", "display"})


def cast(attribute: Attribute, value: Any, path: str) -> Any | None:
    """A whole value of the attribute, canonical, or None where nothing remains of it.

    `path` names it in errors. Raises InvalidValue.
    """
    if not attribute.multi_valued:
        return cast_item(attribute, only(value, path), path)
    items = value if isinstance(value, list) else [value]
    if len(items) > MAX_ITEMS:
        raise InvalidValue(f"{path} may have {MAX_ITEMS} values at most.")
    return check_items(distinct(cast_item(attribute, item, path) for item in items), path) or None


def cast_item(attribute: Attribute, value: Any, path: str) -> Any | None:
    """One entry of a multi-valued attribute, or the value of a single-valued one."""
    if value is None or value in ("", [], {}):
        return None
    if attribute.is_complex:
        return assigned(parts(attribute, value, path))
    if isinstance(value, dict):
        value = _wrapped(value, path)
    return _SIMPLE[attribute.type](value, path)


def check_items(items: list[Any], path: str) -> list[Any]:
    """The bounds that hold for a multi-valued attribute as a whole (RFC 7643 §2.4)."""
    if len(items) > MAX_ITEMS:
        raise InvalidValue(f"{path} may have {MAX_ITEMS} values at most.")
    if sum(is_primary(item) for item in items) > 1:
        raise InvalidValue(f"Only one of {path} may be primary.")
    return items


def is_primary(item: Any) -> bool:
    return isinstance(item, dict) and item.get("primary") is True


def is_void(attribute: Attribute, item: Any) -> bool:
    """Whether an entry holds nothing but labels, where the schema has more to hold: a type without a value."""
    if not isinstance(item, dict) or not item.keys() <= _LABELS:
        return False
    return any(sub.name not in _LABELS for sub in attribute.sub_attributes)


def by_name(members: Mapping[str, Any], path: str) -> dict[str, Any]:
    """Members under lower-case names (RFC 7643 §2.1). Raises InvalidSyntax on a name said twice."""
    lowered = {name.lower(): value for name, value in members.items()}
    if len(lowered) != len(members):
        raise InvalidSyntax(f"{path} names an attribute twice, in different letter cases.")
    return lowered


def only(value: Any, path: str) -> Any:
    """A single value; Entra wraps some in an array of one."""
    if not isinstance(value, list):
        return value
    if len(value) > 1:
        raise InvalidValue(f"{path} takes one value, not {len(value)}.")
    return value[0] if value else None


def _wrapped(value: dict[str, Any], path: str) -> Any:
    """The value out of `{"value": ..., "$ref": null}`, as Entra once sent simple attributes."""
    members = by_name(value, path)
    if members.keys() <= {"value", "$ref"} and not isinstance(members.get("value"), dict | list):
        return members.get("value")
    raise InvalidValue(f"{path} takes a simple value, not an object.")


def parts(attribute: Attribute, value: Any, path: str) -> dict[str, Any] | None:
    """What is said of the sub-attributes of one complex value: None for each that is to be unassigned.

    None where the value as a whole is unassigned. Raises InvalidValue.
    """
    if value is None or value in ("", []):
        return None
    if not isinstance(value, dict):
        # `"manager": "271"`: a bare value stands for the `value` (Entra).
        if attribute.sub("value") is None or isinstance(value, list):
            raise InvalidValue(f"{path} takes an object.")
        value = {"value": value}
    members = by_name(value, path)
    return {
        sub.name: cast(sub, members[sub.name.lower()], f"{path}.{sub.name}")
        for sub in attribute.sub_attributes
        if sub.name.lower() in members and not sub.read_only
    }


def assigned(said: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """The complex value of these parts, or None where nothing remains of it."""
    return {name: part for name, part in (said or {}).items() if part is not None} or None


def _string(value: Any, path: str) -> str | None:
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) <= MAX_NUMBER:
        value = str(value)  # employee numbers and the like come as JSON numbers
    if not isinstance(value, str):
        raise InvalidValue(f"{path} takes a string.")
    if len(value) > MAX_STRING:
        raise InvalidValue(f"{path} may have {MAX_STRING} characters at most.")
    if not storable(value):
        raise InvalidValue(f"{path} holds a character that cannot be stored.")
    return value or None


def _boolean(value: Any, path: str) -> bool:
    if isinstance(value, str):
        value = _BOOLEANS.get(value.strip().lower(), value)
    if not isinstance(value, bool):
        raise InvalidValue(f"{path} takes true or false.")
    return value


def _number(value: Any, path: str) -> int | float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise InvalidValue(f"{path} takes a number.")
    if not abs(value) <= MAX_NUMBER:  # so that NaN fails too
        raise InvalidValue(f"{path} is out of range.")
    return value


def _integer(value: Any, path: str) -> int:
    number = _number(value, path)
    if number != int(number):
        raise InvalidValue(f"{path} takes an integer.")
    return int(number)


def _instant(value: Any, path: str) -> str:
    instant = parse_instant(value) if isinstance(value, str) else None
    if instant is None:
        raise InvalidValue(f"{path} takes a date and time such as 2026-01-31T08:00:00Z.")
    return format_instant(instant)


def _binary(value: Any, path: str) -> str:
    if not isinstance(value, str) or len(value) > MAX_BINARY:
        raise InvalidValue(f"{path} takes base64 of {MAX_BINARY} characters at most.")
    try:
        base64.b64decode(value, validate=True)
    except (ValueError, binascii.Error) as why:
        raise InvalidValue(f"{path} is not base64.") from why
    return value


_SIMPLE: Final[dict[AttrType, Callable[[Any, str], Any]]] = {
    AttrType.STRING: _string,
    AttrType.REFERENCE: _string,
    AttrType.BOOLEAN: _boolean,
    AttrType.INTEGER: _integer,
    AttrType.DECIMAL: _number,
    AttrType.DATE_TIME: _instant,
    AttrType.BINARY: _binary,
}


def distinct(items: Any) -> list[Any]:
    """Without what is absent, and each value once (RFC 7643 §2.4)."""
    seen: dict[Any, Any] = {}
    for item in items:
        if item is not None:
            # By a key: a PATCH does it once for each operation, and others wait meanwhile.
            key = json.dumps(item, sort_keys=True) if isinstance(item, dict) else item
            seen.setdefault(key, item)
    return list(seen.values())
