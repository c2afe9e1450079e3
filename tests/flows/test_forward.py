"""Statements on their way to a record store that is slow, wrong, strict or away."""

import json
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from app.flows import deliver, forward, redeliver, tenancy
from app.kernel.delivery import BRAKE, TRIES, Outcome
from app.kernel.errors import NotFound
from app.store import destinations, outbox, statements
from app.store.dispatch import Sent
from app.worker import Worker
from keys.errors import SealBroken
from keys.seal import Seal


class RecordStore(ThreadingHTTPServer):
    """Takes statements by id; `answers` are statuses to give first, `refuses` ids that it finds bad."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.kept: dict[str, dict] = {}
        self.arrived: list[str] = []
        self.batches: list[int] = []
        self.answers: list[tuple[int, dict[str, str]]] = []
        self.words = b'["an id"]'
        self.refuses: set[str] = set()
        self.most = 1000
        self.url = f"http://127.0.0.1:{self.server_port}/xapi"


class _Handler(BaseHTTPRequestHandler):
    server: RecordStore

    def do_POST(self):
        batch = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.batches.append(len(batch))
        status, headers = self.server.answers.pop(0) if self.server.answers else (200, {})
        if any(one["id"] in self.server.refuses for one in batch):
            status = 400
        if len(batch) > self.server.most:
            status = 413
        if status == 200:
            for one in batch:
                self.server.kept.setdefault(one["id"], one)
                self.server.arrived.append(one["id"])
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(self.server.words)

    def log_message(self, *_):
        pass


@pytest.fixture
def record_store() -> Iterator[RecordStore]:
    server = RecordStore()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def destination(deps, tenant, record_store) -> str:
    return tenancy.add_record_store(deps, tenant.slug, record_store.url, "key", "secret")


def say(deps, tenant, count=1, words=""):
    verb = {"id": "http://example.org/v", **({"display": {"en": words}} if words else {})}
    made = [{"id": deps.ids.new(), "verb": verb} for _ in range(count)]
    for one in made:
        with deps.db.tx(tenant.id) as tx:
            statements.add(tx, [one], "someone", deps.clock())
    return [one["id"] for one in made]


def backlog(deps, tenant):
    with deps.db.read(tenant.id) as read:
        return destinations.backlog(read)


def dead(deps, tenant):
    with deps.db.read(tenant.id) as read:
        return outbox.listed(read, statuses=["dead"])


def test_statements_arrive_in_order_in_batches(deps, tenant, record_store, destination):
    said = say(deps, tenant, 220)
    Worker(deps).run_until_idle()
    assert record_store.arrived == said
    assert record_store.batches == [100, 100, 20]
    assert backlog(deps, tenant) == []


def test_what_was_said_before_the_destination_came_is_not_sent(deps, tenant, record_store):
    say(deps, tenant)
    tenancy.add_record_store(deps, tenant.slug, record_store.url, "key", "secret")
    after = say(deps, tenant)
    Worker(deps).run_until_idle()
    assert record_store.arrived == after


@pytest.mark.parametrize(
    "words", [b"<!doctype html><p>Please sign in.</p>", b"", b"[]", b"[{}]", b'{"ok": true}']
)
def test_a_200_without_the_ids_is_nobodys_receipt(
    deps, tenant, record_store, destination, clock, words
):
    said = say(deps, tenant, 3)
    record_store.words = words
    Worker(deps).run_until_idle()
    assert backlog(deps, tenant)[0]["attempts"] == 1
    assert "answered 200" in backlog(deps, tenant)[0]["last_error"]
    record_store.words = b'["an id"]'
    clock.move(seconds=7)
    Worker(deps).run_until_idle()
    assert backlog(deps, tenant) == []
    assert list(record_store.kept) == said


@pytest.mark.parametrize(
    ("status", "headers"),
    [
        *((status, {}) for status in (500, 502, 401, 403, 404, 429)),
        (400, {"Content-Type": "text/html; charset=utf-8"}),  # a firewall's page
    ],
)
def test_a_failing_store_is_waited_for_and_nothing_is_skipped(
    deps, tenant, record_store, destination, clock, status, headers
):
    said = say(deps, tenant, 3)
    record_store.answers = [(status, headers)]
    Worker(deps).run_until_idle()
    waiting = backlog(deps, tenant)[0]
    assert waiting["attempts"] == 1
    assert f"answered {status}" in waiting["last_error"]
    assert (waiting["failing_since"], waiting["behind_since"]) == (clock(), clock())
    clock.move(seconds=2)
    Worker(deps).run_until_idle()
    assert record_store.arrived == said
    assert backlog(deps, tenant) == []
    with deps.db.read(tenant.id) as read:
        assert destinations.get(read, destination)["failing_since"] is None


def test_retry_after_is_waited_for(deps, tenant, record_store, destination, clock):
    say(deps, tenant)
    record_store.answers = [(429, {"Retry-After": "60"})]
    Worker(deps).run_until_idle()
    clock.move(seconds=59)
    Worker(deps).run_until_idle()
    assert record_store.arrived == []
    clock.move(seconds=2)
    Worker(deps).run_until_idle()
    assert len(record_store.arrived) == 1


def test_one_bad_statement_is_set_aside_and_the_rest_arrive_in_order(
    deps, tenant, record_store, destination
):
    said = say(deps, tenant, 21)
    record_store.refuses = {said[13]}
    Worker(deps).run_until_idle()
    assert record_store.arrived == [one for one in said if one != said[13]]
    kept = dead(deps, tenant)
    assert [row["subject"] for row in kept] == [said[13]]
    assert "400" in kept[0]["last_error"]
    assert backlog(deps, tenant) == []


def test_a_statement_set_aside_can_be_replayed_once_the_store_is_mended(
    deps, tenant, record_store, destination
):
    said = say(deps, tenant, 2)
    record_store.refuses = {said[0]}
    Worker(deps).run_until_idle()
    record_store.refuses = set()
    with deps.db.tx(tenant.id) as tx:
        assert outbox.replay(tx, deps.clock(), ids=[dead(deps, tenant)[0]["id"]]).waiting == 1
    Worker(deps).run_until_idle()
    assert set(record_store.kept) == set(said)
    assert dead(deps, tenant) == []


def test_a_batch_whose_answer_was_lost_comes_again_with_the_same_ids(
    deps, tenant, record_store, destination, clock
):
    said = say(deps, tenant, 2)
    with deps.db.system(write=True) as system:
        (lost,) = destinations.claim(system, clock(), "killed", clock(), 1, 1)
    assert lost.id == destination
    clock.move(seconds=1)
    Worker(deps).run_until_idle()
    assert list(record_store.kept) == said


def test_one_tenants_statements_never_reach_anothers_store(
    deps, tenant, other_tenant, record_store, destination
):
    say(deps, other_tenant, 3)
    ours = say(deps, tenant)
    Worker(deps).run_until_idle()
    assert record_store.arrived == ours


def test_a_transaction_still_open_holds_back_what_came_after_it(
    deps, tenant, record_store, destination
):
    if deps.db.is_sqlite:
        return  # one writer: nothing can come after it before it ends
    first = {"id": deps.ids.new(), "verb": {"id": "http://example.org/v"}}
    with deps.db.tx(tenant.id) as tx:
        statements.add(tx, [first], "someone", deps.clock())
        elsewhere = threading.Thread(target=say, args=(deps, tenant))
        elsewhere.start()
        elsewhere.join()
        with deps.db.system() as system:
            assert statements.after(system, tenant.id, 0, 0, 10) == []
    Worker(deps).run_until_idle()
    assert record_store.arrived[0] == first["id"]
    assert len(record_store.arrived) == 2


@pytest.mark.parametrize("after", ["\u00b2", "9" * 400, "99999999999999999", "-1", "soon", "1e9"])
def test_an_answer_that_makes_no_sense_is_one_to_try_again(
    deps, tenant, record_store, destination, clock, after
):
    said = say(deps, tenant)
    record_store.answers = [(503, {"Retry-After": after})]
    record_store.words = b"\0\xff\x1b[31m out of order"
    Worker(deps).run_until_idle()
    (behind,) = backlog(deps, tenant)
    assert behind["attempts"] == 1
    assert behind["last_error"].endswith("[31m out of order")
    assert behind["last_error"].isprintable()
    clock.move(days=1, seconds=1)
    Worker(deps).run_until_idle()
    assert record_store.arrived == said


def test_a_lease_lost_while_a_batch_is_halved_moves_nothing(
    deps, tenant, record_store, destination, monkeypatch
):
    said = say(deps, tenant, 4)
    record_store.refuses = {said[0]}
    monkeypatch.setattr(destinations, "renew", lambda *_: False)
    (stream,) = forward.claim(deps, 1)
    assert forward.forward(deps, stream) == 0
    assert record_store.batches == [4]
    assert dead(deps, tenant) == []


def test_a_store_that_stays_away_is_tried_every_five_minutes_at_least(
    deps, tenant, record_store, destination, clock
):
    say(deps, tenant)
    record_store.answers = [(500, {})] * 30
    since = clock()
    for _ in range(30):
        Worker(deps).run_until_idle()
        (behind,) = backlog(deps, tenant)
        assert timedelta(0) < behind["next_at"] - clock() <= timedelta(minutes=5)
        clock.now = behind["next_at"]
    assert (behind["attempts"], behind["failing_since"]) == (30, since)
    Worker(deps).run_until_idle()
    assert len(record_store.arrived) == 1


@pytest.mark.parametrize("status", [429, 503])
def test_retry_after_may_be_a_date(deps, tenant, record_store, destination, clock, status):
    say(deps, tenant)
    record_store.answers = [(status, {"Retry-After": "Mon, 02 Mar 2026 09:10:00 GMT"})]
    Worker(deps).run_until_idle()
    assert backlog(deps, tenant)[0]["next_at"] == clock() + timedelta(minutes=10)


def test_a_batch_too_large_is_halved(deps, tenant, record_store, destination):
    said = say(deps, tenant, 40)
    record_store.most = 9
    Worker(deps).run_until_idle()
    assert record_store.arrived == said
    assert dead(deps, tenant) == []


def test_a_batch_is_bounded_by_its_bytes_but_holds_one_at_least(
    deps, tenant, record_store, destination
):
    said = say(deps, tenant, 4, words="x" * 400_000)
    said += say(deps, tenant, 1, words="x" * 2_000_000)
    Worker(deps).run_until_idle()
    assert record_store.arrived == said
    assert record_store.batches == [2, 2, 1]


def test_a_store_that_is_gone_is_switched_off_until_someone_looks(
    deps, tenant, record_store, destination, clock
):
    said = say(deps, tenant, 3)
    record_store.answers = [(410, {})]
    Worker(deps).run_until_idle()
    (behind,) = backlog(deps, tenant)
    assert (behind["enabled"], behind["failing_since"]) == (False, clock())
    assert "gone for good" in behind["last_error"]
    clock.move(days=3)
    Worker(deps).run_until_idle()
    assert record_store.arrived == []
    redeliver.switch(deps, redeliver.operator(deps, "acme"), destination, enabled=True)
    Worker(deps).run_until_idle()
    assert record_store.arrived == said


def test_one_set_aside_whose_store_is_gone_by_then_waits_and_the_store_is_off(
    deps, tenant, record_store, destination, clock
):
    (said,) = say(deps, tenant)
    record_store.refuses = {said}
    Worker(deps).run_until_idle()
    record_store.refuses, record_store.answers = set(), [(410, {})]
    redeliver.replay(deps, redeliver.operator(deps, "acme"), [dead(deps, tenant)[0]["id"]])
    Worker(deps).run_until_idle()
    clock.move(minutes=1)
    Worker(deps).run_until_idle()
    with deps.db.read(tenant.id) as read:
        (row,) = outbox.listed(read)
        assert not destinations.get(read, destination)["enabled"]
    assert (row["status"], row["attempts"]) == ("waiting", 0)
    redeliver.switch(deps, redeliver.operator(deps, "acme"), destination, enabled=True)
    Worker(deps).run_until_idle()
    assert record_store.arrived == [said]


def test_nothing_is_forwarded_while_the_tenant_is_closed(deps, tenant, record_store, destination):
    say(deps, tenant)
    tenancy.enable(deps, "acme", enabled=False)
    Worker(deps).run_until_idle()
    assert record_store.arrived == []


def rewind(deps, destination, since):
    return redeliver.rewind(deps, redeliver.operator(deps, "acme"), destination, since)


def test_a_cursor_set_back_sends_everything_from_there_again(
    deps, tenant, record_store, destination, clock
):
    before = say(deps, tenant, 2)
    clock.move(hours=1)
    since = clock()
    after = say(deps, tenant, 3)
    Worker(deps).run_until_idle()
    assert rewind(deps, destination, since) == 3
    Worker(deps).run_until_idle()
    assert record_store.arrived == before + after + after
    assert list(record_store.kept) == before + after
    assert rewind(deps, destination, clock() + timedelta(hours=1)) == 0
    with pytest.raises(NotFound):
        rewind(deps, "unknown", since)


def test_a_cursor_never_moves_on_by_a_rewind(deps, tenant, record_store, destination, clock):
    record_store.answers = [(500, {})]
    say(deps, tenant, 2)
    Worker(deps).run_until_idle()
    clock.move(hours=1)
    assert rewind(deps, destination, clock() - timedelta(minutes=1)) == 0
    Worker(deps).run_until_idle()
    assert len(record_store.arrived) == 2


def test_who_was_sending_while_the_cursor_was_set_back_does_not_move_it_on(
    deps, tenant, record_store, destination, clock
):
    since = clock()
    first = say(deps, tenant, 2)
    Worker(deps).run_until_idle()
    more = say(deps, tenant, 1)
    (stream,) = forward.claim(deps, 1)
    assert rewind(deps, destination, since) == 2
    assert forward.forward(deps, stream) == 0
    Worker(deps).run_until_idle()
    assert record_store.arrived == [*first, *more, *first, *more]


def test_a_rewind_leaves_no_trace_in_other_tenants(deps, tenant, other_tenant, destination):
    with pytest.raises(NotFound):
        redeliver.rewind(deps, redeliver.operator(deps, "globex"), destination, deps.clock())


def test_a_fault_of_ours_is_told_where_one_looks_for_what_waits(
    deps, tenant, record_store, destination, clock
):
    said = say(deps, tenant)
    lost = replace(deps, seal=Seal(["another key, since the one before is gone"]))
    with pytest.raises(SealBroken):
        Worker(lost).run_until_idle()
    (waiting,) = backlog(deps, tenant)
    assert "A fault of the gateway: SealBroken" in waiting["last_error"]
    assert (waiting["attempts"], waiting["lease"]) == (1, None)
    clock.move(seconds=2)
    Worker(deps).run_until_idle()
    assert record_store.arrived == said


def test_a_store_that_refuses_everything_is_waited_for_before_all_is_set_aside(
    deps, tenant, record_store, destination, clock
):
    said = say(deps, tenant, 30)
    record_store.refuses = set(said)
    Worker(deps).run_until_idle()
    set_aside = [row["subject"] for row in dead(deps, tenant)]
    assert set_aside[::-1] == said[: BRAKE - 1]
    (behind,) = backlog(deps, tenant)
    assert behind["last_error"].startswith("Refuses everything: The record store answered 400")
    assert (behind["attempts"], behind["failing_since"]) == (1, clock())
    for attempts in (*range(2, TRIES), 1):
        assert backlog(deps, tenant)[0]["next_at"] - clock() >= timedelta(minutes=1)
        clock.now = backlog(deps, tenant)[0]["next_at"]
        Worker(deps).run_until_idle()
        assert backlog(deps, tenant)[0]["attempts"] == attempts
    # After as many tries as a delivery has, the first is set aside even so.
    assert len(dead(deps, tenant)) == BRAKE
    record_store.refuses = set()
    clock.now = backlog(deps, tenant)[0]["next_at"]
    Worker(deps).run_until_idle()
    assert record_store.arrived == said[BRAKE:]
    assert backlog(deps, tenant) == []


def test_many_bad_ones_in_a_row_hold_up_no_good_one(deps, tenant, record_store, destination):
    said = say(deps, tenant, 60)
    record_store.refuses = set(said[5:55])
    Worker(deps).run_until_idle()
    assert list(record_store.kept) == said[:5] + said[-1:] + said[55:-1]
    assert [row["subject"] for row in dead(deps, tenant)][::-1] == said[5:55]
    assert backlog(deps, tenant) == []


def test_more_bad_ones_than_a_batch_hold_up_no_good_one(
    deps, tenant, record_store, destination, clock
):
    bad = say(deps, tenant, 130)
    good = say(deps, tenant, 50)
    record_store.refuses = set(bad)
    Worker(deps).run_until_idle()
    assert set(record_store.kept) == set(good)
    assert backlog(deps, tenant) == []


def test_good_ones_between_bad_ones_arrive_whatever_the_newest_is(
    deps, tenant, record_store, destination, clock
):
    said = say(deps, tenant, 150)
    bad = {*said[:20], said[99], said[-1]}
    record_store.refuses = set(bad)
    for _ in range(60):
        Worker(deps).run_until_idle()
        clock.move(minutes=6)
    assert set(record_store.kept) == set(said) - bad
    assert backlog(deps, tenant) == []


def test_a_delivery_under_way_when_a_store_is_switched_on_does_not_switch_it_off(
    deps, tenant, record_store, destination, clock
):
    record_store.refuses = set(say(deps, tenant, 1))
    Worker(deps).run_until_idle()
    redeliver.replay(deps, redeliver.operator(deps, "acme"), [dead(deps, tenant)[0]["id"]])
    (one,) = deliver.turn(deps, [], 5)
    for enabled in (False, True):
        redeliver.switch(deps, redeliver.operator(deps, "acme"), destination, enabled=enabled)
    deliver.turn(deps, [Sent(one, Outcome("gone", "said", 410), clock(), 1)], 0)
    with deps.db.read(tenant.id) as read:
        assert destinations.get(read, destination)["enabled"]
    record_store.refuses = set()
    Worker(deps).run_until_idle()
    assert record_store.arrived


def test_who_enables_a_store_that_refuses_everything_lets_some_more_be_set_aside(
    deps, tenant, record_store, destination
):
    said = say(deps, tenant, 50)
    record_store.refuses = set(said)
    Worker(deps).run_until_idle()
    redeliver.switch(deps, redeliver.operator(deps, "acme"), destination, enabled=True)
    assert backlog(deps, tenant)[0]["refusals"] == 0
    Worker(deps).run_until_idle()
    assert len(dead(deps, tenant)) == 2 * (BRAKE - 1)


def test_an_answer_from_before_a_store_was_switched_on_again_does_not_switch_it_off(
    deps, tenant, record_store, destination
):
    said = say(deps, tenant, 2)
    record_store.answers = [(410, {})]
    (stream,) = forward.claim(deps, 1)
    for enabled in (False, True):
        redeliver.switch(deps, redeliver.operator(deps, "acme"), destination, enabled=enabled)
    assert forward.forward(deps, stream) == 0
    assert backlog(deps, tenant)[0]["enabled"]
    Worker(deps).run_until_idle()
    assert record_store.arrived == said
