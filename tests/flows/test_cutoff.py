"""Cut off: everything that lets somebody in is over in one transaction, and never comes back."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import text

from app.flows import attempt, connections, console, cutoff, platforms, signin, tenancy
from app.flows.cutoff import Trigger
from app.kernel import credential
from app.kernel.errors import Invalid, OstiaryError, Refused, Unauthenticated
from app.store import audit, people, sessions
from tests import learners
from tests.access import administrator, holds, last, opens, signed_in, token_of
from tests.demo import eventually
from tests.flows.conftest import local as path
from tests.flows.test_signin import Walk, who
from tests.provisioning import ADA, off, standing


@pytest.mark.parametrize(
    ("leave", "by"),
    [
        (lambda desk, key: desk.patch(key, off()), "scim PATCH"),
        (lambda desk, key: desk.put(key, **ADA, active=False), "scim PUT"),
        (lambda desk, key: desk.delete(key), "scim DELETE"),
    ],
)
def test_everything_of_a_person_ends_in_one_transaction(
    desk, deps, tenant, ada, trust, leave, by, clock
):
    activity = learners.publish(deps, tenant)
    held = [signed_in(deps, tenant, ada), signed_in(deps, tenant, ada, trust)]
    launch = learners.Course(deps, tenant).launch(ada, activity)
    mine = token_of(deps, tenant, ada)
    assert all(standing(deps, one) for one in held)
    assert opens(deps, launch)
    assert holds(deps, mine)
    leave(desk, ada.id)
    assert not any(standing(deps, one) for one in held)
    assert not opens(deps, launch)
    assert not holds(deps, mine)
    said = last(deps, tenant, "person.deactivated")
    assert said["actor"] == "scim:default"
    assert said["detail"] == {
        "by": by, "ended": 4, "sessions": 2, "launches": 1, "tokens": 1, "took_ms": 0,
    }  # fmt: skip


def test_what_ended_does_not_revive_with_the_person(desk, deps, tenant, ada):
    held, mine = signed_in(deps, tenant, ada), token_of(deps, tenant, ada)
    launch = learners.Course(deps, tenant).launch(ada, learners.publish(deps, tenant))
    desk.patch(ada.id, off())
    desk.patch(ada.id, {"op": "replace", "path": "active", "value": True})
    assert desk.person(ada.id).may_enter
    assert not standing(deps, held)
    assert not opens(deps, launch)
    assert not holds(deps, mine)
    assert standing(deps, signed_in(deps, tenant, desk.person(ada.id)))


def test_no_token_is_made_for_whom_may_not_enter(desk, deps, tenant, ada):
    desk.patch(ada.id, off())
    with pytest.raises(Refused):
        token_of(deps, tenant, ada)


def test_a_persons_token_says_who_they_are_and_opens_no_provisioning(deps, tenant, ada, gateway):
    text_of_it = tenancy.issue_token(deps, "acme", "api", person_id=ada.id)[1]
    browser, bearer = gateway(), {"Authorization": f"Bearer {text_of_it}"}
    me = browser.get("/api/v1/me", headers=bearer)
    assert (me.json["person"]["id"], me.json["via"]) == (ada.id, None)
    assert browser.get("/scim/v2/Users", headers=bearer).status_code == 401
    with pytest.raises(Invalid):
        tenancy.issue_token(deps, "acme", "scim", person_id=ada.id)
    with pytest.raises(Invalid):
        tenancy.issue_token(deps, "acme", "api")


@pytest.mark.parametrize("again", [False, True])
def test_a_closed_tenant_is_over_for_everyone_at_once(
    deps, tenant, ada, trust, again, other_tenant
):
    held = [signed_in(deps, tenant, ada), signed_in(deps, tenant, ada, trust)]
    launch = learners.Course(deps, tenant).launch(ada, learners.publish(deps, tenant))
    bystander = learners.person(deps, other_tenant, "Bob")
    elsewhere = signed_in(deps, other_tenant, bystander)
    tenancy.enable(deps, "acme", enabled=False)
    if again:
        tenancy.enable(deps, "acme", enabled=True)
    assert not any(standing(deps, one) for one in held)
    assert not opens(deps, launch)
    assert standing(deps, elsewhere)
    detail = last(deps, tenant, "tenant.disabled")["detail"]
    assert (detail["sessions"], detail["launches"], detail["by"]) == (2, 1, "operator")


def test_switching_off_what_is_off_counts_and_ends_nothing_more(deps, tenant, ada):
    tenancy.enable(deps, "acme", enabled=False)
    tenancy.enable(deps, "acme", enabled=False)
    tenancy.enable(deps, "acme", enabled=True)
    held = signed_in(deps, tenant, ada)
    tenancy.enable(deps, "acme", enabled=True)
    assert standing(deps, held)
    with deps.db.read(tenant.id) as read:
        actions = [one["action"] for one in audit.page(read, None, 100)]
    assert actions.count("tenant.disabled") == actions.count("tenant.enabled") == 1


def test_a_connection_switched_off_takes_only_its_own_sessions(deps, tenant, ada, trust):
    by_it, other = signed_in(deps, tenant, ada, trust), signed_in(deps, tenant, ada)
    connections.enable(deps, trust, enabled=False)
    assert not standing(deps, by_it)
    assert standing(deps, other)
    connections.enable(deps, trust, enabled=True)
    assert not standing(deps, by_it)
    assert standing(deps, signed_in(deps, tenant, ada, trust))
    assert last(deps, tenant, "connection.disabled")["detail"]["sessions"] == 1


def test_a_platform_switched_off_takes_only_its_own_launches(deps, tenant, ada):
    activity = learners.publish(deps, tenant)
    one = learners.Course(deps, tenant)
    two = learners.Course(deps, tenant, issuer="https://other.example")
    mine, other = one.launch(ada, activity), two.launch(ada, activity)
    platforms.enable(deps, one.registration, enabled=False)
    assert not opens(deps, mine)
    assert opens(deps, other)
    platforms.enable(deps, one.registration, enabled=True)
    assert not opens(deps, mine)
    assert opens(deps, one.launch(ada, activity))
    assert last(deps, tenant, "platform.disabled")["detail"]["launches"] == 1


def test_a_platform_that_leads_nowhere_yet_is_switched_off_on_record(deps, tenant):
    course = learners.Course(deps, tenant)
    with deps.db.system(write=True) as system:
        system.conn.execute(text("DELETE FROM deployment"))
    platforms.enable(deps, course.registration, enabled=False)
    assert last(deps, tenant, "platform.disabled")["subject"] == course.registration


def test_switching_off_costs_one_row_however_many_sessions_there_are(deps, tenant, ada, trust):
    for _ in range(5):
        signed_in(deps, tenant, ada, trust)
    connections.enable(deps, trust, enabled=False)
    with deps.db.read(tenant.id) as read:
        untouched = "SELECT count(*) FROM session WHERE ended_at IS NULL"
        assert read.conn.execute(text(untouched)).scalar_one() == 5


def test_an_answer_under_way_is_refused_once_the_person_is_cut_off(desk, deps, tenant, ada):
    activity = learners.publish(deps, tenant)
    door = learners.Course(deps, tenant).launch(ada, activity)
    attempt.begin(deps, door)
    asked = learners.question(deps, door)
    desk.patch(ada.id, off())
    with pytest.raises(Unauthenticated):
        attempt.answer(deps, door, asked.decision_id, learners.right(asked.item), deps.clock())


# An administrator


def test_an_administrator_keeps_someone_out_whatever_provisioning_says(desk, deps, tenant, ada):
    root, session = administrator(deps, tenant)
    held = signed_in(deps, tenant, ada)
    assert console.block(deps, session, ada.id) == 1
    assert not standing(deps, held)
    desk.patch(ada.id, off())
    desk.patch(ada.id, {"op": "replace", "path": "active", "value": True})
    assert not desk.person(ada.id).may_enter
    assert desk.get(ada.id)["active"] is True  # what the client said is still what it reads
    assert not standing(deps, signed_in(deps, tenant, ada))
    console.unblock(deps, session, ada.id)
    assert desk.person(ada.id).may_enter
    assert not standing(deps, held)
    assert standing(deps, signed_in(deps, tenant, ada))
    assert last(deps, tenant, "person.blocked")["actor"] == root.id
    assert last(deps, tenant, "person.unblocked")["subject"] == ada.id


def test_nobody_shuts_themselves_out(deps, tenant):
    root, session = administrator(deps, tenant)
    with pytest.raises(Invalid, match="yourself"):
        console.block(deps, session, root.id)
    assert standing(deps, session)


def test_ending_sessions_lets_the_person_come_back(deps, tenant, ada):
    _, session = administrator(deps, tenant)
    held, mine = signed_in(deps, tenant, ada), token_of(deps, tenant, ada)
    assert console.end_sessions(deps, session, ada.id) == 2
    assert not standing(deps, held)
    assert not holds(deps, mine)
    assert standing(deps, signed_in(deps, tenant, ada))


# Logins under way


@pytest.fixture
def walk(deps, campus):
    return Walk(deps, campus)


def begun(walk, browser, connection):
    """A sign-in at the provider's side of the door: where the browser would come back to."""
    return path(walk.there(walk.out(browser, connection)))


@pytest.mark.parametrize("what", ["person", "connection", "tenant"])
def test_a_sign_in_begun_before_the_cut_off_leads_nowhere_though_all_is_well_again(
    walk, gateway, deps, tenant, desk, clock, what
):
    known = desk.create(userName="ada@campus.example")["id"]
    connection = walk.connect(tenant)
    switch = {
        "person": lambda on: desk.patch(known, off(on)),
        "connection": lambda on: connections.enable(deps, connection, enabled=on),
        "tenant": lambda on: tenancy.enable(deps, "acme", enabled=on),
    }[what]
    browser = gateway()
    back = begun(walk, browser, connection)
    clock.move(seconds=2)
    switch(False)
    switch(True)
    answer = browser.get(back)
    assert (answer.status_code, "begun_before" in answer.text) == (403, True)
    assert who(browser) == 401
    clock.move(seconds=1)
    assert browser.get(begun(walk, browser, connection)).status_code == 303
    assert who(browser) == "ada@campus.example"


def test_a_cut_off_and_sign_ins_at_once_leave_nobody_in(desk, deps, tenant, ada):
    """Whichever comes first: in the end no session of the person stands."""
    made, stop = [], threading.Event()

    def sign_in():
        while not stop.is_set():
            try:
                with deps.db.tx(tenant.id) as tx:
                    someone = people.lock(tx, ada.id)
                    if not someone.may_enter:
                        continue
                made.append(signed_in_held(deps, tenant, ada))
            except OstiaryError:
                continue

    threads = [threading.Thread(target=sign_in) for _ in range(4)]
    for thread in threads:
        thread.start()
    try:
        eventually(lambda: made)
        for _ in range(5):
            desk.patch(ada.id, off())
            assert not any(standing(deps, one) for one in list(made))
            desk.patch(ada.id, {"op": "replace", "path": "active", "value": True})
        desk.patch(ada.id, off())
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert not any(standing(deps, one) for one in made)


def signed_in_held(deps, tenant, person):
    """Begin a session as the flows do: under the person's lock, if they may enter."""
    session_id, secret, now = deps.ids.new(), deps.ids.secret(), deps.clock()
    with deps.db.tx(tenant.id) as tx:
        if not people.lock(tx, person.id).may_enter:
            raise Refused("out")
        sessions.add(tx, session_id, person.id, secret, "local", now, now + timedelta(hours=1))
    return credential.Credential(tenant.id, session_id, secret)


def test_the_sign_in_protocols_can_call_it(deps, tenant, ada):
    held = signed_in(deps, tenant, ada)
    with deps.db.tx(tenant.id) as tx:
        trigger = Trigger("caep:transmitter", "session-revoked", deps.clock())
        people.save(tx, replace(people.lock(tx, ada.id), active=False), deps.clock())
        ended = cutoff.person(deps, tx, ada.id, trigger, "person.deactivated")
    assert ended.sessions == 1
    assert not standing(deps, held)


def test_two_sign_ins_that_end_each_others_sessions_do_not_wait_for_each_other(deps, tenant, desk):
    """Each browser held the other person's session; both change hands at once."""
    ada, ben = (desk.person(desk.create(userName=name)["id"]) for name in ("a", "b"))
    held = {ada.id: signed_in(deps, tenant, ben), ben.id: signed_in(deps, tenant, ada)}
    meet, failed = threading.Barrier(2, timeout=20), []

    def change(person):
        try:
            with deps.db.tx(tenant.id) as tx:
                people.lock(tx, person.id)
                if not deps.db.is_sqlite:  # SQLite lets one in at a time
                    meet.wait()
                signin.end_previous(tx, held[person.id], deps.clock())
        except Exception as error:  # noqa: BLE001 - whatever it is, it is told
            failed.append(error)

    threads = [threading.Thread(target=change, args=(one,)) for one in (ada, ben)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    assert not any(standing(deps, one) for one in held.values())
