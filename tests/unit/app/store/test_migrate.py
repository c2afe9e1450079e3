import shutil
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import create_engine, select, text

from app import config
from app.deps import assemble
from app.factory import create_app
from app.kernel.errors import Unavailable
from app.store import migrate
from app.store.db import Database
from app.store.migrate import SchemaAhead, SchemaBehind
from app.store.tables import metadata
from tests.demo import eventually

OLD = migrate.DIRECTORY


def test_the_revisions_make_exactly_the_tables_of_the_code(tmp_path: Path):
    url = f"sqlite:///{tmp_path / 'fresh.db'}"
    migrate.upgrade(url)
    engine = create_engine(url)
    with engine.connect() as conn:
        assert compare_metadata(MigrationContext.configure(conn), metadata) == []
    engine.dispose()


def upgraded(environ, directory=OLD):
    """Upgrade as the code does whose revisions lie in `directory`."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(migrate, "DIRECTORY", directory)
        upgrade(environ)


def upgrade(environ):
    migrate.upgrade(
        environ.get("OSTIARY_DATABASE_OWNER_URL", environ["OSTIARY_DATABASE_URL"]),
        app_url=environ["OSTIARY_DATABASE_URL"],
        system_url=environ.get("OSTIARY_DATABASE_SYSTEM_URL"),
    )


def test_upgrading_twice_changes_nothing(database_environ):
    upgraded(database_environ)


def test_a_database_that_is_behind_stops_the_start_with_the_command_that_mends_it(tmp_path: Path):
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


def test_what_is_switched_off_when_the_epochs_come_revives_nothing_later(tmp_path: Path):
    older = tmp_path / "older"
    shutil.copytree(OLD, older, ignore=shutil.ignore_patterns("__pycache__", "000[2-9]*"))
    environ = {"OSTIARY_DATABASE_URL": f"sqlite:///{tmp_path / 'older.db'}"}
    upgraded(environ, older)
    engine = create_engine(environ["OSTIARY_DATABASE_URL"])
    now = "'2026-01-01 00:00:00'"
    with engine.begin() as conn:
        for slug, on in (("open", 1), ("closed", 0)):
            conn.execute(text(
                "INSERT INTO tenant (id, slug, name, enabled, home_page, created_at) "
                f"VALUES ('{slug}', '{slug}', 'T', {on}, 'https://x.example', {now})"
            ))  # fmt: skip
            conn.execute(text(
                "INSERT INTO connection (tenant_id, id, kind, name, issuer, settings, link_by, jit, enabled, "
                f"created_at) VALUES ('open', 'c-{slug}', 'oidc', 'C', 'x', '{{}}', 'email', 1, {on}, {now})"
            ))  # fmt: skip
            conn.execute(text(
                "INSERT INTO registration (id, name, issuer, client_id, auth_login_url, auth_token_url, "
                "jwks_url, link_by, enabled, created_at) "
                f"VALUES ('r-{slug}', 'R', 'x', '{slug}', 'x', 'x', 'x', 'none', {on}, {now})"
            ))  # fmt: skip
    upgraded(environ)
    with engine.connect() as conn:
        for table in ("tenant", "connection", "registration"):
            rows = conn.execute(
                select(metadata.tables[table].c["enabled", "epoch", "cut_at"])
            ).all()
            assert {(row.enabled, row.epoch, row.cut_at is None) for row in rows} == {
                (True, 0, True), (False, 1, False),
            }  # fmt: skip
    engine.dispose()


def test_memberships_stay_when_their_key_changes(tmp_path: Path):
    older = tmp_path / "older"
    shutil.copytree(OLD, older, ignore=shutil.ignore_patterns("__pycache__", "000[4-9]*"))
    environ = {"OSTIARY_DATABASE_URL": f"sqlite:///{tmp_path / 'older.db'}"}
    upgraded(environ, older)
    engine = create_engine(environ["OSTIARY_DATABASE_URL"])
    now = "'2026-01-01 00:00:00.000000'"
    with engine.begin() as conn:
        conn.execute(text(
            "INSERT INTO tenant (id, slug, name, enabled, home_page, created_at) "
            f"VALUES ('t', 't', 'T', 1, 'https://x.example', {now})"
        ))  # fmt: skip
        for group, person, kind in (("g", "a", "User"), ("g", "b", "User"), ("h", "g", "Group")):
            conn.execute(text(
                "INSERT INTO membership (tenant_id, group_id, person_id, kind, since) "
                f"VALUES ('t', '{group}', '{person}', '{kind}', {now})"
            ))  # fmt: skip
    upgraded(environ)
    with engine.connect() as conn:
        found = conn.execute(select(metadata.tables["membership"])).all()
    assert sorted((row.group_id, row.person_id, row.kind) for row in found) == [
        ("g", "a", "User"), ("g", "b", "User"), ("h", "g", "Group"),
    ]  # fmt: skip
    assert {row.since for row in found} == {datetime(2026, 1, 1, tzinfo=UTC)}
    engine.dispose()


# Old and new side by side


NEWER = """
import sqlalchemy as sa
from alembic import op

revision = "{name}"
down_revision = "{before}"


def upgrade():
    op.add_column("tenant", sa.Column("motto", sa.Text()))
"""


@pytest.fixture
def newer(tmp_path):
    """Makes newer code: its directory of revisions, with one more of this name."""
    head = migrate._revisions(OLD)[-1]

    def make(name):
        directory = tmp_path / name
        shutil.copytree(OLD, directory, ignore=shutil.ignore_patterns("__pycache__"))
        text = NEWER.format(name=name, before=head)
        (directory / "versions" / f"{name}_more.py").write_text(text)
        return directory

    return make


def revision(deps):
    with deps.db.system() as system:
        return MigrationContext.configure(system.conn).get_current_revision()


def number(shift):
    """The number of our newest revision, shifted: the tests hold whatever it is."""
    return f"{int(migrate._revisions(OLD)[-1][:4]) + shift:04}"


def test_every_revision_from_the_third_on_says_whom_it_still_serves():
    since = 1
    for name in migrate._revisions(OLD)[2:]:
        named = migrate.NAME.fullmatch(name)
        assert named, name
        # Whom one revision left behind, none after it can serve.
        assert since <= int(named[1]) <= int(name[:4]), name
        since = int(named[1])


def test_old_code_goes_on_beside_newer_code_on_a_database_that_says_so(
    deps, tenant, database_environ, newer
):
    name = f"{number(1)}_since_{number(0)}"
    upgraded(database_environ, newer(name))
    assert revision(deps) == name
    app = create_app(deps)
    assert app.test_client().get("/readyz").status_code == 200
    with deps.db.tx(tenant.id) as tx:
        tx.conn.execute(text("UPDATE tenant SET name = 'Old and new'"))
    upgraded(database_environ)
    assert revision(deps) == name


@pytest.mark.parametrize("since", [1, None])
def test_code_that_is_too_old_for_the_database_refuses_it(deps, database_environ, newer, since):
    app = create_app(deps)
    name = f"{number(1)}_since_{number(since)}" if since else number(1)
    upgraded(database_environ, newer(name))
    answer = app.test_client().get("/readyz")
    assert (answer.status_code, answer.json["code"]) == (503, "schema_ahead")
    with pytest.raises(SchemaAhead, match=f"{name}, which is too new .* Upgrade the program"):
        create_app(deps)
    with pytest.raises(SchemaAhead, match="Upgrade the program"):
        upgraded(database_environ)
    assert revision(deps) == name


def test_new_code_refuses_a_database_that_is_not_upgraded_yet(deps, newer, monkeypatch):
    app = create_app(deps)
    monkeypatch.setattr(migrate, "DIRECTORY", newer(f"{number(1)}_since_{number(0)}"))
    answer = app.test_client().get("/readyz")
    assert (answer.status_code, answer.json["code"]) == (503, "schema_behind")
    with pytest.raises(SchemaBehind, match="Run `ostiary db upgrade`"):
        create_app(deps)


def test_two_upgrades_at_once_are_one(deps, database_environ, newer, monkeypatch):
    directory = newer(f"{number(1)}_since_{number(0)}")
    monkeypatch.setattr(migrate, "DIRECTORY", directory)
    with ThreadPoolExecutor(2) as pool:
        for each in [pool.submit(upgrade, database_environ) for _ in range(2)]:
            each.result(60)
    assert revision(deps) == directory.name


def test_an_upgrade_that_fails_half_way_leaves_nothing_behind(deps, database_environ, newer):
    directory = newer(f"{number(1)}_since_{number(0)}")
    (script,) = (directory / "versions").glob("*_more.py")
    whole = script.read_text()
    script.write_text(whole + '    raise ZeroDivisionError("half way")\n')
    before = revision(deps)
    with pytest.raises(ZeroDivisionError):
        upgraded(database_environ, directory)
    assert revision(deps) == before
    script.write_text(whole)
    upgraded(database_environ, directory)
    assert revision(deps) == directory.name


def test_an_upgrade_behind_a_long_query_holds_up_nobody(
    deps, tenant, database_environ, newer, monkeypatch
):
    if deps.db.is_sqlite:
        return
    directory = newer(f"{number(1)}_since_{number(0)}")
    monkeypatch.setattr(migrate, "DIRECTORY", directory)
    waits = text(
        "SELECT count(*) FROM pg_locks WHERE relation = 'tenant'::regclass AND NOT granted"
    )
    with ThreadPoolExecutor(1) as pool:
        with deps.db.read(tenant.id) as read:
            read.conn.execute(text("SELECT 1 FROM tenant")).all()  # its lock stands until the end
            done = pool.submit(upgrade, database_environ)
            for _ in range(3):
                with deps.db.system() as system:
                    eventually(lambda: system.conn.execute(waits).scalar_one())
                with deps.db.tx(tenant.id) as tx:  # behind the upgrade that waits
                    tx.conn.execute(text("UPDATE tenant SET name = 'goes on'"))
            assert not done.done()
        done.result(60)
    assert revision(deps) == directory.name


def test_an_upgrade_gives_up_where_the_tables_are_always_in_use(
    deps, tenant, database_environ, newer, monkeypatch
):
    if deps.db.is_sqlite:
        return
    monkeypatch.setattr(migrate, "TRIES", 2)
    before = revision(deps)
    with deps.db.read(tenant.id) as read:
        read.conn.execute(text("SELECT 1 FROM tenant")).all()
        with pytest.raises(Unavailable, match="nothing was changed"):
            upgraded(database_environ, newer(f"{number(1)}_since_{number(0)}"))
    assert revision(deps) == before
