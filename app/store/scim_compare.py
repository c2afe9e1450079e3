"""The comparisons of a filter (RFC 7644 §3.4.2.2) as SQL: on rows of `scim_value` and on columns.

Texts are compared by code points on both databases, and as far as their first HEAD characters by index.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from sqlalchemy import ColumnElement, FromClause, and_, func, true

from app.store.sql import position
from app.store.tables.scim import HEAD
from scim.attributes import AttrPath, AttrType
from scim.errors import InvalidFilter
from scim.nodes import Compare

Condition = ColumnElement[bool]

_ORDER: Final[dict[str, Callable[[Any, Any], Any]]] = {
    "eq": operator.eq, "ne": operator.ne, "gt": operator.gt,
    "ge": operator.ge, "lt": operator.lt, "le": operator.le,
}  # fmt: skip
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_LAST_INSTANT: Final = datetime.max.replace(tzinfo=UTC)
_LAST: Final = 0x10FFFF
_SURROGATES: Final = range(0xD800, 0xE000)


def row(v: FromClause, path: AttrPath, compare: Compare | None) -> Condition:
    """A row of `scim_value` that has the path, or one beneath it, and compares so."""
    if compare is None:
        return beneath(v, f"{path.text}.") if path.leaf.is_complex else v.c.path == path.text
    if path.leaf.type is AttrType.BOOLEAN:
        word = "true" if compare.operand else "false"
        return and_(v.c.path == path.text, _ordered(compare.op, v.c.head, word))
    if compare.on_number:
        return and_(v.c.path == path.text, _ordered(compare.op, v.c.number, compare.operand))
    return and_(v.c.path == path.text, _on_halves(v, compare.op, str(compare.operand)))


def beneath(v: FromClause, prefix: str) -> Condition:
    """A row of `scim_value` whose path begins so: a range, since a schema may have ten thousand paths."""
    return _begins(v.c.path, prefix)


def _ordered(op: str, left: ColumnElement[Any], right: Any) -> Condition:
    found: Condition = _ORDER[op](left, right)
    return found


def _on_halves(v: FromClause, op: str, x: str) -> Condition:
    """A text that lies in two columns, the first of them indexed."""
    head, tail = v.c.head, v.c.tail
    match op:
        case "eq":
            return and_(head == x[:HEAD], tail == x[HEAD:])
        case "sw" if len(x) <= HEAD:
            return _begins(head, x)
        case "sw":
            return and_(head == x[:HEAD], _begins(tail, x[HEAD:]))
        case "co" | "ew":
            return _holds_text(head + tail, op, x)
        case _:
            return _ordered(op, head + tail, x)


def on_text(text: ColumnElement[str], compare: Compare | None) -> Condition:
    """A text that one expression gives, and that may be absent."""
    if compare is None:
        return text.is_not(None)
    x = str(compare.operand)
    match compare.op:
        case "sw":
            test = _begins(text, x)
        case "co" | "ew":
            test = _holds_text(text, compare.op, x)
        case op:
            test = _ordered(op, text, x)
    return and_(text.is_not(None), test)


def on_time(at: ColumnElement[datetime], path: AttrPath, compare: Compare | None) -> Condition:
    """A column's instant; raises InvalidFilter for comparisons of texts."""
    if compare is None:
        return true()
    if not compare.on_number:
        raise InvalidFilter(f"{path.text} is an instant and cannot be compared by {compare.op}.")
    return _ordered(compare.op, at, _instant(compare.operand))


def _instant(number: str | float) -> datetime:
    """The instant of `scim.text.instant_number`, which rounds the last microseconds of the year 9999 up, past it."""
    try:
        return _EPOCH + timedelta(microseconds=int(number))
    except OverflowError:
        return _LAST_INSTANT


def _holds_text(text: ColumnElement[str], op: str, x: str) -> Condition:
    if op == "co":
        return position(text, x) > 0
    length = func.length(text)
    return and_(length >= len(x), func.substr(text, length - len(x) + 1) == x)


def _begins(text: ColumnElement[str], x: str) -> Condition:
    """As a range, so that the index answers; both databases order texts by code points."""
    after = _after(x)
    return text >= x if after is None else and_(text >= x, text < after)


def _after(prefix: str) -> str | None:
    """The least text above all that begin with the prefix; None if there is none."""
    for at in range(len(prefix) - 1, -1, -1):
        code = ord(prefix[at]) + 1
        if code in _SURROGATES:
            code = _SURROGATES.stop
        if code <= _LAST:
            return prefix[:at] + chr(code)
    return None
