"""SCIM's /Me (RFC 7644 §3.11): a person's own token reads that person's own User."""

from __future__ import annotations

import pytest

from app.flows import tenancy
from tests import learners
from tests.provisioning import Idp, off, refused

METHODS = ("POST", "PUT", "PATCH", "DELETE")


@pytest.fixture
def idp(site, tenant, deps):
    return Idp(site, tenancy.issue_token(deps, tenant.slug, "scim")[1])


@pytest.fixture
def babs(idp):
    return idp.user(
        externalId="e-1", displayName="Babs", emails=[{"value": "b@x.com", "type": "work"}]
    )


def own(site, deps, tenant, person_id):
    return Idp(site, tenancy.issue_token(deps, tenant.slug, "api", person_id=person_id)[1])


@pytest.fixture
def herself(site, deps, tenant, babs):
    return own(site, deps, tenant, babs)


def test_a_person_reads_their_own_user(idp, herself, babs, deps):
    group = idp.group("G", babs)
    answer = herself.send("GET", "/Me")
    place = f"{deps.settings.base_url}/scim/v2/Users/{babs}"
    assert answer.status_code == 200
    assert answer.headers["Location"] == answer.json["meta"]["location"] == place
    assert answer.content_type == "application/scim+json"
    as_provisioned = idp.get(f"/Users/{babs}")
    assert as_provisioned.pop("externalId") == "e-1"
    assert answer.json == as_provisioned
    assert [one["value"] for one in answer.json["groups"]] == [group]


def test_what_is_shown_can_be_chosen(herself):
    assert herself.get("/Me", attributes="displayName,externalId").keys() == {
        "schemas", "id", "displayName",
    }  # fmt: skip
    assert "emails" not in herself.get("/Me", excludedAttributes="emails")
    refused(
        herself.send("GET", "/Me?attributes=userName&excludedAttributes=emails"),
        400,
        "invalidValue",
    )


def test_versions_spare_who_knows_it(idp, herself, babs):
    answer = herself.send("GET", "/Me", headers={"If-None-Match": 'W/"1"'})
    assert (answer.status_code, answer.data, answer.headers["ETag"]) == (304, b"", 'W/"1"')
    idp.patch(babs, {"op": "add", "path": "title", "value": "T"})
    assert herself.send("GET", "/Me", headers={"If-None-Match": 'W/"1"'}).headers["ETag"] == 'W/"2"'


@pytest.mark.parametrize("method", METHODS)
def test_a_person_changes_nothing_here(idp, herself, babs, method):
    refused(herself.send(method, "/Me", {"userName": "root", "active": False}), 403)
    assert idp.get(f"/Users/{babs}")["meta"]["version"] == 'W/"1"'


@pytest.mark.parametrize("method", ["GET", *METHODS])
def test_a_tenant_s_token_speaks_for_nobody(idp, method):
    refused(idp.send(method, "/Me"), 403)


@pytest.mark.parametrize("method", ["GET", *METHODS])
def test_without_a_token_nothing_is_told(herself, method):
    for header in (None, "Bearer ost_api_x", "Bearer ost_scim_x", "Basic eDp5"):
        answer = herself.send(method, "/Me", headers={"Authorization": header})
        refused(answer, 401)
        assert answer.headers["WWW-Authenticate"].startswith("Bearer")


def test_a_person_who_was_never_provisioned_has_no_user(site, deps, tenant):
    someone = learners.person(deps, tenant)
    refused(own(site, deps, tenant, someone.id).send("GET", "/Me"), 404)


def test_who_is_out_reads_nothing(idp, herself, babs):
    idp.patch(babs, off())
    refused(herself.send("GET", "/Me"), 401)
    idp.patch(babs, off(value=True))
    refused(herself.send("GET", "/Me"), 401)


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/Users"), ("POST", "/Users"), ("POST", "/Bulk"), ("GET", "/ServiceProviderConfig")],
)
def test_a_person_s_token_opens_nothing_else(herself, method, path):
    refused(herself.send(method, path, {} if method == "POST" else None), 401)
