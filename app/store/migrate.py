"""Brings a database to the present tables, and tells when it does not fit this code.

From 0003 on a revision's id says whom it still serves: at `0005_since_0003` stand the tables of revision
0005, and code of revision 0003 or later works on them. So the database goes ahead, and the programs follow.
"""

from __future__ import annotations

import random
import re
import time
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, NullPool, create_engine, event, text
from sqlalchemy.exc import OperationalError

from app.kernel.errors import Unavailable
from app.store.db import Database
from app.store.engines import parse_url
from app.store.gate import WriterGate
from app.store.rls import secure

DIRECTORY = Path(str(files("migrations")))
NAME = re.compile(r"\d{4}_since_(\d{4})")
TRIES = 60

_ONE_UPGRADE = text("SELECT pg_advisory_xact_lock(hashtextextended('ostiary db upgrade', 0))")
# Whoever comes behind a waiting change of tables waits as long as it does. This is also well below
# PostgreSQL's deadlock_timeout of 1 s, so that it is the upgrade that yields, and not a request.
_SHORT_WAITS = text("SET LOCAL lock_timeout = '300ms'")
_TOO_BUSY = {"55P03", "40P01"}  # lock_not_available, deadlock_detected


class SchemaUnfit(RuntimeError):  # noqa: N818 - a state, not a fault
    """The database's revision and this code don't fit each other."""


class SchemaBehind(SchemaUnfit):
    """The database lacks revisions that this code needs."""


class SchemaAhead(SchemaUnfit):
    """The database has a revision that code of this age can't work on."""


def upgrade(owner_url: str, *, app_url: str | None = None, system_url: str | None = None) -> None:
    """Run the missing revisions as the owner; on PostgreSQL also set grants and row-level security.

    A database that newer code has upgraded stays as it is. Raises SchemaAhead if that went too far for
    this code, and Unavailable if the tables were in use for too long.
    """
    url = parse_url(owner_url)
    engine = create_engine(url, poolclass=NullPool, hide_parameters=True)
    try:
        if engine.dialect.name == "sqlite":
            event.listen(engine, "connect", _prepare_sqlite)
            event.listen(engine, "begin", lambda conn: conn.exec_driver_sql("BEGIN IMMEDIATE"))
            with WriterGate(str(url.database)).writing(), engine.begin() as conn:
                _revise(conn)
        else:
            urls = (parse_url(each or owner_url) for each in (app_url, system_url, owner_url))
            _between_requests(engine, *(str(each.username) for each in urls))
    finally:
        engine.dispose()


def require_current(db: Database) -> None:
    """Raise SchemaBehind or SchemaAhead, with what mends it, unless this code can work on the database."""
    with db.system() as system:
        found = MigrationContext.configure(system.conn).get_current_revision()
    wanted = head()
    if found != wanted and not _is_ahead(found):
        raise SchemaBehind(
            f"The database is at revision {found or 'none'}, this version needs {wanted}. "
            "Run `ostiary db upgrade`, then start again."
        )


def head() -> str:
    """Return the revision that this code is made for."""
    return _revisions(DIRECTORY)[-1]


def _is_ahead(found: str | None) -> bool:
    """Whether newer code has upgraded the database; raises SchemaAhead where this code can't follow."""
    revisions = _revisions(DIRECTORY)
    if found is None or found in revisions:
        return False
    named = NAME.fullmatch(found)
    if named is None or int(named[1]) > int(revisions[-1][:4]):
        raise SchemaAhead(
            f"The database is at revision {found}, which is too new for this version ({revisions[-1]}). "
            "Upgrade the program."
        )
    return True


def _between_requests(engine: Engine, app: str, system: str, owner: str) -> None:
    """Change PostgreSQL's tables in a moment when no request is in the way, however often that takes."""
    for _ in range(TRIES):
        try:
            with engine.begin() as conn:
                conn.execute(_ONE_UPGRADE)
                conn.execute(_SHORT_WAITS)
                if _revise(conn):
                    secure(conn, app, system, owner)
                return
        except OperationalError as error:
            if getattr(error.orig, "sqlstate", None) not in _TOO_BUSY:
                raise
        time.sleep(random.uniform(0.2, 1.2))  # noqa: S311 - so that two don't meet again and again
    raise Unavailable(
        "The tables were in use all the time, so nothing was changed. Run it again at a quieter moment.",
        code="tables_in_use",
    )


def _revise(conn: Connection) -> bool:
    """Run what is missing; False where newer code has been here."""
    if _is_ahead(MigrationContext.configure(conn).get_current_revision()):
        return False
    config = _config()
    config.attributes["connection"] = conn
    command.upgrade(config, "head")
    return True


def _prepare_sqlite(dbapi: Any, _record: Any) -> None:
    # Foreign keys stay unchecked: a table that is rebuilt is dropped once, and would take its rows' with it.
    dbapi.isolation_level = None
    dbapi.execute("PRAGMA busy_timeout = 10000")
    dbapi.execute("PRAGMA journal_mode = WAL")
    dbapi.execute("PRAGMA synchronous = FULL")


@cache
def _revisions(directory: Path) -> tuple[str, ...]:
    """Return this code's revisions, the oldest first."""
    scripts = ScriptDirectory(str(directory))
    return tuple(script.revision for script in scripts.walk_revisions())[::-1]


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(DIRECTORY))
    return config
