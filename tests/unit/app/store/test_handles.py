from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from app.http import Http
from app.kernel.errors import Unavailable
from app.kernel.person import Person
from app.store import once, people
from tests.conftest import new_tenant


def test_a_write_is_seen_after_its_commit_and_not_after_a_failure(deps, tenant):
    someone = Person(deps.ids.new(), user_name="Ada")
    with deps.db.tx(tenant.id) as tx:
        people.add(tx, someone, deps.clock())
    with pytest.raises(RuntimeError), deps.db.tx(tenant.id) as tx:
        people.add(tx, Person(deps.ids.new(), user_name="Bob"), deps.clock())
        raise RuntimeError
    with deps.db.read(tenant.id) as read:
        assert people.by_user_name(read, "ADA").id == someone.id
        assert people.by_user_name(read, "bob") is None


def test_a_glance_sees_what_is_committed_and_leaves_nothing_open(deps, tenant):
    someone = Person(deps.ids.new(), user_name="Ada")
    count = text("SELECT count(*) FROM person")
    with deps.db.glance(tenant.id) as read:
        assert people.get(read, someone.id) is None
        assert read.conn.execute(count).scalar_one() == 0
    with deps.db.tx(tenant.id) as tx:
        people.add(tx, someone, deps.clock())
    for _ in range(2):
        with deps.db.glance(tenant.id) as read:
            assert people.get(read, someone.id).user_name == "Ada"
    with pytest.raises(RuntimeError), deps.db.glance(tenant.id) as read:
        assert read.conn.execute(count).scalar_one() == 1
        raise RuntimeError
    if deps.db.is_sqlite:
        with deps.db.glance(tenant.id) as read:
            assert not read.conn.connection.driver_connection.in_transaction


def test_what_goes_wrong_in_the_database_is_told_without_the_values(deps, tenant):
    db = deps.db
    for handle in (db.system(), db.system(write=True), db.read(tenant.id), db.tx(tenant.id)):
        with pytest.raises((DBAPIError, Unavailable)) as error, handle as opened:
            opened.conn.execute(text("SELECT * FROM nowhere WHERE x = :x"), {"x": "a secret"})
        told = f"{error.value} {error.value.__cause__}"
        assert "nowhere" in told
        assert "a secret" not in told


@pytest.mark.parametrize("handle", ["read", "system", "snapshot", "tx", "system to write"])
def test_no_plan_is_kept_from_when_the_tables_were_empty(deps, tenant, handle):
    """PostgreSQL would keep one from the eleventh execution on, and each against each is quick with none."""
    if deps.db.is_sqlite:
        return
    opened = {
        "read": lambda: deps.db.read(tenant.id),
        "system": deps.db.system,
        "snapshot": deps.db.snapshot,
        "tx": lambda: deps.db.tx(tenant.id),
        "system to write": lambda: deps.db.system(write=True),
    }[handle]
    someone = text("SELECT id FROM person WHERE tenant_id = :tenant AND id = :id")
    with opened() as held:
        for number in range(20):
            held.conn.execute(someone, {"tenant": tenant.id, "id": str(number)})
        counted = "SELECT sum(generic_plans), sum(custom_plans) > 9 FROM pg_prepared_statements"
        assert held.conn.execute(text(counted)).one() == (0, True)


def test_one_tenant_cannot_read_anothers_person_by_id(deps, tenant, other_tenant):
    someone = Person(deps.ids.new(), user_name="Ada")
    with deps.db.tx(tenant.id) as tx:
        people.add(tx, someone, deps.clock())
    with deps.db.read(other_tenant.id) as read:
        assert people.get(read, someone.id) is None
        assert people.by_user_name(read, "ada") is None


def test_raw_sql_that_names_no_tenant_sees_and_writes_nothing_of_others(deps, tenant, other_tenant):
    if deps.db.is_sqlite:
        with pytest.raises(Exception), deps.db.read(tenant.id) as read:  # noqa: B017
            read.conn.execute(text("SELECT current_setting('ostiary.tenant')"))
        return
    with deps.db.tx(tenant.id) as tx:
        people.add(tx, Person(deps.ids.new(), user_name="Ada"), deps.clock())
    with deps.db.read(other_tenant.id) as read:
        assert read.conn.execute(text("SELECT count(*) FROM person")).scalar_one() == 0
        assert read.conn.execute(text("SELECT id FROM tenant")).scalars().all() == [other_tenant.id]
    with deps.db.tx(other_tenant.id) as tx:
        assert tx.conn.execute(text("UPDATE person SET active = false")).rowcount == 0
        assert tx.conn.execute(text("DELETE FROM person")).rowcount == 0
    with pytest.raises(DBAPIError), deps.db.tx(other_tenant.id) as tx:
        tx.conn.execute(
            text("INSERT INTO once VALUES (:tenant, 'nonce', 'x', now())"), {"tenant": tenant.id}
        )


def test_a_claim_succeeds_once_however_many_try(deps, tenant):
    until = deps.clock() + timedelta(minutes=5)

    def claim(_):
        with deps.db.tx(tenant.id) as tx:
            return once.claim(tx, "nonce", "abc", until)

    with ThreadPoolExecutor(8) as pool:
        assert sorted(pool.map(claim, range(16))) == [False] * 15 + [True]


def test_a_claim_of_one_tenant_leaves_the_others_free(deps, tenant):
    until = deps.clock() + timedelta(minutes=5)
    for each in (tenant, new_tenant(deps, "initech")):
        with deps.db.tx(each.id) as tx:
            assert once.claim(tx, "nonce", "abc", until)


def test_no_http_inside_a_transaction(deps, tenant):
    class Request:
        method, url, headers, body = "GET", "http://127.0.0.1:1/", {}, None

    with (
        deps.db.read(tenant.id),
        pytest.raises(RuntimeError, match="inside a database transaction"),
    ):
        Http(insecure=True).send(Request())
