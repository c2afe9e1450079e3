"""Reading small JSON objects field by field: unknown names and wrong types are refused."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from sandbox.errors import Refused
from sandbox.outside import is_loopback
from sandbox.store import Json

Check = Callable[[Any], bool]


def read(body: Json, checks: Mapping[str, Check], required: Iterable[str] = ()) -> Json:
    """The body's fields, each passed by its check; 400 names the first that is wrong."""
    for name in required:
        if name not in body:
            raise Refused(400, "invalid_request", f"{name} is missing")
    for name, value in body.items():
        if name not in checks:
            known = ", ".join(sorted(checks))
            raise Refused(400, "invalid_request", f"{name} is unknown here; known are {known}")
        if not checks[name](value):
            raise Refused(400, "invalid_request", f"{name} has a value that cannot be used")
    return dict(body)


def text(value: Any) -> bool:
    return isinstance(value, str) and 0 < len(value) <= 2_000


def maybe_text(value: Any) -> bool:
    return isinstance(value, str) and len(value) <= 2_000


def flag(value: Any) -> bool:
    return isinstance(value, bool)


def url(value: Any) -> bool:
    """A URL of this machine: the campus is told only of neighbours on it."""
    return text(value) and is_loopback(value)


def urls(value: Any) -> bool:
    return isinstance(value, list) and 0 < len(value) <= 20 and all(map(url, value))


def texts(value: Any) -> bool:
    """A flat object of strings, such as custom parameters."""
    return (
        isinstance(value, dict)
        and len(value) <= 50
        and all(text(name) and maybe_text(held) for name, held in value.items())
    )


def whole(low: int, high: int) -> Check:
    return lambda value: (
        isinstance(value, int) and not isinstance(value, bool) and low <= value <= high
    )


def number(low: float, high: float) -> Check:
    return lambda value: (
        isinstance(value, int | float) and not isinstance(value, bool) and low <= value <= high
    )


def one_of(*allowed: str) -> Check:
    return lambda value: isinstance(value, str) and value in allowed
