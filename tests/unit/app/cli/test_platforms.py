"""`ostiary platform`: registering, approving, letting nameless launches in, and what is refused."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from app import cli
from app.flows import platforms
from lti.errors import BadRegistration

AT = "https://lms.example"
KNOWN = [
    "--name", "The LMS", "--issuer", AT, "--client-id", "c", "--auth-url", f"{AT}/auth",
    "--token-url", f"{AT}/token", "--jwks-url", f"{AT}/jwks",
]  # fmt: skip
ADD = ["platform", "add", *KNOWN]
OURS = [*ADD, "--tenant", "acme"]


@pytest.fixture
def run(deps, monkeypatch):
    monkeypatch.setattr(cli.platforms, "ready", lambda: deps)
    return lambda *arguments: CliRunner().invoke(cli.group, arguments)


def told(result):
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def deployments(run, *options):
    return {
        of["deployment_id"]: (of["approved"], of["anonymous"])
        for row in told(run("platform", "list", "--json", *options))
        for of in row["deployments"]
    }


def test_a_platform_is_told_where_we_are(run, tenant):
    made = told(run(*OURS, "--json"))
    base = "http://127.0.0.1:8000/lti"
    assert made == {
        "id": made["id"], "login_url": f"{base}/login", "launch_url": f"{base}/launch",
        "jwks_url": f"{base}/jwks/acme",
    }  # fmt: skip
    listed = told(run("platform", "list", "--json"))
    assert [(row["id"], row["tenant"], row["enabled"]) for row in listed] == [
        (made["id"], "acme", True)
    ]


def test_nameless_launches_are_let_in_only_where_that_is_said(run, tenant):
    made = told(run(*OURS, "--deployment-id", "1", "--json"))["id"]
    assert deployments(run) == {"1": (True, False)}
    approve = ("platform", "approve", made, "--deployment-id")
    assert told(run(*approve, "1", "--allow-anonymous", "--json"))["anonymous"] is True
    told(run(*approve, "2", "--allow-anonymous", "--json"))
    assert deployments(run) == {"1": (True, True), "2": (True, True)}
    assert told(run(*approve, "1", "--json"))["anonymous"] is False
    assert deployments(run) == {"1": (True, False), "2": (True, True)}


def test_a_platform_is_added_with_nameless_launches(run, tenant):
    told(run(*OURS, "--deployment-id", "1", "--allow-anonymous", "--json"))
    assert deployments(run) == {"1": (True, True)}


@pytest.mark.parametrize(
    "options", [["--tenant", "acme"], ["--deployment-id", "1"], ["--link-by", "phone"]]
)
def test_options_that_do_not_fit_are_a_usage_error(run, tenant, options):
    assert run(*ADD, *options, "--allow-anonymous").exit_code == 2


def test_the_operators_deployment_waits_and_is_listed_so(run, tenant):
    made = told(run(*ADD, "--deployment-id", "1", "--json"))
    assert made["jwks_url"].endswith("/lti/jwks/_operator")
    told(run(*OURS, "--client-id", "d", "--deployment-id", "2", "--json"))
    assert deployments(run, "--waiting") == {"1": (False, False)}
    assert type(
        run("platform", "approve", made["id"], "--deployment-id", "1").exception
    ).__name__ == ("Invalid")
    approved = run(
        "platform", "approve", made["id"], "--deployment-id", "1", "--tenant", "acme", "--json"
    )
    assert told(approved)["tenant"] == "acme"
    assert deployments(run, "--waiting") == {}


def test_a_platform_is_switched_off_and_on(run, deps, tenant):
    made = told(run(*OURS, "--json"))["id"]
    for word, enabled in (("disable", False), ("enable", True)):
        assert told(run("platform", word, made, "--json")) == {"id": made, "enabled": enabled}
        assert [one.enabled for one, _ in platforms.listed(deps, "acme")] == [enabled]


def test_an_address_that_is_none_is_refused(run, tenant):
    result = run(*OURS, "--jwks-url", "javascript:alert(1)")
    assert isinstance(result.exception, BadRegistration)
    assert result.stdout == ""
