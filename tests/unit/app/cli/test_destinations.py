"""`ostiary destination add` for receivers of SCIM events, and where their events are seen."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from app import cli
from app.flows import tenancy
from app.flows.provision_act import Client
from scim.custom import STANDARD
from tests.provisioning import ADA, Desk

OF_ACME = ["--tenant", "acme", "--json"]
ADD = ("destination", "add", "--kind")


@pytest.fixture
def tenant(deps):
    return tenancy.found(deps, "acme", "Acme")


@pytest.fixture
def run(deps, tenant, monkeypatch):
    for module in (cli.outbox, cli.destinations, cli.credentials):
        monkeypatch.setattr(module, "ready", lambda: deps)
    return lambda *arguments: CliRunner().invoke(cli.group, [*arguments, *OF_ACME])


def told(result):
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_a_receiver_that_polls_gets_a_token_and_is_told_where(run, deps, tenant):
    made = told(run(*ADD, "set-poll", "--audience", "https://there.example", "--mode", "full"))
    base = deps.settings.base_url
    assert made.pop("token").startswith("ost_set_")
    assert made == {
        "id": made["id"], "issuer": tenant.home_page, "audience": "https://there.example",
        "jwks_url": f"{base}/lti/jwks/acme", "poll_url": f"{base}/ssf/poll",
    }  # fmt: skip
    (row,) = told(run("destination", "list"))
    assert (row["kind"], row["enabled"], row["behind_since"]) == ("set_poll", True, None)
    (token,) = told(run("token", "list"))
    assert (token["kind"], token["client"]) == ("set", made["id"])
    assert told(run("token", "issue", "--kind", "set", "--client", made["id"]))["token"]


def test_a_receiver_that_is_pushed_to_gets_no_token(run):
    made = told(
        run(
            *ADD, "set-push", "--url", "https://there.example/events", "--authorization", "Bearer x"
        )
    )
    assert made.keys() == {"id", "issuer", "audience", "jwks_url"}
    assert made["audience"].endswith(f"/ssf/streams/{made['id']}")


@pytest.mark.parametrize(
    "arguments",
    [
        ["set-push"],
        ["set-poll", "--url", "https://there.example"],
        ["set-poll", "--key", "a", "--secret", "b"],
        ["xapi", "--url", "https://lrs.example"],
    ],
)
def test_options_that_do_not_fit_are_refused(run, arguments):
    result = run(*ADD, *arguments)
    assert result.exit_code == 2
    assert "takes" in result.output


def test_no_token_without_a_receiver_that_polls(run):
    pushed = told(run(*ADD, "set-push", "--url", "https://there.example/events"))["id"]
    for client in ("unknown", pushed):
        result = run("token", "issue", "--kind", "set", "--client", client)
        assert result.exit_code == 1
        assert "No receiver" in str(result.exception)


def test_what_waits_to_be_fetched_is_seen_and_why(run, deps, tenant):
    made = told(run(*ADD, "set-poll"))
    (lane,) = told(run("outbox", "lanes"))
    assert (lane["destination"], lane["waiting"]) == (f"destination:{made['id']}", 0)
    key = Desk(deps, Client(tenant.id, "default", types=STANDARD)).create(**ADA)["id"]
    (row,) = told(run("outbox", "list"))
    assert (row["type"], row["subject"], row["status"], row["next_try"]) == (
        "scim.create", key, "waiting", None,
    )  # fmt: skip
    assert row["last_error"] == "It waits until the receiver comes for it."
    (lane,) = told(run("outbox", "lanes"))
    assert (lane["destination"], lane["name"], lane["state"], lane["waiting"], lane["next_try"]) == (
        f"destination:{made['id']}", made["audience"], "healthy", 1, None,
    )  # fmt: skip
    told(run("destination", "disable", made["id"]))
    (lane,) = told(run("outbox", "lanes"))
    assert (lane["state"], lane["why"]) == ("off", "The receiver is switched off.")


def test_a_destination_is_removed(run):
    made = told(run(*ADD, "set-poll"))
    assert told(run("destination", "remove", made["id"])) == {"id": made["id"], "removed": True}
    assert told(run("destination", "list")) == []
    assert run("destination", "remove", made["id"]).exit_code == 1
