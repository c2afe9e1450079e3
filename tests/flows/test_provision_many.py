"""Provisioning by many at once, in bulk, page by page, and for two tenants."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from app.flows import provision
from app.flows.provision_act import Client
from app.store import scim
from scim.custom import STANDARD
from scim.errors import NotFound, Uniqueness
from scim.schemas import GROUP, USER
from tests import learners
from tests.provisioning import ADA, Desk, arrived_by, ids, off, refs, standing


@pytest.fixture
def desk(deps, tenant):
    return Desk(deps, Client(tenant.id, "default", types=STANDARD))


@pytest.fixture
def ada(desk):
    return desk.create(**ADA)["id"]


@pytest.fixture
def crowd(desk):
    return [desk.create(userName=f"u{n}", displayName=f"U {n}")["id"] for n in range(6)]


def test_of_eight_patches_at_once_none_is_lost(desk, ada):
    paths = ("title", "nickName", "userType", "locale", "timezone", "displayName", "name.givenName", "name.familyName")  # fmt: skip

    def change(path):
        return desk.patch(ada, {"op": "add", "path": path, "value": f"new {path}"})

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(change, paths))
    after = desk.get(ada)
    assert after["meta"]["version"] == 'W/"9"'
    assert [after[p] for p in paths[:6]] == [f"new {p}" for p in paths[:6]]
    assert after["name"] == {"givenName": "new name.givenName", "familyName": "new name.familyName"}
    for path in paths:
        assert desk.total(f'{path} eq "new {path}"') == 1


def test_of_eight_posts_of_one_user_name_one_succeeds(desk):
    def post(number):
        try:
            return desk.create(userName="Ada", externalId=str(number))["id"]
        except Uniqueness:
            return None

    with ThreadPoolExecutor(8) as pool:
        made = [key for key in pool.map(post, range(8)) if key]
    assert len(made) == 1
    assert desk.total() == len(desk.found()["Resources"]) == 1


def test_of_eight_who_bring_somebody_back_one_succeeds(desk, ada):
    desk.delete(ada)

    def post(_):
        try:
            return desk.create(**ADA)["id"]
        except Uniqueness:
            return None

    with ThreadPoolExecutor(8) as pool:
        assert [key for key in pool.map(post, range(8)) if key] == [ada]
    assert desk.total() == 1


def test_of_eight_who_adopt_somebody_one_succeeds(desk, deps, tenant):
    known = arrived_by("oidc", deps, tenant, "ada@x.example")

    def post(number):
        try:
            return desk.create(userName="ada@x.example", externalId=str(number))["id"]
        except Uniqueness:
            return None

    with ThreadPoolExecutor(8) as pool:
        assert [key for key in pool.map(post, range(8)) if key] == [known]


def test_members_added_at_once_are_all_there(desk, crowd):
    key = desk.create(GROUP, displayName="G")["id"]

    def add(one):
        desk.patch(key, {"op": "add", "path": "members", "value": refs(one)}, of=GROUP)

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(add, crowd))
    after = desk.get(key, GROUP)
    assert ids(after) == set(crowd)
    assert after["meta"]["version"] == 'W/"7"'


def test_totals_are_right_after_every_verb(desk, ada):
    bob = desk.create(userName="bob")["id"]
    assert desk.total() == 2
    desk.patch(bob, off())
    desk.put(bob, userName="bob", active=True)
    assert desk.total() == 2
    desk.delete(ada)
    assert (desk.total(), desk.total(of=GROUP)) == (1, 0)
    desk.create(**ADA)
    with pytest.raises(Uniqueness):
        desk.create(**ADA)
    assert desk.total() == len(desk.found()["Resources"]) == 2


def test_pages_are_stable_while_people_come_and_add_up(desk, clock):
    made = []
    for number in range(7):
        made.append(desk.create(userName=f"u{number}")["id"])
        clock.move(seconds=1)
    first = desk.found(count=3)
    desk.create(userName="late")
    second = desk.found(count=3, startIndex=4)
    assert [one["id"] for one in first["Resources"] + second["Resources"]] == made[:6]
    third = desk.found('userName sw "u"', count=3, startIndex=7)
    assert [one["id"] for one in third["Resources"]] == made[6:]
    assert [page["totalResults"] for page in (first, second, third)] == [7, 8, 7]
    beyond = desk.found('userName sw "u"', count=3, startIndex=70)
    assert (beyond["Resources"], beyond["totalResults"]) == ([], 7)


def test_a_load_can_be_repeated_and_goes_on_where_it_broke_off(deps, desk):
    people_of = [{"userName": f"p{n}", "externalId": f"x{n}", "title": "T"} for n in range(600)]
    desk.create(userName="P7")

    def load(bodies):
        return provision.create_many(deps, desk.client.tenant, desk.client.name, iter(bodies))

    assert load(people_of[:300]) == 299
    assert load(people_of) == 300
    assert load(people_of) == 0
    assert desk.total() == desk.total("userName pr") == 600
    assert desk.total('title eq "t"') == 599
    one = desk.found('externalId eq "x599"')["Resources"][0]
    assert desk.person(one["id"]).user_name == "p599"


def test_names_that_differ_by_case_in_one_load_are_one(deps, desk):
    assert (
        provision.create_many(
            deps, desk.client.tenant, desk.client.name, [{"userName": "a"}, {"userName": "A"}]
        )
        == 1
    )


def test_only_changed_values_are_written(desk, deps, ada, monkeypatch):
    written = []
    monkeypatch.setattr(scim._NEW_VALUE, "run_each", lambda _, rows: written.extend(rows))
    with deps.db.tx(desk.client.tenant) as tx:
        before = scim.get(tx, "default", USER, ada)
        scim.save(tx, "default", USER, before, before.body | {"title": "T"}, deps.clock())
    assert [row["path"] for row in written] == ["title"]


def test_two_tenants_with_the_same_names_never_meet(desk, deps, other_tenant, ada):
    theirs = Desk(deps, Client(other_tenant.id, "default", types=STANDARD))
    foreign = theirs.create(**ADA)["id"]
    group = theirs.create(GROUP, displayName="G", members=refs(foreign))["id"]
    assert foreign != ada
    for act in (
        lambda: desk.get(foreign),
        lambda: desk.patch(foreign, off()),
        lambda: desk.put(foreign, **ADA),
        lambda: desk.delete(foreign),
        lambda: desk.get(group, GROUP),
        lambda: desk.delete(group, GROUP),
    ):
        with pytest.raises(NotFound):
            act()
    assert (desk.total(), desk.total(of=GROUP)) == (1, 0)
    for text in (
        'userName eq "ada@x.example"', 'externalId eq "e-1"', f'id eq "{foreign}" or id eq "{ada}"',
        "userName pr", 'userName ne "x"', 'not (userName eq "x")', 'userName co "a" or active eq true',
        'meta.created gt "2000-01-01T00:00:00Z"',
    ):  # fmt: skip
        found = desk.found(text)
        assert [one["id"] for one in found["Resources"]] == [ada], text
        assert found["totalResults"] == 1
    assert desk.total(f'groups eq "{group}"') == 0
    assert desk.total("groups pr") == 0
    desk.delete(ada)
    assert theirs.get(foreign)["active"] is True
    assert theirs.total() == 1


def test_sessions_outlive_what_happens_in_another_tenant(desk, deps, other_tenant, ada):
    theirs = Desk(deps, Client(other_tenant.id, "default", types=STANDARD))
    foreign = theirs.person(theirs.create(**ADA)["id"])
    session = learners.signed_in(deps, other_tenant, foreign)
    desk.delete(ada)
    assert standing(deps, session.presented)
