"""The console: only for administrators, only of their tenant, and no form without its token."""

from __future__ import annotations

import html
import re
from dataclasses import replace

import pytest

from app.flows import connections, deliver, local, platforms, tenancy
from app.flows.provision_act import Client
from app.kernel.delivery import Outcome
from app.kernel.person import Person
from app.store import audit, outbox, people
from app.store import guard as guarded
from app.store import platforms as stored_platforms
from app.store.dispatch import Sent
from app.store.outbox import Fact
from lti.registration import Registration
from scim.custom import STANDARD
from tests.flows.test_local import EMAIL, PASSWORD, sign_in
from tests.flows.test_signin import provisioned, who
from tests.provisioning import Desk, off

NOBODY = "00000000-0000-7000-8000-000000000000"
PAGES = [
    "", "/people", "/people?q=ada", "/platforms", "/connections", "/outbox", "/outbox?show=all", "/outbox?before=1",
    "/destinations", "/tokens", "/departures", "/log", "/log?before=1", "/groups", "/groups?after=%00",
    "/provisioning", "/provisioning?q=x", "/provisioning/try",
]  # fmt: skip


@pytest.fixture
def administrator(deps, tenant):
    return local.create_administrator(deps, "acme", EMAIL, PASSWORD)


@pytest.fixture
def console(gateway, administrator):
    browser = gateway()
    assert sign_in(browser).status_code == 303
    return browser


@pytest.fixture
def theirs(gateway, deps, other_tenant):
    """The console of another tenant."""
    local.create_administrator(deps, "globex", "boss@globex.example", PASSWORD)
    browser = gateway()
    sign_in(browser, email="boss@globex.example", organization="globex")
    return browser


def token(browser):
    page = browser.get("/admin/people").text
    return html.unescape(re.search(r'name="csrf" value="([^"]+)"', page)[1])


def post(browser, path, **form):
    return browser.post(f"/admin{path}", data={"csrf": token(browser), **form})


def plain_session(deps, gateway, tenant):
    """A signed-in person who is no administrator."""
    local.create_administrator(deps, "acme", "plain@acme.example", PASSWORD)
    browser = gateway()
    sign_in(browser, email="plain@acme.example")
    demote(deps, tenant, "plain@acme.example")
    return browser


def demote(deps, tenant, user_name):
    from sqlalchemy import delete

    from app.store.tables.people import role_grant

    with deps.db.tx(tenant.id) as tx:
        someone = people.by_user_name(tx, user_name)
        tx.conn.execute(delete(role_grant).where(role_grant.c.person_id == someone.id))


@pytest.fixture
def dead(deps, tenant):
    """A delivery that was given up; its id."""
    fact = Fact(deps.ids.new(), "score", deps.ids.new(), {})
    delivery_id = deps.ids.new()
    with deps.db.tx(tenant.id) as tx:
        outbox.add_dead(
            tx, delivery_id, fact, deps.clock(), kind="ags", destination="platform:1",
            error="The platform answered 422: <b>no such user</b>",
        )  # fmt: skip
    return delivery_id


@pytest.fixture
def platform(deps, tenant):
    base = "https://lms.example"
    registration = Registration(
        deps.ids.new(), base, "client", f"{base}/auth", f"{base}/token", f"{base}/jwks"
    )
    made, _ = platforms.add(deps, "acme", "Our <LMS>", registration, "first")
    with deps.db.system(write=True) as system:
        stored_platforms.wait(system, deps.ids.new(), made, "second", deps.clock())
    return made


def deployments(deps, platform):
    with deps.db.system() as system:
        return {one.deployment_id: one for one in stored_platforms.deployments(system, platform)}


@pytest.mark.parametrize("page", PAGES)
def test_every_page_shows_and_without_a_session_none_does(gateway, console, page):
    assert console.get(f"/admin{page}").status_code == 200
    answer = gateway().get(f"/admin{page}")
    assert (answer.status_code, "sign_in_first" in answer.text) == (401, True)
    assert 'href="/login?return_to=/admin' in answer.text


@pytest.mark.parametrize("page", PAGES)
def test_who_is_no_administrator_is_refused(deps, gateway, tenant, page):
    browser = plain_session(deps, gateway, tenant)
    assert who(browser) == "plain@acme.example"
    assert browser.get(f"/admin{page}").status_code == 403


@pytest.fixture
def forms(deps, tenant, platform, dead, administrator):
    ben, hold = provisioned(deps, tenant, user_name="ben"), held(deps, tenant)
    connection = connections.add_oidc(
        deps, "acme", issuer="https://idp.example", client_id="a", client_secret="b"
    ).id
    waiting = deployments(deps, platform)["second"].id
    return {
        f"/people/{administrator.id}/end-sessions": {},
        f"/people/{ben.id}/keep-out": {},
        f"/people/{ben.id}/let-in": {},
        f"/departures/{hold}/approve": {},
        f"/departures/{hold}/restore": {},
        f"/connections/{connection}/disable": {},
        f"/platforms/{platform}/disable": {},
        f"/platforms/{platform}/deployments/{waiting}/approve": {},
        "/outbox/replay": {"id": dead},
    }


def held(deps, tenant, client="default"):
    """A hold over eight people whom a client made leave."""
    desk = Desk(deps, Client(tenant.id, client, types=STANDARD))
    for number in range(8):
        desk.patch(desk.create(userName=f"{client}{number}")["id"], off())
    with deps.db.read(tenant.id) as read:
        return guarded.listed(read)[0].id


def everything(deps, tenant, platform):
    """What the forms could change."""
    with deps.db.read(tenant.id) as read:
        rows = outbox.listed(read)
        log = [row["action"] for row in audit.about(read, platform)]
    with deps.db.system() as system:
        on = stored_platforms.by_id(system, platform).enabled
    with deps.db.read(tenant.id) as read:
        log += [one.status for one in guarded.listed(read)]
        log += [one.id for one in people.listed(read, 100) if one.blocked_at is not None]
    return [row["status"] for row in rows], sorted(log), on, deployments(deps, platform)


def test_no_form_is_taken_without_its_token_from_another_site_or_by_others(
    deps, gateway, tenant, console, theirs, platform, forms
):
    before = everything(deps, tenant, platform)
    plain = plain_session(deps, gateway, tenant)
    good = token(console)
    for path, form in forms.items():
        url = f"/admin{path}"
        assert console.post(url, data=form).status_code == 403
        assert console.post(url, data=form | {"csrf": token(theirs)}).status_code == 403
        cross = {"Sec-Fetch-Site": "cross-site"}
        assert console.post(url, data=form | {"csrf": good}, headers=cross).status_code == 403
        assert gateway().post(url, data=form | {"csrf": good}).status_code == 401
        assert plain.post(url, data=form | {"csrf": good}).status_code == 403
        assert console.get(url).status_code == 405
        answer = post(theirs, path, **form)
        assert answer.status_code == 404 or answer.location == "/admin/outbox?done=0"
    assert everything(deps, tenant, platform) == before
    assert who(console) == EMAIL


def test_another_tenants_person_is_not_there(theirs, administrator):
    assert theirs.get(f"/admin/people/{administrator.id}").status_code == 404
    assert EMAIL not in theirs.get("/admin/people").text


@pytest.mark.parametrize("path", [f"/people/{NOBODY}", "/people/x", "/people/%00", "/nothing"])
def test_what_is_not_there_is_a_404(console, path):
    assert console.get(f"/admin{path}").status_code == 404


def test_people_are_found_by_parts_of_names_and_addresses_in_any_case(console, deps, tenant):
    provisioned(
        deps, tenant, user_name="ada@campus.example", email="Ada@Campus.example", display_name="Ada"
    )
    provisioned(deps, tenant, user_name="ele", given_name="Élodie", family_name="Öberg")
    provisioned(deps, tenant, user_name="wild", display_name="100% _sure_")

    def found(words):
        page = console.get("/admin/people", query_string={"q": words}).text
        return re.findall(r'data-label="User name">([^<]+)<', page)

    assert found("ADA camp") == ["ada@campus.example"]
    assert found("élodie") == found("Öberg") == found("öberg élo") == ["ele"]
    assert found("%") == found("_sure_") == ["wild"]
    assert found("nobody") == []
    assert found("'; DROP TABLE person; --") == []
    assert found("zz\x00qq\x1b") == []
    assert len(found("x" * 5000)) == 0
    assert len(found("")) == 4


def test_people_come_in_pages_without_gaps(console, deps, tenant):
    for number in range(120):
        provisioned(deps, tenant, user_name=f"user{number:03}")
    seen, path = [], "/admin/people?q=user"
    while path:
        page = console.get(path).text
        seen += re.findall(r'data-label="User name">(user\d+)<', page)
        following = re.search(r'href="([^"]+)">Next page', page)
        path = html.unescape(following[1]) if following else None
    assert sorted(seen) == [f"user{number:03}" for number in range(120)]
    assert console.get("/admin/people?after=nonsense").status_code == 200


def test_names_from_outside_are_text_on_every_page(console, deps, tenant, platform, dead):
    evil = '<script>alert(1)</script>"onload=x'
    someone = provisioned(
        deps, tenant, user_name=evil, display_name=evil, email=f"{evil}@x.example"
    )
    pages = [*PAGES, f"/people/{someone.id}"]
    for page in pages:
        text = console.get(f"/admin{page}").text
        assert "<script>" not in text
        assert "<b>no such user" not in text
        assert "Our <LMS>" not in text
    assert "Our &lt;LMS&gt;" in console.get("/admin/platforms").text


def test_one_person_is_shown_with_all_that_is_theirs(console, administrator):
    page = console.get(f"/admin/people/{administrator.id}").text
    for piece in (EMAIL, "administrator", "said by local", "Session by password", "session.began"):
        assert piece in page


def test_an_administrator_ends_all_sessions_of_a_person_their_own_too(
    console, gateway, deps, administrator
):
    second = local.create_administrator(deps, "acme", "second@acme.example", PASSWORD)
    browser = gateway()
    sign_in(browser, email="second@acme.example")
    answer = post(console, f"/people/{second.id}/end-sessions")
    assert answer.location == f"/admin/people/{second.id}?done=1"
    assert "1 ended: sessions, launches and tokens." in console.get(answer.location).text
    assert who(browser) == 401
    assert post(console, f"/people/{administrator.id}/end-sessions").status_code == 303
    assert console.get("/admin").status_code == 401


@pytest.mark.parametrize("how", ["demoted", "switched off", "tenant closed"])
def test_the_console_closes_with_the_next_request(console, deps, tenant, administrator, how):
    good = token(console)
    match how:
        case "demoted":
            demote(deps, tenant, EMAIL)
        case "switched off":
            with deps.db.tx(tenant.id) as tx:
                people.save(tx, replace(administrator, active=False), deps.clock())
        case _:
            tenancy.enable(deps, "acme", enabled=False)
    answer = console.post(f"/admin/people/{administrator.id}/end-sessions", data={"csrf": good})
    assert answer.status_code in {401, 403}
    assert console.get("/admin").status_code in {401, 403}


def test_whoever_lost_the_role_while_the_form_was_on_its_way_changes_nothing(
    console, deps, tenant, dead, monkeypatch
):
    from app.web import guard

    good = token(console)
    check = guard.check_csrf

    def demoted_meanwhile(subject):
        check(subject)
        demote(deps, tenant, EMAIL)

    monkeypatch.setattr(guard, "check_csrf", demoted_meanwhile)
    answer = console.post("/admin/outbox/replay", data={"csrf": good, "id": dead})
    assert answer.status_code == 403
    with deps.db.read(tenant.id) as read:
        assert [row["status"] for row in outbox.listed(read)] == ["dead"]


def test_the_outbox_says_what_waits_and_why_and_tries_again(console, deps, tenant, dead):
    page = console.get("/admin/outbox").text
    assert "given up" in page
    assert "The platform answered 422" in page
    answer = post(console, "/outbox/replay", id=dead)
    assert answer.location == "/admin/outbox?done=1"
    assert "1 delivery waits" in console.get(answer.location).text
    with deps.db.read(tenant.id) as read:
        assert [row["status"] for row in outbox.listed(read)] == ["waiting"]
    assert post(console, "/outbox/replay", id=dead).location == "/admin/outbox?done=0"


@pytest.mark.parametrize("before", ["x", "-1", "0", "9" * 30, "9" * 5000])
def test_the_outbox_takes_any_number_for_a_page(console, dead, before):
    assert console.get(f"/admin/outbox?before={before}").status_code == 200


@pytest.mark.parametrize("form", [{}, {"id": "x"}, {"id": "\x00"}])
def test_a_replay_of_nothing_is_refused(console, form):
    assert post(console, "/outbox/replay", **form).status_code == 400


def test_what_was_delivered_shows_only_when_asked_for(console, deps, tenant):
    fact = Fact(deps.ids.new(), "score.sent", deps.ids.new(), {})
    with deps.db.tx(tenant.id) as tx:
        outbox.enqueue(tx, deps.ids.new(), fact, deps.clock(), kind="ags", destination="p", key="k")
    assert "score.sent" in console.get("/admin/outbox").text
    (claimed,) = deliver.turn(deps, [], 1)
    deliver.turn(deps, [Sent(claimed, Outcome("delivered", status=200), deps.clock(), 1)], 0)
    assert "score.sent" not in console.get("/admin/outbox").text
    assert "score.sent" in console.get("/admin/outbox?show=all").text


def test_a_connection_is_switched_off_and_on(console, deps, tenant):
    made = connections.add_oidc(
        deps, "acme", issuer="https://idp.example", client_id="a", client_secret="hush-hush"
    )
    page = console.get("/admin/connections").text
    assert f"/sso/{made.id}/callback" in page
    assert "hush-hush" not in page
    assert post(console, f"/connections/{made.id}/disable").status_code == 303
    assert not connections.find(deps, made.id).enabled
    assert post(console, f"/connections/{made.id}/enable").status_code == 303
    assert connections.find(deps, made.id).enabled


def test_a_waiting_deployment_is_approved_into_this_tenant(console, deps, tenant, platform):
    waiting = deployments(deps, platform)["second"]
    assert waiting.approved_at is None
    assert "waiting" in console.get("/admin/platforms").text
    path = f"/platforms/{platform}/deployments/{waiting.id}/approve"
    assert post(console, path).status_code == 303
    approved = deployments(deps, platform)["second"]
    assert (approved.tenant_id, approved.approved_at) == (tenant.id, deps.clock())
    assert "waiting" not in console.get("/admin/platforms").text
    missing = f"/platforms/{platform}/deployments/{NOBODY}/approve"
    assert post(console, missing).status_code == 404


def test_a_deployment_of_the_operators_platform_is_not_a_tenants_to_approve(console, deps, tenant):
    base = "https://shared.example"
    registration = Registration(
        deps.ids.new(), base, "client", f"{base}/auth", f"{base}/token", f"{base}/jwks"
    )
    shared, _ = platforms.add(deps, None, "Shared LMS", registration, "theirs")
    row = deployments(deps, shared)["theirs"]
    assert "Shared LMS" not in console.get("/admin/platforms").text
    assert post(console, f"/platforms/{shared}/deployments/{row.id}/approve").status_code == 404
    assert post(console, f"/platforms/{shared}/disable").status_code == 404
    platforms.approve(deps, shared, "theirs", "acme")
    assert "Shared LMS" in console.get("/admin/platforms").text


def test_a_platform_is_switched_off_and_on(console, deps, platform):
    for what, enabled in (("disable", False), ("enable", True)):
        assert post(console, f"/platforms/{platform}/{what}").status_code == 303
        with deps.db.system() as system:
            assert stored_platforms.by_id(system, platform).enabled is enabled


def test_nobody_frames_the_console_and_nothing_of_it_is_kept_by_caches(console):
    headers = console.get("/admin/people").headers
    assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
    assert headers["Cache-Control"] == "no-store"


def test_a_person_without_any_name_has_a_page(console, deps, tenant):
    someone = Person(deps.ids.new())
    with deps.db.tx(tenant.id) as tx:
        people.add(tx, someone, deps.clock())
    assert console.get(f"/admin/people/{someone.id}").status_code == 200


def test_every_page_tells_of_people_held_back_and_one_click_brings_them_back(console, deps, tenant):
    hold = held(deps, tenant, "okta")
    for page in ("", "/people", "/outbox"):
        shown = console.get(f"/admin{page}").text
        assert 'role="alert"' in shown
        assert f"/admin/departures/{hold}" in shown
    page = console.get(f"/admin/departures/{hold}").text
    assert "made 8 people leave" in page
    assert page.count(">gone<") == 8
    assert post(console, f"/departures/{hold}/restore").status_code == 303
    page = console.get(f"/admin/departures/{hold}").text
    assert page.count(">back<") == 8
    assert "8 of 8 departures are undone" in page
    assert 'role="alert"' not in console.get("/admin").text
    again = post(console, f"/departures/{hold}/approve")
    assert (again.status_code, "decided already" in again.text) == (409, True)


def test_departures_are_let_happen_for_the_next_hour_too(console, deps, tenant):
    hold = held(deps, tenant)
    assert post(console, f"/departures/{hold}/approve", and_next_hour="1").status_code == 303
    assert "Approved" in console.get(f"/admin/departures/{hold}").text
    desk = Desk(deps, Client(tenant.id, "default", types=STANDARD))
    for number in range(8):
        desk.patch(desk.create(userName=f"more{number}")["id"], off())
    with deps.db.read(tenant.id) as read:
        assert guarded.listed(read, statuses=["open"]) == []


def test_a_hold_of_another_tenant_is_not_there(console, theirs, deps, tenant):
    hold = held(deps, tenant)
    assert theirs.get(f"/admin/departures/{hold}").status_code == 404
    assert post(theirs, f"/departures/{hold}/restore").status_code == 404
    assert 'role="alert"' not in theirs.get("/admin").text


def test_a_person_is_kept_out_and_let_in_again(console, deps, tenant, administrator):
    ben = provisioned(deps, tenant, user_name="ben")
    assert post(console, f"/people/{ben.id}/keep-out").status_code == 303
    assert "kept out" in console.get(f"/admin/people/{ben.id}").text
    assert post(console, f"/people/{ben.id}/let-in").status_code == 303
    assert "kept out" not in console.get("/admin/people").text
    itself = post(console, f"/people/{administrator.id}/keep-out")
    assert (itself.status_code, "yourself" in itself.text) == (400, True)


def test_the_log_shows_who_did_what_page_by_page(console, deps, tenant):
    for _ in range(120):
        with deps.db.tx(tenant.id) as tx:
            audit.record(tx, deps.ids.new(), deps.clock(), "operator", "tried", "x", count=3)
    first = console.get("/admin/log").text
    older = re.search(r'href="/admin/log\?before=(\d+)"', first)
    assert first.count('data-label="No."') == 100
    second = console.get(f"/admin/log?before={older[1]}").text
    assert "administrator.created" in second
    assert "count: 3" in first


@pytest.mark.parametrize("before", ["1" * 5000, "9" * 30, "-" + "9" * 30, "0", "later", ""])
def test_a_place_in_the_outbox_that_makes_no_sense_is_no_fault_of_ours(console, before):
    assert console.get(f"/admin/outbox?before={before}").status_code == 200
