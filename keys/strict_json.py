"""JSON from outside: no duplicate names, bounded depth and numbers, only text a database can hold."""

from __future__ import annotations

import json
import math
from typing import NoReturn

MAX_DEPTH = 32
MAX_INTEGER = 2**63 - 1


class StrictJsonError(ValueError):
    """The text is not JSON, or is JSON that two readers could read differently."""


def parse(data: bytes) -> object:
    """Parse UTF-8 JSON (RFC 8259), refusing what I-JSON (RFC 7493) advises against.

    Refused: duplicate names, NaN and Infinity, integers beyond 64 bits, lone surrogates, NUL,
    nesting deeper than `MAX_DEPTH`. Raises StrictJsonError. The caller bounds the size.
    """
    try:
        value = json.loads(data.decode(), object_pairs_hook=_unique, parse_constant=_no_constant)
    except StrictJsonError:
        raise
    except (ValueError, RecursionError) as error:
        raise StrictJsonError("not JSON") from error
    _check(value, MAX_DEPTH)
    return value


def parse_object(data: bytes) -> dict[str, object]:
    """`parse`, for a document that must be an object."""
    value = parse(data)
    if not isinstance(value, dict):
        raise StrictJsonError("not a JSON object")
    return value


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise StrictJsonError("a name appears twice in one object")
    return found


def _no_constant(name: str) -> NoReturn:
    raise StrictJsonError(f"{name} is not a JSON number")


def _check(value: object, depth: int) -> None:
    match value:
        case str():
            _check_text(value)
        case bool() | None:
            return
        case int() if abs(value) > MAX_INTEGER:
            raise StrictJsonError("a number is out of range")
        case float() if not math.isfinite(value):
            raise StrictJsonError("a number is out of range")
        case dict() | list() if depth == 0:
            raise StrictJsonError("nested too deeply")
        case dict():
            for name, inner in value.items():
                _check_text(name)
                _check(inner, depth - 1)
        case list():
            for inner in value:
                _check(inner, depth - 1)


def _check_text(text: str) -> None:
    if text.isascii():
        if "\0" in text:
            raise StrictJsonError("a text holds NUL")
        return
    if "\0" in text or any("\ud800" <= char <= "\udfff" for char in text):
        raise StrictJsonError("a text holds a character that can't be stored")
