"""Leaving: here, at the provider too, and on the provider's word."""

from __future__ import annotations

import html
import re

import pytest

from app.flows import connections
from app.store import people
from sso.connection import SubjectClaim
from tests.flows.conftest import hidden, local
from tests.flows.test_signin import Walk, who

EVENT = "http://schemas.openid.net/event/backchannel-logout"


@pytest.fixture
def walk(deps, campus):
    return Walk(deps, campus)


@pytest.fixture
def connection(walk, tenant):
    return walk.connect(tenant)


@pytest.fixture
def inside(walk, gateway, connection):
    browser = gateway()
    walk.sign_in(browser, connection)
    return browser


def leave(browser):
    return browser.post("/sso/logout", data=hidden(browser.get("/").text))


def test_who_leaves_is_out_at_once_and_everywhere_with_that_cookie(inside, gateway):
    copy = gateway()
    copy.give("ostiary_session", inside.cookie("ostiary_session"))
    assert leave(inside).status_code == 200
    assert inside.get_cookie("ostiary_session", domain="127.0.0.1") is None
    assert who(copy) == who(inside) == 401
    assert leave(inside).location == "/sso/signed-out"


@pytest.mark.parametrize("form", [{}, {"csrf": ""}, {"csrf": "0" * 64}, {"csrf": "é"}])
def test_another_site_can_sign_nobody_out(inside, form):
    assert inside.post("/sso/logout", data=form).status_code == 403
    assert who(inside) == "ada@campus.example"


def test_a_token_of_another_session_signs_nobody_out(walk, gateway, inside, connection):
    other = gateway()
    walk.sign_in(other, connection, "ben")
    answer = inside.post("/sso/logout", data=hidden(other.get("/").text))
    assert answer.status_code == 403
    foreign = inside.post(
        "/sso/logout", data=hidden(inside.get("/").text), headers={"Sec-Fetch-Site": "cross-site"}
    )
    assert foreign.status_code == 403
    assert who(inside) == "ada@campus.example"


def test_leaving_goes_on_to_the_provider_whose_session_ends_too(walk, gateway, tenant):
    connection = walk.connect(tenant, post_logout_redirect=True)
    browser, at = gateway(), walk.campus.visit()
    walk.sign_in(browser, connection, at=at)
    page = leave(browser).text
    onward = html.unescape(re.search(r'http-equiv="refresh" content="0; url=([^"]+)"', page)[1])
    assert onward.startswith(f"{walk.campus.issuer}/logout?")
    back = at.get(local(onward))
    assert back.location == "http://127.0.0.1:8000/sso/signed-out"
    assert browser.get(local(back.location)).status_code == 200
    assert at.get(local(walk.out(browser, connection))).status_code == 200  # asks for the password


def test_an_address_that_the_provider_does_not_know_is_not_named(inside):
    assert "post_logout_redirect_uri" not in leave(inside).text


def test_leaving_works_while_the_provider_is_away(inside, walk, clock):
    walk.campus.put("faults/idp", fail_next=99)
    clock.move(hours=2)
    assert leave(inside).status_code in {200, 303}
    assert who(inside) == 401


def test_leaving_works_after_the_connection_was_switched_off_and_on(inside, deps, connection):
    connections.enable(deps, connection, enabled=False)
    assert leave(inside).status_code in {200, 303}


# Back-channel


@pytest.fixture
def notice(walk, clock):
    """Makes logout tokens as the provider would, bent where a test says so."""
    rooms = walk.campus.rooms

    def make(person="ada", **changes):
        [session] = [s for s in rooms.store.all("idp_session") if s["person"] == person][-1:] or [
            {}
        ]
        now = int(clock().timestamp())
        claims = {
            "iss": walk.campus.issuer, "aud": "ostiary", "iat": now, "exp": now + 120,
            "jti": f"{person}-1", "events": {EVENT: {}}, "sid": session.get("sid"),
        } | changes  # fmt: skip
        return rooms.keys["idp"].sign({k: v for k, v in claims.items() if v is not None})

    return make


@pytest.fixture
def tell(gateway, connection):
    def tell(token, at=connection):
        return gateway().post(f"/sso/{at}/backchannel-logout", data={"logout_token": token})

    return tell


def subject_of(deps, tenant, browser):
    me = browser.get("/api/v1/me").json["person"]["id"]
    with deps.db.read(tenant.id) as read:
        from app.store import console

        [known] = console.belongings(read, me, deps.clock()).identities
    return known["subject"]


def test_the_provider_ends_one_session_by_its_sid(walk, gateway, connection, inside, notice, tell):
    elsewhere = gateway()
    walk.sign_in(elsewhere, connection)
    answer = tell(notice())
    assert (answer.status_code, answer.json) == (200, {"ended": 1})
    assert answer.headers["Cache-Control"] == "no-store"
    assert sorted(map(str, (who(inside), who(elsewhere)))) == ["401", "ada@campus.example"]


def test_the_provider_ends_all_of_a_subjects_sessions_and_nobody_elses(
    walk, gateway, connection, inside, notice, tell, deps, tenant
):
    elsewhere, ben = gateway(), gateway()
    walk.sign_in(elsewhere, connection)
    walk.sign_in(ben, connection, "ben")
    answer = tell(notice(sid=None, sub=subject_of(deps, tenant, inside)))
    assert (answer.status_code, answer.json) == (200, {"ended": 2})
    assert (who(inside), who(elsewhere), who(ben)) == (401, 401, "ben@campus.example")


def test_a_logout_token_ends_nothing_of_another_connection(
    walk, gateway, inside, connection, other_tenant, notice, tell, deps, tenant
):
    theirs = walk.connect(other_tenant)
    browser = gateway()
    walk.sign_in(browser, theirs)
    answer = tell(notice(sid=None, sub=subject_of(deps, tenant, inside)), at=theirs)
    assert answer.json == {"ended": 1}
    assert who(browser) == 401
    assert who(inside) == "ada@campus.example"


def test_a_logout_token_serves_once_so_that_it_can_not_end_the_next_session(
    walk, inside, connection, notice, tell, deps, tenant
):
    token = notice(sid=None, sub=subject_of(deps, tenant, inside))
    assert tell(token).status_code == 200
    walk.sign_in(inside, connection)
    assert tell(token).status_code == 400
    assert who(inside) == "ada@campus.example"


@pytest.mark.parametrize(
    "bent",
    [
        {"aud": "another"},
        {"iss": "https://evil.example"},
        {"events": None},
        {"events": {"other": {}}},
        {"nonce": "n"},
        {"jti": None},
        {"sid": None},
        {"iat": 1},
        {"exp": 1},
    ],
)
def test_a_bent_logout_token_is_400_and_ends_nothing(inside, notice, tell, bent):
    answer = tell(notice(**bent))
    assert (answer.status_code, answer.json["error"]) == (400, "invalid_request")
    assert who(inside) == "ada@campus.example"


@pytest.mark.parametrize("token", ["", "x", "a.b.c", "é" * 10, "x" * 100_000])
def test_what_is_no_token_is_400(tell, token):
    assert tell(token).status_code == 400


def test_a_token_of_a_stranger_is_400(inside, walk, notice, tell):
    walk.campus.rooms.keys["idp"], kept = (
        walk.campus.rooms.keys["lms"],
        walk.campus.rooms.keys["idp"],
    )
    forged = notice()
    walk.campus.rooms.keys["idp"] = kept
    assert tell(forged).status_code == 400
    assert who(inside) == "ada@campus.example"


def test_no_token_or_two_are_400_and_get_is_not_taken(gateway, connection, notice):
    url = f"/sso/{connection}/backchannel-logout"
    browser = gateway()
    assert browser.post(url).status_code == 400
    assert browser.post(url, json={"logout_token": notice()}).status_code == 400
    assert browser.post(url, data={"logout_token": [notice(), notice()]}).status_code == 400
    assert browser.get(url).status_code == 405


def test_a_provider_that_is_away_gets_400_not_a_failure(walk, tenant, tell, notice, clock):
    unseen = walk.connect(tenant)
    walk.campus.put("faults/idp", fail_next=99)
    clock.move(hours=2)
    assert tell(notice(), at=unseen).status_code == 400


def test_a_connection_that_is_off_takes_no_notice_but_its_sessions_are_over_anyway(
    inside, deps, connection, notice, tell
):
    connections.enable(deps, connection, enabled=False)
    assert tell(notice()).status_code == 400
    connections.enable(deps, connection, enabled=True)
    assert who(inside) == 401


def test_the_subject_of_a_connection_by_oid_is_its_oid(walk, gateway, tenant, notice, tell):
    by_oid = walk.connect(tenant, subject=SubjectClaim.OID)
    browser = gateway()
    walk.sign_in(browser, by_oid)
    oid = walk.campus.rooms.people["ada"].oid
    assert tell(notice(sid=None, sub="other", oid=oid), at=by_oid).json == {"ended": 1}
    assert who(browser) == 401


def test_signing_out_keeps_the_person(inside, deps, tenant):
    leave(inside)
    with deps.db.read(tenant.id) as read:
        assert people.by_user_name(read, "ada@campus.example").active


def test_a_logout_that_overtakes_its_sign_in_keeps_it_outside(
    walk, gateway, connection, notice, tell
):
    browser, at = gateway(), walk.campus.visit()
    back = local(walk.there(walk.out(browser, connection), at=at))
    assert tell(notice()).json == {"ended": 0}
    late = browser.get(back)
    assert (late.status_code, "signed_out" in late.text) == (403, True)
    assert who(browser) == 401


def test_a_logout_of_a_subject_that_overtakes_a_sign_in_keeps_it_outside(
    walk, gateway, connection, inside, notice, tell, deps, tenant, clock
):
    subject = subject_of(deps, tenant, inside)
    browser = gateway()
    back = local(walk.there(walk.out(browser, connection)))
    clock.move(seconds=2)
    assert tell(notice(sid=None, sub=subject)).json == {"ended": 1}
    late = browser.get(back)
    assert (late.status_code, "signed_out" in late.text) == (403, True)
    clock.move(seconds=1)
    assert walk.sign_in(gateway(), connection).status_code == 303


def test_a_logout_of_a_subject_nobody_here_knows_yet_keeps_its_first_sign_in_outside(
    walk, gateway, connection, inside, notice, tell, deps, tenant, clock
):
    other = walk.connect(tenant)  # by which this subject has not come so far
    subject = subject_of(deps, tenant, inside)
    browser = gateway()
    back = local(walk.there(walk.out(browser, other)))
    clock.move(seconds=2)
    assert tell(notice(sid=None, sub=subject), other).json == {"ended": 0}
    late = browser.get(back)
    assert (late.status_code, "signed_out" in late.text) == (403, True)
    clock.move(seconds=1)
    assert walk.sign_in(gateway(), other).status_code == 303
