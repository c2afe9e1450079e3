"""Signing in by OpenID Connect against the campus's provider, and what an attacker would try."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from structlog.testing import capture_logs

from app.flows import connections, tenancy
from app.kernel import credential
from app.kernel.person import Person
from app.store import people, tenants
from app.web import logs
from sso.connection import LinkBy, SubjectClaim
from tests.conftest import new_tenant
from tests.flows.conftest import GATEWAY, hidden, local

COOKIE = "ostiary_session"


@dataclass
class Walk:
    """The two halves of a sign-in, with everything between them open to a test."""

    deps: object
    campus: object
    client: str = "ostiary"

    def connect(self, tenant, **options):
        made = connections.add_oidc(
            self.deps, tenant.slug, issuer=self.campus.issuer, client_id=self.client,
            client_secret="s3cret", **options,
        )  # fmt: skip
        ours = connections.addresses(self.deps, made.id)
        known = self.campus.rooms.store.get("client", self.client) or {"redirect_uris": []}
        self.campus.put(
            f"idp/clients/{self.client}",
            secret="s3cret",
            redirect_uris=[*known["redirect_uris"], ours.redirect_uri],
            post_logout_redirect_uris=[ours.post_logout_redirect_uri],
        )
        return made.id

    def out(self, browser, connection_id, **query):
        """To the provider: the address of its authorization endpoint."""
        answer = browser.get(f"/sso/{connection_id}/login?{urlencode(query)}")
        assert answer.status_code == 303, answer.text
        return answer.location

    def there(self, address, person="ada", at=None):
        """At the provider: the address that it sends the browser back to."""
        visitor = at or self.campus.visit()
        answer = visitor.get(local(address))
        if answer.status_code == 200:
            form = {**hidden(answer.text), "email": f"{person}@campus.example"}
            answer = visitor.post("/idp/sign-in", data={**form, "password": "open-sesame"})
        assert answer.status_code in {302, 303}, answer.text
        return answer.location

    def sign_in(self, browser, connection_id, person="ada", at=None, **query):
        return browser.get(local(self.there(self.out(browser, connection_id, **query), person, at)))


@pytest.fixture
def walk(deps, campus):
    return Walk(deps, campus)


@pytest.fixture
def connection(walk, tenant):
    return walk.connect(tenant)


def who(browser):
    answer = browser.get("/api/v1/me")
    return answer.json["person"]["userName"] if answer.status_code == 200 else answer.status_code


def everyone(deps, tenant):
    with deps.db.read(tenant.id) as read:
        return people.listed(read, 100)


def provisioned(deps, tenant, **attributes):
    someone = Person(deps.ids.new(), **attributes)
    with deps.db.tx(tenant.id) as tx:
        people.add(tx, someone, deps.clock())
    return someone


def test_a_stranger_signs_in_becomes_a_person_and_is_the_same_one_next_time(
    walk, gateway, connection, tenant, deps
):
    browser = gateway()
    answer = walk.sign_in(browser, connection)
    assert (answer.status_code, answer.location) == (303, "/learn")
    me = browser.get("/api/v1/me").json
    assert me["tenant"] == "acme"
    assert me["via"] == "oidc"
    assert me["person"]["userName"] == me["person"]["email"] == "ada@campus.example"
    assert me["person"]["displayName"] == "Ada Miller"
    assert walk.sign_in(gateway(), connection).status_code == 303
    assert len(everyone(deps, tenant)) == 1


@pytest.mark.parametrize("user_name", ["ada@campus.example", "ADA@Campus.Example"])
def test_whom_provisioning_brought_is_found_by_user_name(
    walk, gateway, connection, tenant, deps, user_name
):
    known = provisioned(deps, tenant, user_name=user_name, display_name="Ada from HR")
    browser = gateway()
    walk.sign_in(browser, connection)
    assert browser.get("/api/v1/me").json["person"]["id"] == known.id


def test_an_address_joins_only_inside_a_verified_domain(walk, gateway, tenant, deps):
    known = provisioned(deps, tenant, user_name="ada", email="ada@campus.example")
    by_email = walk.connect(tenant, link_by=LinkBy.EMAIL, jit=False)
    answer = walk.sign_in(gateway(), by_email)
    assert (answer.status_code, "no_account" in answer.text) == (403, True)
    tenancy.vouch_for_domain(deps, "acme", "campus.example", verified=True)
    browser = gateway()
    assert walk.sign_in(browser, by_email).status_code == 303
    assert browser.get("/api/v1/me").json["person"]["id"] == known.id


def test_a_stranger_stays_outside_where_nobody_is_made_anew(walk, gateway, tenant, deps):
    closed = walk.connect(tenant, jit=False)
    browser = gateway()
    answer = walk.sign_in(browser, closed)
    assert answer.status_code == 403
    assert f"/sso/{closed}/login" in answer.text
    assert who(browser) == 401
    assert everyone(deps, tenant) == []


def test_the_subject_may_be_the_oid_that_provisioning_knows(walk, gateway, tenant, deps):
    connection = walk.connect(tenant, subject=SubjectClaim.OID)
    walk.sign_in(gateway(), connection)
    oid = walk.campus.rooms.people["ada"].oid
    with deps.db.read(tenant.id) as read:
        assert people.identified(read, "oidc", connection, oid) is not None


# What an attacker would try


def test_a_state_serves_once_though_the_code_is_fresh(walk, gateway, connection, tenant):
    browser, at = gateway(), walk.campus.visit()
    address = walk.out(browser, connection)
    first, second = walk.there(address, at=at), walk.there(address, at=at)
    assert first != second
    assert browser.get(local(first)).status_code == 303
    stranger = gateway()
    stranger.give("ostiary_browser", browser.cookie("ostiary_browser"))
    answer = stranger.get(local(second))
    assert (answer.status_code, "replayed" in answer.text) == (403, True)
    assert who(stranger) == 401
    assert who(browser) == "ada@campus.example"


def test_the_same_answer_twice_is_refused_and_leaves_the_session_alone(walk, gateway, connection):
    browser = gateway()
    back = local(walk.there(walk.out(browser, connection)))
    assert browser.get(back).status_code == 303
    assert browser.get(back).status_code == 403
    assert who(browser) == "ada@campus.example"


def test_of_many_answers_at_once_with_one_state_a_single_one_enters(walk, gateway, connection):
    browser, at = gateway(), walk.campus.visit()
    address = walk.out(browser, connection)
    answers = [local(walk.there(address, at=at)) for _ in range(4)]
    secret = browser.cookie("ostiary_browser")
    start = threading.Barrier(len(answers))

    def arrive(back):
        mine = gateway()
        mine.give("ostiary_browser", secret)
        start.wait()
        return mine.get(back).status_code

    with ThreadPoolExecutor(len(answers)) as pool:
        assert sorted(pool.map(arrive, answers)) == [303, 403, 403, 403]


@pytest.mark.parametrize("has_a_cookie", [True, False])
def test_a_sign_in_begun_elsewhere_does_not_end_in_my_browser(
    walk, gateway, connection, has_a_cookie
):
    attacker, victim = gateway(), gateway()
    if has_a_cookie:
        walk.out(victim, connection)
    answer = victim.get(local(walk.there(walk.out(attacker, connection), "ben")))
    assert (answer.status_code, "browser_mismatch" in answer.text) == (403, True)
    assert who(victim) == 401


def test_one_providers_answer_does_not_end_another_ones_sign_in(walk, gateway, tenant, connection):
    other = walk.connect(tenant)
    browser = gateway()
    back = walk.there(walk.out(browser, connection))
    answer = browser.get(local(back.replace(connection, other)))
    assert (answer.status_code, "state_invalid" in answer.text) == (403, True)
    assert who(browser) == 401


def test_one_tenants_answer_does_not_enter_another_tenant(
    walk, gateway, connection, other_tenant, deps
):
    theirs = walk.connect(other_tenant)
    browser = gateway()
    back = walk.there(walk.out(browser, connection))
    assert browser.get(local(back.replace(connection, theirs))).status_code == 403
    assert everyone(deps, other_tenant) == []


@pytest.mark.parametrize(
    "change",
    [
        {"state": None},
        {"state": "x" * 200},
        {"state": ""},
        {"code": None},
        {"code": "made-up"},
        {"iss": "https://evil.example"},
        {"iss": None},
        {"code": "\x00"},
        {"state": "\udcff"},
        {"error": "access_denied", "code": None},
        {"error": "<script>", "code": None},
    ],
)
def test_a_bent_answer_is_refused_with_a_page_and_another_try(walk, gateway, connection, change):
    browser = gateway()
    back = walk.there(walk.out(browser, connection))
    query = {name: value[0] for name, value in parse_qs(urlsplit(back).query).items()} | change
    kept = {name: value for name, value in query.items() if value is not None}
    answer = browser.get(f"/sso/{connection}/callback?{urlencode(kept, errors='surrogatepass')}")
    assert answer.status_code == 403
    assert f'href="/sso/{connection}/login' in answer.text
    assert "<script>" not in answer.text
    assert who(browser) == 401


def test_a_parameter_that_comes_twice_is_refused(walk, gateway, connection):
    browser = gateway()
    back = local(walk.there(walk.out(browser, connection)))
    assert browser.get(back + "&code=another").status_code == 403


def test_a_sign_in_that_took_too_long_begins_again(walk, gateway, connection, clock):
    browser = gateway()
    address = walk.out(browser, connection)
    clock.move(minutes=10)
    answer = browser.get(local(walk.there(address)))
    assert (answer.status_code, "state_expired" in answer.text) == (403, True)


@pytest.mark.parametrize(
    ("asked", "given"),
    [
        ("/learn?activity=pricing", "/learn?activity=pricing"),
        ("/admin/people?q=a b", "/learn"),
        ("https://evil.example/", "/learn"),
        ("//evil.example", "/learn"),
        ("/\\evil.example", "/learn"),
        ("\t//evil.example", "/learn"),
        ("/\t/evil.example", "/learn"),
        ("/\r\nSet-Cookie: a=b", "/learn"),
        ("javascript:alert(1)", "/learn"),
        ("learn", "/learn"),
        ("", "/learn"),
        ("/" + "a" * 600, "/learn"),
    ],
)
def test_the_way_back_stays_on_our_site(walk, gateway, connection, asked, given):
    answer = walk.sign_in(gateway(), connection, return_to=asked)
    assert (answer.status_code, answer.location) == (303, given)


def test_a_planted_session_cookie_is_worth_nothing_and_each_sign_in_is_new(
    walk, gateway, connection, tenant, deps
):
    browser = gateway()
    planted = credential.mint("", tenant.id, deps.ids.new(), deps.ids.secret())
    browser.give(COOKIE, planted)
    walk.sign_in(browser, connection)
    first = browser.cookie(COOKIE)
    assert first != planted
    walk.sign_in(browser, connection)
    assert browser.cookie(COOKIE) != first
    with_the_old_one = gateway()
    with_the_old_one.give(COOKIE, first)
    assert who(with_the_old_one) == 401


def test_signing_in_elsewhere_ends_the_session_in_the_other_tenant(
    walk, gateway, connection, other_tenant
):
    theirs = walk.connect(other_tenant)
    browser = gateway()
    walk.sign_in(browser, connection)
    first = browser.cookie(COOKIE)
    walk.sign_in(browser, theirs)
    assert browser.get("/api/v1/me").json["tenant"] == "globex"
    with_the_old_one = gateway()
    with_the_old_one.give(COOKIE, first)
    assert who(with_the_old_one) == 401


def test_a_session_of_one_tenant_is_none_of_another(walk, gateway, connection, other_tenant):
    browser = gateway()
    walk.sign_in(browser, connection)
    held = credential.parse("", browser.cookie(COOKIE))
    forged = credential.mint("", other_tenant.id, held.id, held.secret)
    browser.give(COOKIE, forged)
    assert who(browser) == 401


def test_a_session_ends_by_itself(walk, gateway, connection, clock):
    browser = gateway()
    walk.sign_in(browser, connection)
    clock.move(hours=12)
    assert who(browser) == 401


# Switched off midway


def switch_person(deps, tenant, person, *, active):
    with deps.db.tx(tenant.id) as tx:
        now = people.lock(tx, person.id)
        people.save(tx, replace(now, active=active), deps.clock())


@pytest.mark.parametrize("known_before", [True, False])
def test_a_person_switched_off_midway_stays_outside_and_is_not_made_anew(
    walk, gateway, connection, tenant, deps, known_before
):
    known = provisioned(deps, tenant, user_name="ada@campus.example")
    if known_before:
        walk.sign_in(gateway(), connection)
    browser = gateway()
    back = walk.there(walk.out(browser, connection))
    switch_person(deps, tenant, known, active=False)
    answer = browser.get(local(back))
    assert (answer.status_code, "person_inactive" in answer.text) == (403, True)
    assert walk.sign_in(gateway(), connection).status_code == 403
    assert [one.id for one in everyone(deps, tenant)] == [known.id]
    switch_person(deps, tenant, known, active=True)
    assert walk.sign_in(browser, connection).status_code == 303


def test_a_leaver_by_scim_is_out_at_the_next_request_and_old_sessions_never_revive(
    walk, gateway, connection, tenant, deps
):
    _, bearer = tenancy.issue_token(deps, "acme", "scim")
    service = gateway()
    headers = {"Authorization": f"Bearer {bearer}", "Content-Type": "application/scim+json"}

    def scim(method, path, **body):
        answer = service.open(f"/scim/v2/Users{path}", method=method, json=body, headers=headers)
        assert answer.status_code < 300, answer.text
        return answer.json

    user = "urn:ietf:params:scim:schemas:core:2.0:User"
    patch = "urn:ietf:params:scim:api:messages:2.0:PatchOp"

    def switch(active):
        change = {"op": "Replace", "path": "active", "value": active}
        scim("PATCH", f"/{made['id']}", schemas=[patch], Operations=[change])

    made = scim("POST", "", schemas=[user], userName="ada@campus.example", active=True)
    inside, midway = gateway(), gateway()
    walk.sign_in(inside, connection)
    assert inside.get("/api/v1/me").json["person"]["id"] == made["id"]
    back = walk.there(walk.out(midway, connection))
    switch("False")
    assert who(inside) == 401
    assert midway.get(local(back)).status_code == 403
    assert walk.sign_in(gateway(), connection).status_code == 403
    switch("True")
    assert who(inside) == 401
    assert walk.sign_in(inside, connection).status_code == 303
    assert inside.get("/api/v1/me").json["person"]["id"] == made["id"]


def test_a_deleted_person_is_not_made_anew(walk, gateway, connection, tenant, deps):
    known = provisioned(deps, tenant, user_name="ada@campus.example", deleted_at=deps.clock())
    answer = walk.sign_in(gateway(), connection)
    assert (answer.status_code, "person_inactive" in answer.text) == (403, True)
    with deps.db.read(tenant.id) as read:
        assert [one.id for one in people.matching(read, "userName", "ada@campus.example")] == [
            known.id
        ]


def test_a_connection_switched_off_refuses_everything_and_its_sessions_never_revive(
    walk, gateway, connection, deps
):
    inside, midway, outside = gateway(), gateway(), gateway()
    walk.sign_in(inside, connection)
    back = walk.there(walk.out(midway, connection))
    connections.enable(deps, connection, enabled=False)
    assert who(inside) == 401
    for answer in (midway.get(local(back)), outside.get(f"/sso/{connection}/login")):
        assert (answer.status_code, "connection_disabled" in answer.text) == (403, True)
    connections.enable(deps, connection, enabled=True)
    assert who(inside) == 401
    assert walk.sign_in(inside, connection).status_code == 303


def test_a_tenant_switched_off_refuses_everything(walk, gateway, connection, deps):
    inside, midway, outside = gateway(), gateway(), gateway()
    walk.sign_in(inside, connection)
    back = walk.there(walk.out(midway, connection))
    tenancy.enable(deps, "acme", enabled=False)
    assert who(inside) == 401
    assert midway.get(local(back)).status_code == 403
    assert outside.get(f"/sso/{connection}/login").status_code == 403


def test_a_connection_switched_off_while_we_speak_with_the_provider_is_refused(
    walk, gateway, connection, deps, monkeypatch
):
    send = deps.http.send

    def switched_off_before_the_answer(request):
        connections.enable(deps, connection, enabled=False)
        return send(request)

    browser = gateway()
    back = walk.there(walk.out(browser, connection))
    monkeypatch.setattr(deps.http, "send", switched_off_before_the_answer)
    answer = browser.get(local(back))
    assert (answer.status_code, "connection_disabled" in answer.text) == (403, True)


# The provider misbehaves: never a 5xx


@pytest.mark.parametrize(
    "fault",
    [
        {"html_next": 9},
        {"html_next": 9, "html_status": 503},
        {"fail_next": 9},
        {"throttle_next": 9, "retry_after": 5},
    ],
)
@pytest.mark.parametrize("when", ["before", "midway"])
def test_a_sick_provider_is_a_refusal_and_once_it_is_well_people_enter(
    walk, gateway, connection, clock, fault, when
):
    browser = gateway()
    if when == "before":
        walk.campus.put("faults/idp", **fault)
        answer = browser.get(f"/sso/{connection}/login")
    else:
        back = walk.there(walk.out(browser, connection))
        walk.campus.put("faults/idp", **fault)
        answer = browser.get(local(back))
    assert 400 <= answer.status_code < 500
    assert "Try again" in answer.text
    walk.campus.put("faults/idp")
    clock.move(seconds=11)
    assert walk.sign_in(browser, connection).status_code == 303


def test_a_provider_that_is_away_is_a_refusal(walk, gateway, tenant, deps):
    away = connections.add_oidc(
        deps, tenant.slug, issuer="http://127.0.0.1:1/idp", client_id="a", client_secret="b"
    )
    answer = gateway().get(f"/sso/{away.id}/login")
    assert (answer.status_code, "provider_unavailable" in answer.text) == (424, True)


def test_a_provider_that_went_away_between_the_halves_is_a_refusal(
    walk, gateway, connection, deps, monkeypatch
):
    browser = gateway()
    back = walk.there(walk.out(browser, connection))
    monkeypatch.setattr(deps.http, "_session", None)
    monkeypatch.setattr(deps.http, "_check", _away)
    assert browser.get(local(back)).status_code == 424


def _away(url):
    from app.http import HttpFailed

    raise HttpFailed(f"{url} can't be reached.")


def test_new_keys_are_fetched_when_a_token_names_one(walk, gateway, connection, clock):
    walk.sign_in(gateway(), connection)
    clock.move(seconds=11)
    walk.campus.post("idp/keys")
    assert walk.sign_in(gateway(), connection, "ben").status_code == 303


def test_a_wrong_client_secret_says_so(walk, gateway, connection, campus):
    kept = campus.rooms.store.get("client", "ostiary")
    campus.rooms.store.put("client", "ostiary", kept | {"secret": "changed"})
    answer = walk.sign_in(gateway(), connection)
    assert (answer.status_code, "client_refused" in answer.text) == (403, True)


# What is kept and said


def test_no_code_state_or_token_reaches_the_logs_or_the_page(
    walk, gateway, connection, caplog, capsys
):
    caplog.set_level("DEBUG")
    browser = gateway()
    logs.configure("debug")  # to the standard error that is looked at here
    back = walk.there(walk.out(browser, connection))
    query = parse_qs(urlsplit(back).query)
    with capture_logs() as lines:
        browser.get(local(back))
        refused = browser.get(local(back))
    said = f"{lines} {caplog.text} {capsys.readouterr().err}"
    assert "/sso/<uuid:connection_id>/callback" in said
    for secret in (query["code"][0], query["state"][0][:40], browser.cookie(COOKIE)):
        assert secret not in said
        assert secret not in refused.text


def test_the_state_is_opaque_and_the_request_carries_pkce_and_a_nonce(walk, gateway, connection):
    browser = gateway()
    query = parse_qs(urlsplit(walk.out(browser, connection, return_to="/learn?x=1")).query)
    assert query["code_challenge_method"] == ["S256"]
    assert query["redirect_uri"] == [f"{GATEWAY}/sso/{connection}/callback"]
    assert query["nonce"][0] not in query["state"][0]
    assert "learn" not in query["state"][0]
    assert browser.cookie("ostiary_browser") not in walk.out(browser, connection)


def test_a_host_header_changes_no_address(walk, gateway, connection):
    answer = gateway().get(f"/sso/{connection}/login", base_url="http://evil.example")
    redirect_uri = parse_qs(urlsplit(answer.location).query)["redirect_uri"]
    assert redirect_uri == [f"{GATEWAY}/sso/{connection}/callback"]


@pytest.mark.parametrize("path", ["login", "callback", "backchannel-logout", "metadata"])
@pytest.mark.parametrize("name", ["nobody", "%00", "00000000-0000-7000-8000-000000000000"])
def test_an_unknown_connection_is_no_failure_of_ours(gateway, path, name):
    browser = gateway()
    for answer in (browser.get(f"/sso/{name}/{path}"), browser.post(f"/sso/{name}/{path}")):
        assert answer.status_code in {400, 403, 404, 405}


# The home-realm page


def test_an_address_leads_to_its_organizations_provider(walk, gateway, connection, tenant, deps):
    tenancy.vouch_for_domain(deps, "acme", "campus.example", verified=True)
    browser = gateway()
    page = browser.get("/sso?return_to=/learn?activity=pricing")
    form = hidden(page.text) | {"email": " Ada@Campus.example "}
    answer = browser.post("/sso", data=form)
    assert answer.status_code == 303
    assert answer.location.startswith(f"{walk.campus.issuer}/authorize?")
    assert parse_qs(urlsplit(answer.location).query)["login_hint"] == ["Ada@Campus.example"]
    assert browser.get(local(walk.there(answer.location))).location == "/learn?activity=pricing"


def test_people_of_one_domain_are_answered_alike_known_or_not(
    walk, gateway, connection, tenant, deps
):
    tenancy.vouch_for_domain(deps, "acme", "campus.example", verified=True)
    provisioned(deps, tenant, user_name="ada@campus.example", email="ada@campus.example")
    answers = [
        gateway().post("/sso", data={"email": f"{name}@campus.example"})
        for name in ("ada", "nobody")
    ]
    assert [answer.status_code for answer in answers] == [303, 303]


def test_several_providers_are_offered_by_name_and_those_switched_off_are_not(
    walk, gateway, tenant, deps
):
    tenancy.vouch_for_domain(deps, "acme", "campus.example", verified=True)
    first, second, off = (walk.connect(tenant, name=name) for name in ("Staff", "Partners", "Old"))
    connections.enable(deps, off, enabled=False)
    page = gateway().post("/sso", data={"email": "ada@campus.example"})
    assert page.status_code == 200
    assert f"/sso/{first}/login" in page.text
    assert f"/sso/{second}/login" in page.text
    assert off not in page.text


@pytest.mark.parametrize(
    ("email", "status"),
    [("", 400), ("ada", 400), ("a@b@c", 400), ("a\x00@b.example", 400), ("x" * 300 + "@b.example", 400),
     ("ada@elsewhere.example", 404), ("ada@sub.campus.example", 404), ("ada@unverified.example", 404)],
)  # fmt: skip
def test_an_address_that_leads_nowhere_gets_the_form_again(
    walk, gateway, connection, tenant, deps, email, status
):
    tenancy.vouch_for_domain(deps, "acme", "campus.example", verified=True)
    tenancy.vouch_for_domain(deps, "acme", "unverified.example", verified=False)
    answer = gateway().post("/sso", data={"email": email})
    assert answer.status_code == status
    assert 'name="email"' in answer.text


def test_a_domain_of_a_closed_tenant_leads_nowhere(walk, gateway, connection, tenant, deps):
    tenancy.vouch_for_domain(deps, "acme", "campus.example", verified=True)
    with deps.db.system(write=True) as system:
        tenants.enable(system, tenant.id, deps.clock(), enabled=False)
    assert gateway().post("/sso", data={"email": "ada@campus.example"}).status_code == 404


def test_two_tenants_may_trust_one_provider_and_their_people_stay_apart(
    walk, gateway, connection, deps
):
    third = new_tenant(deps, "initech")
    theirs = walk.connect(third)
    ours_browser, their_browser = gateway(), gateway()
    walk.sign_in(ours_browser, connection)
    walk.sign_in(their_browser, theirs)
    first, second = (one.get("/api/v1/me").json for one in (ours_browser, their_browser))
    assert first["person"]["id"] != second["person"]["id"]
    assert (first["tenant"], second["tenant"]) == ("acme", "initech")
