"""A receiver that does to its copy what full events say has what the server has (RFC 9967 §2.4)."""

from __future__ import annotations

import json
from itertools import count

import jwt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.flows import event_streams, schemas, tenancy
from app.flows.event_streams import Wanted
from app.store import scim_schemas
from scim import patch
from tests.provisioning import Idp
from tests.unit.app.web.test_scim_described import RUN, object_of, paths, value_of

OWN = {"id": "urn:example:badge", "attributes": [
    {"name": "number", "type": "integer"},
    {"name": "tags", "multiValued": True},
    {"name": "seat", "type": "complex", "subAttributes": [{"name": "row", "type": "integer"}, {"name": "side"}]},
]}  # fmt: skip
OF_THE_SERVER = ("meta", "id", "groups", "schemas")


@pytest.fixture
def idp(site, tenant, deps):
    return Idp(site, tenancy.issue_token(deps, tenant.slug, "scim")[1])


@pytest.fixture
def described(idp, deps, tenant):
    """The schemas of a User by URN, one of the tenant's own among them, and the User's own URN."""
    schemas.add(deps, tenant.id, "User", OWN, "operator")
    found = {one["id"]: one for one in idp.get("/Schemas")["Resources"]}
    of = idp.get("/ResourceTypes/User")
    return of["schema"], {
        urn: found[urn]
        for urn in (of["schema"], *(one["schema"] for one in of["schemaExtensions"]))
    }


@pytest.fixture
def fetch(site, deps, tenant):
    """Takes what waits: the claims, in order."""
    made, taken = event_streams.add(deps, tenant.slug, Wanted(full=True)), []

    def poll():
        asked, header = {"returnImmediately": True, "ack": taken}, f"Bearer {made.token}"
        said = site.test_client().post("/ssf/poll", json=asked, headers={"Authorization": header})
        taken[:] = said.json["sets"]
        return [
            jwt.decode(one, options={"verify_signature": False})
            for one in said.json["sets"].values()
        ]

    return poll


def operations(described):
    may = [
        (path, leaf) for path, attribute, leaf in paths(described)
        if "readOnly" not in (attribute["mutability"], leaf["mutability"]) and path not in {"userName", "password"}
    ]  # fmt: skip
    one = st.sampled_from(may).flatmap(
        lambda it: st.fixed_dictionaries({
            "op": st.sampled_from(["add", "replace", "remove"]), "path": st.just(it[0]), "value": value_of(it[1]),
        })
    )  # fmt: skip
    return st.lists(one.map(_told), min_size=1, max_size=3)


def _told(operation):
    return {k: v for k, v in operation.items() if k != "value" or operation["op"] != "remove"}


def test_a_copy_kept_by_events_is_what_the_server_has(idp, described, fetch, deps, tenant):
    core, found = described
    bodies = st.fixed_dictionaries(
        {urn: object_of(one["attributes"]) for urn, one in found.items()}
    ).map(lambda said: {**said.pop(core), **said})
    names = count()
    with deps.db.read(tenant.id) as read:
        of = scim_schemas.current(read).user

    @settings(RUN, max_examples=40)
    @given(bodies, st.lists(operations(described) | bodies, max_size=4))
    def run(body, changes):
        name = {"userName": f"user-{next(names)}"}
        key = idp.send("POST", "/Users", json.dumps(body | name)).json["id"]
        for change in changes:
            put = isinstance(change, dict)
            said = change | name if put else {"Operations": change}
            answer = idp.send("PUT" if put else "PATCH", f"/Users/{key}", json.dumps(said))
            assert answer.status_code in {200, 400}
        copy = {}
        for payload in (one for claims in fetch() for one in claims["events"].values()):
            data = payload.get("data")
            if data and "Operations" in data:
                copy = patch.apply(copy, patch.parse_operations(data), of).resource
            elif data:
                copy = data
        ours = idp.get(f"/Users/{key}")
        for one in (copy, ours):
            for attribute in OF_THE_SERVER:
                one.pop(attribute, None)
        assert copy == ours

    run()
