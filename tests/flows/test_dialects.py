"""Whose dialect of PATCH a tenant's provisioning is in, over HTTP."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from app import cli
from app.factory import create_app
from app.flows import provision_try, tenancy
from app.kernel.errors import Invalid, NotFound
from app.store import audit
from scim.quirks import KINDS, QUIRKS
from tests.provisioning import Idp, off, refused

EMPTY_PATH = {"op": "replace", "path": "", "value": {"active": False}}
NO_PATH = {"op": "remove", "value": {"nickName": None}}


@pytest.fixture
def idp(deps, tenant):
    return Idp(create_app(deps), tenancy.issue_token(deps, tenant.slug, "scim")[1])


def patch(idp, key, operation):
    return idp.send("PATCH", f"/Users/{key}", {"Operations": [operation]})


@pytest.mark.parametrize(
    ("kind", "operation"),
    [(None, off()), (None, EMPTY_PATH), ("auto", off()), ("entra", off()), ("sailpoint", EMPTY_PATH)],
)  # fmt: skip
def test_a_dialect_is_taken_from_whom_it_is_expected(deps, tenant, idp, kind, operation):
    if kind is not None:
        tenancy.name_idp(deps, tenant.slug, kind)
    answer = patch(idp, idp.user(), operation)
    assert (answer.status_code, answer.json["active"]) == (200, False)


@pytest.mark.parametrize(
    ("kind", "operation", "scim_type"),
    [
        ("standard", off(), "invalidSyntax"),
        ("standard", NO_PATH, "noTarget"),
        ("entra", EMPTY_PATH, "invalidPath"),
        ("okta", NO_PATH, "noTarget"),
    ],
)
def test_another_s_dialect_is_refused(deps, tenant, idp, kind, operation, scim_type):
    tenancy.name_idp(deps, tenant.slug, kind)
    key = idp.user()
    refused(patch(idp, key, operation), 400, scim_type)
    assert idp.get(f"/Users/{key}")["active"] is True


def test_a_bulk_and_a_try_hold_to_the_same_dialect(deps, tenant, idp):
    key, body = idp.user(), {"Operations": [off()]}
    operation = {"method": "PATCH", "path": f"/Users/{key}", "data": body}
    for kind, status in (("standard", 400), ("entra", 200)):
        tenancy.name_idp(deps, tenant.slug, kind)
        tried = provision_try.attempt(
            deps, tenant.id, "default", "PATCH", f"/Users/{key}", json.dumps(body)
        )
        assert tried.status == status
        message = {"schemas": ["urn:ietf:params:scim:api:messages:2.0:BulkRequest"]}
        answer = idp.send("POST", "/Bulk", message | {"Operations": [operation]})
        assert answer.json["Operations"][0]["status"] == str(status)


def test_naming_one_is_written_down_once_and_unknown_ones_are_refused(deps, tenant):
    for _ in range(2):
        tenancy.name_idp(deps, tenant.slug, "entra")
    with pytest.raises(Invalid, match="auto, standard, entra"):
        tenancy.name_idp(deps, tenant.slug, "ldap")
    with pytest.raises(NotFound):
        tenancy.name_idp(deps, "nobody", "entra")
    with deps.db.read(tenant.id) as read:
        said = [(one["action"], one["detail"]) for one in audit.about(read, tenant.id)]
    assert said.count(("tenant.idp", {"idp": "entra"})) == 1


def test_every_quirk_is_of_a_kind_that_can_be_named():
    assert all(quirk.kinds and quirk.kinds <= set(KINDS) for quirk in QUIRKS)


def test_the_command_says_what_it_set_and_names_the_kinds_it_knows(deps, tenant, monkeypatch):
    monkeypatch.setattr(cli.tenants, "ready", lambda: deps)
    done = CliRunner().invoke(cli.group, ["tenant", "idp", tenant.slug, "entra", "--json"])
    assert json.loads(done.stdout) == {"tenant": tenant.slug, "idp": "entra"}
    wrong = CliRunner().invoke(cli.group, ["tenant", "idp", tenant.slug, "ldap"])
    assert wrong.exit_code != 0
    assert "auto, standard, entra" in str(wrong.exception)
