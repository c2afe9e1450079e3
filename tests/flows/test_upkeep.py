"""What is over goes in bounded steps by an index; what somebody may still need stays."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import timedelta

import psycopg
import pytest
from sqlalchemy import Engine, event, insert, make_url, select
from structlog.testing import capture_logs

from app.flows import upkeep
from app.store import leases, outbox, retention
from app.store import tables as store
from app.store.tables.outbox import delivery, delivery_attempt
from app.worker import Worker
from tests.outbox import claim, delivered, put, record, rows

PATIENCE = 30
"""Seconds after which a test gives up waiting; it does not depend on how fast anything is."""

TABLES = ("delivery", "delivery_attempt", "event")


def held(deps, tenant):
    tables = [store.metadata.tables[name] for name in TABLES]
    with deps.db.read(tenant.id) as read:
        return {
            one.name: len(read.conn.execute(select(one.c.id).filter_by(tenant_id=tenant.id)).all())
            for one in tables
        }


def arrived(deps, tenant, **put_as):
    """One that has arrived just now; returns its id."""
    made = put(deps, tenant, **put_as)
    for one in claim(deps, "quick"):
        assert one.id == made
        delivered(deps, one)
    return made


def test_what_arrived_goes_after_its_days_with_its_tries_and_its_fact(deps, tenant, clock):
    arrived(deps, tenant, key="early")
    put(deps, tenant, key="newer", newest_only=True)
    clock.move(hours=1)
    put(deps, tenant, key="newer", newest_only=True)
    delivered(deps, claim(deps)[0])
    assert held(deps, tenant) == {"delivery": 3, "delivery_attempt": 2, "event": 3}
    clock.move(days=29, hours=23)
    upkeep.forget(deps)
    assert held(deps, tenant)["delivery"] == 3
    clock.move(seconds=1)
    upkeep.forget(deps)
    assert held(deps, tenant) == {"delivery": 2, "delivery_attempt": 1, "event": 2}
    clock.move(hours=1)
    upkeep.forget(deps)
    assert held(deps, tenant) == {"delivery": 0, "delivery_attempt": 0, "event": 0}


def test_the_days_are_a_setting(deps, tenant, clock):
    short = replace(deps, settings=deps.settings.model_copy(update={"delivered_days": 2}))
    arrived(deps, tenant)
    clock.move(days=2, seconds=1)
    upkeep.forget(deps)
    assert held(deps, tenant)["delivery"] == 1
    upkeep.forget(short)
    assert held(deps, tenant)["delivery"] == 0


def test_what_waits_is_never_dropped_and_what_was_given_up_after_a_year(deps, tenant, clock):
    dead, waits = put(deps, tenant, key="bad"), put(deps, tenant, key="slow")
    by_id = {one.id: one for one in claim(deps)}
    record(deps, by_id[dead], "refused", status=400)
    record(deps, by_id[waits], "held")
    clock.move(days=364)
    upkeep.forget(deps)
    assert set(rows(deps, tenant)) == {dead, waits}
    clock.move(days=2)
    upkeep.forget(deps)
    assert set(rows(deps, tenant)) == {waits}
    assert held(deps, tenant) == {"delivery": 1, "delivery_attempt": 1, "event": 1}


@pytest.mark.parametrize("status", ["waiting", "dead"])
def test_a_fact_that_another_delivery_needs_stays(deps, tenant, clock, status):
    first = arrived(deps, tenant)
    row = {name: value for name, value in rows(deps, tenant)[first].items() if name in delivery.c}
    ended = clock() if status == "dead" else None
    with deps.db.tx(tenant.id) as tx:
        tx.conn.execute(insert(delivery), row | {
            "id": "other", "destination": "registration:b", "status": status, "finished_at": ended,
        })  # fmt: skip
    clock.move(days=31)
    upkeep.forget(deps)
    assert held(deps, tenant) == {"delivery": 1, "delivery_attempt": 0, "event": 1}
    assert set(rows(deps, tenant)) == {"other"}


def test_an_older_score_is_not_sent_after_a_newer_one_that_was_long_ago(deps, tenant, clock):
    """What was given up stays a year: so long the newer of its key tells that it must not be sent."""
    old = put(deps, tenant, newest_only=True)
    record(deps, claim(deps)[0], "refused", status=400)
    new = arrived(deps, tenant, newest_only=True)
    clock.move(days=31)
    upkeep.forget(deps)
    assert set(rows(deps, tenant)) == {old, new}
    with deps.db.tx(tenant.id) as tx:
        assert outbox.replay(tx, clock(), ids=[old]).superseded == 1
    assert rows(deps, tenant)[old]["status"] == "superseded"
    upkeep.forget(deps)
    assert set(rows(deps, tenant)) == {old}


def test_what_is_replayed_while_it_is_being_dropped_stays(deps, tenant, clock):
    kept, goes = arrived(deps, tenant, key="1"), arrived(deps, tenant, key="2")
    clock.move(days=31)
    before = clock() - timedelta(days=30)
    with deps.db.system() as system:
        found = retention.over(system, "delivered", before, 10)
    assert sorted(found) == sorted([(tenant.id, kept), (tenant.id, goes)])
    with deps.db.tx(tenant.id) as tx:
        assert outbox.replay(tx, clock(), ids=[kept], delivered=True).waiting == 1
    with deps.db.system(write=True) as system:
        assert retention.drop(system, found, "delivered", before) == 1
    assert set(rows(deps, tenant)) == {kept}
    assert held(deps, tenant) == {"delivery": 1, "delivery_attempt": 1, "event": 1}


def test_a_replay_under_way_is_not_waited_for(deps, tenant, clock):
    if deps.db.is_sqlite:
        return  # one writer
    kept = arrived(deps, tenant, key="1")
    arrived(deps, tenant, key="2")
    clock.move(days=31)
    sweep = threading.Thread(target=upkeep.forget, args=(deps,), daemon=True)
    with deps.db.tx(tenant.id) as tx:
        assert outbox.replay(tx, clock(), ids=[kept], delivered=True).waiting == 1
        sweep.start()
        sweep.join(PATIENCE)
        assert not sweep.is_alive()
    assert set(rows(deps, tenant)) == {kept}


def test_a_sweep_is_bounded_and_so_is_each_of_its_transactions(
    deps, tenant, other_tenant, clock, monkeypatch
):
    monkeypatch.setattr(upkeep, "_STEP", 2)
    monkeypatch.setattr(upkeep, "_STEPS", 2)
    for number in range(4):
        arrived(deps, tenant, key=str(number))
        arrived(deps, other_tenant, key=str(number))
    clock.move(days=31)
    steps, drop = [], retention.drop
    monkeypatch.setattr(retention, "drop", lambda *given: steps.append(drop(*given)) or steps[-1])
    left, more = [], []
    for _ in range(3):
        more.append(upkeep.forget(deps))
        left.append(held(deps, tenant)["delivery"] + held(deps, other_tenant)["delivery"])
    assert (steps, left) == ([2, 2, 2, 2], [4, 0, 0])
    assert more == [True, True, False]


def test_the_worker_sweeps_every_ten_minutes_and_soon_again_where_some_was_left(
    deps, tenant, clock, monkeypatch
):
    swept, left = [], [True, True, False, False]
    monkeypatch.setattr(upkeep, "forget", lambda _: swept.append(clock()) or left.pop(0))
    worker, since = Worker(deps), clock()
    while left:
        worker._sweep()
        clock.move(seconds=1)
    assert [(at - since).total_seconds() for at in swept] == [600, 605, 610, 1210]


@pytest.mark.parametrize("counted", [True, False])
def test_what_is_over_is_found_and_dropped_by_index(deps, tenant, clock, database_environ, counted):
    arrived(deps, tenant, key="old")
    clock.move(days=31)
    made = rows(deps, tenant).popitem()[1]
    row = {name: value for name, value in made.items() if name in delivery.c}
    fresh = row | {"finished_at": clock()}
    with deps.db.tx(tenant.id) as tx:
        tx.conn.execute(insert(delivery), [
            fresh | {"id": f"d{n}", "seq": n + 100, "event_id": f"e{n}", "ordering_key": f"k{n}"}
            for n in range(3000)
        ])  # fmt: skip
        tx.conn.execute(insert(store.metadata.tables["event"]), [
            {"seq": n + 100, "tenant_id": tenant.id, "id": f"e{n}", "type": "score", "subject": "x",
             "payload": {}, "at": clock()}
            for n in range(3000)
        ])  # fmt: skip
        tx.conn.execute(insert(delivery_attempt), [
            {"tenant_id": tenant.id, "id": f"a{n}", "delivery_id": f"d{n}", "at": clock(),
             "outcome": "delivered", "took_ms": 1}
            for n in range(3000)
        ])  # fmt: skip
    if counted and not deps.db.is_sqlite:
        counting(database_environ)
    plans = explained(deps, lambda: upkeep.forget(deps))
    found = [plan for what, plan in plans if what.startswith("SELECT")]
    assert "ix_delivery_finished" in found[0], found[0]
    by_id = "sqlite_autoindex_delivery_1" if deps.db.is_sqlite else "pk_delivery"
    assert by_id in found[1], found[1]
    for what, plan in plans:
        for name in TABLES:
            for whole in (f"SCAN {name}\n", f"SCAN {name} ", f"Seq Scan on {name} "):
                assert whole not in plan + "\n", f"{what}\n{plan}"
    assert {what.split()[2] for what, _ in plans if what.startswith("DELETE")} == set(TABLES)


def counting(environ):
    """Let PostgreSQL count its rows."""
    owner = make_url(environ["OSTIARY_DATABASE_OWNER_URL"])
    url = owner.set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(url, autocommit=True) as conn:
        conn.execute("ANALYZE")


def explained(deps, doing, tables=TABLES):
    """The plan of each statement of what is done that is about deliveries, or these tables."""
    said = []

    def note(_conn, _cursor, statement, parameters, _context, _many):
        if any(word in statement for word in tables) and statement.split()[0] in {"SELECT", "DELETE"}:  # fmt: skip
            said.append((statement, parameters))

    event.listen(Engine, "before_cursor_execute", note)
    try:
        doing()
    finally:
        event.remove(Engine, "before_cursor_execute", note)
    verb = "EXPLAIN QUERY PLAN " if deps.db.is_sqlite else "EXPLAIN "
    with deps.db.system() as system:
        return [
            (what, "\n".join(str(line[-1]) for line in system.conn.exec_driver_sql(verb + what, given)))
            for what, given in said
        ]  # fmt: skip


def test_of_all_workers_one_writes_a_checkpoint_and_once_an_hour(
    deps, tenant, other_tenant, clock, monkeypatch
):
    with capture_logs() as lines:
        counts = [upkeep.checkpoints(deps) for _ in range(3)]
        clock.move(minutes=59)
        counts.append(upkeep.checkpoints(deps))
        clock.move(minutes=1)
        counts += [upkeep.checkpoints(deps), upkeep.checkpoints(deps)]
    assert counts == [2, 0, 0, 0, 2, 0]
    # Two that looked in the same moment: the lease decides.
    monkeypatch.setattr(leases, "held", lambda *_: False)
    assert upkeep.checkpoints(deps) == 0
    assert sorted(line["tenant"] for line in lines) == ["acme", "acme", "globex", "globex"]
