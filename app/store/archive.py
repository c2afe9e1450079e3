"""All tables of one instant as values that both databases share, and back into an empty database.

A row is a list of JSON values in the order of its table's columns; an instant is RFC 3339 in UTC to the
microsecond.

Statements are numbered anew. Their order is (txid, seq), and a txid is PostgreSQL's own counter: in
another cluster rows would be withheld, or come before what was sent long ago. In an archive they are
1, 2, 3 … in that order, all with the txid 0, and a destination's cursor is the number it stood at.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from itertools import islice
from types import MappingProxyType
from typing import Any

from alembic.migration import MigrationContext
from sqlalchemy import JSON, BigInteger, Boolean, Float, Integer, Table, Text, insert, select
from sqlalchemy.exc import DataError, IntegrityError, OperationalError

from app.kernel.clock import instant
from app.kernel.errors import Conflict, Invalid
from app.store.db import System
from app.store.sql import alone, go_on_counting, in_commit_order
from app.store.tables import metadata
from app.store.tables.learning import statement
from app.store.tables.outbox import destination, event
from app.store.tables.tenants import tenant
from app.store.types import Time

LEFT_OUT: Mapping[str, str] = MappingProxyType({
    "access_token": "platforms give new ones, and may have revoked these",
    "cached_document": "others publish it, and it is fetched again",
    "lease": "held by processes that are gone",
    "rate": "what was taken of windows that are over",
})  # fmt: skip
"""Tables that no archive carries, and why. What is not named here is carried."""

TABLES: tuple[Table, ...] = tuple(
    table for table in metadata.sorted_tables if table.name not in LEFT_OUT
)
"""What an archive carries, in an order that foreign keys allow."""

_AT_ONCE = 200
_AS_IT_IS = (Text, Boolean, Integer, BigInteger, Float, JSON)
_RESTORED = "restored"

Row = dict[str, Any]
Cursor = tuple[int, int]


class BadBackup(Invalid):
    """This file is no backup that can be restored here."""

    code = "bad_backup"


def columns(table: Table) -> list[str]:
    """Return the names of a table's columns, in the order of a row's values."""
    return table.c.keys()


def revision(system: System) -> str | None:
    """Return the revision that the database is at."""
    return MigrationContext.configure(system.conn).get_current_revision()


def require_same(found: Mapping[str, list[str]]) -> None:
    """Raise BadBackup unless these are our tables with our columns."""
    ours = {table.name: columns(table) for table in TABLES}
    for name in sorted({*ours, *found}):
        if name not in ours:
            raise BadBackup(f"The backup holds a table {name}, which this version does not know.")
        if name not in found:
            raise BadBackup(f"The backup lacks the table {name}.")
        if found[name] != ours[name]:
            raise BadBackup(f"The backup's table {name} has other columns than this version's.")


def read(system: System) -> Iterator[tuple[Table, Iterator[list[Any]]]]:
    """Yield each table with its rows; each one's rows must be taken before the next table is."""
    places: dict[Cursor, int] = {}
    for table in TABLES:
        rows = _rows(system, table)
        if table is statement:
            rows = _renumbered(rows, _cursors(system), places)
        elif table is destination:
            rows = _placed(rows, places)
        yield table, map(_writer(table), rows)


def require_empty(system: System) -> None:
    """Raise Conflict unless nothing is in the tables; nobody else can found a tenant from here on."""
    alone(system.conn, tenant)
    for table in TABLES:
        if system.conn.execute(select(table).limit(1)).first() is not None:
            raise Conflict(
                f"This database is in use: there are rows in {table.name}. Restore into a new one, "
                "after `ostiary db upgrade`."
            )


def write(system: System, table: Table, rows: Iterable[list[Any]], now: datetime) -> int:
    """Write rows into an empty table, and bring them to the present; returns how many.

    Raises BadBackup for a row that can't be stored.
    """
    new, read_row, count = insert(table), _reader(table, now), 0
    taken = iter(rows)
    try:
        while chunk := [read_row(row) for row in islice(taken, _AT_ONCE)]:
            system.conn.execute(new, chunk)
            count += len(chunk)
    except (OperationalError, IntegrityError, DataError, ValueError, TypeError) as error:
        if isinstance(error, OperationalError) and not _too_long(error):
            raise
        # What the database says of it would repeat people's data.
        raise BadBackup(
            f"A row of {table.name}, after the first {count}, can't be stored in this database."
        ) from error
    return count


def go_on(system: System) -> None:
    """Let what is numbered go on behind the rows that were written."""
    for table in (event, statement):
        go_on_counting(system.conn, table.c.seq)


def _rows(system: System, table: Table) -> Iterator[Row]:
    query = select(table)
    if table is statement:
        query = query.order_by(*in_commit_order(system.conn, statement.c.txid, statement.c.seq))
    names = columns(table)
    for row in system.conn.execute(query, execution_options={"yield_per": _AT_ONCE}):
        yield dict(zip(names, row, strict=True))


def _cursors(system: System) -> list[Cursor]:
    query = select(destination.c.cursor_txid, destination.c.cursor_seq).distinct()
    return [(row.cursor_txid, row.cursor_seq) for row in system.conn.execute(query)]


def _renumbered(
    rows: Iterator[Row], cursors: list[Cursor], places: dict[Cursor, int]
) -> Iterator[Row]:
    """Number statements anew; `places` says afterwards behind which number each cursor stands."""
    waiting, last = sorted(cursors, reverse=True), 0
    for row in rows:
        while waiting and waiting[-1] < (row["txid"], row["seq"]):
            places[waiting.pop()] = last
        last += 1
        yield row | {"txid": 0, "seq": last}
    places.update(dict.fromkeys(waiting, last))


def _placed(rows: Iterator[Row], places: Mapping[Cursor, int]) -> Iterator[Row]:
    for row in rows:
        place = places[row["cursor_txid"], row["cursor_seq"]]
        yield row | {"cursor_txid": 0, "cursor_seq": place}


def _writer(table: Table) -> Callable[[Row], list[Any]]:
    timed = _timed(table)

    def written(row: Row) -> list[Any]:
        for name in timed:
            if row[name] is not None:
                row[name] = instant(row[name])
        return list(row.values())

    return written


def _reader(table: Table, now: datetime) -> Callable[[list[Any]], Row]:
    names, timed, brought = columns(table), _timed(table), _to_the_present(table, now)

    def read_row(values: list[Any]) -> Row:
        row = dict(zip(names, values, strict=True))
        for name in timed:
            if row[name] is not None:
                row[name] = datetime.fromisoformat(row[name])
        return brought(row)

    return read_row


def _to_the_present(table: Table, now: datetime) -> Callable[[Row], Row]:
    """What can't be as it was: nobody is let in by what stood then, and no process works on anything.

    The columns say it, whatever the table: an epoch is over, and what was begun before the restoration
    leads nowhere (else an assertion used after the backup, whose claim is lost, could be used again);
    sessions and launches have ended, and so have tokens that were given for an hour; leases are free.
    """
    names = set(table.c.keys())
    fixed: Row = {"cut_at": now, "lease": None, "lease_until": None}
    fixed = {name: value for name, value in fixed.items() if name in names}
    counts, ends = "epoch" in names, {"ended_at", "ended_by"} <= names

    def brought(row: Row) -> Row:
        row.update(fixed)
        if counts:
            row["epoch"] += 1
        if ends and row["ended_at"] is None:
            row.update(ended_at=now, ended_by=_RESTORED)
        if row.get("oauth_client_id") and row["revoked_at"] is None:
            row["revoked_at"] = now
        return row

    return brought


def _too_long(error: OperationalError) -> bool:
    # program_limit_exceeded: PostgreSQL indexes no text of more than 2,704 bytes, and SQLite any.
    return (getattr(error.orig, "sqlstate", None) or "").startswith("54")


def _timed(table: Table) -> list[str]:
    timed = [column.name for column in table.c if isinstance(column.type, Time)]
    for column in table.c:
        if column.name not in timed and not isinstance(column.type, _AS_IT_IS):
            raise TypeError(f"an archive has no spelling for {table.name}.{column.name}")
    return timed
