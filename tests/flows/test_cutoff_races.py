"""Cut off in the very moment of a sign-in, a launch or an answer: whoever is first, nobody stays in."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from app.flows import (
    connections,
    console,
    cutoff,
    join,
    latecomers,
    local,
    platforms,
    tenancy,
)
from app.flows.cutoff import Trigger
from app.flows.learner import enter
from app.flows.tries import Visit
from app.kernel.errors import OstiaryError, Refused, Unauthenticated
from app.store import launches, people, sessions
from sso.logout import LogoutNotice, VerifiedLogout
from tests import learners
from tests.access import PASSWORD, appointed, opens, signed_in
from tests.provisioning import standing


@pytest.mark.parametrize("what", ["connection", "tenant"])
@pytest.mark.parametrize("meanwhile", [[False], [False, True]])
def test_a_session_made_just_after_a_switch_off_never_stands(
    deps, tenant, ada, trust, clock, what, meanwhile
):
    """The flow has read that all is enabled; another process switches off before it inserts the session."""
    switch = {
        "connection": lambda on: connections.enable(deps, trust, enabled=on),
        "tenant": lambda on: tenancy.enable(deps, "acme", enabled=on),
    }[what]
    begun = deps.clock()
    clock.move(seconds=1)
    for on in meanwhile:
        switch(on)
    held = signed_in(deps, tenant, ada, trust, begun_at=begun)
    switch(True)
    assert not standing(deps, held)


@pytest.mark.parametrize("meanwhile", [[False], [False, True]])
def test_a_launch_made_just_after_its_platform_was_switched_off_never_stands(
    deps, tenant, ada, clock, monkeypatch, meanwhile
):
    activity = learners.publish(deps, tenant)
    course = learners.Course(deps, tenant)
    begun, add = deps.clock(), launches.add
    clock.move(seconds=1)
    for on in meanwhile:
        platforms.enable(deps, course.registration, enabled=on)
    monkeypatch.setattr(launches, "add", lambda *a, **more: add(*a, begun_at=begun, **more))
    launch = course.launch(ada, activity)
    platforms.enable(deps, course.registration, enabled=True)
    assert not opens(deps, launch)


def test_a_password_checked_while_the_tenant_closes_lets_nobody_in(
    deps, tenant, clock, monkeypatch
):
    local.create_administrator(deps, "acme", "root@acme.example", PASSWORD)
    check = local.check_password_hash

    def slowly(*given):
        clock.move(seconds=1)
        tenancy.enable(deps, "acme", enabled=False)
        return check(*given)

    monkeypatch.setattr(local, "check_password_hash", slowly)
    with pytest.raises(Refused, match="switched off"):
        local.sign_in(
            deps, "acme", "root@acme.example", PASSWORD, None, Visit("b" * 48, "192.0.2.1")
        )


@pytest.mark.parametrize("door", ["session", "launch"])
def test_who_waits_for_a_cut_off_to_end_is_refused_though_the_person_may_come_back(
    deps, tenant, ada, door
):
    activity = learners.publish(deps, tenant)
    held = (
        learners.signed_in(deps, tenant, ada)
        if door == "session"
        else learners.Course(deps, tenant).launch(ada, activity)
    )
    asks, found = threading.Event(), list[object]()

    def answer():
        asks.set()
        try:
            with deps.db.tx(tenant.id) as tx:
                found.append(enter(tx, held, deps.clock()))
        except OstiaryError as refused:
            found.append(refused.code)

    answering = threading.Thread(target=answer)
    with deps.db.tx(tenant.id) as tx:
        people.lock(tx, ada.id)
        trigger = Trigger("root", "administrator", deps.clock())
        cutoff.person(deps, tx, ada.id, trigger, "sessions.ended")
        answering.start()
        asks.wait()
        answering.join(1)  # as far as it gets: it must wait for us
    answering.join()
    assert found == [Unauthenticated.code]


def test_a_provider_that_ends_a_first_sign_in_waits_for_it_and_ends_it(deps, tenant, trust):
    now = deps.clock()
    notice = VerifiedLogout(LogoutNotice(trust, "https://idp.example", "sub-1", None, "one", now))
    ended = list[int]()

    def end():
        with deps.db.tx(tenant.id) as tx:
            latecomers.refuse(tx, trust, notice, deps.clock())
            ended.append(
                sessions.end_by_provider(tx, trust, "provider", deps.clock(), subject="sub-1")
            )

    ending = threading.Thread(target=end)
    with deps.db.tx(tenant.id) as tx:
        stranger = join.Stranger("oidc", trust, "sub-1", {"display_name": "New"}, now)
        identity, person = join.admit(deps, tx, stranger, now)
        sessions.add(
            tx, deps.ids.new(), person.id, deps.ids.secret(), "oidc", now, now.replace(year=2099),
            connection_id=trust, identity_id=identity.id,
        )  # fmt: skip
        ending.start()
        ending.join(1)  # as far as it gets: it must wait for us
    ending.join()
    assert ended == [1]


def test_two_administrators_who_shut_each_other_out_at_once_are_judged_one_after_the_other(
    deps, tenant
):
    """One is blocked; the other's click comes from a session that is over by then, not to a deadlock."""
    for number in range(12):
        pair = [learners.person(deps, tenant, f"{name}{number}") for name in "ab"]
        held = [appointed(deps, tenant, each) for each in pair]
        together = threading.Barrier(2, timeout=30)

        def block(mine, other, together=together):
            together.wait()
            try:
                return console.block(deps, mine, other.id)
            except OstiaryError as refused:
                return refused.wire_code

        with ThreadPoolExecutor(2) as pool:
            told = list(pool.map(block, held, reversed(pair)))
        assert sorted(told, key=str) == [1, "sign_in_first"]
        with deps.db.read(tenant.id) as read:
            outside = [people.get(read, each.id).blocked_at is not None for each in pair]
        # Who blocked the other is the one who is still in.
        assert outside == [said != 1 for said in told]
        assert [standing(deps, one) for one in held] == [said == 1 for said in told]
