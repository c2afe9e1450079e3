"""A client that we did not write, scim2-client, drives the gateway by what the discovery documents say."""

from __future__ import annotations

from typing import Any

import pytest

from app.flows import tenancy
from tests.conftest import Deps, Tenant
from tests.interop.test_scim_tester import over_http, served

pytestmark = pytest.mark.interop
__all__ = ["served"]


@pytest.fixture
def client(served: str, deps: Deps, tenant: Tenant) -> Any:
    from scim2_client.engines.wsgi import WSGISCIMClient

    _, token = tenancy.issue_token(deps, tenant.slug, "scim")
    made = WSGISCIMClient(over_http(served, token), f"{deps.settings.base_url}/scim/v2")
    made.discover()
    return made


@pytest.fixture
def user_type(client: Any) -> Any:
    return client.get_resource_model("User")


@pytest.fixture
def group_type(client: Any) -> Any:
    return client.get_resource_model("Group")


def person(user_type: Any, name: str) -> Any:
    extension = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
    return user_type.model_validate({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User", extension],
        "userName": name, "active": True, "externalId": f"x-{name}",
        "emails": [{"value": f"{name}@acme.example", "type": "work", "primary": True}],
        extension: {"department": "Physics"},
    })  # fmt: skip


def test_what_it_finds_out_is_what_we_say(client: Any, user_type: Any, group_type: Any) -> None:
    config = client.provider.config
    assert all(one.supported for one in (config.patch, config.bulk, config.sort, config.etag))
    assert {one.name for one in client.provider.resource_types} == {"User", "Group"}
    assert "emails" in user_type.model_fields
    assert "members" in group_type.model_fields


def test_a_life_from_the_first_day_to_the_last(client: Any, user_type: Any) -> None:
    from scim2_models import Error, PatchOp

    ada = client.create(person(user_type, "ada"))
    assert ada.id
    assert ada.meta.version
    twice = client.create(person(user_type, "ADA"), raise_scim_errors=False)
    assert isinstance(twice, Error)
    assert (twice.status, twice.scim_type) == (409, "uniqueness")

    moved = PatchOp[user_type].model_validate({
        "operations": [{"op": "replace", "path": "active", "value": False}, {"op": "add", "path": "title", "value": "Dr."}]
    })  # fmt: skip
    client.modify(user_type, ada.id, moved)
    found = client.query(user_type, ada.id)
    assert (found.active, found.title) == (False, "Dr.")

    found.active, found.title = True, None
    replaced = client.replace(found)
    assert (replaced.active, replaced.title) == (True, None)

    client.delete(user_type, ada.id)
    gone = client.query(user_type, ada.id, raise_scim_errors=False)
    assert isinstance(gone, Error)
    assert gone.status == 404


def test_it_searches_sorts_and_leafs_through(client: Any, user_type: Any) -> None:
    from scim2_models import SearchRequest

    for name in ("cy", "ada", "bob"):
        client.create(person(user_type, name))
    asked = SearchRequest(filter='emails[type eq "work" and value sw "b"]')
    assert [one.user_name for one in client.search(user_type, asked).resources] == ["bob"]
    asked = SearchRequest(sort_by="userName", sort_order="descending", start_index=2, count=2)
    page = client.query(user_type, query_parameters=asked)
    assert [one.user_name for one in page.resources] == ["bob", "ada"]
    assert (page.total_results, page.start_index, page.items_per_page) == (3, 2, 2)
    assert client.query().total_results == 3


def test_a_group_gets_and_loses_a_member(client: Any, user_type: Any, group_type: Any) -> None:
    from scim2_models import PatchOp

    ada, bob = (client.create(person(user_type, name)) for name in ("ada", "bob"))
    team = client.create(group_type.model_validate({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group"], "displayName": "Team",
        "members": [{"value": ada.id}],
    }))  # fmt: skip
    for operations, members in (
        ([{"op": "add", "path": "members", "value": [{"value": bob.id}]}], {ada.id, bob.id}),
        ([{"op": "remove", "path": f'members[value eq "{ada.id}"]'}], {bob.id}),
    ):
        client.modify(
            group_type, team.id, PatchOp[group_type].model_validate({"operations": operations})
        )
        found = client.query(group_type, team.id)
        assert {one.value for one in found.members} == members
    assert [one.value for one in client.query(user_type, bob.id).groups] == [team.id]
