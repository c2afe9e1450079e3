"""The requests that each service saw, for tests and for reading along; in memory only."""

from __future__ import annotations

import re
from collections import deque
from threading import Lock

from flask import Request, Response

from sandbox.store import Json

_HEADERS = (
    "Accept",
    "Content-Type",
    "User-Agent",
    "X-Experience-API-Version",
    "Idempotency-Key",
    "Origin",
)
_SECRET = re.compile(r"((?:password|client_secret)=)[^&]*")
_BODY_LIMIT = 20_000
_KEPT = 2_000


class Journal:
    """The last 2,000 requests, oldest first, each with a running number `n`."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._seen: deque[Json] = deque(maxlen=_KEPT)
        self._count = 0

    def note(self, service: str, request: Request, response: Response, at: float) -> None:
        body = request.get_data(cache=True, as_text=True)[:_BODY_LIMIT]
        authorization = request.headers.get("Authorization", "")
        entry: Json = {
            "service": service,
            "at": at,
            "method": request.method,
            "path": request.path,
            "query": request.query_string.decode("utf-8", "replace"),
            "headers": {
                name: request.headers[name] for name in _HEADERS if name in request.headers
            },
            "authorization": authorization.partition(" ")[0],
            "body": _SECRET.sub(r"\1***", body),
            "status": response.status_code,
        }
        with self._lock:
            self._count += 1
            self._seen.append({"n": self._count, **entry})

    def seen(self, service: str | None = None, after: int = 0) -> list[Json]:
        with self._lock:
            rows = list(self._seen)
        return [row for row in rows if row["n"] > after and service in (None, row["service"])]
