"""Groups and their members, over provisioning."""

from __future__ import annotations

import pytest

from app.flows import provision, provision_view
from app.flows.provision_act import Client
from scim.custom import STANDARD
from scim.errors import InvalidValue, TooMany
from scim.schemas import GROUP, USER
from tests.provisioning import Desk, ids, refs


@pytest.fixture
def desk(deps, tenant):
    return Desk(deps, Client(tenant.id, "default", types=STANDARD))


@pytest.fixture
def crowd(desk):
    return [desk.create(userName=f"u{n}", displayName=f"U {n}")["id"] for n in range(6)]


def test_members_and_groups_show_each_other(desk, deps, crowd):
    inner = desk.create(GROUP, displayName="Inner")["id"]
    made = desk.create(GROUP, displayName="All", members=refs(crowd[0], inner))
    root = f"{deps.settings.base_url}/scim/v2"
    shown = sorted(
        desk.get(made["id"], GROUP)["members"], key=lambda one: one["type"], reverse=True
    )
    assert shown == [
        {"value": crowd[0], "$ref": f"{root}/Users/{crowd[0]}", "type": "User", "display": "U 0"},
        {"value": inner, "$ref": f"{root}/Groups/{inner}", "type": "Group", "display": "Inner"},
    ]
    assert desk.get(crowd[0])["groups"] == [
        {
            "value": made["id"],
            "$ref": f"{root}/Groups/{made['id']}",
            "type": "direct",
            "display": "All",
        }
    ]
    assert "groups" not in desk.get(inner, GROUP)


def test_members_are_found_by_the_name_that_is_shown(desk):
    full, formatted, nameless = (
        desk.create(userName=f"m{n}", **body)["id"]
        for n, body in enumerate([
            {"displayName": "Ada", "name": {"formatted": "Ada King"}},
            {"name": {"formatted": "Bob B."}}, {"name": {"givenName": "Cid"}},
        ])
    )  # fmt: skip
    inner = desk.create(GROUP, displayName="Inner")["id"]
    names = {full: "Ada", formatted: "Bob B.", nameless: None, inner: "Inner"}
    for key, name in names.items():
        group = desk.create(GROUP, displayName=f"of {name}", members=refs(key))["id"]
        assert desk.get(group, GROUP)["members"][0].get("display") == name
    for text, found in {
        'members.display eq "bob b."': {"of Bob B."},
        'members.display sw "ADA"': {"of Ada"},
        'members.display co "king"': set(),
        'members[display ew "B." and type eq "User"]': {"of Bob B."},
        "members.display pr": {"of Ada", "of Bob B.", "of Inner"},
        "members pr and not (members.display pr)": {"of None"},
        'members.display eq "inner"': {"of Inner"},
    }.items():
        shown = desk.found(text, GROUP)["Resources"]
        assert {one["displayName"] for one in shown} == found, text


def test_membership_is_changed_as_a_set(desk, crowd):
    a, b, c, d, *_ = crowd
    key = desk.create(GROUP, displayName="G", members=refs(a, b))["id"]

    def patch(*operations):
        return ids(desk.patch(key, *operations, of=GROUP))

    assert patch({"op": "add", "path": "members", "value": refs(b, c)}) == {a, b, c}
    assert patch({"op": "Remove", "path": "members", "value": [{"$ref": None, "value": a}]}) == {
        b,
        c,
    }
    assert patch({"op": "remove", "path": f'members[value eq "{b}"]'}) == {c}
    assert patch(
        {"op": "remove", "path": "members", "value": refs(c)},
        {"op": "add", "path": "members", "value": refs(d)},
    ) == {d}
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
    foreign = Desk(deps, Client(other_tenant.id, "default", types=STANDARD)).create(userName="u0")[
        "id"
    ]
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


def test_a_thousand_members_are_one_change(desk, deps):
    bodies = [{"userName": f"m{n:04d}"} for n in range(1000)]
    assert provision.create_many(deps, desk.client.tenant, desk.client.name, bodies) == 1000
    found = [
        one["id"]
        for start in range(1, 1001, 200)
        for one in desk.found(startIndex=start)["Resources"]
    ]
    key = desk.create(GROUP, displayName="G", members=refs(*found[:500]))["id"]
    desk.patch(key, {"op": "replace", "path": "members", "value": refs(*found[1:])}, of=GROUP)
    assert ids(desk.get(key, GROUP)) == set(found[1:])
    assert desk.log(key)[0][1] == {"request": "PATCH", "added": 500, "removed": 1}


@pytest.mark.parametrize("of", [USER, GROUP])
def test_a_group_that_loses_a_deleted_member_is_another_version(desk, clock, of):
    name = {"userName": "u"} if of is USER else {"displayName": "Inner"}
    member, other = desk.create(of, **name)["id"], desk.create(userName="other")["id"]
    own = refs(other) if of is GROUP else []
    if own:
        desk.put(member, GROUP, displayName="Inner", members=own)
    groups = [
        desk.create(GROUP, displayName=f"G{n}", members=refs(member, other))["id"] for n in range(2)
    ]
    alone = desk.create(GROUP, displayName="Alone", members=refs(other))["id"]
    clock.move(minutes=1)
    desk.delete(member, of)
    for key in groups:
        group = desk.get(key, GROUP)
        assert group["meta"]["version"] == 'W/"2"'
        assert group["meta"]["lastModified"] > group["meta"]["created"]
        assert ids(group) == {other}
    assert desk.get(alone, GROUP)["meta"]["version"] == 'W/"1"'


def test_groups_that_are_in_each_other_can_be_deleted(desk):
    first, second = (desk.create(GROUP, displayName=name)["id"] for name in "AB")
    for one, other in ((first, second), (second, first)):
        desk.put(one, GROUP, displayName="G", members=refs(other))
    desk.delete(first, GROUP)
    assert ids(desk.get(second, GROUP)) == set()
    desk.delete(second, GROUP)
    assert desk.total(of=GROUP) == 0


@pytest.mark.parametrize("more", [{}, {"sortBy": "displayName"}, {"cursor": ""}, {"startIndex": 1}])
def test_the_members_that_one_list_shows_are_bounded(desk, crowd, monkeypatch, more):
    made = [
        desk.create(GROUP, displayName=name, members=refs(*crowd[at : at + 3]))["id"]
        for at, name in enumerate(("G", "H", "I"))
    ]
    monkeypatch.setattr(provision_view, "MOST_MEMBERS", 6)
    with pytest.raises(TooMany) as refused:
        desk.found(of=GROUP, **more)
    for word in ("6 members", "excludedAttributes=members", "count"):
        assert word in refused.value.message
    desk.found(of=GROUP, excludedAttributes="members", **more)
    desk.found(of=GROUP, attributes="displayName", **more)
    pages = desk.found(of=GROUP, count=2, **more)["Resources"]
    assert [len(ids(one)) for one in pages] == [3, 3]
    monkeypatch.setattr(provision_view, "MOST_MEMBERS", 2)
    assert len(ids(desk.found(of=GROUP, count=1, **more)["Resources"][0])) == 3
    assert [len(ids(desk.get(key, GROUP))) for key in made] == [3, 3, 3]
