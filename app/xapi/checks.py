"""The pieces that the validator is made of: a check takes a value and its place, or raises."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping
from typing import Any, Never

from app.xapi import formats
from app.xapi.errors import StatementInvalid

Check = Callable[[object, str], None]

MAX_TEXT = 100_000
_MAX_MEMBERS = 200
_MAX_DEPTH = 50
_MAX_LENGTH = 2**53


def fail(place: str, message: str) -> Never:
    raise StatementInvalid(place, message)


def record(
    value: object, place: str, checks: Mapping[str, Check], required: Collection[str] = ()
) -> dict[str, Any]:
    """An object of known members only, each checked."""
    if not isinstance(value, dict):
        fail(place, "must be an object")
    for name in required:
        if name not in value:
            fail(place, f"{name!r} is missing")
    for name, member in value.items():
        check = checks.get(name)
        if check is None:
            fail(place, f"{str(name)[:64]!r} is not known here")
        if member is None:
            fail(f"{place}.{name}", "must not be null")
        check(member, f"{place}.{name}")
    return value


def array_of(check: Check, most: int, least: int = 0) -> Check:
    def checked(value: object, place: str) -> None:
        if not isinstance(value, list):
            fail(place, "must be an array")
        if not least <= len(value) <= most:
            fail(place, f"must hold {least} to {most} elements")
        for i, element in enumerate(value):
            check(element, f"{place}[{i}]")

    return checked


def text(value: object, place: str) -> None:
    """Any string that UTF-8 and a database can hold."""
    if not isinstance(value, str):
        fail(place, "must be a string")
    if len(value) > MAX_TEXT:
        fail(place, f"is longer than {MAX_TEXT} characters")
    if "\x00" in value or any("\ud800" <= c <= "\udfff" for c in value):
        fail(place, "holds a character that cannot be stored")


def well_formed(test: Callable[[str], bool], what: str) -> Check:
    def checked(value: object, place: str) -> None:
        text(value, place)
        if not isinstance(value, str) or not test(value):
            fail(place, f"must be {what}")

    return checked


def boolean(value: object, place: str) -> None:
    if not isinstance(value, bool):
        fail(place, "must be true or false")


def number(value: object, place: str) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        fail(place, "must be a number")
    if isinstance(value, float) and not math.isfinite(value):
        fail(place, "must be a finite number")


def integer(value: object, place: str) -> None:
    number(value, place)
    if not isinstance(value, int) or not 0 <= value <= _MAX_LENGTH:
        fail(place, "must be a whole number, not negative")


def language_map(value: object, place: str) -> None:
    """Strings by RFC 5646 tag (§4.2)."""
    if not isinstance(value, dict) or len(value) > _MAX_MEMBERS:
        fail(place, "must be an object, language tag to string")
    for tag, words in value.items():
        if not isinstance(tag, str) or not formats.is_language(tag):
            fail(place, f"{str(tag)[:64]!r} is not an RFC 5646 language tag")
        text(words, f"{place}.{tag}")


def extensions(value: object, place: str) -> None:
    """Any JSON values, null among them, by absolute IRI (§4.1)."""
    if not isinstance(value, dict) or len(value) > _MAX_MEMBERS:
        fail(place, "must be an object, IRI to value")
    for name, member in value.items():
        if not isinstance(name, str) or not formats.is_iri(name):
            fail(place, f"{str(name)[:64]!r} is not an absolute IRI")
        _json(member, f"{place}.{name}", 0)


def _json(value: object, place: str, depth: int) -> None:
    if depth > _MAX_DEPTH:
        fail(place, "is nested too deep")
    if isinstance(value, dict):
        for name, member in value.items():
            text(name, place)
            _json(member, place, depth + 1)
    elif isinstance(value, list):
        for member in value:
            _json(member, place, depth + 1)
    elif isinstance(value, str):
        text(value, place)
    elif value is not None and not isinstance(value, bool):
        number(value, place)
