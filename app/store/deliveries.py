"""What an administrator sees of the outbox: how each destination fares, what waits, why and since when."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Table, case, func, or_, select

from app.kernel.delivery import POLLED, RECORD_STORE, REGISTRATION
from app.kernel.person import Person
from app.store import lanes, outbox, people
from app.store.db import Read
from app.store.sql import among
from app.store.tables.learning import statement
from app.store.tables.lti import context, line_item, registration, resource_link
from app.store.tables.outbox import delivery, delivery_attempt, destination, lane
from app.store.tables.people import person
from app.store.tables.tenants import tenant

Row = dict[str, Any]
NOT_TRIED = "Not tried yet."
_SCORE = "ags_score"


def fares(read: Read, *, counted: bool = True) -> list[Row]:
    """Return how each destination fares: named, failing or off and why, what waits there since when.

    Not `counted` it does not look at what waits, which takes a while where that is much.
    """
    rows = read.conn.execute(
        select(
            lane, _OFF.label("off"), lanes.FETCHED.label("fetched"), lanes.OF_EVENTS.label("events")
        )
        .join(tenant, tenant.c.id == lane.c.tenant_id)
        .where(lane.c.tenant_id == read.tenant)
        .order_by(lane.c.destination)
    ).all()
    names = _names(read, [row.destination for row in rows])
    tally = _counted(read) if counted else {}
    return [_fare(row, tally, names) for row in rows]


def page(
    read: Read, now: datetime, limit: int, statuses: Collection[str] = (),
    *, destination: str | None = None, before: int | None = None,
) -> list[Row]:  # fmt: skip
    """Return deliveries, the newest first, with what each is about, why it waits, and when it goes on.

    Added to `outbox.listed`: name, about, person, why, next_try, under_way.
    """
    rows = outbox.listed(read, limit, statuses, destination=destination, before=before)
    return _told(read, rows, now)


def one(read: Read, delivery_id: str, now: datetime) -> Row | None:
    """Return one delivery as on a page, with its `tries`, the latest first."""
    rows = _told(read, outbox.listed(read, 1, delivery_id=delivery_id), now)
    if not rows:
        return None
    mine = (delivery_attempt.c.tenant_id == read.tenant) & (delivery_attempt.c.delivery_id == delivery_id)  # fmt: skip
    tries = select(delivery_attempt).where(mine).order_by(delivery_attempt.c.at.desc()).limit(200)
    return rows[0] | {"tries": [dict(row._mapping) for row in read.conn.execute(tries)]}  # noqa: SLF001 - SQLAlchemy's public name


_OFF = case(
    (~tenant.c.enabled, "The organization is switched off."),
    (lanes.off(registration, REGISTRATION), "The platform is switched off."),
    (lanes.GONE, "It was removed."),
    (lanes.RECEIVER_OFF, "The receiver is switched off."),
    (lanes.SWITCHED_OFF, "The record store is switched off."),
)
_FETCHED = "It waits until the receiver comes for it."


def _fare(row: Any, counted: Mapping[tuple[str, str], Any], names: Mapping[str, str]) -> Row:
    waiting, dead = (counted.get((row.destination, status)) for status in ("waiting", "dead"))
    state = "off" if row.off else "healthy"
    if row.failures and not row.off:
        state = "slowed" if row.throttled else "failing"
    idle = row.off or row.fetched
    return {
        "destination": row.destination, "name": names.get(row.destination, row.destination),
        "state": state, "failures": row.failures, "failing_since": row.failing_since,
        "why": row.off or row.last_error, "waiting": waiting.many if waiting else 0,
        "waiting_since": waiting.since if waiting else None, "dead": dead.many if dead else 0,
        "open_at": row.open_at, "fetched": row.fetched, "events": row.events,
        "next_try": max(waiting.next_at, row.open_at) if waiting and not idle else None,
    }  # fmt: skip


def _counted(read: Read) -> dict[tuple[str, str], Any]:
    rows = read.conn.execute(
        select(
            delivery.c.destination, delivery.c.status, func.count().label("many"),
            func.min(delivery.c.created_at).label("since"), func.min(delivery.c.next_at).label("next_at"),
        )
        .where(delivery.c.tenant_id == read.tenant, delivery.c.status.in_(("waiting", "dead")))
        .group_by(delivery.c.destination, delivery.c.status)
    )  # fmt: skip
    return {(row.destination, row.status): row for row in rows}


_ADDRESS = case(
    (
        or_(destination.c.kind == POLLED, destination.c.options["was"].as_string() == POLLED),
        destination.c.options["audience"].as_string(),
    ),
    else_=destination.c.url,
)
"""Those that come for their events all come to the same address."""


def _names(read: Read, destinations: Iterable[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for prefix, table, column in (
        (REGISTRATION, registration, registration.c.name), (RECORD_STORE, destination, _ADDRESS)
    ):  # fmt: skip
        ids = {one.removeprefix(prefix) for one in destinations if one.startswith(prefix)}
        rows = read.conn.execute(
            select(table.c.id, column).where(among(read.conn, table.c.id, ids))
        )
        found |= {prefix + row[0]: row[1] for row in rows}
    return found


def _told(read: Read, rows: list[Row], now: datetime) -> list[Row]:
    if not rows:
        return []
    lines = {line["destination"]: line for line in fares(read, counted=False)}
    scores = [row for row in rows if row["kind"] == _SCORE]
    items = _items(read, {row["ordering_key"].partition(" ")[0] for row in scores})
    authors = _authors(read, {row["subject"] for row in rows if row["kind"] != _SCORE})
    whose = {row["id"]: str(authors.get(row["subject"], row["subject"])) for row in rows}
    everyone = _people(read, set(whose.values()))
    told = []
    for row in rows:
        line = lines.get(row["destination"])
        told.append(row | _why(row, line, now) | {
            "about": _about(row, items), "person": everyone.get(whose[row["id"]]),
            "name": line["name"] if line else row["destination"],
        })  # fmt: skip
    return told


def _why(row: Row, line: Row | None, now: datetime) -> Row:
    """Say in a sentence why a delivery stands where it does, and when it is tried next."""
    told = {"why": row["last_error"], "next_try": None, "under_way": False}
    if row["status"] != "waiting":
        return told
    if line is not None and line["state"] == "off":
        return told | {"why": line["why"]}
    if line is not None and line["fetched"]:
        return told | {"why": row["last_error"] or _FETCHED}
    if row["lease_until"] is not None and row["lease_until"] >= now:
        return told | {"why": "It is being sent.", "under_way": True}
    if line is None or not line["failures"]:
        return told | {"why": row["last_error"] or NOT_TRIED, "next_try": row["next_at"]}
    why = row["last_error"] or f"Others failed there: {line['why'] or 'no answer'}"
    return told | {"why": why, "next_try": max(row["next_at"], line["open_at"])}


def _about(row: Row, items: Mapping[str, str]) -> str:
    payload = row["payload"]
    if row["kind"] == _SCORE:
        item = items.get(row["ordering_key"].partition(" ")[0]) or payload.get("line_item", "")
        return f"{payload['score']:.0%} in {item}" if "score" in payload else item
    said = payload.get("statement", {})
    words = [_display(said.get("verb", {})), _display(said.get("object", {}).get("definition", {}))]
    return " ".join(word for word in words if word) or row["subject"]


def _display(named: Mapping[str, Any]) -> str:
    """An xAPI language map's first entry, of a verb's display or a definition's name."""
    language_map = named.get("display") or named.get("name") or {}
    return str(next(iter(language_map.values()), ""))


def _items(read: Read, ids: set[str]) -> dict[str, str]:
    """Line items by our row's id, as the link and the course they belong to."""
    rows = read.conn.execute(
        select(line_item.c.id, line_item.c.url, resource_link.c.title, context.c.title.label("course"))
        .outerjoin(resource_link, _same(resource_link, line_item.c.resource_link_id))
        .outerjoin(context, _same(context, resource_link.c.context_id))
        .where(line_item.c.tenant_id == read.tenant, among(read.conn, line_item.c.id, ids))
    )  # fmt: skip
    return {
        row.id: ", ".join(part for part in (row.title, row.course) if part) or row.url
        for row in rows
    }


def _same(table: Table, column: Any) -> Any:
    return (table.c.tenant_id == line_item.c.tenant_id) & (table.c.id == column)


def _authors(read: Read, ids: set[str]) -> dict[str, str]:
    mine = (statement.c.tenant_id == read.tenant) & among(read.conn, statement.c.id, ids)
    rows = read.conn.execute(select(statement.c.id, statement.c.person_id).where(mine))
    return {str(row.id): str(row.person_id) for row in rows if row.person_id}


def _people(read: Read, ids: set[str]) -> dict[str, Person]:
    mine = (person.c.tenant_id == read.tenant) & among(read.conn, person.c.id, ids)
    return {
        row.id: people.of_row(row) for row in read.conn.execute(select(*people.COLUMNS).where(mine))
    }
