"""What every part of the campus shares."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import cast

from flask import current_app

from sandbox.faults import Faults
from sandbox.journal import Journal
from sandbox.outside import Send
from sandbox.people import People
from sandbox.signing import Ring
from sandbox.store import Json, Store


@dataclass(slots=True)
class Campus:
    """`base_url` and `gateway` have no slash at the end; `clock` gives seconds since 1970."""

    base_url: str
    gateway: str
    store: Store
    people: People
    keys: dict[str, Ring]
    clock: Callable[[], float]
    send: Send
    faults: Faults = field(default_factory=Faults)
    journal: Journal = field(default_factory=Journal)
    keysets: dict[str, Json] = field(default_factory=dict)
    """JWK Sets of tools by URL, until a key is missing in them."""

    def now(self) -> int:
        """Whole seconds, as JWT times are."""
        return int(self.clock())

    def issuer(self, service: str) -> str:
        return f"{self.base_url}/{service}"


def here() -> Campus:
    """The campus that serves the current request."""
    return cast("Campus", current_app.extensions["campus"])
