"""Who is shut out by provisioning, at once; and versions."""

from __future__ import annotations

import pytest

from app.flows.provision_act import Client
from app.store import launches
from scim.custom import STANDARD
from scim.errors import NotFound, PreconditionFailed, ScimError
from scim.schemas import GROUP, USER
from tests import learners
from tests.provisioning import ADA, Desk, off, standing


@pytest.fixture
def desk(deps, tenant):
    return Desk(deps, Client(tenant.id, "default", types=STANDARD))


@pytest.fixture
def ada(desk):
    return desk.create(**ADA)["id"]


def launched(deps, tenant, launch):
    with deps.db.read(tenant.id) as read:
        return launches.standing(read, launch.launch_id, None, deps.clock()) is not None


def test_deactivation_ends_sessions_and_launches_before_it_answers(desk, deps, tenant, ada):
    who = desk.person(ada)
    bob = desk.person(desk.create(userName="bob")["id"])
    mine, other = learners.signed_in(deps, tenant, who), learners.signed_in(deps, tenant, bob)
    launch = learners.Course(deps, tenant).launch(who, None)
    assert standing(deps, mine.presented)
    assert launched(deps, tenant, launch)
    assert desk.patch(ada, off())["active"] is False
    assert not standing(deps, mine.presented)
    assert not launched(deps, tenant, launch)
    assert standing(deps, other.presented)
    assert desk.log(ada)[0] == ("person.deactivated", {
        "by": "scim PATCH", "ended": 2, "sessions": 1, "launches": 1, "tokens": 0, "took_ms": 0,
    })  # fmt: skip
    assert desk.get(ada)["active"] is False
    assert desk.total("active eq false") == 1


@pytest.mark.parametrize(
    "leave",
    [
        lambda desk, key: desk.delete(key),
        lambda desk, key: desk.put(key, **ADA, active=False),
        lambda desk, key: desk.patch(key, {"op": "replace", "value": {"active": "false"}}),
        lambda desk, key: desk.patch(key, {"op": "remove", "path": "active"}),
    ],
)
def test_whoever_leaves_in_any_way_is_out(desk, deps, tenant, ada, leave):
    session = learners.signed_in(deps, tenant, desk.person(ada))
    leave(desk, ada)
    assert not standing(deps, session.presented)
    assert not desk.person(ada).may_enter
    assert [
        detail["ended"] for action, detail in desk.log(ada) if action == "person.deactivated"
    ] == [1]


def test_reactivation_lets_in_anew_and_revives_nothing(desk, deps, tenant, ada):
    session = learners.signed_in(deps, tenant, desk.person(ada))
    desk.patch(ada, off())
    desk.patch(ada, off("True"))
    assert not standing(deps, session.presented)
    assert standing(deps, learners.signed_in(deps, tenant, desk.person(ada)).presented)
    assert desk.log(ada)[0][0] == "person.reactivated"


def test_a_put_that_is_silent_about_active_lets_nobody_back_in(desk, ada):
    desk.patch(ada, off())
    assert desk.put(ada, **ADA)["active"] is False
    assert not desk.person(ada).may_enter


def test_a_refused_patch_changes_nothing_not_even_its_first_half(desk, deps, tenant, ada):
    session = learners.signed_in(deps, tenant, desk.person(ada))
    with pytest.raises(ScimError):
        desk.patch(ada, off(), {"op": "replace", "path": "shoeSize", "value": 9})
    assert standing(deps, session.presented)
    assert desk.get(ada)["meta"]["version"] == 'W/"1"'


def test_what_changes_nothing_is_no_new_version(desk, ada):
    desk.patch(ada, off("True"))
    desk.put(ada, **ADA)
    assert desk.get(ada)["meta"]["version"] == 'W/"1"'
    assert desk.patch(ada, off())["meta"]["version"] == 'W/"2"'


@pytest.mark.parametrize("of", [USER, GROUP])
def test_a_stale_version_is_refused_by_every_verb(desk, of):
    body = ADA if of is USER else {"displayName": "G"}
    key = desk.create(of, **body)["id"]
    change = {"op": "add", "path": "displayName", "value": "New"}
    desk.patch(key, change, of=of, if_match='W/"1"')
    for stale in (
        lambda: desk.patch(key, change, of=of, if_match='W/"1"'),
        lambda: desk.put(key, of, if_match='"1"', **body),
        lambda: desk.delete(key, of, if_match='W/"1"'),
    ):
        with pytest.raises(PreconditionFailed):
            stale()
    desk.delete(key, of, if_match='W/"1", W/"2"')
    with pytest.raises(NotFound):
        desk.get(key, of)
