"""Reading untrusted JSON: each node knows its place, each read has a bound."""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any, Never

from app.learning.errors import Malformed

KEY_PATTERN = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
_FORBIDDEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f\ud800-\udfff\u2028-\u202e\u2066-\u2069\ufffe\uffff]"
)


@dataclass(frozen=True, slots=True)
class Node:
    """A decoded JSON value and its place in the document."""

    value: Any
    place: str

    def fail(self, message: str) -> Never:
        raise Malformed(self.place or "document", message)

    def members(self, required: Collection[str], optional: Collection[str] = ()) -> dict[str, Node]:
        """The object's members by name; a missing or an unknown one is refused."""
        if not isinstance(self.value, dict):
            self.fail("must be an object")
        for name in required:
            if name not in self.value:
                self.fail(f"{name!r} is missing")
        for name in self.value:
            if name not in required and name not in optional:
                self.fail(f"{str(name)[:64]!r} is not known here")
        prefix = f"{self.place}." if self.place else ""
        return {name: Node(value, prefix + name) for name, value in self.value.items()}

    def entries(self, most: int) -> Iterator[tuple[str, Node]]:
        """The members of an object whose names are keys of the content."""
        if not isinstance(self.value, dict):
            self.fail("must be an object")
        if len(self.value) > most:
            self.fail(f"holds more than {most} entries")
        for name, value in self.value.items():
            node = Node(value, f"{self.place}.{str(name)[:64]}")
            if not isinstance(name, str) or not KEY_PATTERN.fullmatch(name):
                node.fail("the name is not a key")
            yield name, node

    def elements(self, least: int, most: int) -> list[Node]:
        if not isinstance(self.value, list):
            self.fail("must be an array")
        if not least <= len(self.value) <= most:
            self.fail(f"must hold {least} to {most} elements, not {len(self.value)}")
        return [Node(value, f"{self.place}[{i}]") for i, value in enumerate(self.value)]

    def text(self, most: int, least: int = 1) -> str:
        """Text without control characters or direction overrides, not blank where required."""
        if not isinstance(self.value, str):
            self.fail("must be a string")
        if len(self.value) > most:
            self.fail(f"is longer than {most} characters")
        if least and not self.value.strip():
            self.fail("must not be blank")
        if _FORBIDDEN.search(self.value):
            self.fail("holds a control character")
        return self.value

    def key(self) -> str:
        if not isinstance(self.value, str) or not KEY_PATTERN.fullmatch(self.value):
            self.fail("must be 1 to 64 of a-z, 0-9, - and _, beginning with a letter or a digit")
        return self.value

    def keys(self, least: int, most: int) -> tuple[str, ...]:
        """An array of different keys."""
        found: list[str] = []
        for node in self.elements(least, most):
            if node.key() in found:
                node.fail(f"{node.value!r} stands twice")
            found.append(node.key())
        return tuple(found)

    def one_of(self, allowed: Collection[str]) -> str:
        if not isinstance(self.value, str) or self.value not in allowed:
            self.fail(f"must be one of {', '.join(sorted(allowed))}")
        return self.value

    def number(self, low: float, high: float) -> float:
        if isinstance(self.value, bool) or not isinstance(self.value, int | float):
            self.fail("must be a number")
        # Compared before it is made a float: a huge integer would overflow.
        if not math.isfinite(self.value) if isinstance(self.value, float) else False:
            self.fail("must be a finite number")
        if not low <= self.value <= high:
            self.fail(f"must lie between {low:g} and {high:g}")
        return float(self.value)

    def integer(self, low: int, high: int) -> int:
        if isinstance(self.value, bool) or not isinstance(self.value, int):
            self.fail("must be a whole number")
        if not low <= self.value <= high:
            self.fail(f"must lie between {low} and {high}")
        return self.value

    def boolean(self) -> bool:
        if not isinstance(self.value, bool):
            self.fail("must be true or false")
        return self.value
