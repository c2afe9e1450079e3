from datetime import timedelta

from app.kernel.delivery import Outcome
from app.store import outbox
from app.store.outbox import Fact

LEASE = timedelta(seconds=60)


def put(deps, tenant, *, key="k", destination="registration:a", newest_only=False, **payload):
    fact = Fact(deps.ids.new(), "score", "someone", payload)
    delivery_id = deps.ids.new()
    with deps.db.tx(tenant.id) as tx:
        outbox.enqueue(
            tx, delivery_id, fact, deps.clock(),
            kind="ags_score", destination=destination, key=key, newest_only=newest_only,
        )  # fmt: skip
    return delivery_id


def claim(deps, lease="mine", limit=10, full=()):
    with deps.db.system(write=True) as system:
        return outbox.claim(system, deps.clock(), lease, deps.clock() + LEASE, limit, full=full)


def record(deps, claimed, kind, next_at=None):
    with deps.db.system(write=True) as system:
        return outbox.record(
            system, claimed, deps.ids.new(), Outcome(kind, "said"), deps.clock(), 5, next_at
        )


def rows(deps, tenant):
    with deps.db.read(tenant.id) as read:
        return {row["id"]: row for row in outbox.listed(read)}


def test_only_the_oldest_of_a_key_can_be_claimed(deps, tenant):
    first, second = put(deps, tenant), put(deps, tenant)
    other = put(deps, tenant, key="another")
    assert {one.id for one in claim(deps)} == {first, other}
    assert claim(deps) == []
    assert second not in {one.id for one in claim(deps)}


def test_the_next_of_a_key_follows_once_the_first_has_ended(deps, tenant):
    put(deps, tenant)
    second = put(deps, tenant)
    assert record(deps, claim(deps)[0], "delivered")
    assert [one.id for one in claim(deps)] == [second]


def test_a_failed_first_holds_the_key_back_until_it_is_dead(deps, tenant, clock):
    first, second = put(deps, tenant), put(deps, tenant)
    record(deps, claim(deps)[0], "later", clock() + timedelta(seconds=5))
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
    assert record(deps, fresh, "delivered")
    assert not record(deps, fresh, "refused")
    assert rows(deps, tenant)[delivery_id]["status"] == "delivered"


def test_a_newer_score_supersedes_what_waits_but_not_what_is_under_way(deps, tenant):
    first = put(deps, tenant, newest_only=True)
    second = put(deps, tenant, newest_only=True)
    assert rows(deps, tenant)[first]["status"] == "superseded"
    under_way = claim(deps)[0]
    third = put(deps, tenant, newest_only=True)
    assert under_way.id == second
    assert rows(deps, tenant)[second]["status"] == "waiting"
    record(deps, under_way, "delivered")
    assert [one.id for one in claim(deps)] == [third]


def test_a_full_destination_is_passed_over(deps, tenant):
    put(deps, tenant, destination="registration:slow")
    quick = put(deps, tenant, destination="registration:quick")
    assert [one.id for one in claim(deps, full=["registration:slow"])] == [quick]


def test_dead_ones_wait_again_after_a_replay_and_only_the_tenants_own(deps, tenant, other_tenant):
    delivery_id = put(deps, tenant)
    record(deps, claim(deps)[0], "refused")
    for asker, count in ((other_tenant, 0), (tenant, 1)):
        with deps.db.tx(asker.id) as tx:
            assert outbox.replay(tx, [delivery_id], deps.clock()) == count
    again = claim(deps)[0]
    assert (again.id, again.attempts) == (delivery_id, 1)


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
