"""The guard: access ends at once, what can't be undone waits, and everybody can be brought back."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import insert, select

from app.config import Settings
from app.flows import guard
from app.flows.provision_act import Client
from app.kernel.errors import Conflict, NotFound
from app.store import audit, memberships, people
from app.store import guard as kept
from app.store.tables.learning import assignment
from scim.custom import STANDARD
from scim.schemas import GROUP
from tests import learners
from tests.demo import eventually
from tests.provisioning import Desk, ids, off, refs, standing


@pytest.fixture
def desk(deps, tenant):
    return Desk(deps, Client(tenant.id, "default", types=STANDARD))


def everyone(desk, count, prefix="p"):
    return [
        desk.create(userName=f"{prefix}{n}", externalId=f"{prefix}{n}")["id"] for n in range(count)
    ]


def holds(deps, tenant, *statuses):
    with deps.db.read(tenant.id) as read:
        return kept.listed(read, statuses=statuses)


def assign(deps, tenant, activity, key):
    with deps.db.tx(tenant.id) as tx:
        tx.conn.execute(insert(assignment).values(
            tenant_id=tenant.id, id=deps.ids.new(), person_id=key, activity_id=activity, source="test",
            assigned_at=deps.clock(),
        ))  # fmt: skip


def assigned(deps, tenant):
    """Whose assignments stand."""
    with deps.db.read(tenant.id) as read:
        standing_ones = select(assignment.c.person_id).where(assignment.c.dropped_at.is_(None))
        return set(read.conn.execute(standing_ones).scalars())


def decide(deps, tenant, what, hold_id, **more):
    with deps.db.tx(tenant.id) as tx:
        what(deps, tx, hold_id, "root", **more)


def bring_back(deps, tenant, hold_id):
    decide(deps, tenant, guard.restore, hold_id)
    rounds = 0
    while guard.go_on(deps):
        rounds += 1
        assert rounds < 50
    return rounds


def set_to(deps, **changes):
    settings = Settings(**{**deps.settings.model_dump(), **changes})
    return replace(deps, settings=settings)


def test_a_few_leavers_are_everyday_and_what_follows_happens(desk, deps, tenant):
    activity = learners.publish(deps, tenant)
    keys = everyone(desk, 20)
    for key in keys[:6]:
        assign(deps, tenant, activity, key)
    for key in keys[:5]:
        desk.patch(key, off())
    assert holds(deps, tenant) == []
    assert assigned(deps, tenant) == {keys[5]}


def test_one_too_many_opens_a_hold_over_all_of_them_and_access_ends_nonetheless(desk, deps, tenant):
    activity = learners.publish(deps, tenant)
    keys = everyone(desk, 20)
    held = {}
    for key in keys[:8]:
        assign(deps, tenant, activity, key)
        held[key] = learners.signed_in(deps, tenant, desk.person(key)).presented
    for key in keys[:8]:
        desk.patch(key, off())
        assert not standing(deps, held[key])
    (hold,) = holds(deps, tenant)
    assert (hold.status, hold.client, hold.active, hold.allowed) == ("open", "default", 20, 5)
    assert assigned(deps, tenant) == set(keys[5:8])
    with deps.db.read(tenant.id) as read:
        assert kept.progress(read, hold.id)["people"] == 8
        said = [one for one in audit.page(read, None, 100) if one["action"] == "hold.opened"]
    assert said[0]["detail"]["left"] == 6


def test_ten_in_a_hundred_may_leave_of_a_larger_organization(desk, deps, tenant):
    keys = everyone(desk, 100)
    for key in keys[:10]:
        desk.patch(key, off())
    assert holds(deps, tenant) == []
    desk.patch(keys[10], off())
    assert len(holds(deps, tenant, "open")) == 1


def test_the_hour_slides(desk, deps, tenant, clock):
    keys = everyone(desk, 30)
    for key in keys[:5]:
        desk.patch(key, off())
        clock.move(minutes=10)
    clock.move(minutes=11)
    desk.patch(keys[5], off())  # the first is over an hour ago
    assert holds(deps, tenant) == []
    desk.patch(keys[6], off())
    assert len(holds(deps, tenant)) == 1


def test_deleting_and_taking_out_of_groups_count_alike_and_a_person_once(desk, deps, tenant):
    keys = everyone(desk, 20)
    group = desk.create(GROUP, displayName="Sales", members=refs(*keys))["id"]
    desk.patch(group, {"op": "remove", "path": "members", "value": refs(*keys[:3])}, of=GROUP)
    desk.patch(keys[0], off())
    desk.delete(keys[0])
    desk.delete(keys[3])
    desk.patch(keys[4], off())
    assert holds(deps, tenant) == []
    desk.patch(group, {"op": "remove", "path": "members", "value": refs(keys[5])}, of=GROUP)
    assert len(holds(deps, tenant)) == 1


def test_an_emptied_group_is_one_request_and_is_held(desk, deps, tenant):
    keys = everyone(desk, 20)
    group = desk.create(GROUP, displayName="Sales", members=refs(*keys))["id"]
    desk.patch(group, {"op": "replace", "path": "members", "value": []}, of=GROUP)
    (hold,) = holds(deps, tenant)
    bring_back(deps, tenant, hold.id)
    assert ids(desk.get(group, GROUP)) == set(keys)


def test_cleaning_up_who_was_inactive_already_is_no_catastrophe(desk, deps, tenant, clock):
    keys = everyone(desk, 20)
    for key in keys[:10]:
        desk.patch(key, off())
        clock.move(minutes=30)
    assert holds(deps, tenant) == []
    clock.move(days=30)
    for key in keys[:10]:
        desk.delete(key)
    assert holds(deps, tenant) == []


def test_each_client_and_each_tenant_is_counted_by_itself(desk, deps, tenant, other_tenant):
    mine, theirs = everyone(desk, 12), everyone(desk.as_client("other"), 12, "q")
    elsewhere = Desk(deps, Client(other_tenant.id, "default", types=STANDARD))
    far = everyone(elsewhere, 12)
    for key in mine[:4]:
        desk.patch(key, off())
    for key in theirs[:4]:
        desk.as_client("other").patch(key, off())
    for key in far[:4]:
        elsewhere.patch(key, off())
    assert holds(deps, tenant) == holds(deps, other_tenant) == []


def test_who_restores_brings_everyone_back_as_they_were(desk, deps, tenant):
    activity = learners.publish(deps, tenant)
    keys = everyone(desk, 20)
    group = desk.create(GROUP, displayName="Sales", members=refs(*keys[:10]))["id"]
    with deps.db.tx(tenant.id) as tx:
        people.grant(tx, keys[1], "administrator", "operator", deps.clock())
    for key in keys[:9]:
        assign(deps, tenant, activity, key)
    session = learners.signed_in(deps, tenant, desk.person(keys[0])).presented
    for key in keys[:4]:
        desk.patch(key, off())
    for key in keys[1:8]:  # some of them had been deactivated a moment before
        desk.delete(key)
    desk.patch(keys[8], off())
    (hold,) = holds(deps, tenant, "open")
    assert desk.total("active eq true") == 11
    bring_back(deps, tenant, hold.id)
    assert holds(deps, tenant)[0].status == "restored"
    assert desk.total("active eq true") == desk.total() == 20
    for key in keys[:9]:
        assert desk.person(key).may_enter, key
        assert desk.get(key)["active"] is True
    assert desk.found('externalId eq "p3"')["totalResults"] == 1
    assert ids(desk.get(group, GROUP)) == set(keys[:10])
    with deps.db.read(tenant.id) as read:
        assert people.roles(read, keys[1]) == {"administrator"}
    assert assigned(deps, tenant) == set(keys[:9])
    assert not standing(deps, session)  # who was out signs in anew


def test_a_deleted_group_comes_back_with_its_members(desk, deps, tenant):
    keys = everyone(desk, 20)
    group = desk.create(GROUP, displayName="Sales", members=refs(*keys))["id"]
    desk.delete(group, GROUP)
    bring_back(deps, tenant, holds(deps, tenant)[0].id)
    assert desk.get(group, GROUP)["displayName"] == "Sales"
    assert ids(desk.get(group, GROUP)) == set(keys)
    assert desk.total(of=GROUP) == 1


def test_many_come_back_in_several_steps_and_a_broken_off_one_goes_on(desk, deps, tenant):
    keys = everyone(desk, 260)
    group = desk.create(GROUP, displayName="All", members=refs(*keys))["id"]
    desk.patch(group, {"op": "replace", "path": "members", "value": []}, of=GROUP)
    hold = holds(deps, tenant)[0]
    decide(deps, tenant, guard.restore, hold.id)
    assert guard.go_on(deps)
    with deps.db.read(tenant.id) as read:
        assert kept.progress(read, hold.id)["restored"] == 100
    while guard.go_on(deps):
        pass
    with deps.db.read(tenant.id) as read:
        assert len(memberships.members(read, [group])[group]) == 260
    assert holds(deps, tenant)[0].status == "restored"


def test_whose_name_is_taken_by_now_is_told_and_the_others_come_back(desk, deps, tenant):
    keys = everyone(desk, 20)
    for key in keys[:7]:
        desk.delete(key)
    newcomer = desk.as_client("other").create(userName="p2", externalId="new")["id"]
    assert newcomer not in keys
    hold = holds(deps, tenant)[0]
    bring_back(deps, tenant, hold.id)
    with deps.db.read(tenant.id) as read:
        assert kept.progress(read, hold.id)["failed"] == 1
        told = [one for one in kept.people_of(read, hold.id, 50) if one.failed]
    assert [one.person_id for one in told] == [keys[2]]
    assert "user name" in told[0].failed
    assert all(desk.person(key).may_enter for key in keys[:7] if key != keys[2])


def test_who_was_deactivated_and_stays_deleted_is_not_called_back(desk, deps, tenant):
    keys = everyone(desk, 20)
    for key in keys[:7]:
        desk.patch(key, off())
    desk.delete(keys[0])
    taker = desk.create(userName="p0")["id"]
    (hold,) = holds(deps, tenant)
    bring_back(deps, tenant, hold.id)
    assert desk.person(taker).user_name == "p0"
    with deps.db.read(tenant.id) as read:
        told = {(one.kind, one.failed) for one in kept.people_of(read, hold.id, 50) if one.failed}
    assert told == {
        ("removed", "Somebody else bears this user name by now."),
        ("deactivated", "This person has been deleted since."),
    }
    assert "person.restored" not in [action for action, _ in desk.log(keys[0])]


def test_what_the_client_has_put_right_itself_is_left_as_it_is(desk, deps, tenant):
    keys = everyone(desk, 20)
    for key in keys[:7]:
        desk.patch(key, off())
    desk.patch(keys[0], {"op": "replace", "path": "active", "value": True})
    version = desk.person(keys[0]).version
    bring_back(deps, tenant, holds(deps, tenant)[0].id)
    assert desk.person(keys[0]).version == version
    assert desk.total("active eq true") == 20


def test_an_approval_lets_what_waited_happen(desk, deps, tenant):
    activity = learners.publish(deps, tenant)
    keys = everyone(desk, 20)
    for key in keys[:9]:
        assign(deps, tenant, activity, key)
    for key in keys[:8]:
        desk.patch(key, off())
    hold = holds(deps, tenant)[0]
    decide(deps, tenant, guard.approve, hold.id)
    assert assigned(deps, tenant) == {keys[8]}
    assert not desk.person(keys[0]).may_enter
    for what in (guard.approve, guard.restore):
        with pytest.raises(Conflict):
            decide(deps, tenant, what, hold.id)
    # The count begins anew.
    for key in keys[8:13]:
        desk.patch(key, off())
    assert holds(deps, tenant, "open") == []
    desk.patch(keys[13], off())
    assert len(holds(deps, tenant, "open")) == 1


def test_an_approval_of_the_next_hour_lets_the_client_go_on_and_ends(desk, deps, tenant, clock):
    keys = everyone(desk, 40)
    for key in keys[:6]:
        desk.patch(key, off())
    decide(deps, tenant, guard.approve, holds(deps, tenant)[0].id, and_next_hour=True)
    clock.move(minutes=5)
    for key in keys[6:16]:
        desk.patch(key, off())
    assert holds(deps, tenant, "open") == []
    clock.move(minutes=120)
    for key in keys[16:22]:
        desk.patch(key, off())
    assert len(holds(deps, tenant, "open")) == 1


def test_a_hold_is_only_its_own_tenants(desk, deps, tenant, other_tenant):
    for key in everyone(desk, 10):
        desk.patch(key, off())
    hold = holds(deps, tenant)[0]
    with pytest.raises(NotFound):
        decide(deps, other_tenant, guard.restore, hold.id)
    assert holds(deps, other_tenant) == []


def test_it_can_be_switched_off_and_set(deps, tenant):
    relaxed = Desk(set_to(deps, guard_percent=0), Client(tenant.id, "default", types=STANDARD))
    for key in everyone(relaxed, 12):
        relaxed.patch(key, off())
    assert holds(deps, tenant) == []
    strict = Desk(
        set_to(deps, guard_percent=50, guard_minimum=2), Client(tenant.id, "strict", types=STANDARD)
    )
    keys = everyone(strict, 10, "s")
    for key in keys[:5]:
        strict.patch(key, off())
    assert holds(deps, tenant) == []
    strict.patch(keys[5], off())
    assert len(holds(deps, tenant)) == 1


def test_many_requests_at_once_open_one_hold_in_time(desk, deps, tenant):
    keys = everyone(desk, 30)
    threads = [
        threading.Thread(
            target=lambda some=keys[n::4]: [desk.patch(key, off()) for key in some[:4]]
        )
        for n in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    (hold,) = holds(deps, tenant)
    with deps.db.read(tenant.id) as read:
        assert kept.progress(read, hold.id)["people"] == 16
        waiting = kept.unsettled(read, hold.id)
    assert len(waiting) == 16 - 5


def test_departures_of_long_ago_are_forgotten_but_not_those_of_a_hold(desk, deps, tenant, clock):
    keys = everyone(desk, 20)
    desk.patch(keys[0], off())
    clock.move(hours=2)
    for key in keys[1:8]:
        desk.patch(key, off())
    with deps.db.system(write=True) as system:
        assert kept.forget(system, clock() + timedelta(days=1)) == 1
    hold = holds(deps, tenant)[0]
    with deps.db.read(tenant.id) as read:
        assert kept.progress(read, hold.id)["people"] == 7


def test_departures_are_counted_by_the_minute(desk, deps, tenant, clock):
    def more_than(number, **since):
        with deps.db.read(tenant.id) as read:
            return kept.more_noted(read, "default", clock() - timedelta(**since), number)

    keys = everyone(desk, 30)
    group = desk.create(GROUP, displayName="G", members=refs(*keys[:2]))["id"]
    desk.patch(group, {"op": "remove", "path": "members", "value": refs(*keys[:2])}, of=GROUP)
    clock.move(minutes=40)
    desk.patch(keys[2], off())
    desk.delete(keys[2])  # who was inactive does not count again
    assert more_than(2, hours=1)
    assert not more_than(3, hours=1)
    assert more_than(0, minutes=30)
    assert not more_than(1, minutes=30)
    with deps.db.system(write=True) as system:
        kept.forget(system, clock())
    assert not more_than(1, hours=1)


def test_the_worker_brings_back_whom_an_administrator_wants_back(desk, deps, tenant):
    from app.worker import Worker

    keys = everyone(desk, 20)
    for key in keys[:8]:
        desk.patch(key, off())
    decide(deps, tenant, guard.restore, holds(deps, tenant)[0].id)
    worker = Worker(deps)
    working = threading.Thread(target=worker.run)
    working.start()
    try:
        assert eventually(lambda: not holds(deps, tenant, "restoring"), seconds=30)
    finally:
        worker.stop()
        working.join()
    assert desk.total("active eq true") == 20


def test_whom_the_client_has_made_anew_gets_roles_and_groups_back_as_well(desk, deps, tenant):
    keys = everyone(desk, 20)
    group = desk.create(GROUP, displayName="Sales", members=refs(*keys[:8]))["id"]
    with deps.db.tx(tenant.id) as tx:
        people.grant(tx, keys[0], "administrator", "operator", deps.clock())
    for key in keys[:8]:
        desk.delete(key)
    assert desk.create(userName="p0", externalId="p0")["id"] == keys[0]  # it came back by itself
    bring_back(deps, tenant, holds(deps, tenant)[0].id)
    assert ids(desk.get(group, GROUP)) == set(keys[:8])
    with deps.db.read(tenant.id) as read:
        assert people.roles(read, keys[0]) == {"administrator"}


def test_a_group_that_another_client_deleted_meanwhile_stays_deleted(desk, deps, tenant):
    keys = everyone(desk, 20)
    hr = desk.as_client("hr")
    group = hr.create(GROUP, displayName="Sales", members=refs(*keys[:8]))["id"]
    for key in keys[:8]:
        desk.delete(key)
    hr.delete(group, GROUP)
    bring_back(deps, tenant, holds(deps, tenant)[0].id)
    assert desk.total(of=GROUP) == 0
    assert all(desk.person(key).may_enter for key in keys[:8])
