"""The console's page about credentials: made, shown once, ended, and nobody else's business."""

from __future__ import annotations

import html
import re
from datetime import timedelta

import pytest

from app.factory import create_app
from app.flows import local, tenancy
from app.flows.clients import Made
from app.store import audit, oauth_clients, tokens
from tests import oauth
from tests.flows.test_console import post, theirs, token
from tests.flows.test_local import EMAIL, PASSWORD, sign_in
from tests.provisioning import Idp

__all__ = ["theirs"]

ENTRA = {"name": "Entra <ID>", "client": "entra", "scope": "write", "days": "90"}


@pytest.fixture
def administrator(deps, tenant):
    return local.create_administrator(deps, "acme", EMAIL, PASSWORD)


@pytest.fixture
def console(gateway, administrator):
    browser = gateway()
    assert sign_in(browser).status_code == 303
    return browser


@pytest.fixture
def site(deps, tenant):
    return create_app(deps)


def issued(answer):
    assert answer.status_code == 201, answer.text
    return re.search(r'class="secret">(ost_scim_[^<]+)<', answer.text)[1]


def made(answer, row):
    found = dict(re.findall(r"<dt>([^<]+)</dt><dd><code class=\"secret\">([^<]+)<", answer.text))
    url = found["Token URL"]
    return Made(row, found["Client id"], found.get("Client secret"), url)


def only_client(deps, tenant):
    with deps.db.read(tenant.id) as read:
        (found,) = oauth_clients.listed(read)
    return found


def all_tokens(deps, tenant):
    with deps.db.read(tenant.id) as read:
        return tokens.listed(read, deps.clock(), 100)


def log(deps, tenant, subject):
    with deps.db.read(tenant.id) as read:
        return [(row["action"], row["actor"]) for row in audit.about(read, subject)]


def test_a_token_is_shown_once_and_works(console, deps, tenant, site, administrator, clock):
    answer = post(console, "/tokens", **ENTRA)
    text = issued(answer)
    assert answer.headers["Cache-Control"] == "no-store"
    idp = Idp(site, text)
    idp.user("x@x.com")
    page = console.get("/admin/tokens").text
    assert text not in page
    assert "Entra &lt;ID&gt;" in page
    assert EMAIL in page
    (row,) = all_tokens(deps, tenant)
    assert (row["client"], row["scope"], row["kind"]) == ("entra", "write", "scim")
    assert row["expires_at"] == clock() + timedelta(days=90)
    assert log(deps, tenant, row["id"]) == [("token.issued", administrator.id)]
    assert text not in str(log(deps, tenant, row["id"]))
    clock.move(days=90)
    sign_in(console)
    assert idp.send("GET", "/Users").status_code == 401
    assert "expired" in console.get("/admin/tokens").text


def test_a_token_without_an_end_that_may_only_read(console, deps, tenant, site):
    text = issued(post(console, "/tokens", **ENTRA | {"days": "", "scope": "read"}))
    assert Idp(site, text).send("POST", "/Users", {"userName": "x"}).status_code == 403
    assert all_tokens(deps, tenant)[0]["expires_at"] is None


def test_revoking_works_at_once_and_once(console, deps, tenant, site, administrator):
    idp = Idp(site, issued(post(console, "/tokens", **ENTRA)))
    (row,) = all_tokens(deps, tenant)
    path = f"/tokens/{row['id']}/revoke"
    assert post(console, path).status_code == 303
    assert idp.send("GET", "/Users").status_code == 401
    assert post(console, path).status_code == 404
    assert log(deps, tenant, row["id"])[0] == ("token.revoked", administrator.id)
    assert "revoked" in console.get("/admin/tokens").text


def test_a_persons_token_is_listed_with_its_person_and_can_be_revoked(console, deps, ada):
    made_id, _ = tenancy.issue_token(deps, "acme", "api", person_id=ada.id)
    page = console.get("/admin/tokens").text
    assert f'href="/admin/people/{ada.id}"' in page
    assert post(console, f"/tokens/{made_id}/revoke").status_code == 303


@pytest.mark.parametrize(
    "change",
    [
        {"name": "x" * 101}, {"name": "a\nb"}, {"client": ""}, {"client": "a\x00b"}, {"scope": "all"},
        {"scope": ""}, {"days": "7"}, {"days": "-1"}, {"days": "x"},
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused(console, deps, tenant, change):
    assert post(console, "/tokens", **ENTRA | change).status_code == 400
    assert all_tokens(deps, tenant) == []


def test_no_token_that_speaks_for_a_person_can_be_made_here(console, deps, tenant, ada):
    issued(post(console, "/tokens", **ENTRA, kind="api", person_id=ada.id))
    assert [row["kind"] for row in all_tokens(deps, tenant)] == ["scim"]


def test_a_client_is_made_switched_and_given_a_new_secret(
    console, deps, tenant, site, administrator
):
    answer = post(console, "/tokens/clients", name="Workday", client="hr", scope="read", keys=" ")
    found = only_client(deps, tenant)
    asking = oauth.Asking(site, deps, made(answer, found.id))
    assert asking.basic().json["scope"] == "scim.read"
    page = console.get("/admin/tokens").text
    assert asking.of.client_id in page
    assert asking.of.client_secret not in page

    again = post(console, f"/tokens/clients/{found.id}/secret")
    assert asking.basic().status_code == 401
    asking.of = made(again, found.id)
    idp = Idp(site, asking.basic().json["access_token"])
    assert post(console, f"/tokens/clients/{found.id}/disable").status_code == 303
    assert idp.send("GET", "/Users").status_code == 401
    assert asking.basic().status_code == 401
    assert post(console, f"/tokens/clients/{found.id}/enable").status_code == 303
    assert asking.basic().status_code == 200
    acts = ["client.enabled", "client.disabled", "client.secret_rotated", "client.added"]
    assert log(deps, tenant, found.id) == [(act, administrator.id) for act in acts]


def test_a_client_that_signs(console, deps, tenant, site):
    keys = oauth.key_set(oauth.key())
    answer = post(console, "/tokens/clients", name="Okta", client="okta", scope="write", keys=keys)
    found = only_client(deps, tenant)
    assert "Client secret" not in answer.text
    asking = oauth.Asking(site, deps, made(answer, found.id))
    assert asking.signed(asking.assertion()).status_code == 200
    assert post(console, f"/tokens/clients/{found.id}/secret").status_code == 409
    refused = post(console, "/tokens/clients", name="x", client="x", scope="read", keys="<x>")
    assert refused.status_code == 400
    assert "key set" in html.unescape(refused.text)


def test_no_form_is_taken_without_its_token_or_by_another_tenant(console, deps, tenant, theirs):
    post(console, "/tokens", **ENTRA)
    post(console, "/tokens/clients", name="Okta", client="okta", scope="write")
    (row,), client = all_tokens(deps, tenant), only_client(deps, tenant)
    good = token(console)
    at = f"/tokens/clients/{client.id}"
    ids = [f"/tokens/{row['id']}/revoke", f"{at}/disable", f"{at}/enable", f"{at}/secret"]
    forms = {"/tokens": ENTRA, "/tokens/clients": ENTRA, **{path: {} for path in ids}}
    for path, form in forms.items():
        url = f"/admin{path}"
        assert console.post(url, data=form).status_code == 403
        assert console.post(url, data=form | {"csrf": token(theirs)}).status_code == 403
        cross = {"Sec-Fetch-Site": "cross-site"}
        assert console.post(url, data=form | {"csrf": good}, headers=cross).status_code == 403
    for path in ids:
        assert post(theirs, path).status_code == 404
    assert "Okta" not in theirs.get("/admin/tokens").text
    assert [one["state"] for one in all_tokens(deps, tenant)] == ["standing"]
    assert only_client(deps, tenant) == client
