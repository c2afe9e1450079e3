"""Signing in and out with oidc-provider, a certified OpenID provider that we did not write."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.demo import eventually
from tests.interop.gateway import Gateway, Process
from tests.ports import free_port
from tests.visitor import Page, Visitor

pytestmark = pytest.mark.interop

PEERS = Path(__file__).parent / "peers"
ADA_OID = "6f1c3b52-93c0-4a41-9d2e-0c9d4f6a7b10"
PEOPLE = {
    "op-ada": {
        "name": "Ada Byron", "given_name": "Ada", "family_name": "Byron",
        "preferred_username": "ada@acme.example", "email": "ada@acme.example", "email_verified": True,
        "groups": ["Sales", "All"], "oid": ADA_OID,
        # Claims of the provider's own: unknown to us, odd in shape, and none of our business.
        "badge": {"colour": "blue", "levels": [1, None, {"deep": [True]}]},
        "https://claims.example/office": ["Haven 1", 2, False],
    },
    "op-ben": {
        "name": "Ben Ødegård 本", "given_name": "Ben", "family_name": "Ødegård 本",
        "preferred_username": "ben@acme.example", "email": "ben@acme.example", "email_verified": True,
        "groups": [], "oid": "0b0e8d38-2a9d-4a0e-8b9d-b7e5a9f0c001",
    },
    "op-nameless": {},
}  # fmt: skip


@dataclass
class Campus:
    """The gateway, its provider, and the connections between them by name."""

    gateway: Gateway
    issuer: str
    connections: dict[str, dict[str, str]] = field(default_factory=dict)
    scim_token: str = ""

    def events(self, what: str, client: str = "") -> list[dict[str, Any]]:
        found = requests.get(f"{self.issuer}/test/events", timeout=10).json()
        return [e for e in found if e["what"] == what and client in {"", e.get("client")}]

    def connect(self, name: str, secret: str, *options: str) -> dict[str, Any]:
        """Add a connection; gives the client's metadata for the provider."""
        made = self.gateway.ostiary(
            "connection", "add", "--tenant", self.gateway.tenant, "--kind", "oidc",
            "--issuer", self.issuer, "--client-id", name, "--client-secret", secret,
            "--post-logout-redirect", *options,
        )  # fmt: skip
        self.connections[name] = made
        return {
            "client_id": name, "client_secret": secret, "redirect_uris": [made["redirect_uri"]],
            "post_logout_redirect_uris": [made["post_logout_redirect_uri"]],
            "backchannel_logout_uri": made["backchannel_logout_uri"],
            "backchannel_logout_session_required": True,
        }  # fmt: skip


@pytest.fixture(scope="module")
def campus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Campus]:
    directory, port = tmp_path_factory.mktemp("op"), free_port()
    gateway = Gateway(directory)
    made = Campus(gateway, f"http://127.0.0.1:{port}")
    gateway.ostiary("tenant", "domain", "acme.example", "--tenant", "acme", "--verified")
    made.scim_token = gateway.ostiary("token", "issue", "--tenant", "acme", "--kind", "scim")[
        "token"
    ]
    odd = "p+l/u s:%41&=?"  # a secret with everything that form-encoding touches
    clients = [
        made.connect("main", odd),
        made.connect("by-oid", "a secret of by-oid", "--subject", "oid", "--link-by", "externalId"),
        made.connect("closed", "a secret of closed", "--no-jit"),
        made.connect("elliptic", "a secret of elliptic")
        | {"id_token_signed_response_alg": "ES256"},
        made.connect("mistyped", "not what the provider has") | {"client_secret": "the right one"},
    ]
    config = directory / "op.json"
    config.write_text(json.dumps({"port": port, "clients": clients, "people": PEOPLE}))
    gateway.start()
    provider = Process(
        ["node", str(PEERS / "op.mjs"), str(config)], dict(os.environ), directory / "op.log",
        f"{made.issuer}/.well-known/openid-configuration",
    )  # fmt: skip
    yield made
    assert made.events("broke") == []
    gateway.stop()
    provider.stop()


@pytest.fixture
def visitor() -> Iterator[Visitor]:
    made = Visitor()
    yield made
    made.close()


def enter(campus: Campus, visitor: Visitor, connection: str, account: str = "") -> Page:
    """Sign in through the provider's own pages, as far as they come."""
    page = visitor.get(campus.connections[connection]["login_url"])
    while page.url.startswith(campus.issuer) and page.status == 200 and page.forms:
        form = page.forms[0]
        filled = {"login": account, "password": "any"} if "login" in form.texts else {}
        page = visitor.submit(form, **filled)
    return page


def me(campus: Campus, visitor: Visitor) -> Page:
    return visitor.get(f"{campus.gateway.base_url}/api/v1/me")


def signed_in(campus: Campus, visitor: Visitor, connection: str, account: str) -> dict[str, Any]:
    page = enter(campus, visitor, connection, account)
    assert page.status == 200, page.text
    assert page.url == f"{campus.gateway.base_url}/learn"
    return me(campus, visitor).response.json()


def test_a_person_signs_in_with_pkce_and_is_known_by_oidc(campus: Campus, visitor: Visitor):
    said = signed_in(campus, visitor, "main", "op-ada")
    assert (said["via"], said["tenant"]) == ("oidc", "acme")
    person = said["person"]
    assert person["userName"] == person["email"] == "ada@acme.example"
    assert person["displayName"] == "Ada Byron"  # it was in UserInfo only, not in the ID token

    asked, granted = campus.events("asked", "main")[-1], campus.events("granted", "main")[-1]
    digest = hashlib.sha256(granted["verifier"].encode()).digest()
    assert asked["method"] == "S256"
    assert asked["challenge"] == base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
    assert granted["auth"] == "client_secret_basic"


def test_a_second_sign_in_is_the_same_person_and_needs_no_password(
    campus: Campus, visitor: Visitor
):
    first = signed_in(campus, visitor, "main", "op-ben")
    assert first["person"]["displayName"] == "Ben Ødegård 本"
    page = visitor.get(campus.connections["main"]["login_url"])
    assert page.url == f"{campus.gateway.base_url}/learn"
    assert me(campus, visitor).response.json()["person"] == first["person"]


def test_a_person_without_any_claim_but_a_subject_gets_in(campus: Campus, visitor: Visitor):
    person = signed_in(campus, visitor, "main", "op-nameless")["person"]
    assert (person["userName"], person["email"]) == (None, None)


def test_id_tokens_signed_by_an_elliptic_curve_serve_as_well(campus: Campus, visitor: Visitor):
    assert signed_in(campus, visitor, "elliptic", "op-ben")["via"] == "oidc"
    page = visitor.get(f"{campus.issuer}/session/end")
    visitor.submit(page.forms[0], logout="yes")
    assert me(campus, visitor).status == 401


def test_a_private_claim_can_be_the_subject(campus: Campus, visitor: Visitor):
    user = {
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"],
        "userName": "a.byron", "externalId": ADA_OID, "displayName": "Ada of the directory",
    }  # fmt: skip
    made = campus.gateway.scim(campus.scim_token, "POST", "/Users", user)
    assert made.status_code == 201, made.text
    person = signed_in(campus, visitor, "by-oid", "op-ada")["person"]
    assert person["id"] == made.json()["id"]


def test_strangers_stay_outside_where_nobody_is_made_anew(campus: Campus, visitor: Visitor):
    page = enter(campus, visitor, "closed", "op-nameless")
    assert 400 <= page.status < 500
    assert page.links["Try again"] == campus.connections["closed"]["login_url"]
    assert me(campus, visitor).status == 401


def test_a_wrong_client_secret_is_a_refusal_with_a_way_out(campus: Campus, visitor: Visitor):
    page = enter(campus, visitor, "mistyped", "op-ada")
    assert 400 <= page.status < 500
    assert page.url.startswith(campus.connections["mistyped"]["redirect_uri"])
    assert page.links["Try again"] == campus.connections["mistyped"]["login_url"]
    assert "not what the provider has" not in page.response.text
    assert campus.events("refused")[-1]["error"] == "invalid_client"
    assert me(campus, visitor).status == 401


def test_a_person_who_turns_back_at_the_provider_is_told_so(campus: Campus, visitor: Visitor):
    page = visitor.get(campus.connections["main"]["login_url"])
    page = visitor.get(page.links["[ Cancel ]"])
    assert 400 <= page.status < 500
    assert page.links["Try again"] == campus.connections["main"]["login_url"]
    assert "access_denied" in page.text


def test_signing_out_here_ends_the_session_there(campus: Campus, visitor: Visitor):
    signed_in(campus, visitor, "main", "op-ada")
    told = len(campus.events("told", "main"))
    page = visitor.submit(visitor.get(f"{campus.gateway.base_url}/learn").form(button="Sign out"))
    assert me(campus, visitor).status == 401
    page = visitor.get(page.links["Sign out there too"])
    assert page.url.startswith(f"{campus.issuer}/session/end"), page.text
    page = visitor.submit(page.forms[0], logout="yes")
    assert page.url == f"{campus.gateway.base_url}/sso/signed-out"
    # The provider tells every client of that session, us too; it is no news and does no harm.
    eventually(lambda: len(campus.events("told", "main")) > told)
    assert campus.events("not_told") == []
    page = visitor.get(campus.connections["main"]["login_url"])
    assert "login" in page.forms[0].texts


def test_signing_out_there_ends_the_sessions_here_at_once(campus: Campus, visitor: Visitor):
    signed_in(campus, visitor, "main", "op-ada")
    elsewhere = Visitor()
    signed_in(campus, elsewhere, "main", "op-ada")
    page = visitor.get(f"{campus.issuer}/session/end")
    visitor.submit(page.forms[0], logout="yes")
    assert campus.events("not_told") == []
    assert me(campus, visitor).status == 401
    # The logout was of one session (sid), not of the person.
    assert me(campus, elsewhere).status == 200
    elsewhere.close()


@pytest.mark.parametrize("keep", ["1", ""])
def test_the_provider_changes_its_keys(campus: Campus, visitor: Visitor, keep: str):
    signed_in(campus, visitor, "main", "op-ada")
    requests.post(f"{campus.issuer}/test/keys", params={"keep": keep}, timeout=10)
    newcomer = Visitor()
    assert signed_in(campus, newcomer, "main", "op-ada")["via"] == "oidc"
    newcomer.close()
    assert me(campus, visitor).status == 200  # a session is ours, and outlives the key
    # A logout token by the new key is understood as well.
    page = visitor.get(f"{campus.issuer}/session/end")
    visitor.submit(page.forms[0], logout="yes")
    assert campus.events("not_told") == []
    assert me(campus, visitor).status == 401


def test_nothing_secret_is_in_the_log(campus: Campus, visitor: Visitor):
    signed_in(campus, visitor, "main", "op-ada")
    log = campus.gateway.process.log()
    assert "p+l/u" not in log
    assert all(each["verifier"] not in log for each in campus.events("granted"))
    assert not re.search(r"code=[A-Za-z0-9_-]{8}", log)
    assert not re.search(r"eyJ[A-Za-z0-9_-]{10,}\.eyJ", log)
