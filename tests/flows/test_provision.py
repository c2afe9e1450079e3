"""Provisioning people: who a User is, and who comes back."""

from __future__ import annotations

import threading

import pytest

from app.flows.provision_act import Client
from app.kernel.person import Person, told
from app.store import people
from scim.custom import STANDARD
from scim.errors import InvalidValue, NotFound, Uniqueness
from scim.schemas import GROUP
from tests import learners
from tests.provisioning import ADA, Desk, arrived_by, standing


@pytest.fixture
def desk(deps, tenant):
    return Desk(deps, Client(tenant.id, "default", types=STANDARD))


def test_a_user_is_a_person_with_the_same_id_and_the_provider_s_word(desk, deps):
    made = desk.create(
        **ADA, displayName="Ada L.", preferredLanguage="en",
        emails=[{"value": "home@x", "type": "home"}, {"value": "work@x", "type": "work"}],
    )  # fmt: skip
    person = desk.person(made["id"])
    assert (person.user_name, person.display_name, person.given_name) == (
        "ada@x.example",
        "Ada L.",
        "Ada",
    )
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


@pytest.mark.parametrize(
    ("source", "rule"), [("lti", None), ("oidc", "email"), ("saml", "externalId")]
)
def test_who_bears_a_user_name_without_a_rule_s_word_gives_it_up(desk, deps, tenant, source, rule):
    squatter = arrived_by(source, deps, tenant, "ada@x.example", rule)
    made = desk.create(**ADA)
    assert made["id"] != squatter
    assert desk.person(squatter).user_name is None
    assert desk.total() == 1


def found(desk, text):
    return [one["id"] for one in desk.found(text)["Resources"]]


STRAYS = [("lti", None), ("oidc", "email"), ("oidc", "userName"), ("local", None)]


@pytest.mark.parametrize(("source", "rule"), STRAYS)
def test_a_user_can_be_renamed_to_what_only_a_stray_bears(desk, deps, tenant, source, rule):
    mine = desk.create(**ADA)["id"]
    stray = arrived_by(source, deps, tenant, "Ada.King@x.example", rule)
    renamed = {"op": "replace", "path": "userName", "value": "ada.king@x.example"}
    assert desk.patch(mine, renamed)["userName"] == "ada.king@x.example"
    assert (desk.person(mine).user_name, desk.person(stray).user_name) == (renamed["value"], None)
    assert desk.log(stray) == [("person.gave_up_user_name", {"request": "PATCH", "to": mine})]
    assert found(desk, 'userName eq "ADA.king@x.example"') == [mine]
    other = arrived_by(source, deps, tenant, "countess@x.example", rule)
    assert desk.put(mine, userName="countess@x.example")["id"] == mine
    assert desk.person(other).user_name is None
    assert desk.total() == 1


@pytest.mark.parametrize(("source", "rule"), STRAYS)
def test_a_user_can_come_back_under_what_only_a_stray_bears(desk, deps, tenant, source, rule):
    mine = desk.create(**ADA)["id"]
    desk.delete(mine)
    stray = arrived_by(source, deps, tenant, "ada.king@x.example", rule)
    assert desk.create(userName="ada.king@x.example", externalId="e-1")["id"] == mine
    assert desk.person(stray).user_name is None
    assert ("person.gave_up_user_name", {"request": "POST", "to": mine}) in desk.log(stray)


def test_who_gave_a_name_up_still_signs_in_as_before(desk, deps, tenant):
    mine = desk.create(**ADA)["id"]
    stray = arrived_by("oidc", deps, tenant, "ada.king@x.example")
    desk.put(mine, userName="ada.king@x.example")
    assert desk.person(stray).may_enter
    # The name has an owner now, and it is no stranger's to give up.
    with pytest.raises(Uniqueness):
        desk.create(userName="Ada.King@x.example")


def test_of_two_who_are_renamed_to_a_stray_s_name_at_once_one_is(desk, deps, tenant):
    keys = [desk.create(userName=name)["id"] for name in ("a", "b")]
    stray = arrived_by("oidc", deps, tenant, "ada")
    begin, said = threading.Barrier(2), []

    def rename(key):
        begin.wait(30)
        try:
            said.append(desk.put(key, userName="ada")["id"])
        except Uniqueness:
            said.append(None)

    both = [threading.Thread(target=rename, args=(key,)) for key in keys]
    for one in both:
        one.start()
    for one in both:
        one.join(60)
    assert len(said) == 2
    assert said.count(None) == 1
    (mine,) = (one for one in said if one)
    assert found(desk, 'userName eq "ada"') == [mine]
    assert desk.person(stray).user_name is None


def test_who_comes_back_comes_back_without_roles(desk, deps, tenant):
    made = desk.create(**ADA)
    with deps.db.tx(tenant.id) as tx:
        people.grant(tx, made["id"], "administrator", "operator", deps.clock())
    desk.delete(made["id"])
    assert desk.create(**ADA)["id"] == made["id"]
    with deps.db.read(tenant.id) as read:
        assert people.roles(read, made["id"]) == frozenset()


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
