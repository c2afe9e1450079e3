"""What is written with its fact, and what is sent again."""

from datetime import timedelta

import pytest

from app.store import outbox
from app.store.outbox import NEWER_EXISTS, Fact, Replayed
from tests.outbox import claim, delivered, put, record, rows


def replay(deps, tenant, *ids, **span):
    with deps.db.tx(tenant.id) as tx:
        return outbox.replay(tx, deps.clock(), ids=ids or None, **span)


def give_up(deps, tenant, **put_as):
    delivery_id = put(deps, tenant, **put_as)
    (claimed,) = claim(deps)
    record(deps, claimed, "refused", "no", status=400)
    return delivery_id


def arrive(deps, tenant, **put_as):
    delivery_id = put(deps, tenant, **put_as)
    (claimed,) = claim(deps)
    delivered(deps, claimed)
    return delivery_id


def test_dead_ones_wait_again_after_a_replay_and_only_the_tenants_own(deps, tenant, other_tenant):
    delivery_id = give_up(deps, tenant)
    assert replay(deps, other_tenant, delivery_id) == Replayed(0, 0, more=False)
    assert replay(deps, tenant, delivery_id) == Replayed(1, 0, more=False)
    again = claim(deps)[0]
    assert (again.id, again.attempts) == (delivery_id, 1)


def test_a_range_is_of_when_they_were_written_and_bounded(deps, tenant, clock):
    start, made = clock(), []
    for number in range(5):
        made.append(give_up(deps, tenant, key=str(number)))
        clock.move(hours=1)
    other = give_up(deps, tenant, destination="registration:b")
    span = {"since": start + timedelta(hours=1), "until": start + timedelta(hours=4)}
    assert replay(deps, tenant, **span, most=2) == Replayed(2, 0, more=True)
    assert {one for one, row in rows(deps, tenant).items() if row["status"] == "waiting"} == set(made[1:3])  # fmt: skip
    assert replay(deps, tenant, **span, most=2) == Replayed(1, 0, more=False)
    assert replay(deps, tenant, destination="registration:b") == Replayed(1, 0, more=False)
    assert rows(deps, tenant)[other]["status"] == "waiting"
    assert rows(deps, tenant)[made[0]]["status"] == rows(deps, tenant)[made[4]]["status"] == "dead"


def test_what_arrived_goes_again_only_when_it_is_asked_for(deps, tenant):
    delivery_id = arrive(deps, tenant)
    assert replay(deps, tenant, delivery_id).waiting == 0
    assert replay(deps, tenant, delivery_id, delivered=True).waiting == 1
    assert rows(deps, tenant)[delivery_id]["status"] == "waiting"


@pytest.mark.parametrize("newer", ["waiting", "under way", "delivered", "superseded there"])
def test_where_only_the_newest_counts_an_older_one_is_never_sent_again(deps, tenant, newer):
    old = give_up(deps, tenant, newest_only=True)
    match newer:
        case "waiting":
            put(deps, tenant, newest_only=True)
        case "under way":
            put(deps, tenant, newest_only=True)
            claim(deps)
        case "delivered":
            arrive(deps, tenant, newest_only=True)
        case _:
            put(deps, tenant, newest_only=True)
            record(deps, claim(deps)[0], "superseded", status=409)
    assert replay(deps, tenant, old, delivered=True) == Replayed(0, 1, more=False)
    row = rows(deps, tenant)[old]
    assert (row["status"], row["last_error"]) == ("superseded", NEWER_EXISTS)


def test_of_several_given_up_the_newest_alone_goes_again(deps, tenant):
    first, second = (give_up(deps, tenant, newest_only=True) for _ in range(2))
    other = give_up(deps, tenant, key="another", newest_only=True)
    assert replay(deps, tenant, first, second, other) == Replayed(2, 1, more=False)
    assert {one.id for one in claim(deps)} == {second, other}
    assert rows(deps, tenant)[first]["status"] == "superseded"


def test_a_newer_one_elsewhere_makes_nothing_needless(deps, tenant, other_tenant):
    old = give_up(deps, tenant, newest_only=True)
    put(deps, tenant, newest_only=True, destination="registration:b")
    put(deps, other_tenant, newest_only=True)
    assert replay(deps, tenant, old) == Replayed(1, 0, more=False)


def test_an_arrived_one_that_a_newer_followed_stays_arrived(deps, tenant):
    old = arrive(deps, tenant, newest_only=True)
    arrive(deps, tenant, newest_only=True)
    assert replay(deps, tenant, old, delivered=True) == Replayed(0, 1, more=False)
    assert rows(deps, tenant)[old]["status"] == "delivered"


def test_a_fact_that_was_rolled_back_left_nothing(deps, tenant):
    class Stop(Exception):
        pass

    try:
        with deps.db.tx(tenant.id) as tx:
            outbox.enqueue(
                tx, deps.ids.new(), Fact(deps.ids.new(), "score", "s", {}), deps.clock(),
                kind="ags_score", destination="d", key="k",
            )  # fmt: skip
            raise Stop
    except Stop:
        pass
    assert rows(deps, tenant) == {}
    assert claim(deps) == []


def test_what_waits_and_what_was_given_up_is_counted_over_all_tenants(deps, tenant, other_tenant):
    def counted():
        with deps.db.system() as system:
            return outbox.counts(system)

    assert counted() == {"waiting": 0, "dead": 0}
    put(deps, tenant, key="a")
    put(deps, other_tenant, key="b")
    for one, kind in zip(claim(deps), ("delivered", "refused"), strict=True):
        record(deps, one, kind)
    put(deps, tenant, key="c")
    assert counted() == {"waiting": 1, "dead": 1}
