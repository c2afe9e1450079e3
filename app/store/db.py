"""Engines and the three handles. Flows open them; store functions take them first and never commit.

`read(tenant)`  a snapshot; never takes the write lock
`tx(tenant)`    the write transaction; commits on a clean exit, else rolls back
`system()`      across tenants: look-ups before a tenant is known, and the worker's claims
`snapshot()`    across tenants, all of one instant: for a backup
"""

from __future__ import annotations

import os
from collections import defaultdict, deque
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import (
    Connection,
    Engine,
    bindparam,
    create_engine,
    event,
    exc,
    func,
    make_url,
    select,
    true,
)
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

from app.kernel import transaction
from app.kernel.tenant import TenantId
from app.store import chain, faults
from app.store.chain import Entry
from app.store.faults import Moment
from app.store.gate import WriterGate
from app.store.prepared import run
from keys.seal import Seal

_BUSY_MS = 10_000
_OPTIONS = "-c synchronous_commit=on -c TimeZone=UTC -c plan_cache_mode=force_custom_plan"
"""Each execution is planned with its own values and today's tables.

Connections live long, and a plan kept from when the tables were empty stands until they are analyzed. Finding
the person of a session with one, after 6,000 people and 12,000 sessions had come, took 14 s instead of 0.4 ms.
Planning anew costs about 7% of a SCIM get and 26% of a create.
"""
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
        self.url = parse_url(url)
        self._seal = seal
        self._kept: dict[Engine, deque[Connection]] = defaultdict(deque)
        self.is_sqlite = self.url.get_backend_name() == "sqlite"
        if self.is_sqlite:
            path = os.path.abspath(self.url.database or "ostiary.db")  # noqa: PTH100
            self._gate: WriterGate | None = WriterGate(path)
            self._reader = _sqlite(self.url, "BEGIN")
            self._writer = self._system = _sqlite(self.url, "BEGIN IMMEDIATE")
            self._system_reader = self._snapshots = self._reader
        else:
            self._gate = None
            self._writer = _postgres(self.url, pool_size)
            self._reader = self._writer.execution_options(
                isolation_level="REPEATABLE READ", postgresql_readonly=True
            )
            self._system = _postgres(parse_url(system_url or url), max(4, pool_size // 2))
            self._system_reader = self._system.execution_options(postgresql_readonly=True)
            self._snapshots = self._system.execution_options(
                isolation_level="REPEATABLE READ", postgresql_readonly=True
            )

    @contextmanager
    def read(self, tenant: TenantId) -> Iterator[Read]:
        """Open a snapshot of one tenant's rows."""
        with self._begun(self._reader, tenant) as conn:
            yield Read(conn, tenant)

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

    @contextmanager
    def _begun(
        self, engine: Engine, tenant: str, writing: AbstractContextManager[None] | None = None
    ) -> Iterator[Connection]:
        moment = Moment.BEGIN
        try:
            with writing or nullcontext():
                conn = self._opened(engine, tenant)
                try:
                    moment = Moment.INSIDE
                    with transaction.entered():
                        yield conn
                    if (
                        writing
                    ):  # who has only read has changed nothing, whatever becomes of the end
                        moment = Moment.COMMIT
                    self._end(conn, "COMMIT")
                except DBAPIError:
                    conn.close()
                    raise
                except BaseException:
                    self._undo(engine, conn)
                    raise
                self._give_back(engine, conn)
        except (DBAPIError, exc.TimeoutError) as error:
            told = faults.unavailable(error, moment)
            if told is None:
                raise
            raise told from error

    def _opened(self, engine: Engine, tenant: str) -> Connection:
        """Begin; a pooled connection that turns out to be dead is replaced once, and nobody need know."""
        try:
            return self._begin(engine, tenant)
        except DBAPIError as error:
            if not error.connection_invalidated:
                raise
        return self._begin(engine, tenant)

    def _undo(self, engine: Engine, conn: Connection) -> None:
        try:
            self._end(conn, "ROLLBACK")
        except DBAPIError:
            conn.close()
        else:
            self._give_back(engine, conn)

    def _end(self, conn: Connection, how: str) -> None:
        if conn.in_transaction():
            (conn.commit if how == "COMMIT" else conn.rollback)()
        else:  # no statement was SQLAlchemy's own
            run(conn, how)

    def _give_back(self, engine: Engine, conn: Connection) -> None:
        """Keep SQLite's open, for the next: the pool's ways cost more than a look at a row."""
        if self.is_sqlite:
            self._kept[engine].append(conn)
        else:
            conn.close()

    def _begin(self, engine: Engine, tenant: str) -> Connection:
        kept = self._kept[engine]
        try:
            conn = kept.pop()
        except IndexError:
            conn = engine.connect()
        try:
            if self.is_sqlite:
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


def parse_url(url: str) -> URL:
    """Read a database URL; `postgres://` and `postgresql://` both mean psycopg."""
    parsed = make_url(url)
    if parsed.get_backend_name() in {"postgres", "postgresql"}:
        return parsed.set(drivername="postgresql+psycopg")
    if parsed.get_backend_name() != "sqlite":
        raise ValueError("the database must be sqlite:/// or postgresql://")
    return parsed


def _sqlite(url: URL, begin: str) -> Engine:
    # Without a pool: as many are open as threads have been in here at once.
    engine = create_engine(url, poolclass=NullPool, hide_parameters=True)

    @event.listens_for(engine, "connect")
    def connect(dbapi: Any, record: Any) -> None:
        dbapi.isolation_level = None
        record.info["begin"] = begin
        for pragma in (
            f"busy_timeout = {_BUSY_MS}",
            "journal_mode = WAL",
            "synchronous = FULL",
            "foreign_keys = ON",
            "temp_store = MEMORY",
            "cache_size = -16000",
        ):
            dbapi.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def begun(conn: Connection) -> None:
        if not conn.connection.driver_connection.in_transaction:  # type: ignore[union-attr]
            run(conn, begin)

    return engine


def _postgres(url: URL, pool_size: int) -> Engine:
    engine = create_engine(
        url,
        pool_size=pool_size,
        max_overflow=pool_size,
        pool_timeout=15,
        pool_pre_ping=False,
        # An error's text goes to the log, and values are people's data.
        hide_parameters=True,
        connect_args={
            "options": _OPTIONS,
            "connect_timeout": 5,
            # A server that vanished without a word is noticed within half a minute.
            "keepalives_idle": 15,
            "keepalives_interval": 5,
            "keepalives_count": 3,
            "tcp_user_timeout": 30_000,
        },
    )
    event.listen(engine, "handle_error", faults.without_values)
    return engine
