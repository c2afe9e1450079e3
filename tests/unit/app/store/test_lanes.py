"""Destinations that fail, throttle, come back, or are switched off."""

from collections import Counter
from datetime import timedelta

import pytest

from app.flows import platforms, tenancy
from app.kernel.delivery import BRAKE, TRIES
from app.store import destinations, lanes
from lti.registration import Registration
from tests.outbox import HERE, claim, delivered, lane_of, put, record, rows

SECOND = timedelta(seconds=1)
MOMENT = timedelta(milliseconds=50)


def several(deps, tenant, count=6, **put_as):
    return [put(deps, tenant, key=str(number), **put_as) for number in range(count)]


def test_after_a_failure_one_probes_at_a_time_and_another_closes_the_lane(deps, tenant, clock):
    several(deps, tenant)
    wave = claim(deps)
    assert len(wave) == 4
    assert not any(one.probe for one in wave)
    for one in wave:
        record(deps, one, "failed", "500")
    failing = lane_of(deps, tenant)
    # Of the four that went together one counts.
    assert (failing.failures, failing.failing_since) == (1, clock())
    assert (failing.open_at, failing.last_error) == (clock(), "500")
    (probe,) = claim(deps)
    assert probe.probe
    assert claim(deps, "another worker's") == []
    record(deps, probe, "failed", "502")
    closed = lane_of(deps, tenant)
    assert (closed.failures, closed.open_at) == (2, clock() + MOMENT)
    assert closed.failing_since == failing.failing_since
    assert claim(deps) == []
    clock.move(seconds=0.05)
    assert [one.probe for one in claim(deps)] == [True]


def test_pauses_double_up_to_five_minutes(deps, tenant, clock):
    several(deps, tenant, 30)
    waits = []
    for _ in range(17):
        record(deps, claim(deps, limit=1)[0], "failed")
        waits.append((lane_of(deps, tenant).open_at - clock()).total_seconds())
        clock.move(seconds=waits[-1])
    assert waits[:6] == [0, 0.05, 0.1, 0.2, 0.4, 0.8]
    assert waits[-4:] == [204.8, 250, 250, 250]


def test_the_first_success_after_an_outage_lets_everything_go_at_once(deps, tenant, clock):
    old = put(deps, tenant, key="old")
    for minutes in (1, 6, 0):
        record(deps, claim(deps)[0], "failed")
        clock.move(minutes=minutes)
    assert rows(deps, tenant)[old]["next_at"] == clock() + timedelta(minutes=30)
    clock.move(minutes=1)
    new = put(deps, tenant, key="new")
    (probe,) = claim(deps)
    assert (probe.id, probe.probe) == (new, True)
    delivered(deps, probe)
    opened = lane_of(deps, tenant)
    assert (opened.failures, opened.failing_since, opened.last_error) == (0, None, None)
    assert [one.id for one in claim(deps)] == [old]


def test_one_that_fails_alone_soon_keeps_to_its_schedule_while_others_arrive(deps, tenant, clock):
    """Else what breaks a platform by itself would burn its ten tries in a moment."""
    bad = put(deps, tenant, key="bad")
    waits = []
    for number in range(5):
        good = put(deps, tenant, key=str(number))
        wave = {one.id: one for one in claim(deps)}
        record(deps, wave[bad], "failed")
        delivered(deps, wave[good])
        assert lane_of(deps, tenant).failures == 0
        waits.append((rows(deps, tenant)[bad]["next_at"] - clock()).total_seconds())
        clock.move(seconds=waits[-1])
    assert waits == [0, 0, 0, 2 * 3600, 5 * 3600]


def test_a_refusal_shows_that_the_destination_works(deps, tenant, clock):
    several(deps, tenant)
    record(deps, claim(deps, limit=1)[0], "failed")
    clock.move(seconds=1)
    record(deps, claim(deps)[0], "refused", status=422)
    assert lane_of(deps, tenant).failures == 0


def refused(deps, count, status=400):
    for _ in range(count):
        record(deps, claim(deps, limit=1)[0], "refused", "No.", status=status)


def statuses(deps, tenant):
    return Counter(row["status"] for row in rows(deps, tenant).values())


def test_who_refuses_everything_is_left_in_peace_before_all_is_given_up(deps, tenant, clock):
    several(deps, tenant, 30)
    refused(deps, BRAKE - 1)
    assert (lane_of(deps, tenant).failures, lane_of(deps, tenant).refusals) == (0, BRAKE - 1)
    (last,) = claim(deps, limit=1)
    record(deps, last, "refused", "No.", status=400)
    assert statuses(deps, tenant) == {"dead": BRAKE - 1, "waiting": 30 - BRAKE + 1}
    kept = rows(deps, tenant)[last.id]
    assert (kept["last_error"], kept["attempts"]) == ("Refuses everything: No.", 1)
    assert kept["next_at"] == clock() + timedelta(seconds=5)
    closed = lane_of(deps, tenant)
    assert (closed.last_error, closed.failing_since) == ("Refuses everything: No.", clock())
    waits = []
    for _ in range(4):
        (probe,) = claim(deps)
        assert probe.probe
        record(deps, probe, "refused", "No.", status=400)
        waits.append((lane_of(deps, tenant).open_at - clock()).total_seconds())
        clock.move(seconds=waits[-1])
    assert waits == [0.05, 0.1, 0.2, 0.4]
    assert statuses(deps, tenant)["dead"] == BRAKE - 1


def test_a_good_one_waits_a_minute_at_most_for_the_many_that_are_refused(deps, tenant, clock):
    several(deps, tenant, 60)
    refused(deps, BRAKE)
    for _ in range(30):
        clock.now = lane_of(deps, tenant).open_at
        for probe in claim(deps):
            record(deps, probe, "refused", "No.", status=400)
    assert lane_of(deps, tenant).open_at - clock() <= timedelta(minutes=1)
    good = put(deps, tenant, key="good")
    clock.now = lane_of(deps, tenant).open_at
    (probe,) = claim(deps)
    assert probe.id == good
    delivered(deps, probe)
    assert (lane_of(deps, tenant).failures, lane_of(deps, tenant).refusals) == (0, 0)


def test_the_first_that_is_taken_lets_go_what_others_refusals_held_back(deps, tenant, clock):
    several(deps, tenant, 23)
    refused(deps, BRAKE + 1)
    clock.move(seconds=1)
    delivered(deps, claim(deps)[0])
    opened = lane_of(deps, tenant)
    assert (opened.failures, opened.refusals, opened.last_error) == (0, 0, None)
    assert len(claim(deps)) == 3
    assert statuses(deps, tenant) == {"dead": BRAKE - 1, "delivered": 1, "waiting": 3}


@pytest.mark.parametrize("kind", ["delivered", "superseded"])
def test_refusals_with_one_between_them_that_was_taken_are_their_own_fault(deps, tenant, kind):
    several(deps, tenant, 2 * BRAKE)
    refused(deps, BRAKE - 1)
    record(deps, claim(deps, limit=1)[0], kind, status=200)
    refused(deps, BRAKE - 1)
    assert statuses(deps, tenant)["dead"] == 2 * (BRAKE - 1)
    assert lane_of(deps, tenant).failures == 0


def test_what_the_destination_did_not_say_is_no_refusal_of_its(deps, tenant):
    several(deps, tenant, BRAKE + 5)
    refused(deps, BRAKE + 5, status=None)
    assert statuses(deps, tenant) == {"dead": BRAKE + 5}


def test_a_failure_between_refusals_does_not_begin_their_count_anew(deps, tenant, clock):
    several(deps, tenant, BRAKE + 5)
    refused(deps, BRAKE - 1)
    record(deps, claim(deps, limit=1)[0], "failed")
    clock.move(seconds=1)
    refused(deps, 1)
    assert statuses(deps, tenant) == {"dead": BRAKE - 1, "waiting": 6}
    assert lane_of(deps, tenant).failures == 2


def test_an_administrator_lets_one_try_a_destination_that_refuses_everything(deps, tenant, clock):
    several(deps, tenant, BRAKE + 5)
    refused(deps, BRAKE + 1)
    assert claim(deps) == []
    with deps.db.tx(tenant.id) as tx:
        assert lanes.try_now(tx, HERE, clock())
    (probe,) = claim(deps)
    record(deps, probe, "refused", "No.", status=400)
    assert statuses(deps, tenant)["dead"] == BRAKE - 1


def test_what_a_refusing_destination_holds_back_is_given_up_after_ten_tries(deps, tenant, clock):
    several(deps, tenant, BRAKE)
    refused(deps, BRAKE)
    for _ in range(TRIES - 1):
        clock.move(hours=25)
        refused(deps, 1)
    assert statuses(deps, tenant) == {"dead": BRAKE}
    assert "Given up after 10 tries. Refuses everything: No." in {
        row["last_error"] for row in rows(deps, tenant).values()
    }


def test_a_fault_of_ours_is_not_the_destinations(deps, tenant):
    several(deps, tenant)
    record(deps, claim(deps, limit=1)[0], "later")
    assert lane_of(deps, tenant).failures == 0
    assert len(claim(deps)) == 4


@pytest.mark.parametrize("kind", ["later", "held"])
def test_a_probe_that_found_nothing_out_makes_room_for_the_next(deps, tenant, clock, kind):
    several(deps, tenant)
    record(deps, claim(deps, limit=1)[0], "failed")
    clock.move(seconds=1)
    record(deps, claim(deps)[0], kind)
    assert lane_of(deps, tenant).failures == 1
    clock.move(seconds=1)
    assert [one.probe for one in claim(deps)] == [True]


def test_a_probe_that_died_makes_room_when_its_lease_is_over(deps, tenant, clock):
    several(deps, tenant)
    record(deps, claim(deps, limit=1)[0], "failed")
    clock.move(seconds=1)
    claim(deps, "killed")
    clock.move(seconds=59)
    assert claim(deps) == []
    clock.move(seconds=2)
    assert [one.probe for one in claim(deps)] == [True]


def test_a_throttle_is_waited_for_whatever_else_arrives_meanwhile(deps, tenant, clock):
    several(deps, tenant)
    slow, *others = claim(deps)
    record(deps, slow, "throttled", retry_after=30)
    for one in others:
        delivered(deps, one)
    assert (lane_of(deps, tenant).open_at, lane_of(deps, tenant).throttled) == (clock() + 30 * SECOND, True)  # fmt: skip
    clock.move(seconds=29)
    assert claim(deps) == []
    clock.move(seconds=1)
    (probe,) = claim(deps)
    delivered(deps, probe)
    assert not lane_of(deps, tenant).throttled
    assert len(claim(deps)) == 2


def test_the_longest_throttle_of_a_wave_counts(deps, tenant, clock):
    several(deps, tenant)
    first, second, third, fourth = claim(deps)
    record(deps, first, "failed")
    record(deps, second, "throttled", retry_after=20)
    record(deps, third, "throttled", retry_after=10)
    record(deps, fourth, "failed")
    closed = lane_of(deps, tenant)
    assert (closed.failures, closed.open_at) == (1, clock() + 20 * SECOND)
    assert closed.throttled


@pytest.mark.parametrize(("asked", "waits"), [(0, 1), (10**9, 86_400), (None, 1)])
def test_a_throttles_wait_is_bounded(deps, tenant, clock, asked, waits):
    several(deps, tenant)
    record(deps, claim(deps)[0], "throttled", retry_after=asked)
    assert lane_of(deps, tenant).open_at == clock() + waits * SECOND


def test_lanes_are_apart_by_tenant_and_destination(deps, tenant, other_tenant):
    several(deps, tenant)
    elsewhere = put(deps, tenant, destination="registration:b")
    theirs = put(deps, other_tenant)
    for one in claim(deps, limit=32):
        if (one.tenant, one.destination) == (tenant.id, HERE):
            record(deps, one, "failed")
        else:
            assert one.id in {elsewhere, theirs}
            delivered(deps, one)
    assert lane_of(deps, other_tenant).failures == 0
    assert lane_of(deps, tenant, "registration:b").failures == 0


def test_try_now_ends_the_pause(deps, tenant, clock):
    several(deps, tenant)
    record(deps, claim(deps, limit=1)[0], "throttled", retry_after=3600)
    with deps.db.tx(tenant.id) as tx:
        assert lanes.try_now(tx, HERE, clock())
        assert not lanes.try_now(tx, "registration:unknown", clock())
    assert [one.probe for one in claim(deps)] == [True]


def test_while_a_platform_a_store_or_the_tenant_is_off_its_deliveries_wait(deps, tenant, clock):
    base = "https://lms.example"
    made = Registration(deps.ids.new(), base, "c", f"{base}/a", f"{base}/t", f"{base}/j")
    platform, _ = platforms.add(deps, "acme", "LMS", made, None)
    store = tenancy.add_record_store(deps, "acme", "https://lrs.example", "k", "s")
    one = put(deps, tenant, destination=f"registration:{platform}")
    two = put(deps, tenant, destination=f"destination:{store}", kind="xapi")

    def claimed():
        found = {one.id for one in claim(deps)}
        clock.move(seconds=61)
        return found

    platforms.enable(deps, platform, enabled=False)
    assert claimed() == {two}
    with deps.db.tx(tenant.id) as tx:
        destinations.enable(tx, store, clock(), enabled=False)
    assert claimed() == set()
    platforms.enable(deps, platform, enabled=True)
    assert claimed() == {one}
    with deps.db.tx(tenant.id) as tx:
        destinations.enable(tx, store, clock(), enabled=True)
    assert claimed() == {one, two}
    tenancy.enable(deps, "acme", enabled=False)
    assert claimed() == set()
    assert {row["status"] for row in rows(deps, tenant).values()} == {"waiting"}
