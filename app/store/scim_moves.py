"""Into which groups a person has come, and which ones they were taken out of.

Read out of what is kept in any case, memberships and departures: a row more for each of a
thousand who come into a group would make that dearer by 30 %.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select

from app.store import scim_trace
from app.store.db import Read
from app.store.scim_trace import Traced
from app.store.tables.guard import departure
from app.store.tables.people import membership
from app.store.tables.scim import resource


@dataclass(frozen=True, slots=True)
class Move:
    """A person came into a group, or left it where not `came`. `name`: the group's, also of one that is gone."""

    at: datetime
    group_id: str
    name: str
    came: bool


def of(read: Read, person_id: str, since: datetime, limit: int) -> list[Move]:
    """Return the groups that a person is in, and those left since then; the latest first."""
    came = (
        select(membership.c.since, resource.c.id, resource.c.body)
        .join(
            resource,
            (resource.c.tenant_id == membership.c.tenant_id)
            & (resource.c.id == membership.c.group_id),
        )
        .where(membership.c.tenant_id == read.tenant, membership.c.person_id == person_id)
        .order_by(membership.c.since.desc())
    )
    left = (
        select(departure.c.at, resource.c.id, resource.c.body)
        .join(
            resource,
            (resource.c.tenant_id == departure.c.tenant_id)
            & (resource.c.id == departure.c.group_id),
        )
        .where(
            departure.c.tenant_id == read.tenant, departure.c.person_id == person_id,
            departure.c.kind == "left_group", departure.c.at >= since,
        )
        .order_by(departure.c.at.desc())
    )  # fmt: skip
    moves = [
        Move(at, group_id, body.get("displayName", ""), came=is_in)
        for is_in, asked in ((True, came), (False, left))
        for at, group_id, body in read.conn.execute(asked.limit(limit))
    ]
    return sorted(moves, key=lambda one: one.at, reverse=True)


def requests(read: Read, moves: Collection[Move], person_id: str, limit: int) -> list[Traced]:
    """Return the latest requests about these groups that name the person, as far as they were kept."""
    groups = {one.group_id for one in moves}
    return scim_trace.about(read, groups, limit, saying=person_id) if groups else []
