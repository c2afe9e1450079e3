"""Sending again: what an operator or an administrator lets wait anew, audited in the same transaction."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from app.deps import Deps
from app.flows.acting import Acting, administrator, operator
from app.kernel.clock import iso
from app.kernel.delivery import RECORD_STORE
from app.kernel.errors import Invalid, NotFound
from app.store import audit, destinations, lanes, outbox, tokens
from app.store.outbox import Replayed

__all__ = ["Acting", "administrator", "operator", "remove", "replay", "rewind", "switch", "try_now"]


def replay(
    deps: Deps, acting: Acting, ids: Sequence[str] | None = None, *, destination: str | None = None,
    since: datetime | None = None, until: datetime | None = None, delivered: bool = False,
) -> Replayed:  # fmt: skip
    """Let deliveries wait again: those named, or those of a destination and of a range of time.

    Raises Invalid when nothing narrows the choice.
    """
    if ids is None and destination is None and since is None and until is None:
        raise Invalid("Say which deliveries: their ids, a range of time, or a destination.")
    with acting as (tx, by):
        now = deps.clock()
        done = outbox.replay(
            tx, now, ids=ids, destination=destination, since=since, until=until, delivered=delivered
        )
        named = {"destination": destination, "delivered": delivered or None}
        span = {name: iso(at) for name, at in (("since", since), ("until", until)) if at}
        audit.record(
            tx, deps.ids.new(), now, by, "deliveries.replayed", tx.tenant, count=done.waiting,
            **span, **{name: value for name, value in named.items() if value},
        )  # fmt: skip
    return done


def try_now(deps: Deps, acting: Acting, destination: str) -> None:
    """End a destination's pause, so that one delivery finds out whether it is well again; raises NotFound."""
    with acting as (tx, by):
        now = deps.clock()
        if not lanes.try_now(tx, destination, now):
            raise NotFound("There is no such destination.")
        audit.record(tx, deps.ids.new(), now, by, "destination.tried", destination)


def switch(deps: Deps, acting: Acting, destination_id: str, *, enabled: bool) -> None:
    """Switch a destination on or off; what waits for it goes on waiting. Raises NotFound."""
    with acting as (tx, by):
        now = deps.clock()
        if enabled:
            # Lane, deliveries, store: in the order in which the worker takes them.
            lanes.try_now(tx, RECORD_STORE + destination_id, now)
            outbox.take_back(tx, RECORD_STORE + destination_id)
        if not destinations.enable(tx, destination_id, now, enabled=enabled):
            raise NotFound("There is no such destination.")
        action = "destination.enabled" if enabled else "destination.disabled"
        audit.record(tx, deps.ids.new(), now, by, action, destination_id)


def remove(deps: Deps, acting: Acting, destination_id: str) -> None:
    """Remove a destination for good: what waits for it is given up, its tokens are revoked. Raises NotFound."""
    with acting as (tx, by):
        now = deps.clock()
        # Deliveries, store: as in `switch`.
        outbox.let_go(tx, RECORD_STORE + destination_id)
        if not destinations.remove(tx, destination_id):
            raise NotFound("There is no such destination.")
        tokens.revoke_of(tx, "set", destination_id, now)
        audit.record(tx, deps.ids.new(), now, by, "destination.removed", destination_id)


def rewind(deps: Deps, acting: Acting, destination_id: str, since: datetime) -> int:
    """Send a record store everything again that was stored since then; returns how many statements.

    Their ids are fixed, so one that came before is stored once. Raises NotFound.
    """
    with acting as (tx, by):
        now = deps.clock()
        count = destinations.rewind(tx, destination_id, since, now)
        if count is None:
            raise NotFound("There is no such record store.")
        audit.record(
            tx, deps.ids.new(), now, by, "destination.rewound", destination_id,
            since=iso(since), count=count,
        )  # fmt: skip
    return count
