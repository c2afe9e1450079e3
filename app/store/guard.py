"""Departures and holds: who was made to leave by which client, and what waits because of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Row,
    Select,
    and_,
    bindparam,
    delete,
    exists,
    func,
    insert,
    literal,
    or_,
    select,
    update,
)

from app.store.db import Read, System, Tx
from app.store.prepared import Prepared
from app.store.sql import any_of, as_array, count_up, locked
from app.store.tables.guard import departure, departure_tally, hold
from app.store.tables.people import membership, person
from app.store.tables.scim import resource
from app.store.types import Json, Time

COUNTED = ("deactivated", "deleted", "left_group")
_GONE = ("deactivated", "deleted")
_NEW = Prepared(
    insert(departure).values(before=bindparam("before", type_=Json)), "tenant_id", "client", "hold_id",
    "id", "person_id", "kind", "group_id", "at",
)  # fmt: skip
_THEIRS = and_(person.c.tenant_id == departure.c.tenant_id, person.c.id == departure.c.person_id)


@dataclass(frozen=True, slots=True)
class Departure:
    """One who left. `kind`: deactivated, deleted, removed (was inactive) or left_group.

    `before` is what a restoration needs to know: {active, roles, groups, since}, as far as it applies.
    """

    id: str
    person_id: str
    kind: str
    group_id: str | None
    before: dict[str, Any]
    at: datetime
    settled_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Hold:
    """What a client's departures wait for. Status: open, approved, restoring, restored.

    `active` people were provisioned by the client when it opened, `allowed` of them could have left.
    """

    id: str
    client: str
    status: str
    active: int
    allowed: int
    opened_at: datetime
    closed_at: datetime | None
    closed_by: str | None
    admits_until: datetime | None


_HOLD = [hold.c[name] for name in Hold.__slots__]
_DEPARTURE = [departure.c[name] for name in Departure.__slots__]
_SETTLED = Prepared(
    lambda dialect: update(departure).where(
        departure.c.tenant_id == bindparam("of"),
        any_of(dialect, departure.c.id, "ids"),
        departure.c.settled_at.is_(None),
    ),
    "settled_at",
)
_OPEN_HOLD = Prepared(
    select(*_HOLD).where(
        hold.c.tenant_id == bindparam("tenant"),
        hold.c.client == bindparam("client"),
        hold.c.status == "open",
    )
)
_RECENT = and_(
    departure.c.tenant_id == bindparam("tenant"),
    departure.c.client == bindparam("client"),
    departure.c.at > bindparam("since", type_=Time),
    or_(*(departure.c.kind == kind for kind in COUNTED)),
    departure.c.hold_id.is_(None),
    departure.c.restored_at.is_(None),
)
_NOTED = Prepared(
    select(func.sum(departure_tally.c.noted)).where(
        departure_tally.c.tenant_id == bindparam("tenant"),
        departure_tally.c.client == bindparam("client"),
        departure_tally.c.minute >= bindparam("minute"),
    )
)
_LEFT = select(func.count(departure.c.person_id.distinct())).where(_RECENT)
_LEFT_WHOLLY = _LEFT.where(departure.c.kind.in_(_GONE))


def add(tx: Tx, client: str, left: Sequence[Departure], hold_id: str | None) -> None:
    """Insert departures, which may have to wait."""
    _NEW.run_each(tx.conn, [
        {"tenant_id": tx.tenant, "client": client, "hold_id": hold_id, "id": one.id,
         "person_id": one.person_id, "kind": one.kind, "group_id": one.group_id, "before": one.before,
         "at": one.at}
        for one in left
    ])  # fmt: skip
    for minute, noted in Counter(_minute(one.at) for one in left if one.kind in COUNTED).items():
        key = {"tenant_id": tx.tenant, "client": client, "minute": minute}
        count_up(tx.conn, departure_tally, key, {"noted": noted})


def more_noted(read: Read, client: str, since: datetime, than: int) -> bool:
    """Tell whether more of a client's departures than that were noted since then: no fewer than the people
    who left. They have been counted minute by minute, so it takes no longer for many.
    """
    asked = {"tenant": read.tenant, "client": client, "minute": _minute(since)}
    return (_NOTED.scalar(read.conn, asked) or 0) > than


def departed(read: Read, client: str, since: datetime) -> tuple[int, int]:
    """Count the people whom a client made leave since then, and those of them who were let go wholly."""
    asked = {"tenant": read.tenant, "client": client, "since": since}
    return (
        int(read.conn.execute(_LEFT, asked).scalar_one()),
        int(read.conn.execute(_LEFT_WHOLLY, asked).scalar_one()),
    )


def hold_of(read: Read, client: str) -> Hold | None:
    """Return a client's open hold."""
    row = _OPEN_HOLD.first(read.conn, {"tenant": read.tenant, "client": client})
    return None if row is None else Hold(*row)


def admitted(read: Read, client: str, now: datetime) -> bool:
    """Tell whether an administrator has approved of what this client does at present."""
    mine = and_(hold.c.tenant_id == read.tenant, hold.c.client == client, hold.c.admits_until > now)
    return read.conn.execute(select(hold.c.id).where(mine).limit(1)).first() is not None


def open_hold(tx: Tx, new: Hold, since: datetime) -> None:
    """Open a hold over everyone whom its client has made leave since then."""
    values = {name: getattr(new, name) for name in Hold.__slots__}
    tx.conn.execute(insert(hold).values(tenant_id=tx.tenant, **values))
    recent = and_(
        departure.c.tenant_id == tx.tenant,
        departure.c.client == new.client,
        departure.c.at > since,
        departure.c.hold_id.is_(None),
        departure.c.restored_at.is_(None),
    )
    tx.conn.execute(update(departure).where(recent).values(hold_id=new.id))


def lock(tx: Tx, hold_id: str) -> Hold | None:
    """Find a hold and keep others from changing it until the transaction ends."""
    row = tx.conn.execute(locked(tx.conn, _one(tx, hold_id))).first()
    return None if row is None else Hold(*row)


def get(read: Read, hold_id: str) -> Hold | None:
    """Find a hold."""
    row = read.conn.execute(_one(read, hold_id)).first()
    return None if row is None else Hold(*row)


def listed(read: Read, limit: int = 50, statuses: Iterable[str] = ()) -> list[Hold]:
    """Return holds, newest first."""
    statement = select(*_HOLD).where(hold.c.tenant_id == read.tenant)
    if wanted := sorted(statuses):
        statement = statement.where(hold.c.status.in_(wanted))
    newest = statement.order_by(hold.c.opened_at.desc(), hold.c.id.desc()).limit(limit)
    return [Hold(*row) for row in read.conn.execute(newest)]


def close(tx: Tx, hold_id: str, status: str, by: str, now: datetime, **more: Any) -> None:
    """Give a hold another status: approved, restoring or restored."""
    values = {"status": status, "closed_by": by, "closed_at": now, **more}
    mine = and_(hold.c.tenant_id == tx.tenant, hold.c.id == hold_id)
    tx.conn.execute(update(hold).where(mine).values(**values))


def unsettled(read: Read, hold_id: str) -> list[str]:
    """Return the people of a hold who left wholly and for whom nothing has followed yet, by id.

    Not those whom their client has brought back since: they haven't left.
    """
    waiting = and_(
        _within(read, hold_id), departure.c.settled_at.is_(None), departure.c.kind != "left_group"
    )
    gone = or_(person.c.active.is_(False), person.c.deleted_at.is_not(None))
    found = select(departure.c.person_id).join(person, _THEIRS).where(waiting, gone).distinct()
    return sorted(read.conn.execute(found).scalars())


def unsettled_leavers(read: Read, hold_id: str) -> list[tuple[str, str]]:
    """Return who of a hold left which group, for whom nothing has followed yet: (group, person), sorted.

    Not those who belong to it again.
    """
    waiting = and_(
        _within(read, hold_id), departure.c.settled_at.is_(None), departure.c.kind == "left_group"
    )
    again = exists(literal(1)).where(
        membership.c.tenant_id == departure.c.tenant_id,
        membership.c.group_id == departure.c.group_id,
        membership.c.person_id == departure.c.person_id,
    )
    found = select(departure.c.group_id, departure.c.person_id).where(waiting, ~again).distinct()
    return sorted((row.group_id, row.person_id) for row in read.conn.execute(found))


def settle(tx: Tx, now: datetime, *, hold_id: str | None = None, ids: Sequence[str] = ()) -> None:
    """Note that what follows from departures has been done: of a hold, or of these."""
    if hold_id is None:
        these = as_array(tx.conn, ids)
        _SETTLED.run(tx.conn, {"of": tx.tenant, "ids": these, "settled_at": now})
    else:
        mine = and_(_within(tx, hold_id), departure.c.settled_at.is_(None))
        tx.conn.execute(update(departure).where(mine).values(settled_at=now))


def to_restore(read: Read, hold_id: str, limit: int) -> list[Departure]:
    """Return the next departures of a hold to undo, the last first."""
    rows = read.conn.execute(
        select(*_DEPARTURE)
        .where(_pending(read, hold_id))
        # At one instant somebody can only have been deactivated before being deleted.
        .order_by(departure.c.at.desc(), departure.c.kind.desc(), departure.c.id.desc())
        .limit(limit)
    )
    return [Departure(*row) for row in rows]


def restored(tx: Tx, ids: Sequence[str], now: datetime) -> None:
    """Note that departures are undone."""
    mine = and_(departure.c.tenant_id == tx.tenant, departure.c.id.in_(ids))
    tx.conn.execute(update(departure).where(mine).values(restored_at=now))


def failed(tx: Tx, departure_id: str, why: str) -> None:
    """Note why a departure could not be undone."""
    mine = and_(departure.c.tenant_id == tx.tenant, departure.c.id == departure_id)
    tx.conn.execute(update(departure).where(mine).values(failed=why))


def restoring(system: System) -> tuple[str, str] | None:
    """Find a hold whose restoration is under way, any of them, so that none holds another up: (tenant, id)."""
    found = select(hold.c.tenant_id, hold.c.id).where(hold.c.status == "restoring")
    found = found.order_by(func.random()).limit(1)
    row = system.conn.execute(found).first()
    return None if row is None else (row.tenant_id, row.id)


def progress(read: Read, hold_id: str) -> dict[str, int]:
    """Count a hold's departures and people, those undone and those that could not be."""
    row = read.conn.execute(
        select(
            func.count().label("departures"),
            func.count(departure.c.person_id.distinct()).label("people"),
            func.count(departure.c.restored_at).label("restored"),
            func.count(departure.c.failed).label("failed"),
        ).where(_within(read, hold_id))
    ).one()
    return dict(row._mapping)  # noqa: SLF001 - SQLAlchemy's public name


def people_of(read: Read, hold_id: str, limit: int, offset: int = 0) -> list[Row[Any]]:
    """Return a hold's departures as a person reads them, with names, the latest first."""
    group = resource.alias("departed_group")
    statement: Select[Any] = (
        select(
            departure.c.person_id, departure.c.kind, departure.c.at, departure.c.restored_at,
            departure.c.failed, person.c.display_name, person.c.user_name, person.c.given_name,
            person.c.family_name, group.c.body.label("group_body"),
        )
        .join(person, _THEIRS)
        .outerjoin(group, and_(group.c.tenant_id == departure.c.tenant_id, group.c.id == departure.c.group_id))
        .where(_within(read, hold_id))
        .order_by(departure.c.at.desc(), departure.c.id.desc())
        .limit(limit)
        .offset(offset)
    )  # fmt: skip
    return list(read.conn.execute(statement))


def open_holds(system: System) -> int:
    """Count the holds that wait for an administrator, over all tenants."""
    found = select(func.count()).select_from(hold).where(hold.c.status == "open")
    return int(system.conn.execute(found).scalar_one())


def forget(system: System, before: datetime) -> int:
    """Drop departures of long ago that nothing waits for; returns how many."""
    system.conn.execute(delete(departure_tally).where(departure_tally.c.minute < _minute(before)))
    old = and_(departure.c.settled_at < before, departure.c.hold_id.is_(None))
    return system.conn.execute(delete(departure).where(old)).rowcount


def _minute(at: datetime) -> int:
    return int(at.timestamp()) // 60


def _one(read: Read, hold_id: str) -> Select[Any]:
    return select(*_HOLD).where(hold.c.tenant_id == read.tenant, hold.c.id == hold_id)


def _within(read: Read, hold_id: str) -> ColumnElement[bool]:
    return and_(departure.c.tenant_id == read.tenant, departure.c.hold_id == hold_id)


def _pending(read: Read, hold_id: str) -> ColumnElement[bool]:
    return and_(
        _within(read, hold_id),
        departure.c.restored_at.is_(None),
        departure.c.failed.is_(None),
    )
