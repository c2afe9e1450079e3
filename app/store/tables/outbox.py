"""The outbox: facts, what is to be delivered of them and where, and every try."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, Table, false

from app.store.types import Json, Str, Time, metadata, tenant_table

destination = tenant_table(
    "destination",
    Column("kind", Str, nullable=False),
    Column("url", Str, nullable=False),
    Column("sealed_secret", Str),
    Column("enabled", Boolean, nullable=False),
    Column("created_at", Time, nullable=False),
    Column("cursor_txid", BigInteger, nullable=False),
    Column("cursor_seq", BigInteger, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("next_at", Time, nullable=False),
    Column("lease", Str),
    Column("lease_until", Time),
    Column("last_error", Str),
    Column("failing_since", Time),
    Column("refusals", Integer, nullable=False, server_default="0"),
    Column("options", Json),
)
"""Where a tenant's statements go (kind xapi, with a cursor into the statements), or its SCIM events.

Events are deliveries: kind set_push has them sent to `url`, the receiver of a set_poll fetches them; `options`
says for whom they are made. `refusals` counts those in a row that a record store refused for good.
"""
Index("ix_destination_due", destination.c.next_at)

event = Table(
    "event",
    metadata,
    Column(
        "seq", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True
    ),
    Column("tenant_id", Str, nullable=False),
    Column("id", Str, nullable=False, unique=True),
    Column("type", Str, nullable=False),
    Column("subject", Str, nullable=False),
    Column("payload", Json, nullable=False),
    Column("at", Time, nullable=False),
)
"""Append-only facts, written in the transaction that made them true."""

delivery = tenant_table(
    "delivery",
    Column("seq", BigInteger, nullable=False),
    Column("event_id", Str, nullable=False),
    Column("kind", Str, nullable=False),
    Column("destination", Str, nullable=False),
    Column("ordering_key", Str, nullable=False),
    Column("status", Str, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("next_at", Time, nullable=False),
    Column("lease", Str),
    Column("lease_until", Time),
    Column("last_error", Str),
    Column("created_at", Time, nullable=False),
    Column("finished_at", Time),
    Column("newest_only", Boolean, nullable=False, server_default=false()),
)
"""One fact for one destination. Status: waiting, delivered, superseded, dead.

`seq` is the event's; the oldest waiting row of an ordering key goes first. A lease is a fence: only
who holds it may record the outcome. With `newest_only` a newer one of the same key makes it needless.
"""
Index(
    "ix_delivery_due",
    delivery.c.tenant_id,
    delivery.c.destination,
    delivery.c.next_at,
    delivery.c.seq,
    sqlite_where=delivery.c.status == "waiting",
    postgresql_where=delivery.c.status == "waiting",
)
Index(
    "ix_delivery_key",
    delivery.c.tenant_id,
    delivery.c.destination,
    delivery.c.ordering_key,
    delivery.c.seq,
)
"""Of every status: what has come since is looked up also when an old one is to be sent again."""
Index(
    "ix_delivery_open",
    delivery.c.tenant_id,
    delivery.c.destination,
    delivery.c.ordering_key,
    delivery.c.seq,
    sqlite_where=delivery.c.finished_at.is_(None),
    postgresql_where=delivery.c.finished_at.is_(None),
)
"""By it the older ones of a key are found that wait, however many of it have arrived."""
Index("ix_delivery_status", delivery.c.tenant_id, delivery.c.status, delivery.c.seq)
Index(
    "ix_delivery_finished",
    delivery.c.status,
    delivery.c.finished_at,
    sqlite_where=delivery.c.finished_at.is_not(None),
    postgresql_where=delivery.c.finished_at.is_not(None),
)
"""By it what is long over is found."""

lane = tenant_table(
    "lane",
    Column("destination", Str, primary_key=True),
    Column("open_at", Time, nullable=False),
    Column("failures", Integer, nullable=False),
    Column("failing_since", Time),
    Column("throttled", Boolean, nullable=False, server_default=false()),
    Column("last_error", Str),
    Column("refusals", Integer, nullable=False, server_default="0"),
    row_id=False,
)
"""How a destination of deliveries fares: nothing is sent there before `open_at`.

`failures` counts the tries in a row that failed by the destination's fault; while there are any, one
delivery at a time tries whether it is well again. `throttled` when it asked for the pause itself.
`refusals` counts those in a row that it refused for good, without one between them that it took.
Whether it is switched off stands in the destination's own row.
"""

delivery_attempt = tenant_table(
    "delivery_attempt",
    Column("delivery_id", Str, nullable=False),
    Column("at", Time, nullable=False),
    Column("outcome", Str, nullable=False),
    Column("status", Integer),
    Column("error", Str),
    Column("took_ms", Integer, nullable=False),
)
Index(
    "ix_delivery_attempt",
    delivery_attempt.c.tenant_id,
    delivery_attempt.c.delivery_id,
    delivery_attempt.c.at,
)
