"""Public documents of others, fetched at most once a while by all processes together."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from app.deps import Deps
from app.http import HttpFailed
from app.kernel.errors import Unavailable
from app.store import documents
from app.store.documents import Document

_FRESH = timedelta(hours=1)
_RETRY_AFTER = timedelta(seconds=10)
_FRUITFUL_AFTER = timedelta(seconds=1)
_OK = 200
_UNDER_WAY = timedelta(seconds=3)
"""An answer that takes longer is not waited for."""
_WAIT_SECONDS = 0.05
_WAITS = 60


@dataclass(frozen=True, slots=True)
class _Get:
    url: str
    headers: Mapping[str, str] = field(default_factory=lambda: {"Accept": "application/json"})
    method: str = "GET"
    body: bytes | None = None


def fetch(
    deps: Deps, url: str, *, newer: bool = False, readable: Callable[[bytes], bool] | None = None
) -> bytes:
    """Return the document, from the cache where it is fresh enough; raises Unavailable.

    `newer` asks for one fetched just now (an unknown key id, say): it is fetched again, but once that
    brought nothing new, not for ten seconds however many ask. So forged key ids can't make us hammer
    anyone, and a real new key serves at once. While the other side is away, or answers what is not
    `readable`, a stale copy still serves. Who comes while another fetches waits a moment for that
    one's answer.
    """
    now = deps.clock()
    with deps.db.system() as system:
        held = documents.get(system, url)
    usable = held is not None and held.body != b""
    if usable and held is not None and not newer and now - held.fetched_at < _FRESH:
        return held.body
    with deps.db.system(write=True) as system:
        seen = held.fetched_at if held is not None else None
        ours = documents.may_try(system, url, now, now - _RETRY_AFTER, seen)
    if ours:
        try:
            body = _download(deps, url, readable)
        except HttpFailed as error:
            if usable and held is not None:
                return held.body
            raise Unavailable(
                f"A document that this needs can't be fetched. {error.reason}", code="fetch_failed"
            ) from error
        with deps.db.system(write=True) as system:
            tried_at = now - _RETRY_AFTER if _fruitful(held, body, now) else now
            documents.put(system, url, body, now, tried_at)
        return body
    if newer or not usable:
        held = _awaited(deps, url, held) or held
    if held is not None and held.body != b"":
        return held.body
    raise Unavailable(
        "A document that this needs is being fetched, or could not be a moment ago. Try again shortly.",
        code="fetch_failed",
        retry_after=int(_RETRY_AFTER.total_seconds()),
    )


def _fruitful(before: Document | None, body: bytes, now: datetime) -> bool:
    """Whether a fetch brought something new; a body that is never twice the same counts as nothing."""
    if before is None or before.body == b"":
        return True
    return body != before.body and now - before.fetched_at >= _FRUITFUL_AFTER


def _awaited(deps: Deps, url: str, before: Document | None) -> Document | None:
    """Wait for a fetch that is under way elsewhere; None when nothing came of it in a moment."""
    for _ in range(_WAITS):
        with deps.db.system() as system:
            held = documents.get(system, url)
        if held is None or held.tried_at <= held.fetched_at:
            return held
        if deps.clock() - held.tried_at > _UNDER_WAY:
            return None
        if before is not None and held.fetched_at > before.fetched_at:
            return held
        time.sleep(_WAIT_SECONDS)
    return None


def _download(deps: Deps, url: str, readable: Callable[[bytes], bool] | None) -> bytes:
    response = deps.http.send(_Get(url))
    if response.status != _OK:
        raise HttpFailed(f"{url[:200]} answered {response.status}.")
    if readable is not None and not readable(response.body):
        raise HttpFailed(f"{url[:200]} answered something else than what is wanted.")
    return response.body
