"""What belonging to a SCIM Group gives: roles in the console, and activities that are assigned.

A role is looked up through the membership each time. Assignments are rows, written and dropped as a set.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache, partial
from typing import Any, Literal

from sqlalchemy import ColumnElement, and_, bindparam, delete, func, literal_column, select, update
from sqlalchemy.dialects import postgresql, sqlite

from app.store.db import Read, Tx
from app.store.prepared import Prepared
from app.store.sql import among, any_of, as_array, insert_once
from app.store.tables.learning import assignment
from app.store.tables.people import group_grant, membership
from app.store.tables.scim import resource
from app.store.types import Str

Gives = Literal["role", "activity"]


@dataclass(frozen=True, slots=True)
class Grant:
    """`gives` says what `what` is: a role's name, or an activity's id."""

    gives: Gives
    what: str


@dataclass(frozen=True, slots=True)
class Group:
    """A live Group: its displayName, how many members it has, and what it gives."""

    id: str
    name: str
    members: int
    grants: tuple[Grant, ...]


def listed(read: Read, limit: int, after: str = "") -> list[Group]:
    """Return a page of the live Groups, by id."""
    counted = (
        select(func.count())
        .where(membership.c.tenant_id == resource.c.tenant_id, membership.c.group_id == resource.c.id)
        .scalar_subquery()
    )  # fmt: skip
    rows = read.conn.execute(
        select(resource.c.id, resource.c.body, counted.label("members"))
        .where(*_live(read), resource.c.id > after)
        .order_by(resource.c.id)
        .limit(limit)
    ).all()
    given = _grants(read, [row.id for row in rows])
    return [
        Group(row.id, row.body["displayName"], row.members, tuple(given.get(row.id, ())))
        for row in rows
    ]


def name_of(read: Read, group_id: str) -> str | None:
    """Return a live Group's displayName."""
    found = select(resource.c.body).where(*_live(read), resource.c.id == group_id)
    body = read.conn.execute(found).scalar()
    return None if body is None else str(body["displayName"])


def give(tx: Tx, group_id: str, grant: Grant, by: str, now: datetime) -> bool:
    """Let a group give something; False when it does already."""
    return insert_once(tx.conn, group_grant, {
        "tenant_id": tx.tenant, "group_id": group_id, "gives": grant.gives, "what": grant.what,
        "granted_by": by, "granted_at": now,
    })  # fmt: skip


def take(tx: Tx, group_id: str, grant: Grant) -> bool:
    """Let a group no longer give something; False when it did not."""
    mine = and_(
        group_grant.c.tenant_id == tx.tenant, group_grant.c.group_id == group_id,
        group_grant.c.gives == grant.gives, group_grant.c.what == grant.what,
    )  # fmt: skip
    return tx.conn.execute(delete(group_grant).where(mine)).rowcount == 1


def assign(
    tx: Tx, now: datetime, *, group_id: str | None = None, person_ids: Collection[str] | None = None
) -> int:
    """Assign what groups give: to members of one group, of these people, or both; returns how many are new.

    One that was dropped stands again. Members that are groups themselves get nothing.
    """
    asked: dict[str, Any] = {}
    if group_id is not None:
        asked["group"] = group_id
    if person_ids is not None:
        asked["people"] = as_array(tx.conn, person_ids)
    return _assigned(*asked).run(tx.conn, asked | {"tenant": tx.tenant, "now": now})


@cache
def _assigned(*by: str) -> Prepared:
    return Prepared(partial(_assigning, by))


def _assigning(by: Collection[str], dialect: str) -> Any:
    which = [membership.c.tenant_id == bindparam("tenant")]
    if "group" in by:
        which.append(membership.c.group_id == bindparam("group"))
    if "people" in by:
        which.append(any_of(dialect, membership.c.person_id, "people"))
    source = literal_column("'group:'", Str) + membership.c.group_id
    colon = literal_column("':'", Str)
    key = source + colon + group_grant.c.what + colon + membership.c.person_id
    given = (
        select(
            membership.c.tenant_id, key, membership.c.person_id, group_grant.c.what, source,
            bindparam("now", type_=assignment.c.assigned_at.type),
        )
        .join(
            group_grant,
            (group_grant.c.tenant_id == membership.c.tenant_id)
            & (group_grant.c.group_id == membership.c.group_id),
        )
        .where(*which, membership.c.kind == "User", group_grant.c.gives == "activity")
    )  # fmt: skip
    make = sqlite.insert if dialect == "sqlite" else postgresql.insert
    names = ["tenant_id", "id", "person_id", "activity_id", "source", "assigned_at"]
    statement = make(assignment).from_select(names, given)
    return statement.on_conflict_do_update(
        index_elements=["tenant_id", "id"],
        set_={"dropped_at": None, "assigned_at": statement.excluded.assigned_at},
        where=assignment.c.dropped_at.is_not(None),
    )


def drop(
    tx: Tx, group_id: str, now: datetime, *, person_ids: Collection[str] | None = None,
    activity_id: str | None = None,
) -> int:  # fmt: skip
    """Drop what a group had assigned, to some of its people or of one activity; returns how many."""
    which = [
        assignment.c.tenant_id == tx.tenant,
        assignment.c.source == f"group:{group_id}",
        assignment.c.dropped_at.is_(None),
    ]
    if person_ids is not None:
        which.append(among(tx.conn, assignment.c.person_id, person_ids))
    if activity_id is not None:
        which.append(assignment.c.activity_id == activity_id)
    return tx.conn.execute(update(assignment).where(*which).values(dropped_at=now)).rowcount


def forget(tx: Tx, group_ids: Sequence[str]) -> None:
    """Drop what groups gave that are gone for good."""
    mine = (group_grant.c.tenant_id == tx.tenant) & among(
        tx.conn, group_grant.c.group_id, group_ids
    )
    tx.conn.execute(delete(group_grant).where(mine))


def _grants(read: Read, group_ids: Sequence[str]) -> dict[str, list[Grant]]:
    found: dict[str, list[Grant]] = {}
    mine = (group_grant.c.tenant_id == read.tenant) & among(
        read.conn, group_grant.c.group_id, group_ids
    )
    columns = (group_grant.c.group_id, group_grant.c.gives, group_grant.c.what)
    for row in read.conn.execute(select(*columns).where(mine).order_by(*columns)):
        found.setdefault(row.group_id, []).append(Grant(row.gives, row.what))
    return found


def _live(read: Read) -> tuple[ColumnElement[bool], ...]:
    return (
        resource.c.tenant_id == read.tenant,
        resource.c.type == "Group",
        resource.c.deleted_at.is_(None),
    )
