"""What is said to a bearer token that does not suffice (RFC 6750 §3)."""

from __future__ import annotations

from datetime import timedelta

import pytest

from app.factory import create_app
from app.flows import tenancy
from app.kernel import credential
from tests import oauth
from tests.provisioning import Idp, refused

PATHS = ["/Users", "/Groups/x", "/Me", "/ServiceProviderConfig", "/Schemas", "/ResourceTypes"]


@pytest.fixture
def site(deps, tenant):
    app = create_app(deps)
    app.testing = True
    return app


@pytest.fixture
def ask(site):
    def ask(path="/Users", header=None, method="GET"):
        headers = {} if header is None else {"Authorization": header}
        return site.test_client().open(f"/scim/v2{path}", method=method, headers=headers)

    return ask


@pytest.fixture
def token(deps, tenant):
    return tenancy.issue_token(deps, "acme", "scim")[1]


def challenged(answer, error, status=401):
    refused(answer, status)
    said = f', error="{error}"' if error else ""
    assert answer.headers["WWW-Authenticate"] == f'Bearer realm="Ostiary"{said}'
    assert answer.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("path", PATHS)
def test_without_a_token_no_error_is_named(ask, path):
    for header in (None, "", "Basic eDp5", "Negotiate"):
        challenged(ask(path, header), None)
    challenged(ask("/Users", method="POST"), None)


@pytest.mark.parametrize(
    "text",
    [
        "", " ", "x", "null", "undefined", "Bearer", "ost_scim_", "ost_api_", "ost_scim_====",
        "ost_scim_" + "A" * 75, "ost_scim_" + "A" * 500, "é", "\x00", "ost_scim_é", '""', "a b", "%20",
    ],
)  # fmt: skip
@pytest.mark.parametrize("path", PATHS)
def test_an_empty_or_malformed_token_never_passes(ask, path, text):
    challenged(ask(path, f"Bearer {text}"), "invalid_token")


def test_a_bare_scheme_is_an_empty_token(ask):
    challenged(ask(header="Bearer"), "invalid_token")
    challenged(ask(header="bearer"), "invalid_token")


def test_a_token_of_another_tenant_secret_or_kind_is_invalid(ask, deps, token, other_tenant):
    found = credential.parse("ost_scim_", token)
    for forged in (
        credential.mint("ost_scim_", other_tenant.id, found.id, found.secret),
        credential.mint("ost_scim_", found.tenant, deps.ids.new(), found.secret),
        credential.mint("ost_scim_", found.tenant, found.id, b"\0" * 24),
        token.replace("ost_scim_", "ost_api_"), token[:-1], token + "A", token.upper(),
        oauth.made(deps).client_secret,
    ):  # fmt: skip
        challenged(ask(header=f"Bearer {forged}"), "invalid_token")
    assert ask(header=f"bearer  {token}").status_code == 200


def test_an_expired_or_revoked_token_is_invalid(ask, deps, tenant, clock):
    key, revoked = tenancy.issue_token(deps, "acme", "scim")
    _, short = tenancy.issue_token(deps, "acme", "scim", life=timedelta(days=1))
    assert ask(header=f"Bearer {revoked}").status_code == 200
    assert ask(header=f"Bearer {short}").status_code == 200
    tenancy.revoke_token(deps, "acme", key)
    clock.move(days=1)
    for text in (revoked, short):
        for method in ("GET", "POST"):
            challenged(ask(header=f"Bearer {text}", method=method), "invalid_token")


def test_a_token_that_may_only_read_has_too_small_a_scope_to_write(site, deps, tenant, token):
    made = Idp(site, token).user("ada@x.com")
    reader = Idp(site, tenancy.issue_token(deps, "acme", "scim", scope="read")[1])
    given = oauth.Asking(site, deps, oauth.made(deps, scope="read")).basic().json["access_token"]
    for one in (reader, Idp(site, given)):
        assert one.get("/Users")["totalResults"] == 1
        assert one.send("POST", "/Users/.search", {}).status_code == 200
        for method, path in (
            ("POST", "/Users"), ("PUT", f"/Users/{made}"), ("PATCH", f"/Users/{made}"),
            ("DELETE", f"/Users/{made}"), ("POST", "/Groups"),
        ):  # fmt: skip
            challenged(one.send(method, path, {"userName": "x"}), "insufficient_scope", 403)
    assert Idp(site, token).get("/Users")["totalResults"] == 1


def test_the_api_says_the_same(site):
    client = site.test_client()
    for header, said in ((None, ""), ("Bearer x", ', error="invalid_token"')):
        headers = {} if header is None else {"Authorization": header}
        answer = client.get("/api/v1/me", headers=headers)
        assert answer.status_code == 401
        assert answer.headers["WWW-Authenticate"] == f'Bearer realm="Ostiary"{said}'


def test_both_ways_to_a_token_are_described(site, token):
    said = Idp(site, token).get("/ServiceProviderConfig")["authenticationSchemes"]
    assert [one["type"] for one in said] == ["oauthbearertoken", "oauth2"]
    assert [one["primary"] for one in said] == [True, False]
    assert all(one["name"] and one["description"] and one["specUri"] for one in said)
