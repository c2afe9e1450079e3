"""`ostiary group`: what belonging to a group gives."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from app import cli
from app.flows.provision_act import Client
from app.store import audit
from scim.custom import STANDARD
from scim.schemas import GROUP
from tests import learners
from tests.provisioning import Desk, refs

OF_ACME = ["--tenant", "acme", "--json"]


@pytest.fixture
def run(deps, tenant, monkeypatch):
    monkeypatch.setattr(cli.groups, "ready", lambda: deps)
    return lambda *arguments: CliRunner().invoke(cli.group, [*arguments, *OF_ACME])


def told(result):
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_a_group_gives_and_gives_no_longer(run, deps, tenant):
    desk = Desk(deps, Client(tenant.id, "default", types=STANDARD))
    ada = desk.create(userName="ada")["id"]
    team = desk.create(GROUP, displayName="Team", members=refs(ada))["id"]
    activity = learners.publish(deps, tenant)
    assert told(run("group", "give", team, "--role", "administrator"))["gives"] == "role"
    assert told(run("group", "give", team, "--activity", "pricing"))["assigned"] == 1
    (one,) = told(run("group", "list"))
    given = [{"gives": "activity", "what": activity}, {"gives": "role", "what": "administrator"}]
    assert one == {"id": team, "displayName": "Team", "members": 1, "gives": given}
    assert told(run("group", "list", "--after", team)) == []
    assert told(run("group", "take", team, "--activity", "pricing"))["dropped"] == 1
    assert told(run("group", "take", team, "--role", "administrator"))["dropped"] == 0
    with deps.db.read(tenant.id) as read:
        acts = [one["action"] for one in audit.about(read, team)]
    assert acts.count("group.grant_added") == acts.count("group.grant_removed") == 2


@pytest.mark.parametrize(
    "options",
    [[], ["--role", "administrator", "--activity", "pricing"], ["--role", "owner"], ["--activity", "no"]],
)  # fmt: skip
def test_what_makes_no_sense_is_refused(run, options):
    assert run("group", "give", "nobody", *options).exit_code != 0
