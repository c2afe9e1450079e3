"""Provisioning, on the flows: who a User is, who comes back, who is shut out, many at once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from app.flows import provision
from app.flows.provision_act import Client
from app.kernel.person import Person, told
from app.store import audit, launches, people, scim, sessions
from scim.errors import InvalidValue, NotFound, PreconditionFailed, ScimError, Uniqueness
from scim.represent import EVERYTHING
from scim.schemas import GROUP, USER
from tests import learners

ADA = {"userName": "ada@x.example", "externalId": "e-1", "name": {"givenName": "Ada"}}


@pytest.fixture
def client(tenant):
    return Client(tenant.id, "default")


@pytest.fixture
def desk(deps, client):
    return Desk(deps, client)


class Desk:
    """A provisioning client's verbs, shortly."""

    def __init__(self, deps, client):
        self.deps, self.client = deps, client

    def create(self, of=USER, **body):
        return provision.create(self.deps, self.client, of, body, EVERYTHING).document

    def get(self, key, of=USER):
        return provision.get(self.deps, self.client, of, key, EVERYTHING).document

    def patch(self, key, *operations, of=USER, if_match=None):
        body = {"Operations": list(operations)}
        done = provision.patch(self.deps, self.client, of, key, body, if_match, EVERYTHING)
        return done.document

    def put(self, key, of=USER, if_match=None, **body):
        done = provision.replace(self.deps, self.client, of, key, body, if_match, EVERYTHING)
        return done.document

    def delete(self, key, of=USER, if_match=None):
        provision.delete(self.deps, self.client, of, key, if_match)

    def found(self, text=None, of=USER, **more):
        asked = more if text is None else more | {"filter": text}
        return provision.search(self.deps, self.client, of, asked)

    def total(self, text=None, of=USER):
        return self.found(text, of, count=0)["totalResults"]

    def as_client(self, name):
        return Desk(self.deps, replace(self.client, name=name))

    def person(self, key):
        with self.deps.db.read(self.client.tenant) as read:
            return people.get(read, key)

    def log(self, key):
        with self.deps.db.read(self.client.tenant) as read:
            return [(one["action"], one["detail"]) for one in audit.about(read, key)]


def off(value="False"):
    return {"op": "Replace", "path": "active", "value": value}


def arrived_by(source, deps, tenant, name):
    """A person whom a sign-in or a launch made."""
    made = told(Person(deps.ids.new()), {"user_name": name, "given_name": "A."}, source, deps.clock())
    with deps.db.tx(tenant.id) as tx:
        people.add(tx, made, deps.clock())
    return made.id


# Who a User is


def test_a_user_is_a_person_with_the_same_id_and_the_provider_s_word(desk, deps):
    made = desk.create(
        **ADA, displayName="Ada L.", preferredLanguage="en",
        emails=[{"value": "home@x", "type": "home"}, {"value": "work@x", "type": "work"}],
    )  # fmt: skip
    person = desk.person(made["id"])
    assert (person.user_name, person.display_name, person.given_name) == ("ada@x.example", "Ada L.", "Ada")
    assert (person.email, person.locale, person.active) == ("work@x", "en", True)
    assert {one["source"] for one in person.sources.values()} == {"scim:default"}
    assert desk.log(made["id"]) == [("person.provisioned", {"request": "POST"})]


@pytest.mark.parametrize("source", ["oidc", "saml", "local"])
def test_who_came_by_sign_in_with_this_user_name_is_the_one_meant(desk, deps, tenant, source):
    known = arrived_by(source, deps, tenant, "ADA@x.example")
    made = desk.create(**ADA)
    assert made["id"] == known
    assert desk.person(known).given_name == "Ada"
    assert desk.total() == 1
    with pytest.raises(Uniqueness):
        desk.create(userName="Ada@X.example")


def test_a_launch_s_word_for_a_user_name_makes_nobody_the_one_meant(desk, deps, tenant):
    arrived_by("lti", deps, tenant, "ada@x.example")
    with pytest.raises(Uniqueness):
        desk.create(**ADA)
    assert desk.total() == 0


def test_one_adopted_as_inactive_is_shut_out(desk, deps, tenant):
    known = arrived_by("oidc", deps, tenant, "ada@x.example")
    session = learners.signed_in(deps, tenant, Person(known))
    desk.create(**ADA, active=False)
    assert not standing(deps, session.presented)


def test_silence_takes_back_only_what_provisioning_said(desk, deps, tenant):
    known = arrived_by("oidc", deps, tenant, "ada@x.example")
    desk.create(userName="ada@x.example", displayName="Ada")
    assert desk.person(known).given_name == "A."
    desk.put(known, userName="ada@x.example")
    after = desk.person(known)
    assert (after.given_name, after.display_name) == ("A.", None)


def test_a_changed_address_is_no_longer_the_verified_one(desk, deps, tenant):
    known = arrived_by("oidc", deps, tenant, "ada@x.example")
    with deps.db.tx(tenant.id) as tx:
        person = people.lock(tx, known)
        said = {"email": "a@x.example", "email_verified": True}
        people.save(tx, told(person, said, "oidc", deps.clock()), deps.clock())
    desk.create(**ADA, emails=[{"value": "A@X.example"}])
    assert desk.person(known).email_verified
    desk.patch(known, {"op": "replace", "path": "emails[value pr].value", "value": "b@x.example"})
    assert not desk.person(known).email_verified


@pytest.mark.parametrize("name", ["Ada@X.Example", "ADA@X.EXAMPLE"])
def test_a_user_name_is_borne_once_in_any_case(desk, name):
    desk.create(**ADA)
    with pytest.raises(Uniqueness):
        desk.create(userName=name)
    other = desk.create(userName="bob")
    with pytest.raises(Uniqueness):
        desk.patch(other["id"], {"op": "replace", "path": "userName", "value": name})
    assert desk.get(other["id"])["userName"] == "bob"
    assert desk.total() == 2


def test_a_composed_and_a_decomposed_letter_are_one(desk):
    desk.create(userName="andr\u00e9")
    with pytest.raises(Uniqueness):
        desk.create(userName="Andre\u0301")


def test_who_is_only_inactive_is_not_made_anew(desk):
    desk.create(**ADA, active=False)
    with pytest.raises(Uniqueness):
        desk.create(**ADA)


@pytest.mark.parametrize("name", ["userName", "externalId"])
def test_a_name_has_a_bound(desk, name):
    with pytest.raises(InvalidValue):
        desk.create(**ADA | {name: "x" * 256})
    # What takes the most room in an index.
    assert desk.create(**ADA | {name: "\u1fb7" * 255})


def test_an_address_too_long_for_an_index_is_kept_and_not_told(desk):
    made = desk.create(**ADA, emails=[{"value": "x" * 4000}], title="\U0001f600" * 4000)
    assert desk.person(made["id"]).email is None
    assert desk.total(f'emails eq "{"X" * 4000}"') == 1
    assert desk.total(f'emails eq "{"X" * 3999}"') == 0
    assert desk.total(f'emails sw "{"X" * 3999}"') == 1
    assert desk.total(f'emails sw "{"X" * 3999}y"') == 0


# Who comes back


def test_whom_the_client_deleted_under_this_external_id_comes_back(desk, deps, clock):
    made = desk.create(**ADA, title="Countess")
    desk.create(GROUP, displayName="All", members=[{"value": made["id"]}])
    desk.delete(made["id"])
    with pytest.raises(NotFound):
        desk.get(made["id"])
    clock.move(days=3)
    back = desk.create(userName="ada.l@x.example", externalId="e-1")
    assert back["id"] == made["id"]
    assert back["meta"]["created"] == made["meta"]["created"]
    assert back["meta"]["version"] not in {made["meta"]["version"], 'W/"2"'}
    assert "title" not in back
    assert "groups" not in desk.get(back["id"])
    assert desk.person(back["id"]).may_enter
    assert desk.total('userName eq "ada.l@x.example"') == desk.total() == 1
    assert desk.total('userName eq "ada@x.example"') == desk.total('title eq "Countess"') == 0


def test_a_user_name_alone_brings_nobody_back(desk):
    made = desk.create(**ADA)
    desk.delete(made["id"])
    assert desk.create(userName=ADA["userName"])["id"] != made["id"]
    assert desk.create(userName="x", externalId="E-1")["id"] != made["id"]


def test_another_client_s_external_id_brings_nobody_back(desk):
    made = desk.create(**ADA)
    desk.delete(made["id"])
    assert desk.as_client("hr").create(**ADA)["id"] != made["id"]


def test_an_external_id_that_somebody_bears_brings_nobody_back(desk):
    first = desk.create(**ADA)
    desk.delete(first["id"])
    second = desk.create(userName="two", externalId="e-1")
    assert second["id"] == first["id"]
    third = desk.create(userName="three", externalId="e-1")
    desk.delete(second["id"])
    assert desk.create(userName="four", externalId="e-1")["id"] not in {second["id"], third["id"]}


def test_coming_back_under_a_name_that_is_borne_changes_nothing(desk):
    made = desk.create(**ADA)
    desk.delete(made["id"])
    desk.create(userName="bob")
    with pytest.raises(Uniqueness):
        desk.create(userName="BOB", externalId="e-1")
    assert desk.total() == 1
    with pytest.raises(NotFound):
        desk.get(made["id"])


def test_an_external_id_is_the_client_s_own(desk):
    made = desk.create(**ADA)
    hr = desk.as_client("hr")
    assert "externalId" not in hr.get(made["id"])
    hr.patch(made["id"], {"op": "add", "path": "externalId", "value": "hr-9"})
    assert desk.get(made["id"])["externalId"] == "e-1"
    assert hr.total('externalId eq "hr-9"') == desk.total('externalId eq "e-1"') == 1
    assert hr.total('externalId eq "e-1"') == desk.total('externalId eq "E-1"') == 0
    hr.patch(made["id"], {"op": "remove", "path": "externalId"})
    assert hr.total("externalId pr") == 0
    assert desk.total("externalId pr") == 1


# Who is shut out


def standing(deps, presented):
    with deps.db.read(presented.tenant) as read:
        return sessions.standing(read, presented, deps.clock()) is not None


def launched(deps, tenant, launch):
    with deps.db.read(tenant.id) as read:
        return launches.standing(read, launch.launch_id, None, deps.clock()) is not None


@pytest.fixture
def ada(desk):
    return desk.create(**ADA)["id"]


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
    assert desk.log(ada)[0] == ("person.deactivated", {"request": "PATCH", "ended": 2})
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
    assert [detail["ended"] for action, detail in desk.log(ada) if action == "person.deactivated"] == [1]


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


# Versions


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


# Groups


@pytest.fixture
def crowd(desk):
    return [desk.create(userName=f"u{n}", displayName=f"U {n}")["id"] for n in range(6)]


def ids(document):
    return {one["value"] for one in document.get("members", ())}


def refs(*keys):
    return [{"value": key} for key in keys]


def test_members_and_groups_show_each_other(desk, deps, crowd):
    inner = desk.create(GROUP, displayName="Inner")["id"]
    made = desk.create(GROUP, displayName="All", members=refs(crowd[0], inner))
    root = f"{deps.settings.base_url}/scim/v2"
    shown = sorted(desk.get(made["id"], GROUP)["members"], key=lambda one: one["type"], reverse=True)
    assert shown == [
        {"value": crowd[0], "$ref": f"{root}/Users/{crowd[0]}", "type": "User", "display": "U 0"},
        {"value": inner, "$ref": f"{root}/Groups/{inner}", "type": "Group", "display": "Inner"},
    ]
    assert desk.get(crowd[0])["groups"] == [
        {"value": made["id"], "$ref": f"{root}/Groups/{made['id']}", "type": "direct", "display": "All"}
    ]
    assert "groups" not in desk.get(inner, GROUP)


def test_membership_is_changed_as_a_set(desk, crowd):
    a, b, c, d, *_ = crowd
    key = desk.create(GROUP, displayName="G", members=refs(a, b))["id"]

    def patch(*operations):
        return ids(desk.patch(key, *operations, of=GROUP))

    assert patch({"op": "add", "path": "members", "value": refs(b, c)}) == {a, b, c}
    assert patch({"op": "Remove", "path": "members", "value": [{"$ref": None, "value": a}]}) == {b, c}
    assert patch({"op": "remove", "path": f'members[value eq "{b}"]'}) == {c}
    assert patch(
        {"op": "remove", "path": "members", "value": refs(c)}, {"op": "add", "path": "members", "value": refs(d)}
    ) == {d}  # fmt: skip
    assert patch({"op": "replace", "value": {"id": key, "displayName": "H"}}) == {d}
    assert patch({"op": "replace", "path": "members", "value": refs(a, d)}) == {a, d}
    assert patch({"op": "replace", "path": "members", "value": []}) == set()
    assert ids(desk.put(key, GROUP, displayName="H", members=refs(b))) == {b}
    assert ids(desk.put(key, GROUP, displayName="H")) == {b}
    assert ids(desk.put(key, GROUP, displayName="H", members=[])) == set()


def test_a_membership_that_stays_keeps_its_beginning_and_its_version(desk, deps, clock, crowd):
    key = desk.create(GROUP, displayName="G", members=refs(*crowd[:2]))["id"]
    clock.move(days=1)
    desk.patch(key, {"op": "add", "path": "members", "value": refs(crowd[0])}, of=GROUP)
    desk.put(key, GROUP, displayName="G", members=refs(*crowd[:2]))
    assert desk.get(key, GROUP)["meta"]["version"] == 'W/"1"'
    desk.patch(key, {"op": "replace", "path": "members", "value": refs(*crowd[:3])}, of=GROUP)
    assert desk.get(key, GROUP)["meta"]["version"] == 'W/"2"'
    assert desk.log(key)[0] == ("group.changed", {"request": "PATCH", "added": 1, "removed": 0})


def test_a_member_whom_nobody_knows_is_refused_and_nothing_stays(desk, deps, other_tenant, crowd):
    foreign = Desk(deps, Client(other_tenant.id, "default")).create(userName="u0")["id"]
    for stranger in (foreign, "nobody", "x" * 255):
        with pytest.raises(InvalidValue):
            desk.create(GROUP, displayName="G", members=refs(crowd[0], stranger))
    assert desk.total(of=GROUP) == 0
    assert desk.total("groups pr") == 0
    key = desk.create(GROUP, displayName="G")["id"]
    with pytest.raises(InvalidValue):
        desk.patch(key, {"op": "add", "path": "members", "value": refs(key)}, of=GROUP)
    assert desk.patch(key, {"op": "remove", "path": "members", "value": refs("nobody")}, of=GROUP)


def test_who_is_deleted_is_in_no_group_and_a_deleted_group_has_nobody(desk, crowd):
    key = desk.create(GROUP, displayName="G", members=refs(*crowd))["id"]
    desk.delete(crowd[0])
    assert ids(desk.get(key, GROUP)) == set(crowd[1:])
    desk.delete(key, GROUP)
    assert "groups" not in desk.get(crowd[1])
    assert desk.total("groups pr") == 0


def test_a_thousand_members_are_one_change(desk, deps, client):
    bodies = [{"userName": f"m{n:04d}"} for n in range(1000)]
    assert provision.create_many(deps, client.tenant, client.name, bodies) == 1000
    found = [
        one["id"]
        for start in range(1, 1001, 200)
        for one in desk.found(startIndex=start)["Resources"]
    ]
    key = desk.create(GROUP, displayName="G", members=refs(*found[:500]))["id"]
    desk.patch(key, {"op": "replace", "path": "members", "value": refs(*found[1:])}, of=GROUP)
    assert ids(desk.get(key, GROUP)) == set(found[1:])
    assert desk.log(key)[0][1] == {"request": "PATCH", "added": 500, "removed": 1}


# Many at once


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


# Counts, pages, loads


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
    third = desk.found("userName sw \"u\"", count=3, startIndex=7)
    assert [one["id"] for one in third["Resources"]] == made[6:]
    assert [page["totalResults"] for page in (first, second, third)] == [7, 8, 7]
    beyond = desk.found("userName sw \"u\"", count=3, startIndex=70)
    assert (beyond["Resources"], beyond["totalResults"]) == ([], 7)


def test_a_load_can_be_repeated_and_goes_on_where_it_broke_off(deps, desk, client):
    people_of = [{"userName": f"p{n}", "externalId": f"x{n}", "title": "T"} for n in range(600)]
    desk.create(userName="P7")

    def load(bodies):
        return provision.create_many(deps, client.tenant, client.name, iter(bodies))

    assert load(people_of[:300]) == 299
    assert load(people_of) == 300
    assert load(people_of) == 0
    assert desk.total() == desk.total("userName pr") == 600
    assert desk.total('title eq "t"') == 599
    one = desk.found('externalId eq "x599"')["Resources"][0]
    assert desk.person(one["id"]).user_name == "p599"


def test_names_that_differ_by_case_in_one_load_are_one(deps, desk, client):
    assert provision.create_many(deps, client.tenant, client.name, [{"userName": "a"}, {"userName": "A"}]) == 1


def test_only_changed_values_are_written(desk, deps, ada, monkeypatch):
    written = []
    deps_conn = scim._NEW_VALUE
    with deps.db.tx(desk.client.tenant) as tx:
        before = scim.get(tx, "default", USER, ada)
        execute = tx.conn.execute
        monkeypatch.setattr(
            tx.conn, "execute",
            lambda statement, rows=(), **more: (
                written.extend(rows if statement is deps_conn else ()), execute(statement, rows, **more)
            )[1],
        )  # fmt: skip
        scim.save(tx, "default", USER, before, before.body | {"title": "T"}, deps.clock())
    assert [row["path"] for row in written] == ["title"]


# Tenants apart


def test_two_tenants_with_the_same_names_never_meet(desk, deps, other_tenant, ada):
    theirs = Desk(deps, Client(other_tenant.id, "default"))
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
    theirs = Desk(deps, Client(other_tenant.id, "default"))
    foreign = theirs.person(theirs.create(**ADA)["id"])
    session = learners.signed_in(deps, other_tenant, foreign)
    desk.delete(ada)
    assert standing(deps, session.presented)
