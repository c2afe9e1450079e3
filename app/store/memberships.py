"""Who is in which group: one row each, changed as sets, so that a change costs what it changes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Column, ColumnElement, Row, Table, delete, literal, or_, select
from sqlalchemy.dialects import postgresql, sqlite

from app.store.db import Read, Tx
from app.store.sql import among, outside
from app.store.tables.people import membership, person
from app.store.tables.scim import resource


@dataclass(frozen=True, slots=True)
class Link:
    """One side of a membership as the other side shows it: `kind` is User or Group."""

    id: str
    kind: str
    display: str | None


@dataclass(frozen=True, slots=True)
class Gone:
    """A membership that was: `member_id` is a person's id where `kind` is User."""

    group_id: str
    member_id: str
    kind: str


def members(read: Read, group_ids: Collection[str]) -> dict[str, list[Link]]:
    """Return each group's members by id, without those that are deleted."""
    rows = _rows(read, membership.c.group_id, group_ids)
    users = _names(read, person, person.c.display_name, _others(rows, "User"))
    groups = _names(read, resource, resource.c.body, _others(rows, "Group"))
    found: dict[str, list[Link]] = defaultdict(list)
    for row in rows:
        if row.person_id in users:
            found[row.group_id].append(Link(row.person_id, "User", users[row.person_id]))
        elif row.person_id in groups:
            name = groups[row.person_id].get("displayName")
            found[row.group_id].append(Link(row.person_id, "Group", name))
    return found


def groups(read: Read, member_ids: Collection[str]) -> dict[str, list[Link]]:
    """Return the groups that each of these belongs to directly, by id."""
    rows = _rows(read, membership.c.person_id, member_ids)
    named = _names(read, resource, resource.c.body, {row.group_id for row in rows})
    found: dict[str, list[Link]] = defaultdict(list)
    for row in rows:
        if row.group_id in named:
            name = named[row.group_id].get("displayName")
            found[row.person_id].append(Link(row.group_id, "Group", name))
    return found


def unknown(read: Read, ids: Collection[str]) -> list[str]:
    """Return which of these ids are no live User's or Group's, sorted."""
    known = read.conn.execute(select(resource.c.id).where(*_of_ids(read, ids))).scalars()
    return sorted(set(ids).difference(known))


def add(tx: Tx, group_id: str, ids: Collection[str], now: datetime) -> int:
    """Add the live Users and Groups with these ids; returns how many were not members yet."""
    if not ids:
        return 0
    members = select(
        resource.c.tenant_id, literal(group_id), resource.c.id, resource.c.type, literal(now, membership.c.since.type)
    ).where(*_of_ids(tx, ids))  # fmt: skip
    make = sqlite.insert if tx.conn.dialect.name == "sqlite" else postgresql.insert
    names = ["tenant_id", "group_id", "person_id", "kind", "since"]
    statement = make(membership).from_select(names, members).on_conflict_do_nothing()
    return tx.conn.execute(statement, execution_options={"preserve_rowcount": True}).rowcount


def remove(tx: Tx, group_id: str, ids: Collection[str]) -> list[Gone]:
    """Remove members; returns who they were."""
    if not ids:
        return []
    which = among(tx.conn, membership.c.person_id, ids)
    return _delete(tx, membership.c.group_id == group_id, which)


def keep(tx: Tx, group_id: str, ids: Collection[str]) -> list[Gone]:
    """Remove all members but these; returns who they were."""
    which = outside(tx.conn, membership.c.person_id, ids)
    return _delete(tx, membership.c.group_id == group_id, which)


def forget(tx: Tx, resource_id: str) -> list[Gone]:
    """Remove a User or Group from all groups, and a Group's own members; returns both."""
    sides = or_(membership.c.group_id == resource_id, membership.c.person_id == resource_id)
    return _delete(tx, sides)


def _rows(read: Read, side: Column[str], ids: Collection[str]) -> Sequence[Row[Any, Any, Any]]:
    return read.conn.execute(
        select(membership.c.group_id, membership.c.person_id, membership.c.kind)
        .where(membership.c.tenant_id == read.tenant, among(read.conn, side, ids))
        .order_by(membership.c.group_id, membership.c.person_id)
    ).all()


def _others(rows: Sequence[Row[Any, Any, Any]], kind: str) -> set[str]:
    return {row.person_id for row in rows if row.kind == kind}


def _names(read: Read, table: Table, name: Column[Any], ids: Collection[str]) -> dict[str, Any]:
    """The names, or what holds them, of the live ones among these."""
    if not ids:
        return {}
    live = select(table.c.id, name).where(
        table.c.tenant_id == read.tenant, table.c.deleted_at.is_(None), among(read.conn, table.c.id, ids)
    )  # fmt: skip
    return {row[0]: row[1] for row in read.conn.execute(live)}


def _of_ids(read: Read, ids: Collection[str]) -> tuple[ColumnElement[bool], ...]:
    return (
        resource.c.tenant_id == read.tenant,
        resource.c.deleted_at.is_(None),
        among(read.conn, resource.c.id, ids),
    )


def _delete(tx: Tx, *which: ColumnElement[Any]) -> list[Gone]:
    if tx.conn.dialect.name != "sqlite":
        _hold_people(tx, which)
    statement = (
        delete(membership)
        .where(membership.c.tenant_id == tx.tenant, *which)
        .returning(membership.c.group_id, membership.c.person_id, membership.c.kind)
    )
    return [Gone(*row) for row in tx.conn.execute(statement)]


def _hold_people(tx: Tx, which: Sequence[ColumnElement[Any]]) -> None:
    """Let nobody change the people who leave: whoever deletes one holds that person, and then wants these rows."""
    leaving = select(membership.c.person_id).where(membership.c.tenant_id == tx.tenant, *which)
    tx.conn.execute(
        select(person.c.id)
        .where(person.c.tenant_id == tx.tenant, person.c.id.in_(leaving))
        .order_by(person.c.id)
        .with_for_update(read=True, key_share=True)
    )
