"""Brings a database to the present tables, and tells when it is behind."""

from __future__ import annotations

from importlib.resources import files

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, NullPool, create_engine

from app.store.db import Database, parse_url
from app.store.gate import WriterGate
from app.store.rls import secure


class SchemaBehind(RuntimeError):  # noqa: N818 - a state, not a fault
    """The database lacks revisions that this code needs."""


def upgrade(owner_url: str, *, app_url: str | None = None, system_url: str | None = None) -> None:
    """Run the missing revisions as the owner; on PostgreSQL also set grants and row-level security."""
    url = parse_url(owner_url)
    engine = create_engine(url, poolclass=NullPool)
    try:
        if url.get_backend_name() == "sqlite":
            with WriterGate(str(url.database)).writing():
                _run(engine)
        else:
            roles = (
                parse_url(each or owner_url).username for each in (app_url, system_url, owner_url)
            )
            _run(engine, *roles)
    finally:
        engine.dispose()


def require_current(db: Database) -> None:
    """Raise SchemaBehind, with the command that mends it, unless the newest revision is applied."""
    with db.system() as system:
        found = MigrationContext.configure(system.conn).get_current_revision()
    wanted = head()
    if found != wanted:
        raise SchemaBehind(
            f"The database is at revision {found or 'none'}, this version needs {wanted}. "
            "Run `ostiary db upgrade`, then start again."
        )


def head() -> str | None:
    """Return the revision that this code is made for."""
    return ScriptDirectory.from_config(_config()).get_current_head()


def _run(engine: Engine, *roles: str | None) -> None:
    with engine.begin() as conn:
        if conn.dialect.name == "sqlite":
            conn.exec_driver_sql("PRAGMA journal_mode = WAL")
        _revise(conn)
        app, system, owner = roles or (None, None, None)
        if app and system and owner:
            secure(conn, app, system, owner)


def _revise(conn: Connection) -> None:
    config = _config()
    config.attributes["connection"] = conn
    command.upgrade(config, "head")


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(files("migrations")))
    return config
