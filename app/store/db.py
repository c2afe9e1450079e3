"""The three handles. Flows open them; store functions take them first and never commit.

`read(tenant)`  a snapshot; never takes the write lock
`glance(tenant)`  for a row or two: each statement sees what is committed at its own moment
`tx(tenant)`    the write transaction; commits on a clean exit, else rolls back
`system()`      across tenants: look-ups before a tenant is known, and the worker's claims
`snapshot()`    across tenants, all of one instant: for a backup
"""

from __future__ import annotations

import os
from collections import defaultdict, deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from sqlalchemy import Connection, Engine, bindparam, exc, func, select, true
from sqlalchemy.exc import DBAPIError

from app.kernel import transaction
from app.kernel.tenant import TenantId
from app.store import chain, engines, faults
from app.store.chain import Entry
from app.store.faults import Moment
from app.store.gate import WriterGate
from app.store.prepared import run
from keys.seal import Seal

T = TypeVar("T")
_NO_TENANT = ""
_NAME_TENANT = select(func.set_config("ostiary.tenant", bindparam("tenant"), true()))
"""By SQLAlchemy's own way: where it finds the connection lost, it lets go of all that are pooled."""


@dataclass(frozen=True, slots=True)
class Read:
    """A snapshot of one tenant's rows."""

    conn: Connection
    tenant: TenantId


@dataclass(frozen=True, slots=True)
class Tx(Read):
    """A write transaction on one tenant's rows; reads inside it see its own writes.

    `entries` go into the audit log when the block ends.
    """

    entries: list[Entry] = field(default_factory=list)

    @contextmanager
    def undone(self) -> Iterator[None]:
        """Undo what the block does when it ends: for whoever wants to see what would be."""
        nested, before = self.conn.begin_nested(), len(self.entries)
        try:
            yield
        finally:
            nested.rollback()
            del self.entries[before:]


@dataclass(frozen=True, slots=True)
class System:
    """A transaction across tenants. Every statement in it must name the tenant it means."""

    conn: Connection
    noted: dict[TenantId, list[Entry]] = field(default_factory=dict)

    def within(self, tenant: TenantId) -> Tx:
        """Narrow to one tenant, once it is known, in the same transaction."""
        return Tx(self.conn, tenant, self.noted.setdefault(tenant, []))


class Database:
    """The gateway's database: SQLite in one file, or PostgreSQL with a role for each handle."""

    def __init__(
        self, url: str, seal: Seal, *, system_url: str | None = None, pool_size: int = 12
    ) -> None:
        self.url = engines.parse_url(url)
        self._seal = seal
        self._kept: dict[Engine, deque[Connection]] = defaultdict(deque)
        self.is_sqlite = self.url.get_backend_name() == "sqlite"
        if self.is_sqlite:
            path = os.path.abspath(self.url.database or "ostiary.db")  # noqa: PTH100
            self._gate: WriterGate | None = WriterGate(path)
            self._reader = engines.sqlite(self.url, "BEGIN")
            self._writer = self._system = engines.sqlite(self.url, "BEGIN IMMEDIATE")
            self._system_reader = self._snapshots = self._reader
        else:
            self._gate = None
            self._writer = engines.postgres(self.url, pool_size)
            self._reader = self._writer.execution_options(
                isolation_level="REPEATABLE READ", postgresql_readonly=True
            )
            self._system = engines.postgres(
                engines.parse_url(system_url or url), max(4, pool_size // 2)
            )
            self._system_reader = self._system.execution_options(postgresql_readonly=True)
            self._snapshots = self._system.execution_options(
                isolation_level="REPEATABLE READ", postgresql_readonly=True
            )

    def read(self, tenant: TenantId) -> AbstractContextManager[Read]:
        """Open a snapshot of one tenant's rows."""
        return _Begun(self, self._reader, tenant, Read)

    def glance(self, tenant: TenantId) -> AbstractContextManager[Read]:
        """Look at one tenant's rows, each statement for itself: on SQLite BEGIN and COMMIT cost as much as it does."""
        return _Begun(self, self._reader, tenant, Read, alone=self.is_sqlite)

    @contextmanager
    def tx(self, tenant: TenantId) -> Iterator[Tx]:
        """Open the write transaction; raises Unavailable when the database is busy or away."""
        with self._begun(self._writer, tenant, self._writing()) as conn:
            tx = Tx(conn, tenant)
            yield tx
            self._chain(conn, {tenant: tx.entries})

    @contextmanager
    def system(self, *, write: bool = False) -> Iterator[System]:
        """Open a transaction across tenants, for reading unless `write` is said."""
        if write:
            with self._begun(self._system, _NO_TENANT, self._writing()) as conn:
                system = System(conn)
                yield system
                self._chain(conn, system.noted)
        else:
            with self._begun(self._system_reader, _NO_TENANT) as conn:
                yield System(conn)

    @contextmanager
    def snapshot(self) -> Iterator[System]:
        """Open one instant of all tenants' rows, for reading; writers go on meanwhile."""
        with self._begun(self._snapshots, _NO_TENANT) as conn:
            yield System(conn)

    def close(self) -> None:
        """Return every connection."""
        for kept in self._kept.values():
            while kept:
                kept.pop().close()
        for engine in (self._reader, self._writer, self._system):
            engine.dispose()

    def _writing(self) -> AbstractContextManager[None]:
        return self._gate.writing() if self._gate else nullcontext()

    def _chain(self, conn: Connection, noted: Mapping[TenantId, list[Entry]]) -> None:
        # In one order, so that two transactions can't wait for each other's chain.
        for tenant in sorted(noted):
            if noted[tenant]:
                chain.append(conn, tenant, noted[tenant], self._seal)

    def _begun(
        self, engine: Engine, tenant: str, writing: AbstractContextManager[None] | None = None
    ) -> _Begun[Connection]:
        return _Begun(self, engine, tenant, _as_it_is, writing)

    def opened(self, engine: Engine, tenant: str, *, alone: bool) -> Connection:
        """Begin, unless statements stand `alone`.

        A pooled connection that turns out to be dead is replaced once, and nobody need know.
        """
        try:
            return self._begin(engine, tenant, alone=alone)
        except DBAPIError as error:
            if not error.connection_invalidated:
                raise
        return self._begin(engine, tenant, alone=alone)

    def undo(self, engine: Engine, conn: Connection, *, alone: bool) -> None:
        """Roll back."""
        try:
            self.end(conn, "ROLLBACK", alone=alone)
        except DBAPIError:
            conn.close()
        else:
            self.give_back(engine, conn)

    def end(self, conn: Connection, how: str, *, alone: bool) -> None:
        """End the transaction, by COMMIT or ROLLBACK."""
        if conn.in_transaction():
            (conn.commit if how == "COMMIT" else conn.rollback)()
        elif not alone:  # no statement was SQLAlchemy's own
            run(conn, how)

    def give_back(self, engine: Engine, conn: Connection) -> None:
        """Keep SQLite's open, for the next: the pool's ways cost more than a look at a row."""
        if self.is_sqlite:
            self._kept[engine].append(conn)
        else:
            conn.close()

    def _begin(self, engine: Engine, tenant: str, *, alone: bool) -> Connection:
        kept = self._kept[engine]
        try:
            conn = kept.pop()
        except IndexError:
            conn = engine.connect()
        try:
            if alone:
                pass
            elif self.is_sqlite:
                run(conn, conn.info["begin"])
            else:
                conn.begin()
                # Row-level security reads this setting; without it no row is visible. Said first in every
                # transaction, it also finds out whether the connection still lives.
                conn.execute(_NAME_TENANT, {"tenant": tenant})
        except BaseException:
            conn.close()
            raise
        return conn


class _Begun(Generic[T]):
    """A transaction as a block: what it ends with decides whether what was done in it stands.

    A class, since a generator's way in and out costs as much as a BEGIN and a COMMIT.
    """

    __slots__ = ("_alone", "_conn", "_db", "_engine", "_make", "_tenant", "_writing")

    def __init__(
        self, db: Database, engine: Engine, tenant: Any, make: Callable[[Connection, Any], T],
        writing: AbstractContextManager[None] | None = None, *, alone: bool = False,
    ) -> None:  # fmt: skip
        self._db, self._engine, self._tenant = db, engine, tenant
        self._make, self._writing, self._alone = make, writing, alone

    def __enter__(self) -> T:
        if self._writing:
            self._writing.__enter__()
        try:
            self._conn = self._db.opened(self._engine, self._tenant, alone=self._alone)
        except BaseException as error:
            if self._writing:
                self._writing.__exit__(None, None, None)
            _tell(error, Moment.BEGIN)
            raise
        transaction.enter()
        return self._make(self._conn, self._tenant)

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        transaction.leave()
        fault, moment = error, Moment.INSIDE
        try:
            if error is None:
                # Who has only read has changed nothing, whatever becomes of the end.
                moment = Moment.COMMIT if self._writing else moment
                try:
                    self._db.end(self._conn, "COMMIT", alone=self._alone)
                except BaseException as failed:  # noqa: BLE001 - raised below, once all is given back
                    fault = failed
            if fault is None:
                self._db.give_back(self._engine, self._conn)
            elif isinstance(fault, DBAPIError):
                self._conn.close()
            else:
                self._db.undo(self._engine, self._conn, alone=self._alone)
        finally:
            if self._writing:
                self._writing.__exit__(None, None, None)
        if fault is not None:
            _tell(fault, moment)
            if fault is not error:
                raise fault


def _as_it_is(conn: Connection, tenant: object) -> Connection:  # noqa: ARG001
    return conn


def _tell(error: BaseException, moment: Moment) -> None:
    """Raise Unavailable where a fault means that."""
    if isinstance(error, DBAPIError | exc.TimeoutError):
        told = faults.unavailable(error, moment)
        if told is not None:
            raise told from error
