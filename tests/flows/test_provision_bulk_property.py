"""Whatever a bulk asks for, it leaves what single requests would, sent one by one in an order that can be gone."""

from __future__ import annotations

from itertools import count

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.flows import provision_bulk
from app.flows.provision_act import Client
from app.kernel.errors import OstiaryError
from scim import bulk, bulk_order
from scim.custom import STANDARD
from scim.errors import ScimError
from scim.schemas import ENTERPRISE_URN, GROUP, USER
from tests.conftest import new_tenant
from tests.provisioning import Desk, refs

USERS, GROUPS = ["u0", "u1", "u2"], ["g0", "g1"]
MANAGER = f"{ENTERPRISE_URN}:manager"

one_user = st.sampled_from([f"bulkId:{name}" for name in USERS] + ["ada", "ben"])
one_group = st.sampled_from([f"bulkId:{name}" for name in GROUPS] + ["old"])
members = st.lists(one_user | one_group, max_size=3, unique=True)
version = st.sampled_from([None, None, 'W/"1"', 'W/"2"'])


@st.composite
def post_user(draw, name):
    data = {"userName": draw(st.sampled_from([name, name, "Ada", "ben", "zoe"]))}
    if draw(st.booleans()):
        data[ENTERPRISE_URN] = {"manager": {"value": draw(one_user)}}
    if draw(st.booleans()):
        data["externalId"] = draw(st.sampled_from(["x-ben", "x-new"]))
    if draw(st.integers(0, 4)) == 0:
        data["active"] = False
    return {"method": "POST", "path": "/Users", "bulkId": name, "data": data}


@st.composite
def post_group(draw, name):
    data = {"displayName": name, "members": refs(*draw(members))}
    return {"method": "POST", "path": "/Groups", "bulkId": name, "data": data}


@st.composite
def change_user(draw):
    path = f"/Users/{draw(one_user)}"
    match draw(st.sampled_from(["off", "manager", "put", "delete"])):
        case "off":
            return _patch(draw, path, {"op": "replace", "path": "active", "value": False})
        case "manager":
            return _patch(draw, path, {"op": "add", "path": MANAGER, "value": draw(one_user)})
        case "put":
            data = {"userName": draw(st.sampled_from(["zoe", "yan"])), "title": "T"}
            return {"method": "PUT", "path": path, "data": data, "version": draw(version)}
        case _:
            return {"method": "DELETE", "path": path, "version": draw(version)}


@st.composite
def change_group(draw):
    path, some = f"/Groups/{draw(one_group)}", draw(members)
    match draw(st.sampled_from(["add", "remove", "replace", "delete"])):
        case "remove":
            text = " or ".join(f'value eq "{one}"' for one in some or ["x"])
            return _patch(draw, path, {"op": "remove", "path": f"members[{text}]"})
        case "delete":
            return {"method": "DELETE", "path": path, "version": draw(version)}
        case op:
            return _patch(draw, path, {"op": op, "path": "members", "value": refs(*some)})


def _patch(draw, path, operation):
    data = {"Operations": [operation]}
    return {"method": "PATCH", "path": path, "data": data, "version": draw(version)}


@st.composite
def requests(draw):
    posts = [draw(post_user(name)) for name in draw(st.sets(st.sampled_from(USERS)))]
    posts += [draw(post_group(name)) for name in draw(st.sets(st.sampled_from(GROUPS)))]
    changes = draw(st.lists(st.one_of(change_user(), change_group()), max_size=5))
    return draw(st.permutations(posts + changes))


class World:
    """A tenant with Ada, Ben and a group of both; requests name them so, and not by their ids."""

    def __init__(self, deps, slug):
        self.desk = Desk(deps, Client(new_tenant(deps, slug).id, "default", types=STANDARD))
        ada = self.desk.create(userName="ada")["id"]
        ben = self.desk.create(userName="ben", externalId="x-ben")["id"]
        old = self.desk.create(GROUP, displayName="old", members=refs(ada, ben))["id"]
        self.ids = {"ada": ada, "ben": ben, "old": old}

    def said(self, value):
        """With ids in the place of names."""
        match value:
            case dict():
                return {
                    name: inner if name in {"userName", "displayName"} else self.said(inner)
                    for name, inner in value.items()
                }
            case list():
                return [self.said(inner) for inner in value]
            case str():
                for name, key in self.ids.items():
                    value = key if value == name else value.replace(f'"{name}"', f'"{key}"')
                return value.replace("/ada", f"/{self.ids['ada']}").replace(
                    "/ben", f"/{self.ids['ben']}"
                ).replace("/old", f"/{self.ids['old']}")  # fmt: skip
        return value

    def state(self):
        """Who and what there is, with names in the place of ids."""
        users, groups = self.desk.found()["Resources"], self.desk.found(of=GROUP)["Resources"]
        named = {one["id"]: one.get("userName") or one["displayName"] for one in users + groups}
        was_here = {key: name for name, key in self.ids.items()}
        seen = []
        for one in users + groups:
            manager = one.get(ENTERPRISE_URN, {}).get("manager", {}).get("value")
            seen.append((
                named[one["id"]], was_here.get(one["id"]), one["meta"]["version"], one.get("active"),
                one.get("title"), one.get("externalId"), manager and named.get(manager, "gone"),
                sorted(named[each["value"]] for each in one.get("members", ())),
            ))  # fmt: skip
        return sorted(seen, key=repr)


def singly(desk, operations):
    """The same by single requests; returns each one's status."""
    made, statuses = {}, {}
    for step in bulk_order.steps(operations):
        own = {operations[n].makes for n in step}
        wanted = {name for n in step for name in operations[n].refers_to}
        if operations[step[0]].fault:
            statuses[step[0]] = operations[step[0]].fault.status
        elif not wanted - own <= made.keys():
            statuses |= dict.fromkeys(step, 400)
        elif wanted & own:
            statuses |= ring(desk, [(n, operations[n]) for n in step], made)
        else:
            statuses[step[0]] = alone(desk, operations[step[0]], made)
    return [statuses[n] for n in range(len(operations))]


def alone(desk, one, made):
    key, data = bulk.resolve_id(one.target or "", made), bulk.resolve(one.data, made)
    try:
        match one.method:
            case "POST":
                made[one.makes] = desk.create(one.of, **data)["id"]
                return 201
            case "PUT":
                desk.put(key, one.of, one.version, **data)
            case "PATCH":
                desk.patch(key, *data["Operations"], of=one.of, if_match=one.version)
            case "DELETE":
                desk.delete(key, one.of, one.version)
                return 204
    except (ScimError, OstiaryError) as why:
        return why.status
    return 200


def ring(desk, numbered, made):
    names = [one.data["userName"].lower() for _, one in numbered if one.of is USER]
    for at, (number, one) in enumerate(numbered):
        name = one.data.get("userName", "").lower()
        before = [each.data.get("userName", "").lower() for _, each in numbered[:at]]
        if one.of is USER and (name in before or desk.total(f'userName eq "{name}"')):
            return {n: 409 if n == number else 400 for n, _ in numbered}
    if any(
        one.of is GROUP and {"value": f"bulkId:{one.makes}"} in one.data["members"]
        for _, one in numbered
    ):
        return {n: 400 for n, _ in numbered}
    assert len(set(names)) == len(names)
    for _, one in numbered:
        made[one.makes] = desk.create(one.of, **bulk.resolve(one.data, made))["id"]
    for _, one in numbered:
        desk.put(made[one.makes], one.of, **bulk.resolve(one.data, made))
    return {n: 201 for n, _ in numbered}


def test_a_bulk_leaves_what_single_requests_leave(deps):
    number = count()

    @settings(
        max_examples=60, deadline=None, derandomize=True,
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    )  # fmt: skip
    @given(requests())
    def run(operations):
        if not operations:
            return
        at = next(number)
        together, apart = World(deps, f"t{at}"), World(deps, f"s{at}")
        asked = bulk.parse({"Operations": together.said(operations)})
        results = provision_bulk.run(deps, together.desk.client, asked)
        single = bulk.parse({"Operations": apart.said(operations)}).operations
        assert [int(one["status"]) for one in results] == singly(apart.desk, single)
        assert together.state() == apart.state()

    run()
