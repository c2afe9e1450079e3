"""A tenant's own schemas over HTTP: discovery, values, filters, and what may become of a schema."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace

import pytest

from app.flows import provision_try, schemas, tenancy
from app.flows.bring_back import Back, all_of
from app.kernel.errors import Conflict, Invalid, NotFound, Unavailable
from app.store import audit, scim_schemas
from app.store.guard import Departure
from scim import custom
from scim.schemas import ENTERPRISE_URN
from tests.conftest import SECRET

B = "urn:example:Badge:1.0"
BADGE = {
    "id": B, "name": "Badge", "description": "A badge.",
    "attributes": [
        {"name": "code"},
        {"name": "level", "type": "integer"},
        {"name": "secured", "type": "boolean"},
        {"name": "issued", "type": "dateTime"},
        {"name": "pin", "returned": "request"},
        {"name": "doors", "type": "complex", "multiValued": True, "subAttributes": [
            {"name": "value"}, {"name": "type"}]},
    ],
}  # fmt: skip


class Wire:
    """A provisioning client over HTTP."""

    def __init__(self, deps, browser, slug="acme"):
        text = tenancy.issue_token(deps, slug, "scim", client="default")[1]
        self.browser, self.headers = browser, {"Authorization": f"Bearer {text}"}

    def ask(self, method, path, body=None, **query):
        return self.browser.open(
            f"/scim/v2{path}", method=method, json=body, headers=self.headers, query_string=query
        )

    def made(self, path="/Users", **body):
        answer = self.ask("POST", path, body)
        assert answer.status_code == 201, answer.text
        return json.loads(answer.text)

    def found(self, text, path="/Users", **more):
        answer = self.ask("GET", path, filter=text, **more)
        assert answer.status_code == 200, answer.text
        return [one["userName"] for one in json.loads(answer.text)["Resources"]]

    def json(self, path, **query):
        answer = self.ask("GET", path, **query)
        assert answer.status_code == 200, answer.text
        return json.loads(answer.text)


@pytest.fixture
def own(deps, tenant):
    schemas.add(deps, tenant.id, "User", BADGE, "operator")


@pytest.fixture
def wire(deps, tenant, gateway):
    return Wire(deps, gateway())


def test_it_is_discovered(wire, own):
    kinds = {one["id"]: one for one in wire.json("/ResourceTypes")["Resources"]}
    named = [one["schema"] for one in kinds["User"]["schemaExtensions"]]
    assert sorted(named) == sorted([B, ENTERPRISE_URN])
    assert kinds["Group"]["schemaExtensions"] == []
    assert B in [one["id"] for one in wire.json("/Schemas")["Resources"]]
    said = wire.json(f"/Schemas/{B}")
    assert [one["name"] for one in said["attributes"]] == [one["name"] for one in BADGE["attributes"]]  # fmt: skip


def test_its_values_are_cast_kept_changed_and_cleared(wire, own):
    ada = wire.made(userName="ada", **{B: {"CODE": 7, "level": 3, "secured": "True", "issued": "2026-03-02T10:00:00+01:00", "pin": "1", "unknown": 1}})  # fmt: skip
    assert ada[B] == {"code": "7", "level": 3, "secured": True, "issued": "2026-03-02T09:00:00Z"}
    assert B in ada["schemas"]
    where = f"/Users/{ada['id']}"
    assert wire.json(where) == ada
    assert wire.json(where, attributes=f"{B}:pin")[B] == {"pin": "1"}
    assert wire.json(where, attributes=f"{B}:level")[B] == {"level": 3}
    assert B not in wire.json(where, excludedAttributes=B)
    operations = [
        {"op": "replace", "path": f"{B}:level", "value": 5},
        {"op": "add", "path": f'{B}:doors[type eq "main"].value', "value": "N1"},
        {"op": "remove", "path": f"{B}:code"},
    ]
    patched = wire.ask("PATCH", where, {"Operations": operations})
    assert patched.status_code == 200, patched.text
    assert json.loads(patched.text)[B] == {
        "level": 5, "secured": True, "issued": "2026-03-02T09:00:00Z",
        "doors": [{"value": "N1", "type": "main"}],
    }  # fmt: skip
    wrong = {"Operations": [{"op": "replace", "path": f"{B}:level", "value": "high"}]}
    assert json.loads(wire.ask("PATCH", where, wrong).text)["scimType"] == "invalidValue"
    put = wire.ask("PUT", where, {"userName": "ada", B: {"level": 9}})
    assert json.loads(put.text)[B] == {"level": 9}
    put = json.loads(wire.ask("PUT", where, {"userName": "ada"}).text)
    assert B not in put
    assert B not in put["schemas"]


def test_its_values_are_filtered_and_sorted(wire, own):
    wire.made(userName="ada", **{B: {"code": "Alpha", "level": 10, "issued": "2026-03-02T09:00:00Z", "doors": [{"value": "N1", "type": "main"}]}})  # fmt: skip
    wire.made(userName="bob", **{B: {"code": "beta", "level": 9, "secured": True}})
    wire.made(userName="cid")
    for text, whom in {
        f'{B}:code eq "alpha"': ["ada"],
        f'{B.lower()}:CODE co "ET"': ["bob"],
        f"{B}:level gt 9": ["ada"],
        f"{B}:level ge 9": ["ada", "bob"],
        f"{B}:code pr": ["ada", "bob"],
        f"not ({B}:code pr)": ["cid"],
        f"{B}:secured eq true": ["bob"],
        f'{B}:issued lt "2026-03-02T09:00:01Z"': ["ada"],
        f'{B}:doors[type eq "main" and value eq "n1"]': ["ada"],
        f'schemas eq "{B}"': ["ada", "bob"],
    }.items():
        assert sorted(wire.found(text)) == whom, text
        assert sorted(wire.found(text, "/Users", count=5, startIndex=1)) == whom, text
    assert wire.found(f"{B}:level pr", sortBy=f"{B}:level") == ["bob", "ada"]
    assert wire.found(f"{B}:level pr", sortBy=f"{B}:level", sortOrder="descending") == ["ada", "bob"]  # fmt: skip
    root = wire.ask("POST", "/.search", {"filter": f'{B}:code eq "beta"'})
    assert json.loads(root.text)["totalResults"] == 1
    for wrong in (f"{B}:nothing pr", "urn:example:other:code pr"):
        answer = wire.ask("GET", "/Users", filter=wrong)
        assert answer.status_code == 400
        assert json.loads(answer.text)["scimType"] == "invalidFilter"


def test_each_tenant_has_its_own(deps, wire, own, other_tenant, gateway):
    theirs = Wire(deps, gateway(), other_tenant.slug)
    wire.made(userName="ada", **{B: {"level": 3}})
    assert B not in theirs.made(userName="eve", **{B: {"level": 3}})
    assert theirs.ask("GET", "/Users", filter=f"{B}:level pr").status_code == 400
    document = {"id": B, "attributes": [{"name": "level"}]}
    schemas.add(deps, other_tenant.id, "User", document, "operator")
    assert theirs.made(userName="mal", **{B: {"level": 3}})[B] == {"level": "3"}
    assert theirs.found(f'{B}:level eq "3"') == ["mal"]
    assert wire.found(f"{B}:level eq 3") == ["ada"]
    assert len(theirs.json(f"/Schemas/{B}")["attributes"]) == 1


def test_a_group_has_them_too_also_in_a_bulk(deps, tenant, wire, own):
    document = {"id": "urn:example:team", "attributes": [{"name": "cost", "type": "decimal"}]}
    schemas.add(deps, tenant.id, "Group", document, "operator")
    data = [
        ("/Users", {"userName": "ada", B: {"level": 3}}),
        ("/Users", {"userName": "bob", B: {"level": 4}}),
        ("/Groups", {"displayName": "Team", "urn:example:team": {"cost": 1.5}}),
    ]
    asked = [{"method": "POST", "path": path, "bulkId": f"b{n}", "data": body} for n, (path, body) in enumerate(data)]  # fmt: skip
    done = json.loads(wire.ask("POST", "/Bulk", {"Operations": asked}).text)
    assert [one["status"] for one in done["Operations"]] == ["201"] * 3
    assert wire.found(f"{B}:level gt 3") == ["bob"]
    found = wire.json("/Groups", filter="urn:example:team:cost gt 1")
    assert found["Resources"][0]["urn:example:team"] == {"cost": 1.5}


def test_under_values_only_new_attributes_may_come(deps, tenant, wire, own):
    key = wire.made(userName="ada", **{B: {"level": 3}})["id"]
    more = BADGE | {"attributes": [*BADGE["attributes"], {"name": "colour"}]}
    schemas.add(deps, tenant.id, "User", more, "operator")
    assert wire.made(userName="bob", **{B: {"colour": "red"}})[B] == {"colour": "red"}
    with pytest.raises(Conflict, match=r"2 resources have values .* colour must stay"):
        schemas.add(deps, tenant.id, "User", BADGE, "operator")
    with pytest.raises(Conflict, match="extension of User"):
        schemas.add(deps, tenant.id, "Group", more, "operator")
    with pytest.raises(Conflict, match="2 resources have values"):
        schemas.remove(deps, tenant.id, B, "operator")
    body = {"Operations": [{"op": "remove", "path": B}]}
    assert wire.ask("PATCH", f"/Users/{key}", body).status_code == 200
    # Whoever is deleted may come back with their values.
    (bob,) = wire.json("/Users", filter='userName eq "bob"')["Resources"]
    assert wire.ask("DELETE", f"/Users/{bob['id']}").status_code == 204
    with pytest.raises(Conflict, match="1 resource has values"):
        schemas.remove(deps, tenant.id, B, "operator")


def test_one_without_values_goes(deps, tenant, wire, own):
    assert schemas.remove(deps, tenant.id, B.upper(), "operator").id == B
    assert wire.ask("GET", f"/Schemas/{B}").status_code == 404
    assert wire.ask("GET", "/Users", filter=f"{B}:level pr").status_code == 400
    with pytest.raises(NotFound):
        schemas.remove(deps, tenant.id, B, "operator")
    with deps.db.read(tenant.id) as read:
        acts = [one["action"] for one in audit.about(read, B)]
    assert sorted(acts) == ["schema.added", "schema.removed"]


def test_no_urn_begins_with_another(deps, tenant, own):
    for urn in (f"{B}:code", "urn:example:Badge"):
        with pytest.raises(Conflict, match="begins with"):
            schemas.add(deps, tenant.id, "User", BADGE | {"id": urn}, "operator")


def test_who_is_brought_back_has_them_still(deps, tenant, wire, own):
    key = wire.made(userName="ada", externalId="e", **{B: {"level": 3}})["id"]
    assert wire.ask("DELETE", f"/Users/{key}").status_code == 204
    assert wire.found(f"{B}:level eq 3") == []
    with deps.db.tx(tenant.id) as tx:
        types = scim_schemas.held(tx)
        back = Back(deps, tx, "default", types, "operator", "hold", deps.clock())
        one = Departure("d", key, "deleted", None, {}, deps.clock())
        all_of(back, [one])
    assert wire.found(f"{B}:level eq 3") == ["ada"]
    assert wire.json(f"/Users/{key}")[B] == {"level": 3}


def test_a_write_of_types_that_are_over_is_put_off(deps, tenant, own, desk):
    with deps.db.read(tenant.id) as read:
        desk.client = replace(desk.client, types=scim_schemas.current(read))
    desk.create(desk.client.types.user, userName="ada")
    schemas.remove(deps, tenant.id, B, "operator")
    with pytest.raises(Unavailable, match="Send it again"):
        desk.create(desk.client.types.user, userName="bob", **{B: {"level": 1}})


def test_another_processs_change_is_followed(deps, tenant, wire, own, database_environ, tmp_path):
    wire.made(userName="ada", **{B: {"level": 3}})
    file = tmp_path / "schema.json"
    more = BADGE | {"attributes": [*BADGE["attributes"], {"name": "colour"}]}
    file.write_text(json.dumps(more))
    environ = os.environ | database_environ | {
        "OSTIARY_BASE_URL": deps.settings.base_url, "OSTIARY_SECRET_KEYS": SECRET,
    }  # fmt: skip
    command = [sys.executable, "-m", "app", "schema", "add", str(file), "--tenant", "acme", "--resource", "User", "--json"]  # fmt: skip
    done = subprocess.run(
        command, check=False, env=environ, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["attributes"][-1] == "colour"
    assert wire.made(userName="bob", **{B: {"colour": "red"}})[B] == {"colour": "red"}
    assert wire.found(f'{B}:colour eq "red"') == ["bob"]


def test_a_tenant_without_any_asks_for_none(deps, tenant, other_tenant, wire, own, gateway, monkeypatch):  # fmt: skip
    theirs = Wire(deps, gateway(), other_tenant.slug)

    def asked(*_):
        raise AssertionError("asked for schemas")

    for name in ("listed", "hold", "held", "current"):
        monkeypatch.setattr(scim_schemas, name, asked)
    key = theirs.made(userName="eve")["id"]
    assert theirs.found('userName eq "eve"') == ["eve"]
    assert theirs.ask("PATCH", f"/Users/{key}", {"Operations": [{"op": "add", "path": "title", "value": "x"}]}).status_code == 200  # fmt: skip
    assert len(theirs.json("/Schemas")["Resources"]) == 3
    assert theirs.ask("DELETE", f"/Users/{key}").status_code == 204
    # Of who has some they are asked, so the spies do see.
    assert wire.ask("POST", "/Users", {"userName": "ada"}).status_code == 500


def test_each_change_is_learnt_once(deps, tenant, wire, own, monkeypatch):
    listed, asked = scim_schemas.listed, []
    monkeypatch.setattr(scim_schemas, "listed", lambda read: asked.append(1) or listed(read))
    for name in ("ada", "bob", "cid"):
        wire.made(userName=name, **{B: {"level": 3}})
    assert len(asked) == 1


def test_a_person_reads_their_own(deps, tenant, wire, own):
    key = wire.made(userName="ada", **{B: {"level": 3, "pin": "1"}})["id"]
    text = tenancy.issue_token(deps, "acme", "api", person_id=key)[1]
    wire.headers = {"Authorization": f"Bearer {text}"}
    me = wire.json("/Me")
    assert me[B] == {"level": 3}
    assert B in me["schemas"]


def test_what_an_administrator_tries_knows_them(deps, tenant, wire, own):
    body = json.dumps({"userName": "ada", B: {"level": "high"}})
    tried = provision_try.attempt(deps, tenant.id, "default", "POST", "/Users", body)
    assert tried.status == 400
    tried = provision_try.attempt(deps, tenant.id, "default", "POST", "/Users", body.replace('"high"', "3"))  # fmt: skip
    assert json.loads(tried.after)[B] == {"level": 3}


def test_a_country_called_co_and_a_urn_with_signs_can_be_filtered_by(deps, tenant, wire):
    urn = "urn:example:ad+x;y=z@w$v!u*t:User"
    document = {"id": urn, "attributes": [{"name": "co"}, {"name": "not"}]}
    schemas.add(deps, tenant.id, "User", document, "operator")
    wire.made(userName="ada", **{urn: {"co": "DE", "not": "x"}})
    wire.made(userName="bob", **{urn: {"co": "FR"}})
    for text in ('co eq "DE"', f'{urn}:co sw "d"', "not pr", f'not (co eq "FR") and {urn}:not pr'):
        assert wire.found(text) == ["ada"], text
    assert wire.found("co pr", sortBy=f"{urn}:co", sortOrder="descending") == ["bob", "ada"]


WIDE = {
    "id": "urn:example:Wide", "name": "Wide", "attributes": [
        {"name": f"c{n}", "type": "complex", "multiValued": True, "subAttributes": [
            {"name": f"x{m}"} for m in range(custom.MAX_ATTRIBUTES)]}
        for n in range(custom.MAX_ATTRIBUTES)
    ],
}  # fmt: skip
NEIGHBOUR = {"id": "urn:example:Wide2", "name": "Near", "attributes": [{"name": "c1"}]}


@pytest.mark.parametrize(
    ("term", "found"),
    [
        ('schemas eq "urn:example:Wide"', ["a"]),
        ('schemas sw "urn:example:W"', ["a", "b"]),
        ('schemas[value co "Wide2"]', ["b"]),
        ("urn:example:Wide:c1 pr", ["a"]),
        ("urn:example:Wide:c2 pr", []),
        ('urn:example:Wide:c1[x9 eq "v" or x1 pr]', ["a"]),
        ('not (schemas eq "urn:example:Wide")', ["b", "c"]),
        ('schemas eq "urn:example:Wide" and not (c11 pr)', []),
    ],
)
def test_a_schema_of_ten_thousand_paths_is_asked_for_as_one(deps, tenant, wire, term, found):
    for document in (WIDE, NEIGHBOUR):
        schemas.add(deps, tenant.id, "User", document, "me")
    wire.made(userName="a", **{"urn:example:Wide": {"c1": [{"x9": "v"}], "c11": [{"x0": "w"}]}})
    wire.made(userName="b", **{"urn:example:Wide2": {"c1": "v"}})
    wire.made(userName="c")
    for how in ({}, {"sortBy": "userName"}, {"cursor": ""}):
        assert sorted(wire.found(term, **how)) == found
        many = " or ".join([term] * 80)
        assert sorted(wire.found(many, **how)) == found


def test_a_urn_with_a_comma_is_refused_and_one_that_is_there_can_be_removed(deps, tenant, wire):
    document = {"id": "urn:example:a,b", "attributes": [{"name": "x"}]}
    with pytest.raises(Invalid, match="comma"):
        schemas.add(deps, tenant.id, "User", document, "operator")
    with deps.db.tx(tenant.id) as tx:
        scim_schemas.count_up(tx)
        scim_schemas.put(tx, "User", custom.read(document), deps.clock(), deps.clock())
    wire.made(userName="ada")
    schemas.remove(deps, tenant.id, "urn:example:a,b", "operator")
