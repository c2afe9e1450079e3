"""Who receives a tenant's SCIM events, what waits for them, and what they said to it (RFC 8935, RFC 8936).

A receiver's row is a destination of kind set_push or set_poll; each event for it is a delivery of kind set.
What is fetched stays first in the line until the receiver has acknowledged or refused it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, insert, literal, or_, select, update

from app.kernel.delivery import POLLED, PUSHED, RECORD_STORE, REMOVED
from app.store.db import Read, System, Tx
from app.store.lanes import WAITING
from app.store.outbox import Fact
from app.store.prepared import Prepared
from app.store.sql import among
from app.store.tables.outbox import delivery, delivery_attempt, destination, event
from app.store.tables.scim import external_id

KIND = "set"
"""The kind of their deliveries."""

_OF_PEOPLE = ("data", "external_ids")


@dataclass(frozen=True, slots=True)
class EventStream:
    """One receiver: `client` says by whose externalIds it knows resources, `full` that it gets the data too."""

    id: str
    kind: str
    url: str
    sealed_secret: str | None
    enabled: bool
    created_at: datetime
    audience: str
    client: str
    full: bool

    @property
    def name(self) -> str:
        """The name of its line of deliveries."""
        return RECORD_STORE + self.id

    def due(self, now: datetime) -> datetime:
        """When what is written now may go. One time for all that is fetched, so that it goes in order."""
        return self.created_at if self.kind == POLLED else now


@dataclass(frozen=True, slots=True)
class Offered:
    """A delivery that waits to be fetched."""

    id: str
    fact: Fact


_COLUMNS = destination.c["id", "kind", "url", "sealed_secret", "enabled", "created_at", "options"]
_OF_EVENTS = or_(destination.c.kind == POLLED, destination.c.kind == PUSHED)
_ALL = Prepared(select(*_COLUMNS).where(destination.c.tenant_id == bindparam("tenant"), _OF_EVENTS))
_LINE = (delivery.c.tenant_id == bindparam("tenant")) & (
    delivery.c.destination == bindparam("line")
)
_FIRST = (
    select(delivery.c.id, delivery.c.created_at, delivery.c.next_at)
    .where(_LINE, WAITING)
    .order_by(delivery.c.next_at, delivery.c.seq)
    .limit(bindparam("most"))
)
_older = delivery.alias("older")
_OVERTAKEN = (
    select(_older.c.seq)
    .where(
        _older.c.tenant_id == delivery.c.tenant_id,
        _older.c.destination == delivery.c.destination,
        _older.c.ordering_key == delivery.c.ordering_key,
        _older.c.seq < delivery.c.seq,
        _older.c.next_at > delivery.c.next_at,
        _older.c.finished_at.is_(None),
    )
    .limit(1)
    .scalar_subquery()
)
"""One that is sent again stands behind what has waited longer; the later ones of its resource wait for it.

Asked row by row, as in `lanes.due_head`.
"""
_OFFERED = (
    select(
        delivery.c.id, event.c.id.label("event_id"), event.c.type, event.c.subject, event.c.payload
    )
    .join(event, event.c.id == delivery.c.event_id)
    .where(_LINE, WAITING)
    .order_by(delivery.c.next_at, delivery.c.seq)
    .limit(bindparam("most"))
)
_OFFERED_IN_TURN = _OFFERED.where(_OVERTAKEN.is_(None))
_AGAIN = select(delivery.c.id).where(_LINE, WAITING, delivery.c.next_at > bindparam("due")).limit(1)
"""Whether any is sent again: mostly none is, and nobody has to be asked for."""


def every(read: Read) -> list[EventStream]:
    """Return the tenant's receivers, switched off or not: what comes meanwhile waits for them."""
    return [_stream(row) for row in _ALL.all(read.conn, {"tenant": read.tenant})]


def get(read: Read, stream_id: str) -> EventStream | None:
    """Return one receiver."""
    mine = (destination.c.tenant_id == read.tenant) & (destination.c.id == stream_id) & _OF_EVENTS
    row = read.conn.execute(select(*_COLUMNS).where(mine)).first()
    return None if row is None else _stream(row)


def external_ids(
    read: Read, resource_ids: Collection[str], clients: Collection[str]
) -> dict[str, dict[str, str]]:
    """Return the externalIds by which these clients know resources: by resource, and then by client."""
    rows = read.conn.execute(
        select(external_id.c.resource_id, external_id.c.client, external_id.c.external_id).where(
            external_id.c.tenant_id == read.tenant,
            among(read.conn, external_id.c.resource_id, resource_ids),
            among(read.conn, external_id.c.client, clients),
        )
    )
    found: dict[str, dict[str, str]] = {key: {} for key in resource_ids}
    for row in rows:
        found[row.resource_id][row.client] = row.external_id
    return found


def offered(read: Read, stream: EventStream, most: int) -> list[Offered]:
    """Return what waits to be fetched, what has waited longest first."""
    line = {"tenant": read.tenant, "line": stream.name}
    again = read.conn.execute(_AGAIN, line | {"due": stream.created_at}).first() is not None
    rows = read.conn.execute(_OFFERED_IN_TURN if again else _OFFERED, line | {"most": most})
    return [Offered(row.id, Fact(row.event_id, row.type, row.subject, row.payload)) for row in rows]


def settle(
    tx: Tx, stream: EventStream, acknowledged: Collection[str], refused: Mapping[str, str],
    attempt_ids: Sequence[str], now: datetime,
) -> None:  # fmt: skip
    """Record what a receiver took, and what it refuses for good and why; what does not wait stays as it is.

    `attempt_ids`: one for each of both.
    """
    verdicts = dict.fromkeys(acknowledged, ("delivered", None)) | {
        key: ("refused", why) for key, why in refused.items()
    }
    mine = (delivery.c.tenant_id == tx.tenant) & (delivery.c.destination == stream.name)
    waiting = select(delivery.c.id).where(mine, WAITING, among(tx.conn, delivery.c.id, verdicts))
    if tx.conn.dialect.name != "sqlite":
        waiting = waiting.order_by(delivery.c.seq).with_for_update()
    tries = []
    for attempt_id, key in zip(attempt_ids, tx.conn.execute(waiting).scalars().all(), strict=False):
        outcome, error = verdicts[key]
        ended = "dead" if error is not None else "delivered"
        _end(tx, key, ended, error, now, tried=True)
        tries.append({
            "tenant_id": tx.tenant, "id": attempt_id, "delivery_id": key, "at": now, "outcome": outcome,
            "status": None, "error": error, "took_ms": 0,
        })  # fmt: skip
    if tries:
        tx.conn.execute(insert(delivery_attempt), tries)


def untaken(system: System) -> list[tuple[str, EventStream]]:
    """Return the receivers to whom nothing is sent, of all tenants: (tenant, receiver).

    Those that come for their events, those that are switched off, and those that were removed.
    """
    off = (destination.c.kind == PUSHED) & ~destination.c.enabled
    rows = system.conn.execute(
        select(destination.c.tenant_id, *_COLUMNS).where(
            or_(destination.c.kind == POLLED, off, destination.c.kind == REMOVED)
        )
    )
    return [(row.tenant_id, _stream(row)) for row in rows]


def overdue(read: Read, stream: EventStream, before: datetime) -> bool:
    """Tell by a mere read whether `give_up` would find something."""
    return bool(_over(read, stream, before, 1))


def give_up(
    tx: Tx, stream: EventStream, before: datetime, why: str, most: int, now: datetime
) -> int:
    """Give up what nobody has taken since before then, the oldest first; returns how many."""
    over = _over(tx, stream, before, most)
    ended = "superseded" if stream.kind == REMOVED else "dead"  # nobody is to look after it
    for key in over:
        _end(tx, key, ended, why, now, tried=False)
    return len(over)


def forget(tx: Tx, resource_ids: Collection[str], most: int) -> int:
    """Take out of the events of resources that are kept what they say of them: that each happened stays.

    `most` of them at once; returns of how many.
    """
    named = select(literal(RECORD_STORE) + destination.c.id).where(
        destination.c.tenant_id == tx.tenant, or_(_OF_EVENTS, destination.c.kind == REMOVED)
    )
    says = or_(*(event.c.payload["change"][part].as_string().is_not(None) for part in _OF_PEOPLE))
    rows = tx.conn.execute(
        select(event.c.id, event.c.payload)
        .join(delivery, delivery.c.event_id == event.c.id)
        .where(
            delivery.c.tenant_id == tx.tenant,
            delivery.c.destination.in_(tx.conn.execute(named).scalars().all()),
            delivery.c.kind == KIND,
            among(tx.conn, delivery.c.ordering_key, resource_ids),
            event.c.tenant_id == tx.tenant,
            says,
        )
        .limit(most)
    )
    found = {row.id: row.payload for row in rows}
    for key, payload in found.items():
        change = {k: said for k, said in payload["change"].items() if k not in _OF_PEOPLE}
        mine = (event.c.tenant_id == tx.tenant) & (event.c.id == key)
        tx.conn.execute(update(event).where(mine).values(payload=payload | {"change": change}))
    return len(found)


def _over(read: Read, stream: EventStream, before: datetime, most: int) -> list[str]:
    rows = read.conn.execute(_FIRST, {"tenant": read.tenant, "line": stream.name, "most": most})
    # What is sent again begins to wait anew.
    return [row.id for row in rows if max(row.created_at, row.next_at) < before]


def _end(
    tx: Tx, delivery_id: str, status: str, error: str | None, now: datetime, *, tried: bool
) -> None:
    mine = (delivery.c.tenant_id == tx.tenant) & (delivery.c.id == delivery_id)
    change: dict[str, Any] = {"status": status, "last_error": error, "finished_at": now}
    if tried:
        change["attempts"] = delivery.c.attempts + 1
    tx.conn.execute(update(delivery).where(mine, WAITING).values(**change))


def _stream(row: Any) -> EventStream:
    said = row.options or {}
    return EventStream(
        row.id, row.kind, row.url, row.sealed_secret, row.enabled, row.created_at,
        said.get("audience", ""), said.get("client", ""), bool(said.get("full")),
    )  # fmt: skip
