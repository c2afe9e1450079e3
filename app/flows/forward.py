"""Forwarding a tenant's statements to a record store, batch after batch, in commit order."""

from __future__ import annotations

import json
import secrets
from dataclasses import replace
from datetime import timedelta

from app.deps import Deps
from app.flows import statements
from app.kernel.delivery import BRAKE, TRIES, Outcome, pause
from app.kernel.errors import OstiaryError
from app.store import destinations
from app.store import statements as stored
from app.store.destinations import Stream
from app.store.statements import Stored

LEASE = timedelta(seconds=90)
"""Longer than a request may take; renewed before each further one."""

_BRAKED_SECONDS = 60.0
_BATCH = 100
_BATCH_BYTES = 1024 * 1024


def claim(deps: Deps, limit: int, probes: int | None = None) -> list[Stream]:
    """Lease up to `limit` destinations that have statements waiting; `probes` of them, or all, may be failing."""
    now, probes = deps.clock(), limit if probes is None else probes
    with deps.db.system() as system:  # looking must not take the write lock
        if limit < 1 or not destinations.anything_due(system, now, probes):
            return []
    with deps.db.system(write=True) as system:
        return destinations.claim(system, now, deps.ids.new(), now + LEASE, limit, probes)


def forward(deps: Deps, stream: Stream) -> int:
    """Send the stream's next batch; returns how many statements the other side took or refused for good.

    A batch that is refused is halved until the one bad statement is found; that one becomes a dead
    delivery which an administrator sees, and the stream goes on. Where one after the other is refused it
    waits, as a stream that fails does.
    """
    try:
        return _forward(deps, stream)
    except OstiaryError:
        raise  # our own database is away or busy
    except Exception as error:
        # A key that is gone, say: whoever looks at what waits must find the reason there.
        told = f"A fault of the gateway: {type(error).__name__}: {error}"[:500]
        _record(deps, stream, [], Outcome("failed", told))
        raise


def _forward(deps: Deps, stream: Stream) -> int:
    with deps.db.system() as system:
        found = stored.after(system, stream.tenant, stream.txid, stream.seq, _BATCH)
    batch = _bounded(found)
    while batch:
        outcome = statements.send(deps, stream, batch)
        if outcome.kind != "refused":
            return _record(deps, stream, batch, outcome)
        if len(batch) == 1:
            return _refused(deps, stream, found, outcome)
        batch = batch[: len(batch) // 2]
        if not _keep(deps, stream):
            return 0
    with deps.db.system(write=True) as system:
        cursor = (stream.txid, stream.seq)
        destinations.advance(system, stream, cursor, deps.clock(), refusals=stream.refusals)
    return 0


def _refused(deps: Deps, stream: Stream, found: list[Stored], outcome: Outcome) -> int:
    """Set the first of those found aside, but if everything is refused: then it is the store that fails.

    Whether it is, the newest statement of all and one by chance must show: else a few bad ones in a row
    would hold up good ones. And after as many tries as a delivery has the first is set aside even so.
    """
    if stream.refusals + 1 < BRAKE or stream.attempts + 1 >= TRIES:
        return _record(deps, stream, found[:1], outcome)
    with deps.db.system() as system:
        newest = stored.newest(system, stream.tenant, stream.txid, stream.seq)
    for one in {each.id: each for each in (newest, secrets.choice(found)) if each}.values():
        if one.id == found[0].id:
            continue
        if not _keep(deps, stream):
            return 0
        if statements.send(deps, stream, [one]).kind == "delivered":
            return _record(deps, replace(stream, refusals=0), found[:1], outcome)
    return _record(deps, stream, found[:1], replace(outcome.braked(), retry_after=_BRAKED_SECONDS))


def _bounded(found: list[Stored]) -> list[Stored]:
    """Take statements up to a mebibyte, one at least."""
    size = 0
    for count, one in enumerate(found):
        size += len(one.body.encode()) + 1
        if size > _BATCH_BYTES and count:
            return found[:count]
    return found


def _record(deps: Deps, stream: Stream, batch: list[Stored], outcome: Outcome) -> int:
    now = deps.clock()
    with deps.db.system(write=True) as system:
        if outcome.kind == "gone":
            destinations.ended(system, stream, outcome.message or "", now)
            return 0
        if outcome.kind not in {"delivered", "refused"}:
            # It has nothing else to find out with, so its first failure is a second one already.
            failures = stream.attempts + (1 if outcome.kind == "throttled" else 2)
            wait = pause(failures, secrets.randbelow(1000) / 1000, outcome)
            destinations.failed(system, stream, outcome.message or "no answer", now, now + wait)
            return 0
        last = batch[-1]
        refusals = stream.refusals + 1 if outcome.kind == "refused" else 0
        cursor = (last.txid, last.seq)
        mine = destinations.advance(system, stream, cursor, now, refusals=refusals)
        if mine and outcome.kind == "refused":
            tx = system.within(stream.tenant)
            statements.set_aside(deps, tx, stream, json.loads(last.body), outcome, now)
    return len(batch) if mine else 0


def _keep(deps: Deps, stream: Stream) -> bool:
    """Hold the lease for another request; False when it was lost."""
    with deps.db.system(write=True) as system:
        return destinations.renew(system, stream, deps.clock() + LEASE)
