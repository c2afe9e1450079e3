"""The guard against catastrophe: who was made to leave, by which client, and what waits because of it."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, Integer

from app.store.types import Json, Str, Time, tenant_table, to

hold = tenant_table(
    "hold",
    Column("client", Str, nullable=False),
    Column("status", Str, nullable=False),
    Column("active", Integer, nullable=False),
    Column("allowed", Integer, nullable=False),
    Column("opened_at", Time, nullable=False),
    Column("closed_at", Time),
    Column("closed_by", Str),
    Column("admits_until", Time),
)
"""What one client's departures have to wait for. Status: open, approved, restoring, restored.

`active`: the people that the client provisioned when it opened · `allowed`: how many of them could have
left within the hour · `admits_until`: an approval also of what the client does until then
"""
Index(
    "uq_hold_open",
    hold.c.tenant_id,
    hold.c.client,
    unique=True,
    sqlite_where=hold.c.status == "open",
    postgresql_where=hold.c.status == "open",
)

departure = tenant_table(
    "departure",
    Column("client", Str, nullable=False),
    Column("person_id", Str, nullable=False),
    Column("kind", Str, nullable=False),
    Column("group_id", Str),
    Column("before", Json, nullable=False),
    Column("at", Time, nullable=False),
    Column("hold_id", Str),
    Column("settled_at", Time),
    Column("restored_at", Time),
    Column("failed", Str),
    to("person", "person_id"),
)
"""One person whom a provisioning client deactivated, deleted or took out of a group.

`kind`: deactivated, deleted, left_group; removed is the deletion of someone who was inactive, and does not
count. Access ended with it; what can't be undone by itself follows when it is settled. `before` is
what a restoration needs: {active, roles, groups, assignments}. `failed` says why one could not be.
"""
Index("ix_departure_client", departure.c.tenant_id, departure.c.client, departure.c.at)
Index("ix_departure_hold", departure.c.tenant_id, departure.c.hold_id, departure.c.at)

departure_tally = tenant_table(
    "departure_tally",
    Column("client", Str, primary_key=True),
    Column("minute", BigInteger, primary_key=True),
    Column("noted", Integer, nullable=False),
    row_id=False,
    sqlite_with_rowid=False,
)
"""How many departures of a client were noted in a minute (its number since 1970), some perhaps of one person."""
