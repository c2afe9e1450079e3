"""Public documents of others, fetched at most once a while by all processes together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from app.deps import Deps
from app.http import HttpFailed
from app.kernel.errors import Unavailable
from app.store import documents

_FRESH = timedelta(hours=1)
_RETRY_AFTER = timedelta(seconds=10)
_OK = 200


@dataclass(frozen=True, slots=True)
class _Get:
    url: str
    headers: Mapping[str, str] = field(default_factory=lambda: {"Accept": "application/json"})
    method: str = "GET"
    body: bytes | None = None


def fetch(deps: Deps, url: str, *, newer: bool = False) -> bytes:
    """Return the document, from the cache where it is fresh enough; raises Unavailable.

    `newer` asks for one fetched just now (an unknown key id, say): it is fetched again, but at most
    every ten seconds however many ask, so that forged key ids can't make us hammer anyone. While the
    other side is away, a stale copy still serves.
    """
    now = deps.clock()
    with deps.db.system() as system:
        held = documents.get(system, url)
    usable = held is not None and held.body != b""
    if usable and held is not None and not newer and now - held.fetched_at < _FRESH:
        return held.body
    with deps.db.system(write=True) as system:
        ours = documents.may_try(system, url, now, now - _RETRY_AFTER)
    if ours:
        try:
            body = _download(deps, url)
        except HttpFailed as error:
            if usable and held is not None:
                return held.body
            raise Unavailable(
                f"A document that this needs can't be fetched. {error.reason}", code="fetch_failed"
            ) from error
        with deps.db.system(write=True) as system:
            documents.put(system, url, body, now)
        return body
    if usable and held is not None:
        return held.body
    raise Unavailable(
        "A document that this needs is being fetched, or could not be a moment ago. Try again shortly.",
        code="fetch_failed", retry_after=int(_RETRY_AFTER.total_seconds()),
    )  # fmt: skip


def _download(deps: Deps, url: str) -> bytes:
    response = deps.http.send(_Get(url))
    if response.status != _OK:
        raise HttpFailed(f"{url[:200]} answered {response.status}.")
    return response.body
