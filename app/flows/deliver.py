"""The worker's round: claim with a lease and commit, send outside any transaction, record the outcome."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Callable, Collection, Mapping
from datetime import timedelta
from types import MappingProxyType

from app.deps import Deps
from app.flows import grades, statements
from app.http import HttpFailed
from app.kernel.delivery import Outcome, next_stream_try, next_try
from app.store import destinations, outbox
from app.store import statements as stored
from app.store.destinations import Stream
from app.store.outbox import Claimed

LEASE = timedelta(seconds=90)
"""Longer than the four requests that a grade can take: a token, the score, and both again after a 401."""

_BATCH = 50

_SENDERS: Mapping[str, Callable[[Deps, Claimed], Outcome]] = MappingProxyType({
    "ags_score": grades.send,
    "xapi": statements.send_again,
})  # fmt: skip


def claim(deps: Deps, limit: int, full: Collection[str] = ()) -> list[Claimed]:
    """Lease up to `limit` due deliveries."""
    now = deps.clock()
    with deps.db.system() as system:  # looking must not take the write lock
        if not outbox.anything_due(system, now, full=full):
            return []
    with deps.db.system(write=True) as system:
        return outbox.claim(system, now, deps.ids.new(), now + LEASE, limit, full=full)


def send(deps: Deps, claimed: Claimed) -> Outcome:
    """Send one claimed delivery and record what came of it."""
    started = time.monotonic()
    try:
        outcome = _SENDERS[claimed.kind](deps, claimed)
    except HttpFailed as error:
        outcome = Outcome("refused" if error.permanent else "later", error.reason)
    except Exception as error:  # noqa: BLE001 - a fault of ours must not stop the outbox, nor vanish
        outcome = Outcome("later", f"A fault of the gateway: {type(error).__name__}: {error}"[:500])
    took = int((time.monotonic() - started) * 1000)
    now = deps.clock()
    again = next_try(claimed.attempts, now, secrets.randbelow(1000) / 1000, outcome.retry_after)
    with deps.db.system(write=True) as system:
        outbox.record(system, claimed, deps.ids.new(), outcome, now, took, again)
    return outcome


def claim_stream(deps: Deps) -> Stream | None:
    """Lease one destination that has statements waiting."""
    now = deps.clock()
    with deps.db.system() as system:
        if not destinations.anything_due(system, now):
            return None
    with deps.db.system(write=True) as system:
        return destinations.claim(system, now, deps.ids.new(), now + LEASE)


def forward(deps: Deps, stream: Stream) -> int:
    """Send the stream's next batch; returns how many statements the other side took or refused for good.

    A batch that is refused is halved until the one bad statement is found; that one becomes a dead
    delivery which an administrator sees, and the stream goes on.
    """
    with deps.db.system() as system:
        batch = stored.after(system, stream.tenant, stream.txid, stream.seq, _BATCH)
    while batch:
        outcome = statements.send(deps, stream, batch)
        if outcome.kind != "refused" or len(batch) == 1:
            break
        batch = batch[: len(batch) // 2]
        if not _keep(deps, stream):
            return 0
    now = deps.clock()
    with deps.db.system(write=True) as system:
        if not batch:
            destinations.advance(system, stream, (stream.txid, stream.seq), now)
            return 0
        if outcome.kind == "later":
            again = next_stream_try(
                stream.attempts + 1, now, secrets.randbelow(1000) / 1000, outcome.retry_after
            )
            destinations.failed(system, stream, outcome.message or "no answer", again)
            return 0
        last = batch[-1]
        if (
            destinations.advance(system, stream, (last.txid, last.seq), now)
            and outcome.kind == "refused"
        ):
            statements.set_aside(
                deps, system.within(stream.tenant), stream, json.loads(last.body), outcome, now
            )
    return len(batch)


def _keep(deps: Deps, stream: Stream) -> bool:
    """Hold the lease for another request; False when it was lost."""
    with deps.db.system(write=True) as system:
        return destinations.renew(system, stream, deps.clock() + LEASE)
