"""`ostiary schema`: a tenant's own extensions."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from app import cli
from app.kernel.errors import Invalid

OF_ACME = ["--tenant", "acme", "--json"]
URN = "urn:example:badge"


@pytest.fixture
def run(deps, tenant, monkeypatch):
    monkeypatch.setattr(cli.schemas, "ready", lambda: deps)
    return lambda *arguments: CliRunner().invoke(cli.group, ["schema", *arguments, *OF_ACME])


def test_a_schema_is_added_listed_and_removed(run, tmp_path):
    file = tmp_path / "badge.json"
    file.write_text(json.dumps({"id": URN, "attributes": [{"name": "code"}, {"name": "level"}]}))
    told = {"urn": URN, "attributes": ["code", "level"]}
    assert json.loads(run("add", str(file), "--resource", "Group").stdout) == told
    assert json.loads(run("list").stdout) == [told | {"resource": "Group"}]
    assert json.loads(run("remove", URN).stdout) == told
    assert json.loads(run("list").stdout) == []


@pytest.mark.parametrize("text", ["{", "[]", '{"id": "badge"}'])
def test_what_is_no_schema_is_refused(run, tmp_path, text):
    file = tmp_path / "badge.json"
    file.write_text(text)
    refused = run("add", str(file), "--resource", "User")
    assert isinstance(refused.exception, Invalid)
