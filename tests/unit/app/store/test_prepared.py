"""Statements run on the driver: the same values, rows and errors as SQLAlchemy's own way."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from sqlalchemy import bindparam, insert, select, text, update
from sqlalchemy.exc import DBAPIError, IntegrityError

from app.kernel.errors import Unavailable
from app.store.prepared import Prepared
from app.store.sql import insert_once, upsert
from app.store.tables.people import person
from app.store.tables.tenants import token

AT = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=timezone(timedelta(hours=2)))
NEW = Prepared(
    insert(person), "tenant_id", "id", "user_name", "user_name_folded", "email_verified", "active",
    "version", "sources", "created_at", "updated_at", "deleted_at",
)  # fmt: skip
BY_ID = select(person).where(
    person.c.tenant_id == bindparam("tenant"), person.c.id == bindparam("id")
)


def row(tenant, key, name="Ada", **more):
    return {
        "tenant_id": tenant.id, "id": key, "user_name": name, "user_name_folded": name.lower(),
        "email_verified": False, "active": True, "version": 1, "sources": {"a": ["ü", 1]},
        "created_at": AT, "updated_at": AT, "deleted_at": None, **more,
    }  # fmt: skip


def test_rows_are_as_sqlalchemy_reads_them(deps, tenant):
    prepared = Prepared(BY_ID)
    with deps.db.tx(tenant.id) as tx:
        NEW.run_each(tx.conn, [row(tenant, "1"), row(tenant, "2", "Bob", active=False)])
        for key in ("1", "2"):
            asked = {"tenant": tenant.id, "id": key}
            plain = tx.conn.execute(BY_ID, asked).one()
            found = prepared.first(tx.conn, asked)
            assert found._asdict() == dict(plain._mapping)
            assert found.created_at == AT
            assert found.created_at.tzinfo is UTC
            assert found.sources == {"a": ["ü", 1]}
            assert found.active is (key == "1")
        assert prepared.first(tx.conn, {"tenant": tenant.id, "id": "3"}) is None
        every = Prepared(select(person.c.id).where(person.c.tenant_id == bindparam("tenant")))
        assert {one.id for one in every.all(tx.conn, {"tenant": tenant.id})} == {"1", "2"}
        assert prepared.scalar(tx.conn, {"tenant": tenant.id, "id": "1"}) == tenant.id
        assert prepared.scalar(tx.conn, {"tenant": tenant.id, "id": "3"}) is None


def test_what_a_statement_says_itself_stands_and_can_be_told_anew(deps, tenant):
    active = Prepared(select(person.c.id).where(person.c.user_name == "Ada"))
    with deps.db.tx(tenant.id) as tx:
        NEW.run_each(tx.conn, [row(tenant, "1"), row(tenant, "2", "Bob")])
        assert [one.id for one in active.all(tx.conn, {})] == ["1"]
        name = next(name for name, said in active.fixed(tx.conn).items() if said == "Ada")
        assert [one.id for one in active.all(tx.conn, {name: "Bob"})] == ["2"]


def test_rows_changed_are_counted(deps, tenant):
    renamed = Prepared(
        update(person).where(person.c.tenant_id == bindparam("of"), person.c.id == bindparam("key")),
        "user_name",
    )  # fmt: skip
    with deps.db.tx(tenant.id) as tx:
        NEW.run(tx.conn, row(tenant, "1"))
        given = {"of": tenant.id, "key": "1", "user_name": "Eve"}
        assert renamed.run(tx.conn, given) == 1
        assert renamed.run(tx.conn, given | {"key": "2"}) == 0
        assert tx.conn.execute(select(person.c.user_name)).scalar_one() == "Eve"


def test_a_default_of_pythons_must_be_given(deps, tenant):
    with deps.db.tx(tenant.id) as tx, pytest.raises(ValueError, match="default of Python's"):
        Prepared(insert(person), "tenant_id", "id").run(tx.conn, {"tenant_id": "t", "id": "1"})


def test_a_naive_time_is_refused(deps, tenant):
    with deps.db.tx(tenant.id) as tx, pytest.raises(ValueError, match="naive"):
        NEW.run(tx.conn, row(tenant, "1", created_at=datetime(2026, 1, 1)))  # noqa: DTZ001


def test_faults_are_sqlalchemys_and_tell_no_values(deps, tenant):
    with pytest.raises(IntegrityError) as caught, deps.db.tx(tenant.id) as tx:
        NEW.run_each(tx.conn, [row(tenant, "1"), row(tenant, "1", "A-secret-name")])
    assert "secret" not in str(caught.value)
    with pytest.raises(DBAPIError), deps.db.tx(tenant.id) as tx:
        Prepared(text("SELECT nothing FROM nowhere")).run(tx.conn, {})
    with deps.db.read(tenant.id) as read:
        assert read.conn.execute(select(person.c.id)).first() is None


def test_a_lost_connection_is_replaced(deps, tenant):
    end = Prepared(text("SELECT pg_terminate_backend(pg_backend_pid())"))
    asked, of = Prepared(BY_ID), {"tenant": tenant.id, "id": "1"}
    if not deps.db.is_sqlite:  # a file has no connection to lose
        with pytest.raises(Unavailable), deps.db.read(tenant.id) as read:
            end.run(read.conn, {})
            asked.first(read.conn, of)
    with deps.db.read(tenant.id) as read:
        assert asked.first(read.conn, of) is None


def test_insert_once_and_upsert(deps, tenant):
    made = {
        "tenant_id": tenant.id, "id": "1", "kind": "scim", "client": "c", "scope": "read", "digest": "d",
        "created_at": AT,
    }  # fmt: skip
    with deps.db.tx(tenant.id) as tx:
        assert insert_once(tx.conn, token, made)
        assert not insert_once(tx.conn, token, made | {"scope": "write"})
        upsert(tx.conn, token, made | {"scope": "write"}, ("tenant_id", "id"))
        assert tx.conn.execute(select(token.c.scope)).scalars().all() == ["write"]
