"""SCIM as identity providers really send it."""

from __future__ import annotations

import json

import pytest

from app.flows import tenancy
from scim.schemas import ENTERPRISE_URN, USER_URN
from tests.provisioning import Idp, refused

E = ENTERPRISE_URN


@pytest.fixture
def idp(site, tenant, deps):
    return Idp(site, tenancy.issue_token(deps, tenant.slug, "scim")[1])


@pytest.fixture
def babs(idp):
    return idp.user()


def test_entra_deactivates_with_a_string(idp, babs):
    assert idp.patch(babs, {"op": "Replace", "path": "active", "value": "False"})["active"] is False


def test_entra_adds_with_a_capital(idp, babs):
    assert idp.patch(babs, {"op": "Add", "path": "nickName", "value": "B"})["nickName"] == "B"


def test_entra_replaces_an_address_that_is_not_there(idp, babs):
    path = 'emails[type eq "work"].value'
    after = idp.patch(babs, {"op": "Replace", "path": path, "value": "n@x.com"})
    assert after["emails"] == [{"value": "n@x.com", "type": "work"}]
    assert idp.find('emails[type eq "work"].value eq "N@x.com"') == [babs]


def test_entra_builds_one_address_of_two_operations(idp, babs):
    after = idp.patch(
        babs,
        {"op": "Add", "path": 'addresses[type eq "work"].streetAddress', "value": "1 Way"},
        {"op": "Add", "path": 'addresses[type eq "work"].country', "value": "GB"},
    )
    assert after["addresses"] == [{"streetAddress": "1 Way", "country": "GB", "type": "work"}]


def test_entra_writes_dotted_and_prefixed_names(idp, babs):
    value = {"displayName": "B", "name.givenName": "K", f"{E}:employeeNumber": "A"}
    after = idp.patch(babs, {"op": "replace", "value": value})
    assert (after["displayName"], after["name"], after[E]) == (
        "B",
        {"givenName": "K"},
        {"employeeNumber": "A"},
    )


def test_an_extension_s_path_has_a_dot_in_its_version(idp, babs):
    after = idp.patch(babs, {"op": "add", "path": f"{E}:department", "value": "Tours"})
    assert after[E] == {"department": "Tours"}
    assert E in after["schemas"]
    assert idp.find(f'{E}:department eq "TOURS"') == idp.find(f'schemas eq "{E}"') == [babs]


@pytest.mark.parametrize(
    "operation",
    [
        {"op": "Add", "path": f"{E}:manager", "value": "271"},
        {"op": "Add", "path": "manager", "value": [{"value": "271"}]},
    ],
)
def test_a_manager_comes_as_a_bare_id(idp, babs, operation):
    assert idp.patch(babs, operation)[E] == {"manager": {"value": "271"}}


def test_a_manager_comes_as_a_bare_id_at_creation(idp):
    key = idp.user("x", **{E: {"manager": "123456"}})
    assert idp.get(f"/Users/{key}")[E]["manager"] == {"value": "123456"}


def test_a_role_is_made_primary(idp, babs):
    path = 'roles[primary eq "True"].value'
    after = idp.patch(babs, {"op": "Add", "path": path, "value": '{"id":"r"}'})
    assert after["roles"] == [{"value": '{"id":"r"}', "primary": True}]


@pytest.mark.parametrize(
    "operation",
    [
        {"op": "Remove", "path": "members", "value": [{"$ref": None, "value": "U1"}]},
        {"op": "remove", "path": 'members[value eq "U1"]'},
        {"op": "remove", "value": {"members": [{"value": "U1"}]}},
    ],
)
def test_one_member_is_removed_and_the_others_stay(idp, operation):
    one, two = idp.user("one"), idp.user("two")
    key = idp.group("G", one, two)
    idp.patch(key, json.loads(json.dumps(operation).replace("U1", one)), kind="Groups")
    assert idp.members(key) == {two}


def test_a_member_added_twice_is_there_once(idp, babs):
    key = idp.group("G", babs)
    add = {"op": "Add", "path": "members", "value": [{"value": babs}]}
    after = idp.patch(key, add, add, kind="Groups")
    assert [one["value"] for one in after["members"]] == [babs]


def test_okta_renames_a_group_with_its_id_and_keeps_the_members(idp, babs):
    key = idp.group("G", babs)
    after = idp.patch(
        key, {"op": "replace", "value": {"id": key, "displayName": "H"}}, kind="Groups"
    )
    assert after["displayName"] == "H"
    assert idp.members(key) == {babs}


def test_members_are_swapped_in_one_request_and_emptied(idp, babs):
    other = idp.user("other")
    key = idp.group("G", babs)
    idp.patch(
        key, {"op": "remove", "path": f'members[value eq "{babs}"]'},
        {"op": "add", "path": "members", "value": [{"value": other}]}, kind="Groups",
    )  # fmt: skip
    assert idp.members(key) == {other}
    idp.patch(key, {"op": "replace", "path": "members", "value": []}, kind="Groups")
    assert idp.members(key) == set()


def test_okta_deactivates_without_a_path_and_still_finds_them(idp, babs):
    idp.patch(babs, {"op": "replace", "value": {"active": False}})
    assert idp.find('userName eq "babs@x.com"') == idp.find("active eq false") == [babs]


def test_a_put_may_carry_what_is_ours(idp, babs):
    body = idp.get(f"/Users/{babs}") | {"groups": [], "active": False}
    answer = idp.send("PUT", f"/Users/{babs}", body)
    assert answer.status_code == 200
    assert (answer.json["id"], answer.json["active"]) == (babs, False)


def test_a_put_of_a_group_applies_its_members(idp, babs):
    key = idp.group()
    body = {"displayName": "G", "members": [{"value": babs}]}
    answer = idp.send("PUT", f"/Groups/{key}", body)
    assert [one["value"] for one in answer.json["members"]] == [babs]


def test_a_password_never_comes_back(idp):
    body = {"userName": "x", "groups": [], "password": "hunter2"}
    made = idp.send("POST", "/Users", body)
    assert made.status_code == 201
    key = made.json["id"]
    for text in (
        made.text,
        idp.send("GET", f"/Users/{key}", query_string={"attributes": "password"}).text,
        idp.send("PATCH", f"/Users/{key}", {"Operations": [{"op": "add", "path": "password", "value": "hunter2"}]}).text,
    ):  # fmt: skip
        assert "hunter2" not in text
    refused(
        idp.send("GET", "/Users", query_string={"filter": 'password eq "hunter2"'}),
        400,
        "invalidFilter",
    )


def test_nulls_and_strange_schemas_are_no_hindrance(idp):
    body = {"schemas": ["urn:x:unknown", USER_URN.upper()], "userName": "x", "addresses": None}
    assert idp.send("POST", "/Users", body).status_code == 201


def test_names_of_attributes_have_no_case(idp):
    answer = idp.send("POST", "/Users", {"UserName": "x", "Active": "True", "EMAILS": [{"Value": "a@x", "Primary": "true"}]})  # fmt: skip
    assert answer.json["userName"] == "x"
    assert answer.json["active"] is True
    assert answer.json["emails"] == [{"value": "a@x", "primary": True}]


def test_an_operation_with_an_extra_name_is_taken(idp, babs):
    operation = {"name": "addMember", "op": "add", "path": "title", "value": "T"}
    assert idp.patch(babs, operation)["title"] == "T"


def test_a_search_for_nobody_is_an_empty_list_with_integers(idp):
    answer = idp.get("/Users", filter='userName eq "missing"', startIndex="1", count="100")
    assert answer == {
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:ListResponse"],
        "totalResults": 0, "startIndex": 1, "itemsPerPage": 0, "Resources": [],
    }  # fmt: skip


def test_the_filters_that_clients_use(idp):
    key = idp.user("x", externalId="Ab", emails=[{"type": "work", "value": "x@x"}])
    group = idp.group("G", key)
    assert idp.find('externalId eq "Ab"') == [key]
    assert idp.find('externalId eq "ab"') == []
    assert idp.find('emails[type eq "work"].value eq "x@x"') == [key]
    assert idp.find('emails[type eq "home" and value eq "x@x"]') == []
    assert idp.find(f'id eq "{group}" and members eq "{key}"', "Groups") == [group]
    assert idp.find(f'id eq "{group}" and members eq "nobody"', "Groups") == []


def test_a_group_without_its_members_does_not_load_them(idp, babs, monkeypatch):
    key = idp.group("G", babs)
    monkeypatch.setattr(
        "app.store.memberships.members", lambda *_: pytest.fail("members were read")
    )
    assert "members" not in idp.get(f"/Groups/{key}", excludedAttributes="members")
    assert "members" not in idp.get("/Groups", excludedAttributes="members")["Resources"][0]
    answer = idp.send("PATCH", f"/Groups/{key}", {"Operations": [{"op": "add", "path": "displayName", "value": "H"}]})  # fmt: skip
    assert (answer.status_code, answer.text) == (204, "")
    assert answer.headers["ETag"] == 'W/"2"'


def test_a_deleted_user_comes_back_under_the_same_external_id(idp):
    key = idp.user("x", externalId="e")
    assert idp.send("DELETE", f"/Users/{key}").status_code == 204
    refused(idp.send("GET", f"/Users/{key}"), 404)
    refused(idp.send("DELETE", f"/Users/{key}"), 404)
    assert idp.user("y", externalId="e") == key


def test_the_name_of_one_who_is_only_inactive_is_taken(idp, babs):
    idp.patch(babs, {"op": "replace", "path": "active", "value": False})
    refused(idp.send("POST", "/Users", {"userName": "BABS@x.com"}), 409, "uniqueness")


@pytest.mark.parametrize(
    "kind",
    ["application/json", "application/scim+json;charset=utf-8", "application/json; charset=UTF-8", None],
)  # fmt: skip
def test_a_body_may_be_called_as_clients_call_it(idp, kind):
    headers = {"Content-Type": kind, "User-Agent": None}
    assert idp.send("POST", "/Users", '{"userName":"x"}', headers=headers).status_code == 201


def test_an_empty_phone_number_is_none(idp):
    key = idp.user("x", phoneNumbers=[{"type": "work", "value": "1"}])
    after = idp.patch(
        key, {"op": "replace", "path": 'phoneNumbers[type eq "work"].value', "value": ""}
    )
    assert "phoneNumbers" not in after
    after = idp.patch(key, {"op": "replace", "path": "name", "value": {"givenName": "X"}})
    assert after["name"] == {"givenName": "X"}
