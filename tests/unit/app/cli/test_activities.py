"""`ostiary activity`: what it prints, and what it refuses."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from app import cli
from app.kernel.errors import NotFound
from app.learning.document import MAX_BYTES
from app.learning.errors import ContentInvalid
from tests.learners import document


@pytest.fixture
def run(deps, monkeypatch):
    monkeypatch.setattr(cli.activities, "ready", lambda: deps)
    return lambda *arguments: CliRunner().invoke(cli.group, ["activity", *arguments])


def told(result):
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "activity.json"
    path.write_text(json.dumps(document()))
    return path


def test_an_import_tells_id_slug_and_version_and_a_list_adds_the_title(run, tenant, file):
    made = told(run("import", str(file), "--tenant", "acme", "--json"))
    assert set(made) == {"id", "slug", "version"}
    assert (made["slug"], made["version"]) == ("pricing", 1)
    assert told(run("import", str(file), "--tenant", "acme", "--json")) == made
    file.write_text(json.dumps(document(title="New")))
    assert told(run("import", str(file), "--tenant", "acme", "--json")) == made | {"version": 2}
    listed = told(run("list", "--tenant", "acme", "--json"))
    assert listed == [made | {"version": 2, "title": "New"}]


def test_a_new_tenant_holds_no_activity(run, tenant):
    assert told(run("list", "--tenant", "acme", "--json")) == []
    assert run("list", "--tenant", "acme").exit_code == 0


@pytest.mark.parametrize("text", ["", "{", "[]", "\x00", "{}", '{"format": "ostiary.activity/2"}'])
def test_what_is_no_activity_is_refused_with_its_place(run, tenant, file, text):
    file.write_text(text)
    refused = run("import", str(file), "--tenant", "acme", "--json")
    assert isinstance(refused.exception, ContentInvalid)
    assert refused.stdout == ""
    assert told(run("list", "--tenant", "acme", "--json")) == []


def test_a_file_without_end_is_refused_without_reading_on(run, tenant, file):
    file.write_text(" " * (MAX_BYTES + 10))
    assert isinstance(run("import", str(file), "--tenant", "acme").exception, ContentInvalid)


def test_an_unknown_tenant_is_told(run, tenant, file):
    assert isinstance(run("import", str(file), "--tenant", "nobody").exception, NotFound)
