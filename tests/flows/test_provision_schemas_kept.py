"""Values of a tenant's own schemas come through every door: loads, returns, backups, and requests from before them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from app.config import load
from app.deps import Deps, assemble
from app.factory import create_app
from app.flows import backup, guard, provision, provision_bulk, schemas
from app.kernel.errors import Conflict, Unavailable
from app.store import guard as kept
from app.store import scim_schemas
from scim import bulk
from scim.custom import STANDARD
from scim.schemas import ENTERPRISE_URN
from tests.conftest import SECRET
from tests.flows.conftest import browser
from tests.flows.test_provision_schemas import BADGE, B, Wire

T = "urn:example:team"
TEAM = {"id": T, "attributes": [{"name": "cost", "type": "decimal"}]}


@pytest.fixture
def own(deps, tenant):
    schemas.add(deps, tenant.id, "User", BADGE, "operator")
    schemas.add(deps, tenant.id, "Group", TEAM, "operator")


@pytest.fixture
def wire(deps, tenant, gateway):
    return Wire(deps, gateway())


def change(wire, where, *operations):
    answer = wire.ask("PATCH", where, {"Operations": list(operations)})
    assert answer.status_code in {200, 204}, answer.text


def off(wire, key):
    change(wire, f"/Users/{key}", {"op": "replace", "path": "active", "value": False})


def test_a_load_from_within_keeps_them(deps, tenant, wire, own):
    bodies = ({"userName": f"u{n}", B: {"LEVEL": n}, "urn:example:other": {"x": 1}} for n in range(300))  # fmt: skip
    assert provision.create_many(deps, tenant.id, "default", bodies) == 300
    assert sorted(wire.found(f"{B}:level ge 298")) == ["u298", "u299"]


@pytest.mark.parametrize("before", [[], [BADGE]])
def test_a_load_during_which_they_change_ends_and_can_be_repeated(deps, tenant, wire, before):
    more = BADGE | {"attributes": [*BADGE["attributes"], {"name": "colour"}]}
    for one in before:
        schemas.add(deps, tenant.id, "User", one, "operator")

    def bodies(changing=260):
        for n in range(300):
            if n == changing:
                schemas.add(deps, tenant.id, "User", more, "operator")
            yield {"userName": f"u{n}", B: {"level": n, "colour": "red"}}

    with pytest.raises(Unavailable, match="Send it again"):
        provision.create_many(deps, tenant.id, "default", bodies())
    assert provision.create_many(deps, tenant.id, "default", bodies(None)) == 50
    assert wire.found(f'{B}:colour eq "red" and {B}:level le 250') == ["u250"]


def test_who_was_switched_off_has_them_when_switched_on(wire, own):
    key = wire.made(userName="ada", **{B: {"level": 3}})["id"]
    off(wire, key)
    assert wire.found(f"{B}:level eq 3 and active eq false") == ["ada"]
    change(wire, f"/Users/{key}", {"op": "replace", "value": {"active": True}})
    assert wire.json(f"/Users/{key}")[B] == {"level": 3}
    assert wire.found(f"{B}:level eq 3 and active eq true") == ["ada"]


@pytest.mark.parametrize("said", [{}, {B: {"level": 4}}])
def test_who_is_sent_again_has_what_is_said_then(deps, tenant, wire, own, said):
    key = wire.made(userName="ada", externalId="e", **{B: {"level": 3, "code": "x"}})["id"]
    assert wire.ask("DELETE", f"/Users/{key}").status_code == 204
    back = wire.made(userName="ada", externalId="e", **said)
    assert (back["id"], back.get(B)) == (key, said.get(B))
    assert wire.found(f"{B}:level eq 3") == wire.found(f"{B}:code pr") == []
    assert wire.found(f"{B}:level eq 4") == ["ada"] * len(said)
    if not said:
        assert schemas.remove(deps, tenant.id, B, "operator").id == B


def test_a_hold_undone_brings_people_and_their_group_back_with_them(deps, tenant, wire, own, clock):
    keys = [wire.made(userName=f"u{n}", externalId=f"e{n}", **{B: {"level": n}})["id"] for n in range(12)]  # fmt: skip
    team = wire.made("/Groups", displayName="Team", members=[{"value": key} for key in keys], **{T: {"cost": 1.5}})  # fmt: skip
    assert wire.ask("DELETE", f"/Groups/{team['id']}").status_code == 204
    clock.move(seconds=1)
    for key in keys[:6]:
        assert wire.ask("DELETE", f"/Users/{key}").status_code == 204
    off(wire, keys[6])
    with deps.db.read(tenant.id) as read:
        (hold,) = kept.listed(read, statuses=("open",))
    with deps.db.tx(tenant.id) as tx:
        guard.restore(deps, tx, hold.id, "root")
    while guard.go_on(deps):
        pass
    assert sorted(wire.found(f"{B}:level le 6 and active eq true")) == [f"u{n}" for n in range(7)]
    (found,) = wire.json("/Groups", filter=f"{T}:cost gt 1")["Resources"]
    assert (found["id"], found[T]) == (team["id"], {"cost": 1.5})
    assert {one["value"] for one in found["members"]} == set(keys)
    assert wire.json(f"/Users/{keys[0]}")[B] == {"level": 0}


@pytest.mark.parametrize("change", ["put", "patch"])
def test_a_change_let_in_before_the_first_schema_leaves_no_values_half_there(deps, tenant, wire, desk, change):  # fmt: skip
    """Another client knows the schema already, and the one that does not would drop what it says."""
    key = wire.made(userName="ada")["id"]
    late = replace(desk.client, types=STANDARD)
    schemas.add(deps, tenant.id, "User", BADGE, "operator")
    answer = wire.ask("PUT", f"/Users/{key}", {"userName": "ada", B: {"level": 3}})
    assert answer.status_code == 200
    desk.client = late
    with pytest.raises(Unavailable, match="Send it again"):
        if change == "put":
            desk.put(key, userName="ada", title="T")
        else:
            desk.patch(key, {"op": "add", "path": "title", "value": "T"})
    assert wire.json(f"/Users/{key}")[B] == {"level": 3}
    assert wire.found(f"{B}:level eq 3") == ["ada"]


SAYS = {B.upper(): {"level": 3}}


@pytest.mark.parametrize("send", [
    lambda desk, key: desk.create(userName="new", **SAYS),
    lambda desk, key: desk.put(key, userName="ada", **SAYS),
    lambda desk, key: desk.patch(key, {"op": "add", "value": {"title": "T", **SAYS}}),
    lambda desk, key: desk.patch(key, {"op": "add", "value": {f"{B}:level": 3}}),
    lambda desk, key: bulk_of(desk, {"userName": "new", **SAYS}),
    lambda desk, key: bulk_of(desk, {"userName": "new"}, {"userName": "newer", **SAYS}),
    lambda desk, key: bulk_of(desk, *(
        {"userName": f"b{n}", ENTERPRISE_URN: {"manager": {"value": f"bulkId:b{1 - n}"}}, **SAYS}
        for n in range(2)
    )),
])  # fmt: skip
def test_what_speaks_of_a_schema_that_has_just_come_is_put_off(deps, tenant, wire, desk, send):
    key = desk.create(userName="ada")["id"]
    desk.create(userName="eve", **SAYS)  # none is there yet: ignored, as the standard has it
    schemas.add(deps, tenant.id, "User", BADGE, "operator")
    with pytest.raises(Unavailable, match="Send it again"):
        send(desk, key)
    assert {one["userName"] for one in wire.json("/Users")["Resources"]} == {"ada", "eve"}
    assert wire.json(f"/Users/{key}")["meta"]["version"] == 'W/"1"'
    desk.put(key, userName="ada", title="T", **{"urn:ietf:params:scim:nothing": {"x": 1}})


def bulk_of(desk, *bodies):
    operations = [{"method": "POST", "path": "/Users", "bulkId": f"b{n}", "data": body} for n, body in enumerate(bodies)]  # fmt: skip
    return provision_bulk.run(desk.deps, desk.client, bulk.parse({"Operations": operations}))


@pytest.fixture(params=["sqlite", "postgresql"])
def target(request, tmp_path, clock, sqlite_template) -> Iterator[Deps]:
    """A gateway on an empty database."""
    if request.param == "sqlite":
        path = tmp_path / "target.db"
        path.write_bytes(sqlite_template.read_bytes())
        environ = {"OSTIARY_DATABASE_URL": f"sqlite:///{path}"}
    else:
        environ = request.getfixturevalue("postgres").migrated().environ()
    home = {"OSTIARY_BASE_URL": "http://127.0.0.1:8000", "OSTIARY_SECRET_KEYS": SECRET}
    made = assemble(load(environ | home), clock)
    yield made
    made.db.close()


def test_a_restored_backup_has_schemas_and_values(deps, tenant, wire, own, target, tmp_path: Path):
    key = wire.made(userName="ada", **{B: {"level": 3, "doors": [{"value": "N1", "type": "main"}]}})["id"]  # fmt: skip
    gone = wire.made(userName="gone", externalId="e", **{B: {"code": "kept"}})["id"]
    assert wire.ask("DELETE", f"/Users/{gone}").status_code == 204
    wire.made("/Groups", displayName="Team", **{T: {"cost": 1.5}})
    before = {path: wire.json(path) for path in ("/Schemas", "/ResourceTypes", f"/Users/{key}")}
    file = tmp_path / "backup.ostiary"
    backup.make(deps, file, lambda *_: None)
    backup.restore(target, file, lambda *_: None)
    site = create_app(target)
    site.testing = True
    there = Wire(target, browser(site))
    assert {path: there.json(path) for path in before} == before
    assert there.found(f'{B}:doors[value eq "n1"]') == ["ada"]
    assert len(there.json("/Groups", filter=f"{T}:cost eq 1.5")["Resources"]) == 1
    change(there, f"/Users/{key}", {"op": "replace", "path": f"{B}:level", "value": 4})
    assert there.found(f"{B}:level eq 4") == ["ada"]
    for count, urn in ((2, B), (1, T)):
        with pytest.raises(Conflict, match=rf"{count} resource"):
            schemas.remove(target, tenant.id, urn, "operator")
    with target.db.read(tenant.id) as read:
        assert scim_schemas.current(read).number == 2
    back = there.made(userName="gone", externalId="e", **{B: {"level": 1}})
    assert (back["id"], back[B]) == (gone, {"level": 1})
    assert json.loads(wire.ask("GET", f"/Users/{key}").text)[B]["level"] == 3
