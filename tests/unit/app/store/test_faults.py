"""Faults of a database as a caller is told of them. Under load, as processes: tests/conformance/test_database_faults.py."""

import os
import sqlite3
import threading
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, IntegrityError

from app.kernel.errors import Unavailable
from app.kernel.person import Person
from app.store import faults, people
from app.store import gate as gates
from app.store.db import Database
from app.store.faults import Moment
from tests.demo import eventually

UNCHANGED, UNKNOWN = "Nothing was changed", "It is not known whether this was saved"


def of_sqlite(code, kind=sqlite3.OperationalError):
    error = kind("a fault")
    error.sqlite_errorcode = code
    return DBAPIError.instance("SELECT 1", {}, error, sqlite3.Error)


def of_postgres(state=None, *, lost=False):
    kind = psycopg.errors.lookup(state) if state else psycopg.OperationalError
    return DBAPIError.instance(
        "SELECT 1", {}, kind("a fault"), psycopg.Error, connection_invalidated=lost
    )


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (of_sqlite(sqlite3.SQLITE_BUSY), "database_busy"),
        (of_sqlite(sqlite3.SQLITE_BUSY_SNAPSHOT), "database_busy"),
        (of_sqlite(sqlite3.SQLITE_FULL), "database_full"),
        (of_sqlite(sqlite3.SQLITE_IOERR_WRITE), "database_full"),
        (of_sqlite(sqlite3.SQLITE_READONLY), "database_read_only"),
        (of_sqlite(sqlite3.SQLITE_CANTOPEN), "database_read_only"),
        (of_sqlite(sqlite3.SQLITE_CORRUPT, sqlite3.DatabaseError), "database_damaged"),
        (of_sqlite(sqlite3.SQLITE_NOTADB, sqlite3.DatabaseError), "database_damaged"),
        (of_postgres(lost=True), "database_unavailable"),
        (of_postgres("08006"), "database_unavailable"),
        (of_postgres("57P01"), "database_unavailable"),
        (of_postgres("57P03"), "database_unavailable"),
        (of_postgres("53300"), "database_busy"),
        (of_postgres("53100"), "database_full"),
        (of_postgres("40P01"), "database_contested"),
        (of_postgres("40001"), "database_contested"),
        (of_postgres("55P03"), "database_busy"),
        (of_postgres("57014"), "database_busy"),
        (of_postgres("25006"), "database_read_only"),
        (of_postgres("XX001"), "database_damaged"),
    ],
)
def test_each_fault_has_its_code_and_a_sentence(error, code):
    for moment in (Moment.BEGIN, Moment.INSIDE):
        told = faults.unavailable(error, moment)
        assert (told.wire_code, told.status) == (code, 503)
        assert UNCHANGED in told.message
        assert told.retry_after > 0
        assert "a fault" not in told.message


@pytest.mark.parametrize(
    ("error", "known"),
    [
        (of_sqlite(sqlite3.SQLITE_BUSY), True),
        (of_sqlite(sqlite3.SQLITE_FULL), True),
        (of_sqlite(sqlite3.SQLITE_IOERR_FSYNC), False),
        (of_postgres("40001"), True),
        (of_postgres("53100"), True),
        (of_postgres("57P01"), False),
        (of_postgres(), False),
    ],
)
def test_what_became_of_a_commit_is_said_only_where_it_is_known(error, known):
    told = faults.unavailable(error, Moment.COMMIT)
    assert (UNCHANGED if known else UNKNOWN) in told.message


@pytest.mark.parametrize(
    "error",
    [
        of_sqlite(sqlite3.SQLITE_ERROR),
        of_sqlite(sqlite3.SQLITE_CONSTRAINT_UNIQUE, sqlite3.IntegrityError),
        of_postgres(),
        of_postgres("42P01"),
        of_postgres("23505"),
        of_postgres("22P02"),
    ],
)
def test_a_fault_of_our_own_sql_is_not_laid_at_the_databases_door(error):
    assert faults.unavailable(error, Moment.INSIDE) is None


def test_a_database_that_was_never_reached_is_away():
    assert faults.unavailable(of_postgres(), Moment.BEGIN).wire_code == "database_unavailable"


def test_more_parameters_than_a_statement_can_have_are_a_fault_of_ours(deps, tenant):
    marks, given = (
        ("?1000000", (1,)) if deps.db.is_sqlite else (",".join(["%s"] * 70_000), (1,) * 70_000)
    )
    with pytest.raises(DBAPIError), deps.db.read(tenant.id) as read:
        read.conn.exec_driver_sql(f"SELECT 1 WHERE 1 IN ({marks})", given)
    with deps.db.read(tenant.id) as read:
        assert read.conn.execute(text("SELECT 1")).scalar_one() == 1


def test_a_database_that_others_hold_is_busy(deps, tenant, monkeypatch):
    if not deps.db.is_sqlite:
        return
    monkeypatch.setattr("app.store.engines._BUSY_MS", 1)
    impatient = Database(str(deps.db.url), deps.seal)
    other = sqlite3.connect(str(deps.db.url.database), isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    with pytest.raises(Unavailable) as busy, impatient.tx(tenant.id):
        raise AssertionError
    assert (busy.value.wire_code, UNCHANGED in busy.value.message) == ("database_busy", True)
    with impatient.read(tenant.id) as read:  # readers go on
        assert read.conn.execute(text("SELECT count(*) FROM tenant")).scalar_one() == 1
    other.close()
    with impatient.tx(tenant.id):
        pass
    impatient.close()


def test_a_file_that_is_no_database_is_damaged(deps, tmp_path):
    (tmp_path / "torn.db").write_bytes(b"this was a database once" * 100)
    torn = Database(f"sqlite:///{tmp_path / 'torn.db'}", deps.seal)
    with pytest.raises(Unavailable) as damaged, torn.system():
        raise AssertionError
    assert damaged.value.wire_code == "database_damaged"
    torn.close()


def test_a_folder_that_is_not_there_is_told(deps, tmp_path):
    lost = Database(f"sqlite:///{tmp_path / 'nowhere' / 'x.db'}", deps.seal)
    for handle in (lost.system(), lost.system(write=True)):
        with pytest.raises(Unavailable) as told, handle:
            raise AssertionError
        assert told.value.wire_code == "database_read_only"
    lost.close()


def test_when_every_connection_is_in_use_the_next_is_told_to_wait(deps, tenant):
    db = deps.db
    if db.is_sqlite:
        return  # it has no pool, and no server that would count
    db._reader.pool._timeout = 0.01
    held = []
    with pytest.raises(Unavailable) as busy:
        for _ in range(100):
            handle = db.read(tenant.id)
            handle.__enter__()
            held.append(handle)
    assert (busy.value.wire_code, UNCHANGED in busy.value.message) == ("database_busy", True)
    for handle in reversed(held):
        handle.__exit__(None, None, None)
    with db.read(tenant.id):
        pass


def end_all_connections(postgres, db):
    with psycopg.connect(postgres.admin_url().replace("+psycopg", ""), autocommit=True) as admin:
        admin.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s",
            [db.url.database],
        )
        count = "SELECT count(*) FROM pg_stat_activity WHERE datname = %s"
        eventually(lambda: admin.execute(count, [db.url.database]).fetchone() == (0,))


def test_a_connection_that_died_in_the_pool_is_replaced_silently(request, deps, tenant):
    if deps.db.is_sqlite:
        return
    with deps.db.tx(tenant.id), deps.db.system(), deps.db.read(tenant.id):
        pass
    end_all_connections(request.getfixturevalue("postgres"), deps.db)
    for handle in (deps.db.system(), deps.db.tx(tenant.id), deps.db.read(tenant.id)):
        with handle as opened:
            assert opened.conn.execute(text("SELECT 1")).scalar_one() == 1


def test_a_connection_lost_inside_a_transaction_changed_nothing(request, deps, tenant):
    if deps.db.is_sqlite:
        return
    postgres = request.getfixturevalue("postgres")
    with pytest.raises(Unavailable) as lost, deps.db.tx(tenant.id) as tx:
        people.add(tx, Person(deps.ids.new(), user_name="Ada"), deps.clock())
        end_all_connections(postgres, deps.db)
        people.by_user_name(tx, "ada")
    assert (lost.value.wire_code, UNCHANGED in lost.value.message) == ("database_unavailable", True)
    with deps.db.read(tenant.id) as read:
        assert people.by_user_name(read, "ada") is None


def test_a_connection_lost_at_the_commit_leaves_it_unknown(request, deps, tenant):
    if deps.db.is_sqlite:
        return
    postgres = request.getfixturevalue("postgres")
    with pytest.raises(Unavailable) as lost, deps.db.tx(tenant.id) as tx:
        people.add(tx, Person(deps.ids.new(), user_name="Ada"), deps.clock())
        end_all_connections(postgres, deps.db)
    assert UNKNOWN in lost.value.message


@pytest.mark.parametrize("handle", ["read", "system", "snapshot", "tx", "system to write"])
def test_whether_it_was_saved_is_unknown_only_to_who_writes(deps, tenant, monkeypatch, handle):
    fault = of_sqlite(sqlite3.SQLITE_IOERR) if deps.db.is_sqlite else of_postgres(lost=True)

    def lost(*_, **__):
        raise fault

    opened = {
        "read": lambda: deps.db.read(tenant.id),
        "system": deps.db.system,
        "snapshot": deps.db.snapshot,
        "tx": lambda: deps.db.tx(tenant.id),
        "system to write": lambda: deps.db.system(write=True),
    }[handle]
    monkeypatch.setattr(Database, "end", lost)
    with pytest.raises(Unavailable) as told, opened():
        pass
    writes = handle in {"tx", "system to write"}
    assert (UNKNOWN if writes else UNCHANGED) in told.value.message


def test_a_commit_that_sqlite_refuses_has_saved_nothing(deps, tenant):
    if not deps.db.is_sqlite:
        return
    with pytest.raises(IntegrityError), deps.db.tx(tenant.id) as tx:
        tx.conn.exec_driver_sql("PRAGMA defer_foreign_keys = ON")
        people.add(tx, Person("Ada", user_name="Ada"), deps.clock())
        people.grant(tx, "nobody", "administrator", "operator", deps.clock())
    with deps.db.tx(tenant.id) as tx:
        assert people.get(tx, "Ada") is None
        people.add(tx, Person("Ada", user_name="Ada"), deps.clock())


def test_a_deadlock_is_a_503_to_repeat_at_once(deps, tenant):
    if deps.db.is_sqlite:
        return
    with deps.db.tx(tenant.id) as tx:
        for name in ("Ada", "Bob"):
            people.add(tx, Person(name, user_name=name), deps.clock())
    meet = threading.Barrier(2, timeout=30)
    told = []
    take = text("UPDATE person SET active = true WHERE id = :id")

    def cross(first, second):
        try:
            with deps.db.tx(tenant.id) as tx:
                tx.conn.execute(take, {"id": first})
                meet.wait()
                tx.conn.execute(take, {"id": second})
        except Unavailable as error:
            told.append((error.wire_code, error.retry_after))

    threads = [
        threading.Thread(target=cross, args=pair) for pair in (("Ada", "Bob"), ("Bob", "Ada"))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert told == [("database_contested", 1)]


def test_no_error_of_postgresql_names_the_values_of_a_row(deps, tenant):
    if deps.db.is_sqlite:
        return
    insert = text("INSERT INTO once VALUES (:tenant, 'nonce', :key, now())")
    twice = {"tenant": tenant.id, "key": "a secret"}
    with pytest.raises(IntegrityError) as error, deps.db.tx(tenant.id) as tx:
        tx.conn.execute(insert, twice)
        tx.conn.execute(insert, twice)
    told = f"{error.value} {error.value.__cause__} {error.value.orig!r}"
    assert "pk_once" in told
    assert "a secret" not in told
    with pytest.raises(DBAPIError) as error, deps.db.read(tenant.id) as read:
        read.conn.execute(text("SELECT CAST(:x AS integer)"), {"x": "a secret"})
    told = f"{error.value} {error.value.__cause__} {error.value.orig!r}"
    assert "22P02" in told
    assert "a secret" not in told


def test_a_gate_that_can_not_be_opened_is_told(tmp_path: Path):
    with (
        pytest.raises(Unavailable, match="Nothing was changed"),
        gates.WriterGate(str(tmp_path / "nowhere" / "x.db")).writing(),
    ):
        raise AssertionError
    with gates.WriterGate(str(tmp_path / "x.db")).writing():
        assert os.path.exists(tmp_path / "x.db.gate")  # noqa: PTH110
