"""Claims, leases and order; what becomes of a delivery by the outcome of its try."""

from datetime import timedelta

import pytest

from app.kernel.delivery import FREE_TRIES, TRIES, Outcome
from app.store import deliveries, dispatch
from tests.conftest import new_tenant
from tests.outbox import claim, delivered, put, record, rows


def tries(deps, tenant, delivery_id):
    with deps.db.read(tenant.id) as read:
        return deliveries.one(read, delivery_id, deps.clock())["tries"]


def test_only_the_oldest_of_a_key_can_be_claimed(deps, tenant):
    first, second = put(deps, tenant), put(deps, tenant)
    other = put(deps, tenant, key="another")
    assert {one.id for one in claim(deps)} == {first, other}
    assert claim(deps) == []
    assert second not in {one.id for one in claim(deps)}


def test_the_next_of_a_key_follows_once_the_first_has_ended(deps, tenant):
    put(deps, tenant)
    second = put(deps, tenant)
    assert delivered(deps, claim(deps)[0])
    assert [one.id for one in claim(deps)] == [second]


def test_a_failed_first_holds_the_key_back_until_it_is_dead(deps, tenant, clock):
    first, second = put(deps, tenant), put(deps, tenant)
    record(deps, claim(deps)[0], "later")
    assert claim(deps) == []
    clock.move(seconds=6)
    again = claim(deps)[0]
    assert (again.id, again.attempts) == (first, 2)
    record(deps, again, "refused")
    assert rows(deps, tenant)[first]["status"] == "dead"
    assert [one.id for one in claim(deps)] == [second]


def test_who_lost_the_lease_cannot_record(deps, tenant, clock):
    delivery_id = put(deps, tenant)
    stale = claim(deps, "stale")[0]
    clock.move(seconds=61)
    fresh = claim(deps, "fresh")[0]
    assert not record(deps, stale, "refused")
    assert delivered(deps, fresh)
    assert not record(deps, fresh, "refused")
    assert rows(deps, tenant)[delivery_id]["status"] == "delivered"
    assert len(tries(deps, tenant, delivery_id)) == 1


def test_a_newer_score_supersedes_what_waits_but_not_what_is_under_way(deps, tenant):
    first = put(deps, tenant, newest_only=True)
    second = put(deps, tenant, newest_only=True)
    assert rows(deps, tenant)[first]["status"] == "superseded"
    under_way = claim(deps)[0]
    third = put(deps, tenant, newest_only=True)
    assert under_way.id == second
    assert rows(deps, tenant)[second]["status"] == "waiting"
    delivered(deps, under_way)
    assert [one.id for one in claim(deps)] == [third]


@pytest.mark.parametrize("kind", ["failed", "throttled", "later", "held"])
def test_one_that_did_not_arrive_gives_way_to_a_newer_one_at_once(deps, tenant, clock, kind):
    first = put(deps, tenant, newest_only=True)
    under_way = claim(deps)[0]
    second = put(deps, tenant, newest_only=True)
    record(deps, under_way, kind)
    assert rows(deps, tenant)[first]["status"] == "superseded"
    clock.move(seconds=2)
    assert [one.id for one in claim(deps)] == [second]


def test_where_each_counts_nothing_gives_way(deps, tenant, clock):
    first = put(deps, tenant)
    under_way = claim(deps)[0]
    put(deps, tenant)
    record(deps, under_way, "later")
    clock.move(seconds=6)
    assert [one.id for one in claim(deps)] == [first]


def test_four_a_destination_and_what_is_under_way_counts(deps, tenant):
    for number in range(9):
        put(deps, tenant, key=f"slow {number}", destination="registration:slow")
        put(deps, tenant, key=f"quick {number}", destination="registration:quick")
    got = claim(deps, limit=32, registration_slow=3)
    assert sorted(one.destination for one in got) == ["registration:quick"] * 4 + ["registration:slow"]  # fmt: skip
    assert [one.destination for one in claim(deps, registration_slow=4, registration_quick=4)] == []


def test_a_platform_of_many_tenants_is_one_destination(deps, tenant, other_tenant):
    for number in range(4):
        put(deps, tenant, key=str(number))
        put(deps, other_tenant, key=str(number))
    assert len(claim(deps, limit=32)) == 4


def test_every_destination_has_its_share_before_one_has_more(deps, tenant):
    for number in range(4):
        put(deps, tenant, key=str(number), destination="registration:first")
    put(deps, tenant, destination="registration:second")
    got = {one.destination for one in claim(deps, limit=2)}
    assert got == {"registration:first", "registration:second"}


def test_a_failure_is_a_try_on_the_schedule_and_the_tenth_was_the_last(deps, tenant, clock):
    delivery_id = put(deps, tenant)
    for attempt in range(1, TRIES + 1):
        (claimed,) = claim(deps)
        assert claimed.attempts == attempt
        record(deps, claimed, "failed", "500")
        clock.move(hours=25)
    row = rows(deps, tenant)[delivery_id]
    assert (row["status"], row["last_error"]) == ("dead", "Given up after 10 tries. 500")
    assert [one["outcome"] for one in tries(deps, tenant, delivery_id)] == ["failed"] * TRIES


def test_a_throttle_is_no_try_until_a_hundred_tries_are_logged(deps, tenant, clock):
    delivery_id = put(deps, tenant)
    for _ in range(FREE_TRIES):
        (claimed,) = claim(deps)
        record(deps, claimed, "throttled", retry_after=60)
        assert rows(deps, tenant)[delivery_id]["attempts"] == 0
        clock.move(seconds=61)
    for attempt in range(1, TRIES + 1):
        (claimed,) = claim(deps)
        record(deps, claimed, "throttled", retry_after=60)
        assert rows(deps, tenant)[delivery_id]["attempts"] == attempt
        clock.move(hours=25)
    assert rows(deps, tenant)[delivery_id]["status"] == "dead"


@pytest.mark.parametrize("kind", ["held", "gone"])
def test_what_was_not_sent_is_no_try(deps, tenant, clock, kind):
    delivery_id = put(deps, tenant)
    record(deps, claim(deps)[0], kind, "switched off")
    row = rows(deps, tenant)[delivery_id]
    assert (row["status"], row["attempts"], row["last_error"]) == ("waiting", 0, "switched off")
    clock.move(seconds=1)
    assert [one.attempts for one in claim(deps)] == [1]


def test_a_try_is_logged_by_when_it_began(deps, tenant, clock):
    delivery_id = put(deps, tenant)
    (claimed,) = claim(deps)
    began = clock()
    sent = dispatch.Sent(claimed, Outcome("delivered", "Accepted.", 200), began, 1500)
    clock.move(seconds=1.5)
    with deps.db.system(write=True) as system:
        assert dispatch.record(system, sent, deps.ids.new(), clock(), 0.5)
    (logged,) = tries(deps, tenant, delivery_id)
    assert (logged["at"], logged["took_ms"], logged["status"]) == (began, 1500, 200)
    assert rows(deps, tenant)[delivery_id]["finished_at"] == began + timedelta(seconds=1.5)
    assert rows(deps, tenant)[delivery_id]["last_error"] is None


def test_a_tenant_whose_lane_fails_is_probed_while_another_keeps_the_same_platform_busy(
    deps, tenant, other_tenant, clock
):
    put(deps, tenant)
    record(deps, claim(deps)[0], "failed", "500")
    clock.move(minutes=10)
    for number in range(4):
        put(deps, other_tenant, key=str(number))
    got = claim(deps, limit=32, registration_a=3)
    assert sorted(one.probe for one in got) == [False, True]


def test_a_dead_platform_of_many_tenants_takes_five_senders_at_most(deps, clock):
    for number in range(7):
        put(deps, new_tenant(deps, f"school-{number}"))
        record(deps, claim(deps)[0], "failed", "500")
    clock.move(minutes=10)
    assert len(claim(deps, limit=32)) == 5


def test_no_more_probes_are_claimed_than_may_go(deps, tenant, clock):
    for number in range(6):
        put(deps, tenant, destination=f"registration:{number}")
    for one in claim(deps):
        record(deps, one, "failed", "500")
    clock.move(minutes=10)
    put(deps, tenant, destination="registration:well")
    got = claim(deps, limit=32, probes=2)
    assert sorted(one.probe for one in got) == [False, True, True]
    put(deps, tenant, key="next", destination="registration:well")
    assert [one.destination for one in claim(deps, limit=32, probes=0)] == ["registration:well"]
