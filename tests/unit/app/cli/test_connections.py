"""`ostiary connection` and `ostiary admin`: what they print, and what they refuse."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from app import cli
from app.flows import connections
from app.store import people
from sso.connection import SubjectClaim
from sso.errors import ConnectionInvalid

OIDC = ["connection", "add", "--tenant", "acme", "--kind", "oidc"]
KNOWN = ["--issuer", "https://idp.example/realm", "--client-id", "c", "--client-secret", "s3cret"]


@pytest.fixture
def run(deps, monkeypatch):
    for module in (cli.connections, cli.people):
        monkeypatch.setattr(module, "ready", lambda: deps)

    def run(*arguments, given=None):
        return CliRunner().invoke(cli.group, arguments, input=given)

    return run


def told(result):
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_a_connection_added_is_told_with_its_addresses_and_works(run, deps, tenant):
    made = told(run(*OIDC, *KNOWN, "--json"))
    base = f"http://127.0.0.1:8000/sso/{made['id']}"
    assert made == {
        "id": made["id"], "redirect_uri": f"{base}/callback", "login_url": f"{base}/login",
        "backchannel_logout_uri": f"{base}/backchannel-logout",
    }  # fmt: skip
    kept = connections.opened(deps, connections.find(deps, made["id"]))
    assert (kept.enabled, kept.jit, kept.link_by.value) == (True, True, "userName")
    assert kept.client_secret == "s3cret"


def test_the_secret_is_not_kept_in_clear(run, deps, tenant):
    made = told(run(*OIDC, *KNOWN, "--json"))
    assert "s3cret" not in str(connections.find(deps, made["id"]).sealed_secret)


def test_every_option_counts(run, deps, tenant):
    made = told(
        run(*OIDC, *KNOWN, "--no-jit", "--link-by", "email", "--subject", "oid",
            "--post-logout-redirect", "--name", "Staff", "--json")
    )  # fmt: skip
    assert made["post_logout_redirect_uri"] == "http://127.0.0.1:8000/sso/signed-out"
    kept = connections.find(deps, made["id"])
    opened = connections.opened(deps, kept)
    assert (kept.name, opened.jit, opened.link_by.value) == ("Staff", False, "email")
    assert opened.subject is SubjectClaim.OID


def test_a_connection_is_switched_off_and_on(run, deps, tenant):
    made = told(run(*OIDC, *KNOWN, "--json"))["id"]
    assert told(run("connection", "disable", made, "--json")) == {"id": made, "enabled": False}
    assert not connections.find(deps, made).enabled
    assert told(run("connection", "enable", made, "--json")) == {"id": made, "enabled": True}
    assert connections.find(deps, made).enabled


def test_saml_is_refused_in_one_sentence(run, tenant):
    result = run("connection", "add", "--tenant", "acme", "--kind", "saml", "--metadata", "idp.xml")
    assert result.exit_code == 1
    assert "SAML 2.0 is not built yet" in result.stderr
    assert result.stdout == ""


@pytest.mark.parametrize(
    "options",
    [
        KNOWN[2:],
        KNOWN[:2],
        [*KNOWN, "--metadata", "x.xml"],
        [*KNOWN, "--allow-idp-initiated"],
        [*KNOWN, "--link-by", "phone"],
    ],
)
def test_options_that_do_not_fit_are_a_usage_error(run, tenant, options):
    assert run(*OIDC, *options).exit_code == 2


@pytest.mark.parametrize(
    "issuer",
    ["http://idp.example", "file:///etc/passwd", "idp.example",
     "https://idp.example/?x=1", "https://idp.example/.well-known/openid-configuration"],
)  # fmt: skip
def test_an_issuer_that_can_not_be_one_is_refused(run, tenant, issuer):
    result = run(*OIDC, "--issuer", issuer, *KNOWN[2:])
    assert isinstance(result.exception, ConnectionInvalid)


def test_what_does_not_exist_is_said(run, tenant):
    for arguments in (
        ["connection", "disable", "00000000-0000-7000-8000-000000000000"],
        ["connection", "add", "--tenant", "nowhere", "--kind", "oidc", *KNOWN],
    ):
        result = run(*arguments)
        assert type(result.exception).__name__ == "NotFound"
        assert result.stdout == ""


def test_an_administrator_is_made_from_standard_input(run, deps, tenant):
    made = told(
        run("admin", "create", "--tenant", "acme", "--email", "root@acme.example",
            "--password-stdin", "--json", given="a long enough password\n")
    )  # fmt: skip
    assert (made["email"], made["tenant"]) == ("root@acme.example", "acme")
    with deps.db.read(tenant.id) as read:
        assert people.roles(read, made["id"]) == {"administrator"}
    again = run(
        "admin", "password", "--tenant", "acme", "--email", "root@acme.example",
        "--password-stdin", "--json", given="another long password\n",
    )  # fmt: skip
    assert told(again)["id"] == made["id"]


def test_a_short_password_is_refused_and_never_printed(run, tenant):
    result = run(
        "admin", "create", "--tenant", "acme", "--email", "root@acme.example", "--password-stdin",
        given="short\n",
    )  # fmt: skip
    assert type(result.exception).__name__ == "Invalid"
    assert "short" not in result.output
