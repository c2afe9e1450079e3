"""The worker's rounds: nobody waits for another's destination, and nothing sent is forgotten."""

from __future__ import annotations

import threading
from collections import Counter

import pytest
from structlog.testing import capture_logs

from app import worker
from app.flows import deliver, forward
from app.http import HttpFailed
from app.kernel.delivery import TRIES, Outcome
from app.kernel.errors import Unavailable
from app.store import destinations, dispatch
from app.store.dispatch import Sent
from app.worker import Worker
from tests.flows.test_forward import say
from tests.outbox import claim, lane_of, put, record, rows

PATIENCE = 30
"""Seconds after which a test gives up waiting; none depends on how fast anything is."""


class Senders:
    """Takes the place of the senders: the dead block until they are let go, the others arrive."""

    def __init__(self, *dead):
        self.dead = set(dead)
        self.let_go = threading.Event()
        self.blocked = threading.Semaphore(0)
        self.arrived = threading.Semaphore(0)
        self.lock = threading.Lock()
        self.under_way, self.most = Counter(), Counter()

    def send(self, deps, claimed):
        with self.lock:
            self.under_way[claimed.destination] += 1
            here = self.under_way[claimed.destination]
            self.most[claimed.destination] = max(self.most[claimed.destination], here)
        if claimed.destination in self.dead:
            self.blocked.release()
            assert self.let_go.wait(PATIENCE)
        with self.lock:
            self.under_way[claimed.destination] -= 1
        if claimed.destination in self.dead:
            raise HttpFailed("it did not answer in time.")
        self.arrived.release()
        return Outcome("delivered", status=200)


@pytest.fixture
def senders(monkeypatch):
    made = Senders("registration:dead", "registration:dying")
    monkeypatch.setattr(deliver, "_SENDERS", {"ags_score": made.send})
    return made


@pytest.fixture
def running(deps, senders):
    made = Worker(deps)
    thread = threading.Thread(target=made.run, daemon=True)
    yield thread.start
    made.stop()
    senders.let_go.set()
    thread.join(PATIENCE)
    assert not thread.is_alive()


def test_two_dead_destinations_delay_no_third(deps, tenant, senders, running):
    for number in range(12):
        for name in sorted(senders.dead):
            put(deps, tenant, key=str(number), destination=name)
    running()
    for _ in range(8):
        assert senders.blocked.acquire(timeout=PATIENCE)
    # Four each hang there now; what comes for another goes all the same.
    for number in range(20):
        put(deps, tenant, key=str(number), destination="registration:third")
    for _ in range(20):
        assert senders.arrived.acquire(timeout=PATIENCE)
    assert not senders.blocked.acquire(blocking=False)
    assert senders.most["registration:dead"] == senders.most["registration:dying"] == 4
    assert senders.most["registration:third"] <= 4


def test_what_hung_ends_as_one_failure_of_its_destination(deps, tenant, senders, running):
    for number in range(12):
        put(deps, tenant, key=str(number), destination="registration:dead")
    running()
    for _ in range(4):
        assert senders.blocked.acquire(timeout=PATIENCE)
    senders.let_go.set()
    for _ in range(PATIENCE * 100):
        tried = [row for row in rows(deps, tenant).values() if row["attempts"] and not row["lease"]]
        if len(tried) == 5:
            break
        threading.Event().wait(0.01)
    # The four, and then the probe. The clock stands still, so that the pause after that does not end.
    closed = lane_of(deps, tenant, "registration:dead")
    assert (closed.failures, len(tried)) == (2, 5)
    assert {row["status"] for row in rows(deps, tenant).values()} == {"waiting"}


def test_streams_that_hang_take_nothing_from_the_deliveries(
    deps, tenant, senders, running, monkeypatch
):
    let_go, hanging = threading.Event(), threading.Semaphore(0)

    def hang(*_):
        hanging.release()
        assert let_go.wait(PATIENCE)
        return 0

    monkeypatch.setattr(forward, "forward", hang)
    for _ in range(20):
        with deps.db.tx(tenant.id) as tx:
            destinations.add(
                tx, deps.ids.new(), "xapi", "https://lrs.example", "x", deps.clock(), (0, 0)
            )
    say(deps, tenant)
    running()
    for _ in range(16):
        assert hanging.acquire(timeout=PATIENCE)
    for number in range(40):
        put(deps, tenant, key=str(number), destination="registration:third")
    for _ in range(40):
        assert senders.arrived.acquire(timeout=PATIENCE)
    let_go.set()


def test_what_was_sent_while_the_database_was_away_is_recorded_after_all(
    deps, tenant, senders, running, monkeypatch
):
    record, away = dispatch.record, threading.Semaphore(3)

    def failing(*given):
        if away.acquire(blocking=False):
            raise Unavailable("The database is away.")
        return record(*given)

    monkeypatch.setattr(dispatch, "record", failing)
    delivery_id = put(deps, tenant, destination="registration:third")
    running()
    assert senders.arrived.acquire(timeout=PATIENCE)
    for _ in range(PATIENCE * 100):
        if rows(deps, tenant)[delivery_id]["status"] == "delivered":
            break
        threading.Event().wait(0.01)
    assert rows(deps, tenant)[delivery_id]["attempts"] == 1
    assert rows(deps, tenant)[delivery_id]["status"] == "delivered"


def test_one_told_to_end_records_what_arrived_while_another_still_hangs(deps, tenant, senders):
    made = Worker(deps)
    thread = threading.Thread(target=made.run, daemon=True)
    put(deps, tenant, destination="registration:dead")
    arrives = put(deps, tenant, destination="registration:third")
    hold, arrive = threading.Event(), senders.send

    def send(deps, claimed):
        if claimed.id == arrives:
            assert hold.wait(PATIENCE)
        return arrive(deps, claimed)

    deliver._SENDERS["ags_score"] = send
    thread.start()
    assert senders.blocked.acquire(timeout=PATIENCE)
    made.stop()
    hold.set()
    for _ in range(PATIENCE * 100):
        if rows(deps, tenant)[arrives]["status"] == "delivered":
            break
        threading.Event().wait(0.01)
    assert rows(deps, tenant)[arrives]["status"] == "delivered"
    assert thread.is_alive()
    senders.let_go.set()
    thread.join(PATIENCE)
    assert not thread.is_alive()
    assert lane_of(deps, tenant, "registration:dead").failures == 1


def test_a_fault_of_ours_is_a_try_of_its_delivery_and_stops_nothing(deps, tenant, monkeypatch):
    def broken(deps, claimed):
        if claimed.key == "bad":
            raise KeyError("line_item")
        return Outcome("delivered", status=200)

    monkeypatch.setattr(deliver, "_SENDERS", {"ags_score": broken})
    bad, good = put(deps, tenant, key="bad"), put(deps, tenant, key="good")
    Worker(deps).run_until_idle()
    found = rows(deps, tenant)
    assert found[good]["status"] == "delivered"
    assert (found[bad]["status"], found[bad]["attempts"]) == ("waiting", 1)
    assert "KeyError" in found[bad]["last_error"]


def test_our_own_database_being_away_is_no_try(deps, tenant, monkeypatch):
    def away(deps, claimed):
        raise Unavailable("The database is away.")

    monkeypatch.setattr(deliver, "_SENDERS", {"ags_score": away})
    delivery_id = put(deps, tenant)
    Worker(deps).run_until_idle()
    row = rows(deps, tenant)[delivery_id]
    assert (row["status"], row["attempts"]) == ("waiting", 0)
    assert lane_of(deps, tenant).failures == 0


def test_looking_for_work_takes_no_write_lock(deps, tenant, monkeypatch):
    put(deps, tenant, destination="registration:third")
    with deps.db.system(write=True) as system:
        dispatch.claim(system, deps.clock(), "x", deps.clock(), 0, {}, 0)
    monkeypatch.setattr(deps.db, "_writing", lambda: pytest.fail("took the write lock"))
    assert deliver.turn(deps, [], 8, {"registration:third": 4}) == []
    assert deliver.turn(deps, [], 0) == []
    assert forward.claim(deps, 8) == []


def test_looking_for_probes_that_may_not_go_takes_no_write_lock(deps, tenant, clock, monkeypatch):
    put(deps, tenant)
    record(deps, claim(deps)[0], "failed")
    failing_streams(deps, tenant, 1)
    clock.move(minutes=10)
    monkeypatch.setattr(deps.db, "_writing", lambda: pytest.fail("took the write lock"))
    assert deliver.turn(deps, [], 8, {}, probes=0) == []
    assert forward.claim(deps, 8, 0) == []


def failing_streams(deps, tenant, count):
    names = stores(deps, tenant, count)
    say(deps, tenant)
    with deps.db.system(write=True) as system:
        for stream in destinations.claim(system, deps.clock(), "x", deps.clock(), count, count):
            assert destinations.failed(system, stream, "500", deps.clock(), deps.clock())
    return names


def stores(deps, tenant, count):
    names = [deps.ids.new() for _ in range(count)]
    with deps.db.tx(tenant.id) as tx:
        for name in names:
            destinations.add(tx, name, "xapi", "https://lrs.example", "x", deps.clock(), (0, 0))
    return names


def test_many_that_fail_and_hang_leave_half_of_the_senders_to_those_that_work(
    deps, tenant, senders, running, clock
):
    senders.dead = {f"registration:dead-{number}" for number in range(40)}
    for name in sorted(senders.dead):
        put(deps, tenant, destination=name)
    for one in claim(deps, limit=40):
        record(deps, one, "failed", "It did not answer in time.")
    clock.move(minutes=10)
    running()
    for _ in range(16):
        assert senders.blocked.acquire(timeout=PATIENCE)
    for number in range(20):
        put(deps, tenant, key=str(number), destination="registration:third")
    for _ in range(20):
        assert senders.arrived.acquire(timeout=PATIENCE)
    assert not senders.blocked.acquire(blocking=False)
    # As soon as one has given up another one's turn has come.
    assert sum(senders.under_way[name] for name in senders.dead) == 16


def test_many_streams_that_fail_and_hang_leave_half_to_those_that_work(
    deps, tenant, senders, running, monkeypatch
):
    let_go, hanging, went = threading.Event(), threading.Semaphore(0), threading.Semaphore(0)
    failing = set(failing_streams(deps, tenant, 20))

    def forwarded(_, stream):
        if stream.id in failing:
            hanging.release()
            assert let_go.wait(PATIENCE)
        else:
            went.release()
        return 0

    monkeypatch.setattr(forward, "forward", forwarded)
    running()
    for _ in range(8):
        assert hanging.acquire(timeout=PATIENCE)
    stores(deps, tenant, 3)
    for _ in range(3):
        assert went.acquire(timeout=PATIENCE)
    assert not hanging.acquire(blocking=False)
    let_go.set()


def until(holds):
    for _ in range(PATIENCE * 100):
        if holds():
            return
        threading.Event().wait(0.01)
    pytest.fail("it did not come to that")


def status(deps, tenant, delivery_id):
    return rows(deps, tenant)[delivery_id]["status"]


def test_a_fault_of_ours_in_a_round_is_told_and_the_worker_goes_on(
    deps, tenant, senders, running, monkeypatch
):
    take, broken = dispatch.claim, threading.Semaphore(2)

    def claimed(*given):
        if broken.acquire(blocking=False):
            raise ZeroDivisionError("a row that nobody foresaw")
        return take(*given)

    monkeypatch.setattr(dispatch, "claim", claimed)
    delivery_id = put(deps, tenant, destination="registration:third")
    with capture_logs() as lines:
        running()
        until(lambda: status(deps, tenant, delivery_id) == "delivered")
    told = [line for line in lines if line["event"] == "delivery"]
    assert [line["again_in"] for line in told] == [0.25, 0.5]
    assert all(isinstance(line["exc_info"], ZeroDivisionError) for line in told)


def test_the_rest_after_faults_of_ours_grows_to_half_a_minute():
    rest, found = worker._Rest(), []
    for _ in range(9):
        rest.begin()
        found.append(rest.seconds)
    assert found == [0.25, 0.5, 1, 2, 4, 8, 16, 30, 30]


def test_a_delivery_that_can_never_be_claimed_stops_no_stream_and_no_record(
    deps, tenant, senders, running, monkeypatch
):
    # Its rest does not end before the test does.
    monkeypatch.setattr(worker, "_FIRST_REST_SECONDS", 100.0 * PATIENCE)
    monkeypatch.setattr(worker, "_LONGEST_REST_SECONDS", 100.0 * PATIENCE)
    delivery_id = put(deps, tenant, destination="registration:dead")
    running()
    assert senders.blocked.acquire(timeout=PATIENCE)
    went, faults = threading.Semaphore(0), threading.Semaphore(0)
    monkeypatch.setattr(forward, "forward", lambda *_: went.release())

    def broken(*_):
        faults.release()
        raise ZeroDivisionError

    monkeypatch.setattr(dispatch, "claim", broken)
    put(deps, tenant, destination="registration:third")
    assert faults.acquire(timeout=PATIENCE)
    stores(deps, tenant, 1)
    say(deps, tenant)
    assert went.acquire(timeout=PATIENCE)
    senders.let_go.set()
    until(lambda: rows(deps, tenant)[delivery_id]["last_error"] is not None)
    assert rows(deps, tenant)[delivery_id]["lease"] is None


def test_an_outcome_that_can_never_be_recorded_is_let_go_and_the_others_are_recorded(
    deps, tenant, senders, running, monkeypatch, clock
):
    write, poisoned = dispatch.record, put(deps, tenant, key="p", destination="registration:third")

    def broken(system, sent, *rest):
        if sent.claimed.id == poisoned:
            raise ZeroDivisionError("a row that nobody foresaw")
        return write(system, sent, *rest)

    monkeypatch.setattr(dispatch, "record", broken)
    others = [put(deps, tenant, key=str(n), destination="registration:third") for n in range(3)]
    with capture_logs() as lines:
        running()
        until(lambda: all(status(deps, tenant, one) == "delivered" for one in others))
        until(lambda: [one for one in lines if one["event"] == "not recorded"])
        after = put(deps, tenant, key="after", destination="registration:third")
        until(lambda: status(deps, tenant, after) == "delivered")
    told = [one["delivery"] for one in lines if one["event"] == "not recorded"]
    assert told == [poisoned] * 2  # as it was, and that it could not be told
    assert (status(deps, tenant, poisoned), rows(deps, tenant)[poisoned]["attempts"]) == ("waiting", 1)  # fmt: skip
    monkeypatch.setattr(dispatch, "record", write)
    clock.move(seconds=91)
    until(lambda: status(deps, tenant, poisoned) == "delivered")
    assert rows(deps, tenant)[poisoned]["attempts"] == 2


def test_an_outcome_in_words_that_can_not_be_stored_keeps_to_the_schedule_of_tries(
    deps, tenant, clock
):
    failing, tries = put(deps, tenant, key="p"), 0
    worker = Worker(deps)
    while status(deps, tenant, failing) == "waiting":
        for one in claim(deps):
            worker._done.append(Sent(one, Outcome("failed", "half a pair: \udc80"), clock(), 1))
            tries += 1
        worker._recorded()
        clock.move(days=1)
    row = rows(deps, tenant)[failing]
    assert (row["status"], tries) == ("dead", TRIES)
    assert row["last_error"].endswith("What came of a try could not be recorded; see the log.")


def test_who_has_lost_the_lease_switches_no_record_store_off(deps, tenant, clock):
    (store,) = stores(deps, tenant, 1)
    put(deps, tenant, destination=f"destination:{store}", kind="xapi")
    (stale,) = deliver.turn(deps, [], 1)
    clock.move(seconds=91)
    (fresh,) = deliver.turn(deps, [], 1)

    def said_gone(claimed):
        deliver.turn(deps, [Sent(claimed, Outcome("gone", "410", 410), clock(), 1)], 0)
        with deps.db.read(tenant.id) as read:
            return not destinations.get(read, store)["enabled"]

    assert not said_gone(stale)
    assert said_gone(fresh)
