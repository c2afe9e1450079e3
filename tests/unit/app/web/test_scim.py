"""SCIM over HTTP: the protocol, and who may ask."""

from __future__ import annotations

import pytest

from app.flows import tenancy
from app.kernel import credential
from app.store import tokens
from scim.schemas import ENTERPRISE_URN, GROUP_URN, USER_URN
from tests.provisioning import Idp, refused

E = ENTERPRISE_URN


@pytest.fixture
def idp(site, tenant, deps):
    return Idp(site, tenancy.issue_token(deps, tenant.slug, "scim")[1])


@pytest.fixture
def babs(idp):
    return idp.user()


def test_a_new_resource_says_where_and_which_version_it_is(idp, deps):
    answer = idp.send("POST", "/Users", {"userName": "x"})
    place = f"{deps.settings.base_url}/scim/v2/Users/{answer.json['id']}"
    assert answer.headers["Location"] == answer.json["meta"]["location"] == place
    assert answer.headers["ETag"] == answer.json["meta"]["version"] == 'W/"1"'
    assert answer.content_type == "application/scim+json"


def test_versions_guard_reads_and_writes(idp, babs):
    path = f"/Users/{babs}"
    unchanged = idp.send("GET", path, headers={"If-None-Match": 'W/"1"'})
    assert (unchanged.status_code, unchanged.data) == (304, b"")
    change = {"Operations": [{"op": "add", "path": "title", "value": "T"}]}
    assert idp.send("PATCH", path, change, headers={"If-Match": 'W/"1"'}).status_code == 200
    refused(idp.send("PATCH", path, change, headers={"If-Match": 'W/"1"'}), 412)
    refused(idp.send("PUT", path, {"userName": "x"}, headers={"If-Match": 'W/"1"'}), 412)
    refused(idp.send("DELETE", path, headers={"If-Match": 'W/"1"'}), 412)
    assert idp.send("GET", path, headers={"If-None-Match": 'W/"1"'}).status_code == 200
    assert idp.send("DELETE", path, headers={"If-Match": "*"}).status_code == 204


def test_only_what_is_asked_for_is_shown(idp):
    key = idp.user("x", title="T", name={"givenName": "G", "familyName": "F"})
    assert set(idp.get(f"/Users/{key}", attributes="name.givenName")) == {"schemas", "id", "name"}
    assert idp.get(f"/Users/{key}", attributes="NAME.givenname")["name"] == {"givenName": "G"}
    assert "title" not in idp.get("/Users", excludedAttributes="title,id")["Resources"][0]
    both = {"attributes": "title", "excludedAttributes": "name"}
    refused(idp.send("GET", f"/Users/{key}", query_string=both), 400, "invalidValue")


def test_pages_go_through_everybody_once(idp):
    made = [idp.user(f"u{n}") for n in range(5)]
    pages = [idp.get("/Users", startIndex=at, count=2) for at in (1, 3, 5)]
    assert [len(page["Resources"]) for page in pages] == [2, 2, 1]
    assert {one["id"] for page in pages for one in page["Resources"]} == set(made)
    assert {page["totalResults"] for page in pages} == {5}
    assert idp.get("/Users", startIndex=-3, count=0)["Resources"] == []
    assert idp.get("/Users", count=10**9)["itemsPerPage"] == 5
    refused(idp.send("GET", "/Users?count=ten"), 400, "invalidValue")
    refused(idp.send("GET", "/Users?startIndex=1e3"), 400, "invalidValue")
    assert idp.get("/Users", startIndex=10**18 - 1)["Resources"] == []


def test_a_search_in_a_body_asks_the_same(idp, babs):
    idp.group("babs@x.com")
    asked = {
        "filter": 'userName sw "babs" or displayName pr',
        "attributes": ["displayName"],
        "count": 5,
    }
    answer = idp.send("POST", "/Users/.search", asked | {"filter": "userName pr"})
    assert [one["id"] for one in answer.json["Resources"]] == [babs]
    everything = idp.send("POST", "/.search", asked).json
    assert everything["totalResults"] == 2
    assert [one["meta"]["resourceType"] for one in idp.send("POST", "/.search", {}).json["Resources"]] == ["User", "Group"]  # fmt: skip
    second = idp.send("POST", "/.search", {"startIndex": 2, "count": 1}).json
    assert [one["meta"]["resourceType"] for one in second["Resources"]] == ["Group"]
    assert idp.send("POST", "/.search", {"filter": "not (userName pr)"}).json["totalResults"] == 1
    assert idp.send("POST", "/.search", {"filter": "members pr"}).json["totalResults"] == 0
    refused(idp.send("POST", "/.search", {"filter": "shoeSize pr"}), 400, "invalidFilter")
    refused(idp.send("POST", "/.search", []), 400, "invalidSyntax")


def test_at_the_root_a_urn_means_the_attribute_of_its_own_type(idp):
    user = idp.user("team", displayName="Team")
    group = idp.group("Team", user)
    for text, found in {
        'displayName eq "Team"': {user, group},
        f'{USER_URN}:displayName eq "team"': {user},
        f'{GROUP_URN}:displayName eq "team"': {group},
        f'{GROUP_URN.upper()}:DISPLAYNAME sw "t"': {group},
        f"{GROUP_URN}:members pr": {group},
        f'{GROUP_URN}:members[value eq "{user}"]': {group},
        f"{USER_URN}:groups pr": {user},
        f"{USER_URN}:id pr": {user},
        f"{GROUP_URN}:meta.created pr": {group},
        f"not ({GROUP_URN}:displayName pr)": {user},
        f'{USER_URN}:userName pr or {GROUP_URN}:displayName eq "x"': {user},
        f"{USER_URN}:displayName pr and {GROUP_URN}:displayName pr": set(),
    }.items():
        for more in ({}, {"cursor": "", "count": 9}):
            answer = idp.send("POST", "/.search", {"filter": text, **more})
            assert answer.status_code == 200, (text, answer.text)
            assert {one["id"] for one in answer.json["Resources"]} == found, text
    refused(
        idp.send("POST", "/.search", {"filter": f"{GROUP_URN}:userName pr"}), 400, "invalidFilter"
    )
    asked = {"attributes": [f"{GROUP_URN}:displayName", f"{USER_URN}:userName"]}
    shown = {one["id"]: one for one in idp.send("POST", "/.search", asked).json["Resources"]}
    assert set(shown[user]) == {"schemas", "id", "userName"}
    assert set(shown[group]) == {"schemas", "id", "displayName"}
    asked = {"excludedAttributes": f"{GROUP_URN}:displayName,{GROUP_URN}:members"}
    shown = {one["id"]: one for one in idp.send("POST", "/.search", asked).json["Resources"]}
    assert shown[user]["displayName"] == "Team"
    assert not {"displayName", "members"} & set(shown[group])


@pytest.mark.parametrize("root", ["", "/"])
def test_the_root_itself_can_be_asked(idp, babs, root):
    group = idp.group("G")
    assert [one["id"] for one in idp.get(root)["Resources"]] == [babs, group]
    assert [one["id"] for one in idp.get(root, filter="displayName pr")["Resources"]] == [group]
    assert idp.get(root, count=1, startIndex=2)["itemsPerPage"] == 1
    refused(idp.send("GET", root, query_string={"filter": "shoeSize pr"}), 400, "invalidFilter")
    refused(idp.send("GET", root, headers={"Authorization": None}), 401)
    refused(idp.send("DELETE", root), 405)


def test_what_is_described_is_true(idp, deps):
    root = f"{deps.settings.base_url}/scim/v2"
    config = idp.get("/ServiceProviderConfig")
    supported = {name: said["supported"] for name, said in config.items() if isinstance(said, dict) and "supported" in said}  # fmt: skip
    assert supported == {
        "patch": True, "etag": True, "filter": True, "bulk": True, "sort": True, "changePassword": False,
    }  # fmt: skip
    for number in range(3):
        idp.user(f"u{number}")
    types = idp.get("/ResourceTypes")
    assert [one["endpoint"] for one in types["Resources"]] == ["/Users", "/Groups"]
    schemas = idp.get("/Schemas")
    assert {one["id"] for one in schemas["Resources"]} == {USER_URN, GROUP_URN, E}
    for one in types["Resources"] + schemas["Resources"]:
        assert idp.get(one["meta"]["location"].removeprefix(root)) == one
    refused(idp.send("GET", "/Schemas/urn:x"), 404)
    refused(idp.send("GET", "/ResourceTypes/Device"), 404)
    refused(idp.send("GET", "/Schemas", query_string={"filter": 'id eq "x"'}), 403)


@pytest.mark.parametrize(
    "header",
    [None, "", "Bearer", "Bearer ", "Bearer  ", "Basic eDp5", "Bearer ost_scim_", "Bearer x", "bearer null", "Bearer \u00e9"],
)  # fmt: skip
@pytest.mark.parametrize("path", ["/Users", "/ServiceProviderConfig", "/Me", "/Users/x"])
def test_without_a_token_nothing_is_told(idp, header, path):
    answer = idp.send("GET", path, headers={"Authorization": header})
    refused(answer, 401)
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")


def test_a_token_of_another_kind_or_a_revoked_one_opens_nothing(site, deps, tenant):
    key, token = tenancy.issue_token(deps, tenant.slug, "scim")
    idp = Idp(site, token)
    idp.get("/Users")
    refused(Idp(site, token.replace("ost_scim_", "ost_api_")).send("GET", "/Users"), 401)
    tenancy.revoke_token(deps, tenant.slug, key)
    refused(idp.send("GET", "/Users"), 401)


def test_a_disabled_tenant_s_token_opens_nothing(idp, deps, tenant):
    tenancy.enable(deps, tenant.slug, enabled=False)
    refused(idp.send("GET", "/Users"), 401)


def test_a_token_for_reading_does_not_write(idp, site, deps, tenant, babs):
    key, secret = deps.ids.new(), deps.ids.secret()
    with deps.db.tx(tenant.id) as tx:
        tokens.add(tx, key, "scim", secret, deps.clock(), scope="read")
    reader = Idp(site, credential.mint("ost_scim_", tenant.id, key, secret))
    assert reader.get(f"/Users/{babs}")["id"] == babs
    assert reader.send("POST", "/Users/.search", {}).status_code == 200
    for method, path in (("POST", "/Users"), ("PUT", f"/Users/{babs}"), ("PATCH", f"/Users/{babs}"), ("DELETE", f"/Users/{babs}")):  # fmt: skip
        refused(reader.send(method, path, {"userName": "x"}), 403)
    assert idp.get("/Users")["totalResults"] == 1


def test_two_tenants_do_not_meet(idp, site, deps, babs):
    tenancy.found(deps, "globex", "Globex")
    other = Idp(site, tenancy.issue_token(deps, "globex", "scim")[1])
    theirs = other.user("babs@x.com")
    for method in ("GET", "PUT", "PATCH", "DELETE"):
        body = {"userName": "x", "Operations": [{"op": "remove", "path": "title"}]}
        refused(
            other.send(method, f"/Users/{babs}", None if method in {"GET", "DELETE"} else body), 404
        )
    assert other.find("userName pr") == [theirs]
    assert idp.get("/Users")["totalResults"] == other.get("/Users")["totalResults"] == 1
