"""SQLAlchemy's engines for both databases, set so that what is committed is on the disk."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, make_url
from sqlalchemy.engine import URL
from sqlalchemy.pool import NullPool

from app.store import faults
from app.store.prepared import run

_BUSY_MS = 10_000
_CACHE_KIB = {"BEGIN": 6_000, "BEGIN IMMEDIATE": 16_000}
"""Of each connection: there is one that writes in a process, and one that reads for each thread."""

_OPTIONS = "-c synchronous_commit=on -c TimeZone=UTC -c plan_cache_mode=force_custom_plan"
"""Each execution is planned with its own values and today's tables.

Connections live long, and a plan kept from when the tables were empty stands until they are analyzed. Finding
the person of a session with one, after 6,000 people and 12,000 sessions had come, took 14 s instead of 0.4 ms.
Planning anew costs about 7% of a SCIM get and 26% of a create.
"""


def parse_url(url: str) -> URL:
    """Read a database URL; `postgres://` and `postgresql://` both mean psycopg."""
    parsed = make_url(url)
    if parsed.get_backend_name() in {"postgres", "postgresql"}:
        return parsed.set(drivername="postgresql+psycopg")
    if parsed.get_backend_name() != "sqlite":
        raise ValueError("the database must be sqlite:/// or postgresql://")
    return parsed


def sqlite(url: URL, begin: str) -> Engine:
    """One whose transactions begin so. Without a pool: as many are open as threads have been in here at once."""
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
            f"cache_size = -{_CACHE_KIB[begin]}",
        ):
            dbapi.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def begun(conn: Connection) -> None:
        if not conn.connection.driver_connection.in_transaction:  # type: ignore[union-attr]
            run(conn, begin)

    return engine


def postgres(url: URL, pool_size: int) -> Engine:
    """One with so many connections, and as many more for a while."""
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
