"""The outbox: facts, what is to be delivered of them and where, and every try."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, Table

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
)
"""Where a tenant's statements go: kind xapi, with a cursor into the statements."""
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
)
"""One fact for one destination. Status: waiting, delivered, superseded, dead.

`seq` is the event's; the oldest waiting row of an ordering key goes first. A lease is a fence: only
who holds it may record the outcome.
"""
Index(
    "ix_delivery_due",
    delivery.c.next_at,
    sqlite_where=delivery.c.status == "waiting",
    postgresql_where=delivery.c.status == "waiting",
)
Index(
    "ix_delivery_key",
    delivery.c.tenant_id,
    delivery.c.destination,
    delivery.c.ordering_key,
    delivery.c.seq,
    sqlite_where=delivery.c.status == "waiting",
    postgresql_where=delivery.c.status == "waiting",
)

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
