"""The few places where the two databases are spoken to differently."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    Integer,
    Select,
    Table,
    Text,
    any_,
    bindparam,
    func,
    or_,
    select,
    text,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

from app.store.prepared import Prepared


def insert_once(conn: Connection, table: Table, row: Mapping[str, Any]) -> bool:
    """Insert unless a unique key is taken; tells whether the row is new."""
    return _insert_once(table, tuple(row)).run(conn, row) == 1


# Building a statement costs several times what running it does, so each is built once.
@cache
def _insert_once(table: Table, names: tuple[str, ...]) -> Prepared:
    return Prepared(lambda dialect: _insert(dialect, table).on_conflict_do_nothing(), *names)


def upsert(conn: Connection, table: Table, row: Mapping[str, Any], key: Sequence[str]) -> None:
    """Insert, or replace the other columns of the row with this key."""
    _upsert(table, tuple(row), tuple(key)).run(conn, row)


@cache
def _upsert(table: Table, names: tuple[str, ...], key: tuple[str, ...]) -> Prepared:
    def statement(dialect: str) -> Any:
        made = _insert(dialect, table)
        rest = {name: made.excluded[name] for name in names if name not in key}
        return made.on_conflict_do_update(index_elements=key, set_=rest)

    return Prepared(statement, *names)


def count_up(conn: Connection, table: Table, key: Mapping[str, Any], by: Mapping[str, int]) -> None:
    """Add to numbers in the row with this key, which is made if need be."""
    _counting(table, tuple(key), tuple(by)).run(conn, {**key, **by})


@cache
def _counting(table: Table, key: tuple[str, ...], columns: tuple[str, ...]) -> Prepared:
    def statement(dialect: str) -> Any:
        made = _insert(dialect, table)
        counted = {column: table.c[column] + made.excluded[column] for column in columns}
        return made.on_conflict_do_update(index_elements=key, set_=counted)

    return Prepared(statement, *key, *columns)


def _insert(dialect: str, table: Table) -> Any:
    return (sqlite.insert if dialect == "sqlite" else postgresql.insert)(table)


def among(conn: Connection, column: ColumnElement[str], ids: Iterable[str]) -> ColumnElement[bool]:
    """Whether the column is one of the ids: one parameter, however many they are."""
    if conn.dialect.name == "sqlite":
        return column.in_(_each(conn, ids))
    return column == any_(bindparam(None, list(ids), postgresql.ARRAY(Text)))


def any_of(dialect: str, column: ColumnElement[str], name: str) -> ColumnElement[bool]:
    """`among` for a statement that is made beforehand: its parameter is called so, and takes `as_array`."""
    if dialect == "sqlite":
        array = func.json_each(bindparam(name, type_=Text))
        return column.in_(select(array.table_valued("value").c.value))
    return column == any_(bindparam(name, type_=postgresql.ARRAY(Text)))


def as_array(conn: Connection, ids: Iterable[str]) -> str | list[str]:
    """Ids as one parameter."""
    return json.dumps(list(ids)) if conn.dialect.name == "sqlite" else list(ids)


def outside(
    conn: Connection, column: ColumnElement[str], ids: Iterable[str]
) -> ColumnElement[bool]:
    """Whether the column is none of the ids."""
    return column.not_in(_each(conn, ids))


def _each(conn: Connection, ids: Iterable[str]) -> Select[Any]:
    if conn.dialect.name == "sqlite":
        array = bindparam(None, json.dumps(list(ids)), Text)
        return select(func.json_each(array).table_valued("value").c.value)
    return select(func.unnest(bindparam(None, list(ids), postgresql.ARRAY(Text))))


def one_of(
    dialect: str, column: ColumnElement[str], found: Select[*tuple[Any, ...]]
) -> ColumnElement[bool]:
    """Whether the column is one of what the query finds.

    PostgreSQL would join the two in an order that it guesses, and before it has counted the rows of a
    new tenant each against each; an array it makes once and then looks up by.
    """
    if dialect == "sqlite":
        return column.in_(found)
    array = func.array(found.scalar_subquery(), type_=postgresql.ARRAY(Text))
    return column == any_(array)


def cut(table: Table, now: datetime) -> dict[str, Any]:
    """What switching off sets in a row that others rest on: its epoch ends."""
    return {"enabled": False, "epoch": table.c.epoch + 1, "cut_at": now}


def ending(table: Table) -> Prepared:
    """End all of a person's (`of`, `who`) that stand at `now`, by `ended_at` and `ended_by`."""
    mine = (table.c.tenant_id == bindparam("of")) & (table.c.person_id == bindparam("who"))
    stands = table.c.ended_at.is_(None) & (
        table.c.expires_at > bindparam("now", type_=table.c.expires_at.type)
    )
    return Prepared(update(table).where(mine, stands), "ended_at", "ended_by")


def epoch_of(table: Table, *which: ColumnElement[bool]) -> ColumnElement[int]:
    """The epoch that something begins in which was begun at `:begun_at`.

    One that never was, where the row is switched off, or was since then: between the judgement that it is
    enabled and this statement another process may have done so, and what is made now must not stand later.
    """
    begun = bindparam("begun_at", type_=table.c.cut_at.type)
    still_open = (table.c.enabled, or_(table.c.cut_at.is_(None), table.c.cut_at <= begun))
    return func.coalesce(select(table.c.epoch).where(*which, *still_open).scalar_subquery(), -1)


def locked(conn: Connection, statement: Select[Any]) -> Select[Any]:
    """Lock the rows read; SQLite's one writer needs no row lock."""
    return statement if conn.dialect.name == "sqlite" else statement.with_for_update()


def hold(conn: Connection, found: Select[Any], table: Table, asked: Mapping[str, Any]) -> None:
    """Keep a table's rows among those found from changing until the transaction ends; others may read them.

    What rests on them is to be read afterwards: PostgreSQL, having waited for a row, reads that row anew,
    and takes the ones joined to it as they were before.
    """
    if conn.dialect.name != "sqlite":
        conn.execute(found.with_for_update(read=True, of=table), asked)


def transaction_id(conn: Connection) -> int:
    """Return a number that orders transactions: PostgreSQL's own, or 0 where there is one writer."""
    if conn.dialect.name == "sqlite":
        return 0
    return int(conn.execute(text("SELECT pg_current_xact_id()::text::bigint")).scalar_one())


def settled_before(conn: Connection) -> int:
    """Return the transaction id below which nothing can still appear; rows from there on wait."""
    if conn.dialect.name == "sqlite":
        return 1
    return int(
        conn.execute(
            text("SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint")
        ).scalar_one()
    )


def exclusive(conn: Connection, *key: str) -> None:
    """Let only one transaction at a time pass with this key, until it ends: for rows not yet there."""
    if conn.dialect.name != "sqlite":
        _EXCLUSIVE.run(conn, {"key": "\x1f".join(key)})


_EXCLUSIVE = Prepared(text("SELECT pg_advisory_xact_lock(hashtextextended(:key, 0))"))


def alone(conn: Connection, table: Table) -> None:
    """Let nobody else write to a table until the transaction ends; SQLite has one writer anyhow."""
    if conn.dialect.name != "sqlite":
        conn.execute(text(f"LOCK TABLE {table.name} IN EXCLUSIVE MODE"))


def in_commit_order(conn: Connection, txid: Column[int], seq: Column[int]) -> list[Column[int]]:
    """What rows are sorted by; SQLite's are in order by `seq`, and need no sorting then."""
    return [seq] if conn.dialect.name == "sqlite" else [txid, seq]


def go_on_counting(conn: Connection, column: Column[int]) -> None:
    """Let the next number drawn for a column be above those that were written into it."""
    if conn.dialect.name == "sqlite":
        return  # the next is always one above the greatest
    highest = conn.execute(select(func.max(column))).scalar_one()
    if highest is not None:
        sequence = func.pg_get_serial_sequence(column.table.name, column.name)
        conn.execute(select(func.setval(sequence, highest)))


class position(FunctionElement[int]):  # noqa: N801 - reads as the function that it is
    """Where the second text begins in the first, by characters and case, from 1; 0 if nowhere."""

    inherit_cache = True
    type = Integer()


@compiles(position, "sqlite")
def _instr(element: position, compiler: SQLCompiler, **given: Any) -> str:
    return f"instr({compiler.process(element.clauses, **given)})"


@compiles(position, "postgresql")
def _strpos(element: position, compiler: SQLCompiler, **given: Any) -> str:
    return f"strpos({compiler.process(element.clauses, **given)})"
