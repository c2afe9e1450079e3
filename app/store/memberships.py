"""Who is in which group: one row each, changed as sets, so that a change costs what it changes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import (
    Column,
    ColumnElement,
    Table,
    bindparam,
    delete,
    func,
    literal,
    select,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite

from app.store.db import Read, Tx
from app.store.prepared import Prepared
from app.store.sql import among, any_of, as_array, locked, outside
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


def _linking(side: Column[str]) -> Prepared:
    return Prepared(lambda dialect: (
        select(membership.c.group_id, membership.c.person_id, membership.c.kind)
        .where(membership.c.tenant_id == bindparam("tenant"), any_of(dialect, side, "ids"))
        .order_by(membership.c.group_id, membership.c.person_id)
    ))  # fmt: skip


def _naming(table: Table, name: Column[Any]) -> Prepared:
    return Prepared(lambda dialect: select(table.c.id, name).where(
        table.c.tenant_id == bindparam("tenant"), table.c.deleted_at.is_(None),
        any_of(dialect, table.c.id, "ids"),
    ))  # fmt: skip


_OF_GROUPS, _OF_MEMBERS = _linking(membership.c.group_id), _linking(membership.c.person_id)
_REACHED = Prepared(lambda dialect: select(func.count()).select_from(
    select(membership.c.group_id)
    .where(
        membership.c.tenant_id == bindparam("tenant"), any_of(dialect, membership.c.group_id, "ids")
    )
    .limit(bindparam("most")).subquery()
))  # fmt: skip
_PEOPLE, _GROUPS = _naming(person, person.c.display_name), _naming(resource, resource.c.body)


def members(read: Read, group_ids: Collection[str]) -> dict[str, list[Link]]:
    """Return each group's members by id, without those that are deleted."""
    rows = _OF_GROUPS.all(read.conn, _these(read, group_ids))
    users = _names(read, _PEOPLE, (row.person_id for row in rows if row.kind == "User"))
    groups = _names(read, _GROUPS, (row.person_id for row in rows if row.kind == "Group"))
    found: dict[str, list[Link]] = defaultdict(list)
    for row in rows:
        if row.person_id in users:
            found[row.group_id].append(Link(row.person_id, "User", users[row.person_id]))
        elif row.person_id in groups:
            name = groups[row.person_id].get("displayName")
            found[row.group_id].append(Link(row.person_id, "Group", name))
    return found


def are_more_than(read: Read, group_ids: Collection[str], most: int) -> bool:
    """Tell whether these groups together have more than so many members, without loading any."""
    asked = _these(read, group_ids) | {"most": most + 1}
    return bool(_REACHED.scalar(read.conn, asked) > most)


def groups(read: Read, member_ids: Collection[str]) -> dict[str, list[Link]]:
    """Return the groups that each of these belongs to directly, by id."""
    rows = _OF_MEMBERS.all(read.conn, _these(read, member_ids))
    named = _names(read, _GROUPS, (row.group_id for row in rows))
    found: dict[str, list[Link]] = defaultdict(list)
    for row in rows:
        if row.group_id in named:
            name = named[row.group_id].get("displayName")
            found[row.person_id].append(Link(row.group_id, "Group", name))
    return found


def groups_of(read: Read, member_id: str) -> set[str]:
    """Return the groups that this one belongs to directly."""
    return {row.group_id for row in _OF_MEMBERS.all(read.conn, _these(read, [member_id]))}


def unknown(read: Read, ids: Collection[str]) -> list[str]:
    """Return which of these ids are no live User's or Group's, sorted."""
    known = read.conn.execute(select(resource.c.id).where(*_of_ids(read, ids))).scalars()
    return sorted(set(ids).difference(known))


def hold_groups(tx: Tx, ids: Collection[str]) -> set[str]:
    """Keep others from changing Groups until the transaction ends, one after the other by id; returns which are."""
    named = (resource.c.tenant_id == tx.tenant, resource.c.type == "Group")
    found = select(resource.c.id).where(*named, among(tx.conn, resource.c.id, ids))
    return set(tx.conn.execute(locked(tx.conn, found.order_by(resource.c.id))).scalars())


def count_up(tx: Tx, ids: Collection[str], now: datetime) -> dict[str, int]:
    """Give live Groups their next version, since they show other members; returns it by id."""
    live = (
        resource.c.tenant_id == tx.tenant,
        resource.c.type == "Group",
        resource.c.deleted_at.is_(None),
    )
    change = update(resource).where(*live, among(tx.conn, resource.c.id, ids))
    rows = tx.conn.execute(
        change.values(version=resource.c.version + 1, updated_at=now).returning(
            resource.c.id, resource.c.version
        )
    )
    return {row.id: row.version for row in rows}


def hold(tx: Tx, ids: Collection[str]) -> None:
    """Let nobody delete these people until they are members, or in the moment before."""
    if tx.conn.dialect.name != "sqlite" and ids:
        _share(tx, among(tx.conn, person.c.id, ids))


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
    # One after the other: asked of both at once, SQLite walks all of the tenant's rows.
    sides = membership.c.group_id, membership.c.person_id
    return [gone for side in sides for gone in _delete(tx, side == resource_id)]


def _these(read: Read, ids: Iterable[str]) -> dict[str, Any]:
    return {"tenant": read.tenant, "ids": as_array(read.conn, ids)}


def _names(read: Read, statement: Prepared, ids: Iterable[str]) -> dict[str, Any]:
    """The names, or what holds them, of the live ones among these."""
    wanted = set(ids)
    if not wanted:
        return {}
    return {row[0]: row[1] for row in statement.all(read.conn, _these(read, wanted))}


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
    _share(tx, person.c.id.in_(leaving))


def _share(tx: Tx, which: ColumnElement[bool]) -> None:
    tx.conn.execute(
        select(person.c.id)
        .where(person.c.tenant_id == tx.tenant, which)
        .order_by(person.c.id)
        .with_for_update(read=True, key_share=True)
    )
