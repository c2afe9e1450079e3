"""What real clients send, row by row, and what must come of it; and a tenant that names its identity provider."""

from __future__ import annotations

import json
from typing import Any

import pytest

from app.flows import tenancy
from scim.quirks import QUIRKS
from scim.schemas import ENTERPRISE_URN as E
from tests.provisioning import Idp, refused

ENTRA, OKTA, SAILPOINT = "Microsoft Entra ID", "Okta", "SailPoint"
WORK = 'emails[type eq "work"].value'


@pytest.fixture
def idp(site, tenant, deps):
    return Idp(site, tenancy.issue_token(deps, tenant.slug, "scim")[1])


def op(kind: str, path: str | None = None, **value: Any) -> dict[str, Any]:
    return {"op": kind} | ({} if path is None else {"path": path}) | value


def add(path: str, value: Any) -> dict[str, Any]:
    return op("Add", path, value=value)


def replace(path: str, value: Any) -> dict[str, Any]:
    return op("Replace", path, value=value)


OF_A_USER = [
    (1, ENTRA, {}, [replace("active", "False")], {"active": False}),
    (2, ENTRA, {}, [add("nickName", "Babs")], {"nickName": "Babs"}),
    (3, ENTRA, {}, [replace(WORK, "n@x.com")], {"emails": [{"type": "work", "value": "n@x.com"}]}),
    (
        4, ENTRA, {},
        [add('addresses[type eq "work"].streetAddress', "1 Main"), add('addresses[type eq "work"].country', "NO")],
        {"addresses": [{"type": "work", "streetAddress": "1 Main", "country": "NO"}]},
    ),
    (
        5, ENTRA, {},
        [op("replace", value={"displayName": "B", "name.givenName": "K", f"{E}:employeeNumber": "A"})],
        {"displayName": "B", "name": {"givenName": "K"}, E: {"employeeNumber": "A"}},
    ),
    (6, ENTRA, {}, [add(f"{E}:department", "Physics")], {E: {"department": "Physics"}}),
    (7, ENTRA, {}, [add(f"{E}:manager", "271")], {E: {"manager": {"value": "271"}}}),
    (7, ENTRA, {}, [add("manager", [{"value": "271"}])], {E: {"manager": {"value": "271"}}}),
    (8, ENTRA, {}, [replace('roles[primary eq "True"].value', "Author")], {"roles": [{"primary": True, "value": "Author"}]}),
    (9, ENTRA, {}, [add("roles", [{"value": '{"id":"1","value":"Author"}'}])], {"roles": [{"value": '{"id":"1","value":"Author"}'}]}),
    (14, OKTA, {}, [op("replace", value={"active": False})], {"active": False}),
    (18, ENTRA, {"emails": [{"value": "a@x.com", "type": "work"}]}, [op("Add", "EMAILS", value=[{"Value": "b@x.com", "Primary": "True", "type": "home"}])],
     {"emails": [{"value": "a@x.com", "type": "work"}, {"value": "b@x.com", "primary": True, "type": "home"}]}),
    (19, ENTRA, {}, [{"name": "addTitle", **add("title", "Dr.")}], {"title": "Dr."}),
    (25, SAILPOINT, {"phoneNumbers": [{"value": "1", "type": "work"}]}, [replace('phoneNumbers[type eq "work"].value', "")], {"phoneNumbers": None}),
    (25, SAILPOINT, {}, [replace("name", {"familyName": "J"})], {"name": {"familyName": "J"}}),
]  # fmt: skip


@pytest.mark.parametrize(
    ("source", "before", "operations", "after"),
    [row[1:] for row in OF_A_USER],
    ids=[f"{row[0]}-{at}" for at, row in enumerate(OF_A_USER)],
)
def test_a_user_is_changed(idp, source, before, operations, after):
    key = idp.user("babs@x.com", **before)
    shown = idp.patch(key, *operations)
    assert {name: shown.get(name) for name in after} == after, source


U1, U2 = "u1", "u2"
OF_A_GROUP = [
    (10, ENTRA, [op("Remove", "members", value=[{"$ref": None, "value": U1}])], {U2}),
    (10, OKTA, [op("remove", f'members[value eq "{U1}"]')], {U2}),
    (10, ENTRA, [op("Remove", value={"members": [{"value": U1}]})], {U2}),
    (10, ENTRA, [op("Remove", "members", value={"members": [{"value": U1}]})], {U2}),
    (11, ENTRA, [add("members", [{"value": U1}])], {U1, U2}),
    (12, OKTA, [op("replace", value={"id": "G", "displayName": "New"})], {U1, U2}),
    (13, OKTA, [op("remove", f'members[value eq "{U1}"]'), op("add", "members", value=[{"value": U1}])], {U1, U2}),
    (13, OKTA, [op("replace", "members", value=[])], set()),
]  # fmt: skip


@pytest.mark.parametrize(
    ("source", "operations", "members"),
    [row[1:] for row in OF_A_GROUP],
    ids=[f"{row[0]}-{at}" for at, row in enumerate(OF_A_GROUP)],
)
def test_a_group_is_changed(idp, source, operations, members):
    ids = {U1: idp.user("one"), U2: idp.user("two")}
    group = idp.group("Team", *ids.values())
    text = json.dumps(operations).replace('"G"', f'"{group}"')
    for name, key in ids.items():
        text = text.replace(f'"{name}"', f'"{key}"').replace(f'\\"{name}\\"', f'\\"{key}\\"')
    idp.patch(group, *json.loads(text), kind="Groups")
    assert idp.members(group) == {ids[one] for one in members}, source


WHOLE = [
    (16, OKTA, {"groups": [], "password": "secret-1", "active": True}, {"active": True}, {"password"}),
    (17, ENTRA, {"addresses": None, "schemas": ["urn:x:unknown", "urn:ietf:params:scim:schemas:core:2.0:Usr"]}, {}, {"addresses"}),
    (18, ENTRA, {"Active": "True", "NickName": "B"}, {"active": True, "nickName": "B"}, set()),
    (7, ENTRA, {E: {"manager": "123456"}}, {E: {"manager": {"value": "123456"}}}, set()),
]  # fmt: skip


@pytest.mark.parametrize(
    ("source", "more", "after", "absent"),
    [row[1:] for row in WHOLE],
    ids=[f"{row[0]}-{at}" for at, row in enumerate(WHOLE)],
)
def test_a_user_arrives(idp, source, more, after, absent):
    answer = idp.send("POST", "/Users", {"UserName": "babs", **more})
    assert answer.status_code == 201, (source, answer.text)
    assert answer.json["userName"] == "babs"
    assert {name: answer.json.get(name) for name in after} == after
    assert absent.isdisjoint(answer.json)


def test_15_okta_puts_what_it_was_shown(idp):
    key = idp.user("babs")
    whole = idp.get(f"/Users/{key}") | {"groups": [], "active": False}
    assert idp.send("PUT", f"/Users/{key}", whole).json["active"] is False
    group = idp.group("Team")
    whole = idp.get(f"/Groups/{group}") | {"members": [{"value": key}]}
    assert idp.send("PUT", f"/Groups/{group}", whole).status_code == 200
    assert idp.members(group) == {key}


def test_20_to_22_what_they_ask_first(idp):
    empty = idp.get("/Users", filter='userName eq "missing"', startIndex="1", count="100")
    assert (empty["totalResults"], empty["startIndex"], empty["itemsPerPage"]) == (0, 1, 0)
    key = idp.user("babs", externalId="Ab", emails=[{"value": "b@x.com", "type": "work"}])
    group = idp.group("Team", key)
    assert idp.find('externalId eq "ab"') == []
    assert idp.find('externalId eq "Ab"') == [key]
    assert idp.find('emails[type eq "work"].value eq "b@x.com"') == [key]
    assert idp.find(f'id eq "{group}" and members eq "{key}"', "Groups") == [group]
    (shown,) = idp.get("/Groups", excludedAttributes="members")["Resources"]
    assert "members" not in shown


def test_23_who_was_deleted_comes_back_and_who_is_inactive_is_there(idp):
    key = idp.user("babs", externalId="e-1")
    assert idp.send("DELETE", f"/Users/{key}").status_code == 204
    assert idp.user("babs", externalId="e-2") != key
    assert idp.user("other", externalId="e-1") == key
    idp.patch(key, replace("active", "False"))
    refused(idp.send("POST", "/Users", {"userName": "other"}), 409, "uniqueness")


@pytest.mark.parametrize(
    "kind", ["application/json", "application/json;charset=utf-8", "application/scim+json"]
)
def test_24_no_user_agent_and_another_media_type(idp, kind):
    headers = {"Content-Type": kind, "User-Agent": ""}
    body = json.dumps({"userName": "babs"})
    assert idp.send("POST", "/Users", body, headers=headers).status_code == 201


# A tenant that names its identity provider


DIALECT = [
    ("the operation's name in any letter case", replace("active", "False"), "okta"),
    ("an empty path for none", op("replace", "", value={"active": False}), "sailpoint"),
    ("remove without a path, its value by attribute", op("remove", value={"title": None}), "entra"),
    ("a value wrapped in its own path's name", op("remove", "roles", value={"roles": [{"value": "a"}]}), "entra"),
]  # fmt: skip


def test_every_quirk_has_a_row_here():
    assert [one.name for one in QUIRKS] == [row[0] for row in DIALECT]


@pytest.mark.parametrize(("operation", "speaker"), [row[1:] for row in DIALECT], ids=range(4))
def test_a_dialect_is_taken_from_who_speaks_it(idp, deps, tenant, operation, speaker):
    for kind in ("auto", speaker, "standard"):
        tenancy.name_idp(deps, tenant.slug, kind)
        key = idp.user(kind, title="Dr.", active=True, roles=[{"value": "a"}])
        before = idp.get(f"/Users/{key}")
        idp.send("PATCH", f"/Users/{key}", {"Operations": [operation]})
        assert (idp.get(f"/Users/{key}") == before) is (kind == "standard"), kind


@pytest.mark.parametrize("kind", ["standard", "okta", "entra", "auto"])
def test_a_remove_whose_value_names_no_entry_is_refused(idp, deps, tenant, kind):
    tenancy.name_idp(deps, tenant.slug, kind)
    key = idp.user("babs", roles=[{"value": "a"}, {"value": "b"}])
    wrong = [{"nothing": "a"}, [{"value": "a"}, {"nothing": "b"}]]
    if kind in {"standard", "okta"}:
        wrong.append({"roles": [{"value": "a"}]})
    for value in wrong:
        operation = {"op": "remove", "path": "roles", "value": value}
        answer = idp.send("PATCH", f"/Users/{key}", {"Operations": [operation]})
        refused(answer, 400, "invalidValue")
    for value in ([], [{"value": "c"}], {"value": None}):
        idp.patch(key, op("remove", "roles", value=value))
    assert [one["value"] for one in idp.get(f"/Users/{key}")["roles"]] == ["a", "b"]
    group = idp.group("G", key)
    operation = {"op": "remove", "path": "members", "value": {"members": [{"value": key}]}}
    answer = idp.send("PATCH", f"/Groups/{group}", {"Operations": [operation]})
    if kind in {"standard", "okta"}:
        refused(answer, 400, "invalidValue")
    assert (idp.members(group) == {key}) is (kind in {"standard", "okta"})


def test_one_tenants_kind_is_not_the_others(idp, site, deps, tenant):
    tenancy.found(deps, "globex", "Globex")
    tenancy.name_idp(deps, "globex", "standard")
    key = idp.user("babs")
    assert idp.patch(key, replace("active", "False"))["active"] is False
