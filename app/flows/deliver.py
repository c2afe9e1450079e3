"""The worker's round: claim with a lease and commit, send outside any transaction, record the outcome."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from types import MappingProxyType

from app.deps import Deps
from app.flows import event_streams, grades, statements
from app.http import HttpFailed
from app.kernel.delivery import RECORD_STORE, Outcome
from app.kernel.errors import Unavailable
from app.store import destinations, dispatch
from app.store.dispatch import Claimed, Sent

LEASE = timedelta(seconds=90)
"""Longer than the four requests that a grade can take: a token, the score, and both again after a 401."""

_SENDERS: Mapping[str, Callable[[Deps, Claimed], Outcome]] = MappingProxyType({
    "ags_score": grades.send,
    "set": event_streams.push,
    "xapi": statements.send_again,
})  # fmt: skip


def turn(
    deps: Deps, done: Sequence[Sent], limit: int, under_way: Mapping[str, int] | None = None,
    probes: int | None = None,
) -> list[Claimed]:  # fmt: skip
    """Record what is done and lease up to `limit` due deliveries, in one write transaction or none.

    `under_way` says how many the caller is sending, by destination. `probes` of the new ones, or all, may
    be probes of lanes that fail.
    """
    busy, probes = under_way or {}, limit if probes is None else probes
    if not done:
        with deps.db.system() as system:  # looking must not take the write lock
            if limit < 1 or not dispatch.anything_due(system, deps.clock(), busy, probes):
                return []
    with deps.db.system(write=True) as system:
        now = deps.clock()
        # In one order, so that neither two workers nor who takes deliveries back wait for each other.
        for sent in sorted(done, key=lambda one: _place(one.claimed)):
            mine = dispatch.record(system, sent, deps.ids.new(), now, _random())
            if mine and sent.outcome.kind == "gone":
                store = sent.claimed.destination.removeprefix(RECORD_STORE)
                tx = system.within(sent.claimed.tenant)
                destinations.gone(tx, store, sent.outcome.message or "", now)
        if limit < 1:
            return []
        return dispatch.claim(system, now, deps.ids.new(), now + LEASE, limit, busy, probes)


def send(deps: Deps, claimed: Claimed) -> Sent:
    """Send one claimed delivery; what came of it is still to be recorded by a `turn`."""
    began, started = deps.clock(), time.monotonic()
    try:
        outcome = _SENDERS[claimed.kind](deps, claimed)
    except HttpFailed as error:
        outcome = Outcome("refused" if error.permanent else "failed", error.reason)
    except Unavailable as error:
        outcome = Outcome("held", error.message)  # our own database is away or busy
    except Exception as error:  # noqa: BLE001 - a fault of ours must not stop the outbox, nor vanish
        told = f"A fault of the gateway: {type(error).__name__}: {error}"[:500]
        outcome = Outcome("later", "".join(c if c.isprintable() else "?" for c in told))
    return Sent(claimed, outcome, began, int((time.monotonic() - started) * 1000))


def _place(claimed: Claimed) -> tuple[str, str, int]:
    return claimed.tenant, claimed.destination, claimed.seq


def _random() -> float:
    return secrets.randbelow(1000) / 1000
