from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import create_engine, text

from app import config
from app.deps import assemble
from app.store import migrate
from app.store.db import Database
from app.store.migrate import SchemaBehind
from app.store.tables import metadata


def test_the_revisions_make_exactly_the_tables_of_the_code(tmp_path: Path):
    url = f"sqlite:///{tmp_path / 'fresh.db'}"
    migrate.upgrade(url)
    engine = create_engine(url)
    with engine.connect() as conn:
        assert compare_metadata(MigrationContext.configure(conn), metadata) == []
    engine.dispose()


def test_upgrading_twice_changes_nothing(database_environ):
    owner = database_environ.get(
        "OSTIARY_DATABASE_OWNER_URL", database_environ["OSTIARY_DATABASE_URL"]
    )
    migrate.upgrade(
        owner,
        app_url=database_environ["OSTIARY_DATABASE_URL"],
        system_url=database_environ.get("OSTIARY_DATABASE_SYSTEM_URL"),
    )


def test_a_database_that_is_behind_stops_the_start_with_the_command_that_mends_it(tmp_path: Path):
    from app.factory import create_app

    deps = assemble(config.load({
        "OSTIARY_DATABASE_URL": f"sqlite:///{tmp_path / 'empty.db'}",
        "OSTIARY_BASE_URL": "https://learn.example.org",
        "OSTIARY_SECRET_KEYS": "a test secret that is long enough 0123456789",
    }))  # fmt: skip
    with pytest.raises(SchemaBehind, match="Run `ostiary db upgrade`"):
        create_app(deps)
    deps.db.close()


def test_every_table_has_forced_row_level_security(deps):
    if deps.db.is_sqlite:
        return
    with deps.db.system() as system:
        rows = system.conn.execute(text(
            "SELECT relname, relrowsecurity, relforcerowsecurity FROM pg_class c "
            "JOIN pg_namespace n ON n.oid = c.relnamespace "
            "WHERE relkind = 'r' AND nspname = current_schema() AND relname <> 'alembic_version'"
        )).all()  # fmt: skip
        bypass = system.conn.execute(text(
            "SELECT count(*) FROM pg_roles WHERE rolname IN (current_user) AND (rolbypassrls OR rolsuper)"
        )).scalar_one()  # fmt: skip
    assert {row.relname for row in rows} == set(metadata.tables)
    assert all(row.relrowsecurity and row.relforcerowsecurity for row in rows)
    assert bypass == 0


def test_without_a_named_tenant_no_row_is_visible(deps, tenant, database_environ):
    if deps.db.is_sqlite:
        return
    bare = Database(database_environ["OSTIARY_DATABASE_URL"], deps.seal)
    with bare._reader.connect() as conn:
        for table in metadata.tables:
            found = conn.execute(text(f"SELECT count(*) FROM {table}")).scalar_one()
            assert found == 0, table
    bare.close()
