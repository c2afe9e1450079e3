"""`ostiary token` and `ostiary client`: what they print, and what the credentials may do."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from app import cli
from app.factory import create_app
from app.flows import clients
from app.kernel import credential
from app.store import oauth_clients, tokens
from tests import oauth
from tests.provisioning import Idp

ISSUE = ["token", "issue", "--tenant", "acme", "--kind", "scim", "--json"]
ADD = ["client", "add", "--tenant", "acme", "--name", "Entra ID", "--json"]


@pytest.fixture
def run(deps, monkeypatch):
    monkeypatch.setattr(cli.credentials, "ready", lambda: deps)
    return lambda *arguments: CliRunner().invoke(cli.group, arguments)


@pytest.fixture
def of_acme(run):
    return lambda *arguments: told(run(*arguments, "--tenant", "acme", "--json"))


def told(result):
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def standing(deps, tenant, text):
    with deps.db.read(tenant.id) as read:
        presented = credential.parse("ost_scim_", text)
        return tokens.standing(read, presented, "scim", deps.clock())


def test_a_token_may_write_and_has_no_end_unless_it_is_said(run, deps, tenant, clock):
    made = told(run(*ISSUE, "--client", "entra"))
    clock.move(days=4000)
    found = standing(deps, tenant, made["token"])
    assert (found.id, found.client, found.scope) == (made["id"], "entra", "write")


def test_a_token_may_only_read(run, deps, tenant):
    assert standing(deps, tenant, told(run(*ISSUE, "--scope", "read"))["token"]).scope == "read"


def test_a_token_ends_with_its_days(run, deps, tenant, clock):
    text = told(run(*ISSUE, "--expires-days", "2"))["token"]
    clock.move(days=2, seconds=-1)
    assert standing(deps, tenant, text) is not None
    clock.move(seconds=1)
    assert standing(deps, tenant, text) is None


@pytest.mark.parametrize(
    "options",
    [["--expires-days", "0"], ["--expires-days", "x"], ["--kind", "xapi"], ["--scope", "all"]],
)
def test_options_that_do_not_fit_are_a_usage_error(run, tenant, options):
    assert run(*ISSUE, *options).exit_code == 2


def test_tokens_are_listed_without_what_they_are(run, of_acme, deps, tenant, clock):
    first = told(run(*ISSUE, "--name", "Entra ID", "--client", "entra", "--expires-days", "1"))
    clock.move(seconds=1)
    second = told(run(*ISSUE))
    clock.move(seconds=1)
    third = told(run(*ISSUE, "--name", "Old one", "--scope", "read"))
    assert of_acme("token", "revoke", third["id"]) == {"id": third["id"], "revoked": True}
    asking = oauth.Asking(create_app(deps), deps, oauth.made(deps))
    assert asking.basic().status_code == 200
    result = run("token", "list", "--tenant", "acme", "--json")
    rows = {row["id"]: row for row in told(result)}
    assert list(rows) == [second["id"], first["id"], third["id"]]
    assert rows[first["id"]] == {
        "id": first["id"], "name": "Entra ID", "kind": "scim", "client": "entra", "scope": "write",
        "person": None, "state": "standing", "created_at": "2026-03-02T09:00:00.000Z",
        "created_by": "operator", "last_used_at": None, "expires_at": "2026-03-03T09:00:00.000Z",
        "revoked_at": None,
    }  # fmt: skip
    assert rows[second["id"]]["name"] == "default"
    assert rows[third["id"]]["state"] == "revoked"
    clock.move(days=1)
    assert [row["state"] for row in of_acme("token", "list")] == ["standing", "revoked", "expired"]
    for made in (first, second, third):
        assert made["token"][-40:] not in result.output


def test_a_token_s_last_use_is_noted_once_a_minute(run, of_acme, deps, tenant, clock):
    idp = Idp(create_app(deps), told(run(*ISSUE))["token"])

    def last_used():
        (row,) = of_acme("token", "list")
        return row["last_used_at"]

    assert last_used() is None
    idp.get("/Users")
    assert last_used() == "2026-03-02T09:00:00.000Z"
    clock.move(seconds=60)
    idp.get("/Users")
    assert last_used() == "2026-03-02T09:00:00.000Z"
    clock.move(seconds=1)
    idp.get("/Users")
    assert last_used() == "2026-03-02T09:01:01.000Z"


@pytest.mark.parametrize("name", ["x" * 101, "a\x07b"])
def test_a_name_can_be_shown(run, tenant, name):
    for option in ("--name", "--client"):
        assert "printable" in run(*ISSUE, option, name).exception.message


def test_a_client_is_made_listed_switched_and_given_a_new_secret(run, of_acme, deps, tenant):
    made = told(run(*ADD, "--scope", "read", "--client", "entra"))
    assert made.keys() == {"id", "client_id", "client_secret", "token_url"}
    assert made["token_url"] == "http://127.0.0.1:8000/oauth/token"
    asking = oauth.Asking(create_app(deps), deps, clients.Made(**made))
    assert asking.basic().json["scope"] == "scim.read"
    (row,) = of_acme("client", "list")
    assert row == {
        "id": made["id"], "client_id": made["client_id"], "name": "Entra ID", "client": "entra",
        "scope": "read", "enabled": True, "signs": False, "jwks_url": None,
        "created_at": "2026-03-02T09:00:00.000Z", "created_by": "operator",
        "last_used_at": "2026-03-02T09:00:00.000Z",
    }  # fmt: skip
    assert of_acme("client", "disable", made["id"]) == {"id": made["id"], "enabled": False}
    assert asking.basic().status_code == 401
    assert of_acme("client", "enable", made["id"]) == {"id": made["id"], "enabled": True}
    again = of_acme("client", "rotate-secret", made["id"])
    assert again | {"client_secret": ""} == made | {"client_secret": ""}
    assert asking.basic().status_code == 401
    assert oauth.Asking(asking.site, deps, clients.Made(**again)).basic().status_code == 200


def test_a_client_that_signs_has_no_secret(run, deps, tenant, tmp_path):
    path = tmp_path / "keys.json"
    path.write_text(oauth.key_set(oauth.key()))
    for keys, kept in ((str(path), None), ("https://idp.example/keys", "https://idp.example/keys")):
        made = told(run(*ADD, "--jwks", keys))
        assert made.keys() == {"id", "client_id", "token_url"}
        with deps.db.read(tenant.id) as read:
            found = oauth_clients.get(read, made["id"])
        assert (found.digest, found.jwks_url) == (None, kept)
    assert "can't be read" in run(*ADD, "--jwks", str(tmp_path / "none")).output


def test_what_is_not_there_is_said(run, tenant, deps):
    for command in ("disable", "enable", "rotate-secret"):
        result = run("client", command, deps.ids.new(), "--tenant", "acme")
        assert "no such client" in result.exception.message
    assert "no tenant" in run("client", "list", "--tenant", "none").exception.message
