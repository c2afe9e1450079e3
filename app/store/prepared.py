"""Statements of the hot paths, compiled once for each database and run on its driver.

SQLAlchemy looks a statement up, binds and wraps it anew at each execution, which costs several times
what the database takes for a row by its key. What it compiles is used here as it stands, with the same
types; only the way to the driver is shorter.
"""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Any

from sqlalchemy import Connection, Dialect
from sqlalchemy.exc import DBAPIError
from sqlalchemy.sql.expression import Executable

from app.store import faults

Values = Mapping[str, Any]
Convert = Callable[[Any], Any]


class Prepared:
    """One statement, and what its parameters and columns are turned into.

    `columns` are those that an INSERT or UPDATE sets, where the statement itself does not say so.
    `statement` may be a function that makes it for a dialect's name.
    """

    def __init__(self, statement: Executable | Callable[[str], Executable], *columns: str) -> None:
        self._statement = statement
        self._columns = list(columns)
        self._made: dict[str, _Made] = {}

    def first(self, conn: Connection, given: Values) -> Any:
        """Return the first row, its columns by name, or None."""
        made = self._on(conn)
        rows = made.run(conn, given).fetchall()
        return made.row(rows[0]) if rows else None

    def all(self, conn: Connection, given: Values) -> list[Any]:
        """Return every row."""
        made = self._on(conn)
        return [made.row(row) for row in made.run(conn, given)]

    def scalar(self, conn: Connection, given: Values) -> Any:
        """Return the first row's first column, or None."""
        row = self.first(conn, given)
        return None if row is None else row[0]

    def run(self, conn: Connection, given: Values) -> int:
        """Run it; returns how many rows it changed."""
        return int(self._on(conn).run(conn, given).rowcount)

    def run_each(self, conn: Connection, given: Iterable[Values]) -> None:
        """Run it once for each set of values."""
        self._on(conn).run_each(conn, given)

    def fixed(self, conn: Connection) -> Values:
        """Return the parameters that have a value already; `given` ones take their place."""
        return self._on(conn).fixed

    def _on(self, conn: Connection) -> _Made:
        made = self._made.get(conn.dialect.name)
        if made is None:
            made = self._made[conn.dialect.name] = self._make(conn.dialect)
        return made

    def _make(self, dialect: Dialect) -> _Made:
        statement: Any = self._statement
        if not isinstance(statement, Executable):
            statement = statement(dialect.name)
        compiled = statement.compile(dialect=dialect, column_keys=self._columns or None)
        if getattr(compiled, "prefetch", ()):
            raise ValueError(f"{compiled.prefetch} has a default of Python's: give it a value")
        binds = {name: bind for bind, name in compiled.bind_names.items()}
        converts = {
            name: bind.type.dialect_impl(dialect).bind_processor(dialect)
            for name, bind in binds.items()
        }
        # What the statement itself says: `status = 'waiting'`.
        fixed = {name: bind.effective_value for name, bind in binds.items() if not bind.required}
        names = tuple(compiled.positiontup or ()) if compiled.positional else tuple(converts)
        columns = getattr(statement, "selected_columns", {})
        results = [one.type.dialect_impl(dialect) for one in columns]
        return _Made(
            str(compiled),
            _picking(names) if compiled.positional else None,
            tuple(
                (at if compiled.positional else name, convert)
                for at, name in enumerate(names)
                if (convert := converts[name])
            ),
            fixed,
            namedtuple("Row", columns.keys(), rename=True),  # noqa: PYI024 - its names are data
            tuple(
                (at, convert)
                for at, one in enumerate(results)
                if (convert := one.result_processor(dialect, None))
            ),
        )


@dataclass(frozen=True, slots=True)
class _Made:
    """A statement for one database, and what makes its parameters and its rows.

    `pick` puts parameters in order, None where they go by name · `converts` say where one is converted
    """

    sql: str
    pick: Callable[[Values], Iterable[Any]] | None
    converts: tuple[tuple[Any, Convert], ...]
    fixed: Values
    kind: Any
    results: tuple[tuple[int, Convert], ...]

    def run(self, conn: Connection, given: Values) -> Any:
        driver: Any = conn.connection.driver_connection
        try:
            return driver.execute(self.sql, self._bound(given))
        except conn.dialect.loaded_dbapi.Error as error:
            raise told(conn, error) from error

    def run_each(self, conn: Connection, given: Iterable[Values]) -> None:
        driver: Any = conn.connection.driver_connection
        cursor = driver.cursor()
        try:
            cursor.executemany(self.sql, [self._bound(one) for one in given])
        except conn.dialect.loaded_dbapi.Error as error:
            raise told(conn, error) from error
        finally:
            cursor.close()

    def row(self, values: Any) -> Any:
        if self.results:
            values = list(values)
            for at, convert in self.results:
                values[at] = convert(values[at])
        return self.kind._make(values)

    def _bound(self, given: Values) -> Any:
        named = {**self.fixed, **given} if self.fixed else given
        bound: Any = dict(named) if self.pick is None else list(self.pick(named))
        for at, convert in self.converts:
            bound[at] = convert(bound[at])
        return bound


def _picking(names: Sequence[str]) -> Callable[[Values], Iterable[Any]]:
    if len(names) > 1:
        return itemgetter(*names)
    return lambda given: [given[name] for name in names]


def run(conn: Connection, sql: str) -> None:
    """Run a plain text, BEGIN say."""
    driver: Any = conn.connection.driver_connection
    try:
        driver.execute(sql)
    except conn.dialect.loaded_dbapi.Error as error:
        raise told(conn, error) from error


def told(conn: Connection, error: Exception) -> DBAPIError:
    """What SQLAlchemy would make of a driver's error; a connection that is lost goes out of the pool."""
    dialect, pooled = conn.dialect, conn.connection
    lost = dialect.is_disconnect(error, pooled, None)  # type: ignore[arg-type]
    if lost:
        conn.invalidate(error)
    faults.strip_values(error)
    made = DBAPIError.instance(
        None, None, error, dialect.loaded_dbapi.Error, hide_parameters=True,
        connection_invalidated=lost, dialect=dialect,
    )  # fmt: skip
    assert isinstance(made, DBAPIError)  # noqa: S101 - a driver's error is never anything else
    return made
