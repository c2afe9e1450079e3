"""A light client: one keep-alive connection, no redirects, no pool."""

from __future__ import annotations

import http.client
from collections.abc import Mapping
from dataclasses import dataclass


class Wrong(RuntimeError):  # noqa: N818 - it says what is wrong
    """A server gave another answer than the case expects; nothing is measured then."""


@dataclass(frozen=True, slots=True)
class Reply:
    """A whole answer."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes

    def expect(self, status: int, part: bytes = b"") -> Reply:
        """Return itself; raises Wrong unless it has this status and its body holds `part`."""
        if self.status != status or part not in self.body:
            text = self.body[:500].decode(errors="replace")
            raise Wrong(f"expected {status} with {part!r}, got {self.status}: {text}")
        return self

    def cookies(self) -> str:
        """Return a Cookie header with what this answer set."""
        held = self.headers.get_all("Set-Cookie") or []
        return "; ".join(line.partition(";")[0] for line in held)


class Client:
    """One client of one server on loopback."""

    def __init__(self, port: int) -> None:
        self._http = http.client.HTTPConnection("127.0.0.1", port, timeout=30)

    def send(
        self,
        method: str,
        target: str,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Reply:
        """Send a request and read the whole answer."""
        self._http.request(method, target, body, dict(headers or {}))
        answer = self._http.getresponse()
        return Reply(answer.status, answer.headers, answer.read())

    def close(self) -> None:
        """Close the connection."""
        self._http.close()
