"""`ostiary token` and `ostiary destination`: what they print, and what the credentials may do."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from app import cli
from app.kernel import credential
from app.store import destinations, tokens

ISSUE = ["token", "issue", "--tenant", "acme", "--kind", "scim", "--json"]


@pytest.fixture
def run(deps, monkeypatch):
    for module in (cli.tenants, cli.destinations):
        monkeypatch.setattr(module, "ready", lambda: deps)
    return lambda *arguments: CliRunner().invoke(cli.group, arguments)


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
    assert standing(deps, tenant, told(run(*ISSUE, "--read-only"))["token"]).scope == "read"


def test_a_token_ends_with_its_days(run, deps, tenant, clock):
    text = told(run(*ISSUE, "--days", "2"))["token"]
    clock.move(days=2, seconds=-1)
    assert standing(deps, tenant, text) is not None
    clock.move(seconds=1)
    assert standing(deps, tenant, text) is None


@pytest.mark.parametrize("options", [["--days", "0"], ["--days", "x"], ["--kind", "xapi"]])
def test_options_that_do_not_fit_are_a_usage_error(run, tenant, options):
    assert run(*ISSUE, *options).exit_code == 2


def test_a_record_store_is_added_and_its_secret_never_printed(run, deps, tenant):
    result = run(
        "destination", "add", "--tenant", "acme", "--kind", "xapi", "--url", "https://lrs.example/xapi",
        "--key", "k", "--secret", "s3cret", "--json",
    )  # fmt: skip
    with deps.db.read(tenant.id) as read:
        assert destinations.get(read, told(result)["id"])["url"] == "https://lrs.example/xapi"
    assert "s3cret" not in result.output
