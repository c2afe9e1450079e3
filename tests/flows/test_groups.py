"""What belonging to a group gives: a role in the console, and activities that are assigned as a set."""

from __future__ import annotations

import html
import re
from dataclasses import replace

import pytest
from sqlalchemy import select

from app.flows import groups, guard, local
from app.kernel.errors import Invalid, NotFound
from app.store import groups as store
from app.store import guard as kept
from app.store import learning, people
from app.store.groups import Grant
from app.store.tables.learning import assignment
from scim.schemas import GROUP
from tests import learners
from tests.flows.test_local import EMAIL, PASSWORD, sign_in
from tests.provisioning import off, refs


@pytest.fixture
def activity(deps, tenant):
    return learners.publish(deps, tenant)


@pytest.fixture
def team(desk):
    return desk.create(GROUP, displayName="Team")["id"]


def give(deps, tenant, group_id, grant):
    with deps.db.tx(tenant.id) as tx:
        return groups.give(deps, tx, group_id, grant, "root")


def take(deps, tenant, group_id, grant):
    with deps.db.tx(tenant.id) as tx:
        return groups.take(deps, tx, group_id, grant, "root")


def roles(deps, tenant, key):
    with deps.db.read(tenant.id) as read:
        return people.roles(read, key)


def assigned(deps, tenant, key):
    with deps.db.read(tenant.id) as read:
        return set(learning.assigned(read, key))


def add(desk, team, *keys):
    desk.patch(team, {"op": "add", "path": "members", "value": refs(*keys)}, of=GROUP)


def remove(desk, team, *keys):
    desk.patch(team, {"op": "remove", "path": "members", "value": refs(*keys)}, of=GROUP)


def test_a_role_is_had_as_long_as_the_membership_stands(desk, deps, tenant, team, ada):
    give(deps, tenant, team, Grant("role", "administrator"))
    assert roles(deps, tenant, ada.id) == set()
    add(desk, team, ada.id)
    assert roles(deps, tenant, ada.id) == {"administrator"}
    remove(desk, team, ada.id)
    assert roles(deps, tenant, ada.id) == set()
    add(desk, team, ada.id)
    take(deps, tenant, team, Grant("role", "administrator"))
    assert roles(deps, tenant, ada.id) == set()


def test_a_deleted_group_gives_nothing_and_a_group_within_it_no_role(desk, deps, tenant, team, ada):
    give(deps, tenant, team, Grant("role", "administrator"))
    inner = desk.create(GROUP, displayName="Inner", members=refs(ada.id))["id"]
    add(desk, team, inner)
    assert roles(deps, tenant, ada.id) == set()
    add(desk, team, ada.id)
    desk.delete(team, of=GROUP)
    assert roles(deps, tenant, ada.id) == set()


def test_who_is_in_it_when_it_begins_to_give_and_who_comes_later_are_assigned(
    desk, deps, tenant, team, ada, activity
):
    add(desk, team, ada.id)
    assert give(deps, tenant, team, Grant("activity", activity)) == 1
    assert give(deps, tenant, team, Grant("activity", activity)) == 0
    bob = desk.create(userName="bob")["id"]
    add(desk, team, bob, ada.id)
    assert assigned(deps, tenant, ada.id) == assigned(deps, tenant, bob) == {activity}
    remove(desk, team, ada.id)
    assert (assigned(deps, tenant, ada.id), assigned(deps, tenant, bob)) == (set(), {activity})
    add(desk, team, ada.id)
    assert assigned(deps, tenant, ada.id) == {activity}
    assert take(deps, tenant, team, Grant("activity", activity)) == 2
    assert assigned(deps, tenant, bob) == set()
    with deps.db.read(tenant.id) as read:
        assert len(read.conn.execute(select(assignment.c.id)).all()) == 2


def test_what_two_groups_give_stays_when_one_is_left(desk, deps, tenant, team, ada, activity):
    other = desk.create(GROUP, displayName="Other")["id"]
    for group in (team, other):
        give(deps, tenant, group, Grant("activity", activity))
        add(desk, group, ada.id)
    remove(desk, team, ada.id)
    assert assigned(deps, tenant, ada.id) == {activity}


def test_a_thousand_are_assigned_by_one_statement(desk, deps, tenant, team, activity, monkeypatch):
    give(deps, tenant, team, Grant("activity", activity))
    everyone = [desk.create(userName=f"p{n}")["id"] for n in range(30)]
    calls, real = [], store.assign
    monkeypatch.setattr(store, "assign", lambda *a, **k: (calls.append(1), real(*a, **k))[1])
    add(desk, team, *everyone)
    assert len(calls) == 1
    assert all(assigned(deps, tenant, key) == {activity} for key in everyone)


def test_who_was_off_and_is_back_has_it_again(desk, deps, tenant, team, ada, activity):
    give(deps, tenant, team, Grant("activity", activity))
    add(desk, team, ada.id)
    desk.patch(ada.id, off())
    assert assigned(deps, tenant, ada.id) == set()
    desk.patch(ada.id, off("True"))
    assert assigned(deps, tenant, ada.id) == {activity}


def test_a_group_that_is_made_with_members_gives_later_and_replaced_members_lose(
    desk, deps, tenant, ada, activity
):
    bob = desk.create(userName="bob")["id"]
    team = desk.create(GROUP, displayName="T", members=refs(ada.id))["id"]
    give(deps, tenant, team, Grant("activity", activity))
    desk.put(team, of=GROUP, displayName="T", members=refs(bob))
    assert (assigned(deps, tenant, ada.id), assigned(deps, tenant, bob)) == (set(), {activity})
    desk.delete(team, of=GROUP)
    assert assigned(deps, tenant, bob) == set()


def test_an_emptied_group_waits_for_an_administrator(desk, deps, tenant, team, activity):
    everyone = [desk.create(userName=f"p{n}")["id"] for n in range(7)]
    give(deps, tenant, team, Grant("activity", activity))
    add(desk, team, *everyone)
    desk.patch(team, {"op": "replace", "path": "members", "value": []}, of=GROUP)
    assert all(assigned(deps, tenant, key) == {activity} for key in everyone)
    add(desk, team, everyone[0])
    with deps.db.read(tenant.id) as read:
        (hold,) = kept.listed(read, statuses=("open",))
    with deps.db.tx(tenant.id) as tx:
        guard.approve(deps, tx, hold.id, "root")
    assert [bool(assigned(deps, tenant, key)) for key in everyone] == [True] + [False] * 6


def test_an_emptied_group_that_is_brought_back_gives_again(desk, deps, tenant, team, activity):
    careful = replace(deps, settings=deps.settings.model_copy(update={"guard_minimum": 2}))
    desk.deps = careful
    everyone = [desk.create(userName=f"p{n}")["id"] for n in range(4)]
    give(careful, tenant, team, Grant("activity", activity))
    add(desk, team, *everyone)
    for key in everyone:
        remove(desk, team, key)
    assert [bool(assigned(deps, tenant, key)) for key in everyone] == [False, False, True, True]
    with deps.db.read(tenant.id) as read:
        (hold,) = kept.listed(read, statuses=("open",))
    with deps.db.tx(tenant.id) as tx:
        guard.restore(careful, tx, hold.id, "root")
    while guard.go_on(careful):
        pass
    assert all(assigned(deps, tenant, key) == {activity} for key in everyone)


def test_what_is_not_there_is_refused(desk, deps, tenant, other_tenant, team, activity):
    with pytest.raises(Invalid):
        groups.role("owner")
    with deps.db.read(tenant.id) as read, pytest.raises(NotFound):
        groups.activity(read, "nothing")
    for someone, group in ((tenant, "nobody"), (other_tenant, team)):
        with pytest.raises(NotFound):
            give(deps, someone, group, Grant("role", "administrator"))
    with pytest.raises(NotFound):
        take(deps, tenant, team, Grant("role", "administrator"))
    with deps.db.read(other_tenant.id) as read:
        assert store.listed(read, 10) == []
    with deps.db.read(tenant.id) as read:
        assert [one.name for one in store.listed(read, 10)] == ["Team"]


def test_the_console_shows_what_groups_give_and_changes_it(
    gateway, desk, deps, tenant, team, ada, activity
):
    local.create_administrator(deps, "acme", EMAIL, PASSWORD)
    browser = gateway()
    sign_in(browser)
    page = browser.get("/admin/groups").text
    csrf = html.unescape(re.search(r'name="csrf" value="([^"]+)"', page)[1])
    assert "Team" in page
    assert "It gives nothing yet." in page
    add(desk, team, ada.id)
    for form in ("activity:pricing", "role:administrator"):
        sent = {"csrf": csrf, "grant": form, "after": ""}
        assert browser.post(f"/admin/groups/{team}/give", data=sent).status_code == 303
    assert assigned(deps, tenant, ada.id) == {activity}
    assert roles(deps, tenant, ada.id) == {"administrator"}
    page = browser.get("/admin/groups").text
    assert "Activity: <strong>" in page
    assert "Take back" in page
    for form in ("activity:pricing", "role:administrator"):
        sent = {"csrf": csrf, "grant": form}
        assert browser.post(f"/admin/groups/{team}/take", data=sent).status_code == 303
    assert assigned(deps, tenant, ada.id) == set()
    for path, form, status in (
        ("x/give", "role:administrator", 404), ("%00/give", "role:administrator", 404),
        (f"{team}/give", "role:owner", 400), (f"{team}/give", "activity:\0", 404), (f"{team}/give", "", 404),
        (f"{team}/take", "role:administrator", 404),
    ):  # fmt: skip
        sent = {"csrf": csrf, "grant": form}
        assert browser.post(f"/admin/groups/{path}", data=sent).status_code == status, (path, form)
    assert browser.post(f"/admin/groups/{team}/give", data={"grant": "role:x"}).status_code == 403
