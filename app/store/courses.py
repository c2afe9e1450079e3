"""Courses as platforms name them: contexts, resource links, line items, written only when they change."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Table, and_, literal, select, update

from app.store.db import Read, Tx
from app.store.sql import insert_once, locked, upsert
from app.store.tables.lti import context, line_item, line_item_score, resource_link


@dataclass(frozen=True, slots=True)
class LineItem:
    """Where a link's scores go: the line item's URL, and what the platform lets us do with it."""

    id: str
    registration_id: str
    url: str
    scopes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Seen:
    """What a launch says of its place. `deployment_row` is our row; the other ids are the platform's."""

    registration_id: str
    deployment_row: str
    resource_link_id: str
    link_title: str | None = None
    context_id: str | None = None
    context_label: str | None = None
    context_title: str | None = None
    memberships_url: str | None = None
    line_item_url: str | None = None
    lineitems_url: str | None = None
    scopes: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Place:
    """Our rows for it; `activity_id` is what a teacher picked for the link."""

    context_id: str | None
    resource_link_id: str
    line_item_id: str | None
    activity_id: str | None


def settle(tx: Tx, seen: Seen, new_id: Callable[[], str], now: datetime) -> Place:
    """Return the rows of a launch's place, made or changed where they differ from what it says."""
    known = _known(tx, seen)
    context_row = None
    if seen.context_id is not None:
        said: dict[str, Any] = {
            "label": seen.context_label,
            "title": seen.context_title,
            "memberships_url": seen.memberships_url,
        }
        key = {"deployment_id": seen.deployment_row, "context_id": seen.context_id}
        fixed = {"registration_id": seen.registration_id}
        context_row = _write(tx, context, key, fixed, said, known["context"], new_id, now)
    said = {"title": seen.link_title, "context_id": context_row}
    key = {"deployment_id": seen.deployment_row, "resource_link_id": seen.resource_link_id}
    link_row = _write(tx, resource_link, key, {}, said, known["link"], new_id, now)
    item_row = None
    if seen.line_item_url is not None:
        said = {
            "resource_link_id": link_row,
            "lineitems_url": seen.lineitems_url,
            "scopes": list(seen.scopes),
        }
        key = {"registration_id": seen.registration_id, "url": seen.line_item_url}
        item_row = _write(tx, line_item, key, {}, said, known["item"], new_id, now)
    picked = known["link"]["activity_id"] if known["link"] else None
    return Place(context_row, link_row, item_row, picked)


def pick(tx: Tx, resource_link_row: str, activity_id: str, now: datetime) -> None:
    """Remember which activity a teacher picked for a link."""
    mine = (resource_link.c.tenant_id == tx.tenant) & (resource_link.c.id == resource_link_row)
    tx.conn.execute(
        update(resource_link).where(mine).values(activity_id=activity_id, updated_at=now)
    )


def picked(read: Read, resource_link_row: str) -> str | None:
    """Return the activity that a teacher picked for a link."""
    mine = (resource_link.c.tenant_id == read.tenant) & (resource_link.c.id == resource_link_row)
    return read.conn.execute(select(resource_link.c.activity_id).where(mine)).scalar()


def item(read: Read, line_item_row: str) -> LineItem | None:
    """Find a line item by our row's id."""
    row = read.conn.execute(
        select(line_item.c.registration_id, line_item.c.url, line_item.c.scopes).where(
            line_item.c.tenant_id == read.tenant, line_item.c.id == line_item_row
        )
    ).first()
    return row and LineItem(line_item_row, row.registration_id, row.url, tuple(row.scopes))


def memberships_url(read: Read, context_row: str) -> str | None:
    """Return where a context's members can be asked for."""
    mine = (context.c.tenant_id == read.tenant) & (context.c.id == context_row)
    return read.conn.execute(select(context.c.memberships_url).where(mine)).scalar()


def last_score_at(tx: Tx, line_item_row: str, user_id: str) -> datetime | None:
    """Return the last timestamp used for a user's score, held until the transaction ends."""
    mine = and_(
        line_item_score.c.tenant_id == tx.tenant,
        line_item_score.c.line_item_id == line_item_row,
        line_item_score.c.user_id == user_id,
    )
    return tx.conn.execute(
        locked(tx.conn, select(line_item_score.c.timestamp).where(mine))
    ).scalar()


def score_at(tx: Tx, line_item_row: str, user_id: str, timestamp: datetime) -> None:
    """Remember the timestamp used for a user's score."""
    row = {
        "tenant_id": tx.tenant, "line_item_id": line_item_row, "user_id": user_id,
        "timestamp": timestamp,
    }  # fmt: skip
    upsert(tx.conn, line_item_score, row, ("tenant_id", "line_item_id", "user_id"))


_SAID: Mapping[str, tuple[Table, tuple[str, ...]]] = {
    "context": (context, ("id", "label", "title", "memberships_url")),
    "link": (resource_link, ("id", "title", "context_id", "activity_id")),
    "item": (line_item, ("id", "resource_link_id", "lineitems_url", "scopes")),
}


def _known(tx: Tx, seen: Seen) -> dict[str, dict[str, Any] | None]:
    """Read all three rows in one statement; None for one that is not there yet."""
    one = select(literal(1).label("one")).subquery()
    columns = [
        table.c[name].label(f"{kind}_{name}")
        for kind, (table, names) in _SAID.items()
        for name in names
    ]
    of_deployment = and_(
        context.c.tenant_id == tx.tenant, context.c.deployment_id == seen.deployment_row
    )
    row = tx.conn.execute(
        select(*columns)
        .select_from(one)
        .outerjoin(context, and_(of_deployment, context.c.context_id == seen.context_id))
        .outerjoin(resource_link, and_(
            resource_link.c.tenant_id == tx.tenant,
            resource_link.c.deployment_id == seen.deployment_row,
            resource_link.c.resource_link_id == seen.resource_link_id,
        ))
        .outerjoin(line_item, and_(
            line_item.c.tenant_id == tx.tenant,
            line_item.c.registration_id == seen.registration_id,
            line_item.c.url == seen.line_item_url,
        ))
    ).one()  # fmt: skip
    found = {
        kind: {name: getattr(row, f"{kind}_{name}") for name in names}
        for kind, (_, names) in _SAID.items()
    }
    return {kind: values if values["id"] is not None else None for kind, values in found.items()}


def _write(
    tx: Tx, table: Table, key: Mapping[str, Any], fixed: Mapping[str, Any], said: Mapping[str, Any],
    known: Mapping[str, Any] | None, new_id: Callable[[], str], now: datetime,
) -> str:  # fmt: skip
    stamp = {"updated_at": now} if "updated_at" in table.c else {}
    if known is not None:
        # What a launch leaves out says nothing: links of one course may be told different things.
        news = {name: v for name, v in said.items() if v is not None and v != known[name]}
        if news:
            mine = (table.c.tenant_id == tx.tenant) & (table.c.id == known["id"])
            tx.conn.execute(update(table).where(mine).values(**news, **stamp))
        return str(known["id"])
    born = stamp or {"created_at": now}
    row = {"tenant_id": tx.tenant, "id": new_id(), **key, **fixed, **said, **born}
    if insert_once(tx.conn, table, row):
        return str(row["id"])
    # Another launch of the same course was faster.
    taken = and_(table.c.tenant_id == tx.tenant, *(table.c[name] == key[name] for name in key))
    return str(tx.conn.execute(select(table.c.id).where(taken)).scalar_one())
