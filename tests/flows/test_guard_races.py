"""The guard while requests cross each other, and with more departures than a statement takes parameters."""

from __future__ import annotations

import threading
from dataclasses import replace

import pytest

from app.flows import guard
from app.flows.provision_act import Act, Client
from app.kernel.errors import Unavailable
from app.store import guard as kept
from app.store import memberships, people, scim
from app.store.guard import Departure
from scim.custom import STANDARD
from scim.schemas import GROUP, USER
from tests import learners
from tests.flows.test_guard import assign, assigned, decide, everyone, holds
from tests.provisioning import Desk, arrived_by, off, refs


@pytest.fixture
def desk(deps, tenant):
    return Desk(deps, Client(tenant.id, "default", types=STANDARD))


def on():
    return {"op": "replace", "path": "active", "value": True}


def test_an_approval_takes_nothing_from_whom_the_client_has_brought_back(desk, deps, tenant):
    activity = learners.publish(deps, tenant)
    keys = everyone(desk, 20)
    for key in keys[:8]:
        desk.patch(key, off())
    (hold,) = holds(deps, tenant)
    for key in keys[5:7]:
        assign(deps, tenant, activity, key)
    assign(deps, tenant, activity, keys[7])
    desk.patch(keys[6], on())
    decide(deps, tenant, guard.approve, hold.id)
    assert assigned(deps, tenant) == {keys[6]}


def test_more_departures_at_once_than_a_statement_takes_parameters(desk, deps, tenant):
    key = everyone(desk, 1)[0]
    many = [
        Departure(deps.ids.new(), key, "left_group", "g", {}, deps.clock()) for _ in range(70_000)
    ]
    with deps.db.tx(tenant.id) as tx:
        kept.add(tx, "default", many, None)
        kept.settle(tx, deps.clock(), ids=[one.id for one in many])


@pytest.mark.parametrize("decision", ["approve", "restore"])
def test_a_decision_waits_for_a_departure_that_is_just_being_noted(desk, deps, tenant, decision):
    activity = learners.publish(deps, tenant)
    keys = everyone(desk, 20)
    for key in keys[:8]:
        desk.patch(key, off())
    (hold,) = holds(deps, tenant)
    assign(deps, tenant, activity, keys[8])
    deciding = threading.Thread(
        target=decide, args=(deps, tenant, getattr(guard, decision), hold.id)
    )
    with deps.db.tx(tenant.id) as tx:
        act = Act(deps, tx, "default", "PATCH", deps.clock(), deps.clock(), STANDARD)
        person = people.lock(tx, keys[8])
        people.save(tx, replace(person, active=False), deps.clock())
        guard.note(act, [guard.Left(keys[8], "deactivated")])
        deciding.start()
        deciding.join(1)  # as far as it gets: it must wait for us
    deciding.join()
    if decision == "approve":
        assert assigned(deps, tenant) == set()
    else:
        while guard.go_on(deps):
            pass
        assert desk.person(keys[8]).active


def test_a_restoration_and_a_request_do_not_wait_for_each_other_in_a_circle(desk, deps, tenant):
    """A request holds its person and then wants the client's counter; the restoration does alike."""
    keys = everyone(desk, 20)
    for key in keys[:8]:
        desk.patch(key, off())
    (hold,) = holds(deps, tenant)
    decide(deps, tenant, guard.restore, hold.id)
    told, back = list[str](), threading.Event()

    def bring_back():
        try:
            guard.go_on(deps)
        except Unavailable as error:
            told.append(error.code)
        back.set()

    going_on = threading.Thread(target=bring_back)
    try:
        with deps.db.tx(tenant.id) as tx:
            people.lock(tx, keys[0])  # the first to leave is the last to come back
            going_on.start()
            back.wait(1)
            before = scim.get(tx, "default", USER, keys[0])
            scim.save(tx, "default", USER, before, {**before.body, "active": True}, deps.clock())
    except Unavailable as error:
        told.append(error.code)
    going_on.join()
    assert told == []


def test_two_who_leave_do_not_wait_for_each_other_in_a_circle(desk, deps, tenant):
    """One by deactivation, one taken over as inactive: both want the counter first, then the guard."""
    keys = everyone(desk, 2)
    arrived_by("oidc", deps, tenant, "eve@x.example")
    told, came = list[str](), threading.Event()

    def take_over():
        try:
            desk.create(userName="eve@x.example", active=False)
        except Unavailable as error:
            told.append(error.code)
        came.set()

    taking_over = threading.Thread(target=take_over)
    try:
        with deps.db.tx(tenant.id) as tx:
            act = Act(deps, tx, "default", "PATCH", deps.clock(), deps.clock(), STANDARD)
            before = scim.get(tx, "default", USER, keys[0])
            scim.save(tx, "default", USER, before, {**before.body, "active": False}, deps.clock())
            taking_over.start()
            came.wait(1)
            guard.note(act, [guard.Left(keys[0], "deactivated")])
    except Unavailable as error:
        told.append(error.code)
    taking_over.join()
    assert told == []


@pytest.mark.parametrize("how", ["remove", "put", "delete", "restoration"])
@pytest.mark.parametrize("who", ["person", "group"])
def test_a_group_and_who_leaves_it_do_not_wait_for_each_other_in_a_circle(
    desk, deps, tenant, monkeypatch, how, who
):
    """Who is deleted leaves the group, while the group lets them go: both want the group, then the person."""
    keys = everyone(desk, 20)
    group = desk.create(GROUP, displayName="G", members=refs(*keys))["id"]
    if who == "group":
        inner = desk.create(GROUP, displayName="Inner", members=refs(keys[0]))["id"]
        desk.patch(group, {"op": "add", "path": "members", "value": refs(inner)}, of=GROUP)
    leaver = keys[0] if who == "person" else inner
    if how == "restoration":
        gone = {"op": "remove", "path": "members", "value": refs(*keys[:8])}
        desk.patch(group, gone, of=GROUP)
        desk.patch(group, {"op": "add", "path": "members", "value": refs(keys[0])}, of=GROUP)
        (hold,) = holds(deps, tenant)
        decide(deps, tenant, guard.restore, hold.id)
    told, done = list[str](), threading.Event()

    others = refs(keys[9])
    let_go = {
        "remove": lambda: desk.patch(group, {"op": "remove", "path": "members", "value": refs(leaver)}, of=GROUP),
        "put": lambda: desk.put(group, GROUP, displayName="G", members=others),
        "delete": lambda: desk.delete(group, GROUP),
        "restoration": lambda: guard.go_on(deps),
    }[how]  # fmt: skip

    def meanwhile():
        try:
            let_go()
        except Unavailable as error:
            told.append(error.code)
        done.set()

    letting_go = threading.Thread(target=meanwhile)

    def then_the_other_begins(lock):
        def held(tx, key):
            found = lock(tx, key)
            if not letting_go.ident:
                letting_go.start()
                done.wait(1)  # as far as it gets
            return found

        return held

    for module, name in ((memberships, "hold_groups"), (people, "lock")):
        monkeypatch.setattr(module, name, then_the_other_begins(getattr(module, name)))
    try:
        desk.delete(leaver, USER if who == "person" else GROUP)
    except Unavailable as error:
        told.append(error.code)
    letting_go.join()
    assert told == []
    with deps.db.read(tenant.id) as read:
        left = {one.id for one in memberships.members(read, [group]).get(group, ())}
    assert leaver not in left
    assert left == {
        "remove": {*keys} - {leaver}, "put": {keys[9]}, "delete": set(), "restoration": {*keys} - {leaver},
    }[how]  # fmt: skip


def test_who_is_deleted_while_coming_into_a_group_is_not_left_in_it(
    desk, deps, tenant, monkeypatch
):
    """The deletion waits for who comes in, or it would not see that there is something to end."""
    key = desk.create(userName="ada@x.example")["id"]
    group = desk.create(GROUP, displayName="G")["id"]
    told, done, add = list[str](), threading.Event(), memberships.add

    def leave():
        try:
            desk.delete(key)
        except Unavailable as error:
            told.append(error.wire_code)
        done.set()

    leaving = threading.Thread(target=leave)

    def added(tx, group_id, ids, now):
        count = add(tx, group_id, ids, now)
        leaving.start()
        done.wait(1)  # as far as it gets
        return count

    monkeypatch.setattr(memberships, "add", added)
    desk.patch(group, {"op": "add", "path": "members", "value": refs(key)}, of=GROUP)
    leaving.join()
    if told:  # it came after a group that it had not held, and is sent again
        assert told == ["database_contested"]
        desk.delete(key)
    with deps.db.read(tenant.id) as read:
        assert memberships.groups_of(read, key) == set()
    assert desk.get(group, GROUP)["meta"]["version"] == 'W/"3"'
