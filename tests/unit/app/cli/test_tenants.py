"""`ostiary destination add`: what it prints."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from app import cli
from app.store import destinations


@pytest.fixture
def run(deps, monkeypatch):
    monkeypatch.setattr(cli.destinations, "ready", lambda: deps)
    return lambda *arguments: CliRunner().invoke(cli.group, arguments)


def told(result):
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_a_record_store_is_added_and_its_secret_never_printed(run, deps, tenant):
    result = run(
        "destination", "add", "--tenant", "acme", "--kind", "xapi", "--url", "https://lrs.example/xapi",
        "--key", "k", "--secret", "s3cret", "--json",
    )  # fmt: skip
    with deps.db.read(tenant.id) as read:
        assert destinations.get(read, told(result)["id"])["url"] == "https://lrs.example/xapi"
    assert "s3cret" not in result.output
