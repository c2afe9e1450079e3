"""The LTI door over HTTP: what it lets in, what it refuses, and how it says so."""

import json
from dataclasses import replace

import pytest
from flask.testing import FlaskClient
from hypothesis import HealthCheck, given
from hypothesis import settings as drawn
from hypothesis import strategies as st
from joserfc import jwt as jose
from joserfc.jwk import OctKey

from app.factory import create_app
from app.flows import platforms, tenancy
from app.http import Response
from app.kernel import credential
from app.store import activities, people, sessions
from app.store import platforms as registered
from app.store.tables.lti import launch as launch_table
from keys import jwk, jwt
from tests.lti_platform import (
    ABSENT,
    INSTRUCTOR,
    ISSUER,
    LAUNCH,
    LEARNER,
    Lms,
    Neighbours,
    members_page,
    post,
    with_http,
)

ROGUE = jwk.generate()
ROLE = "http://purl.imsglobal.org/vocab/lis/v2/membership#"


@pytest.fixture
def http():
    return Neighbours()


@pytest.fixture
def deps(deps, http):
    return with_http(deps, http)


@pytest.fixture
def tenant(deps):
    return tenancy.found(deps, "acme", "Acme")


@pytest.fixture
def activity(deps, tenant):
    """A row is enough here: nothing opens it."""
    with deps.db.tx(tenant.id) as tx:
        activities.add(
            tx, "0198c0de-0000-7000-8000-000000000001", "pricing", "Pricing", deps.clock()
        )
    return "0198c0de-0000-7000-8000-000000000001"


@pytest.fixture
def lms(deps, tenant, activity, http):
    return Lms(deps, http).register("acme")


@pytest.fixture
def site(deps):
    """The gateway; pytest-flask's `app` would share one `g` among all requests."""
    made = create_app(deps)
    made.testing = True
    return made


@pytest.fixture
def browser(site):
    return lambda: FlaskClient(site, site.response_class, use_cookies=True)


def rows(deps, tenant):
    with deps.db.read(tenant.id) as read:
        return read.conn.execute(launch_table.select()).all()


def code(answer):
    found = answer.text.partition("<code>")[2].partition("</code>")[0]
    assert found, answer.text
    return found


def refused(answer, *codes):
    assert 400 <= answer.status_code < 500, answer.text
    assert answer.content_type.startswith("text/html")
    assert "Traceback" not in answer.text
    if codes:
        assert code(answer) in codes
    return True


# What the certification guide wants refused (§6.1.1), and the security framework (§5.1.3).

BAD_CLAIMS = {
    "wrong version": ({"VERSION": "1.2.0"}, "wrong_version"),
    "no version": ({"VERSION": ABSENT}, "missing_claim"),
    "not a message of LTI 1.3": (
        dict.fromkeys(("VERSION", "MESSAGE_TYPE", "DEPLOYMENT_ID", "ROLES"), ABSENT),
        "missing_claim",
    ),
    "unknown message": ({"MESSAGE_TYPE": "LtiSomethingElse"}, "unsupported_message"),
    "no message type": ({"MESSAGE_TYPE": ABSENT}, "missing_claim"),
    "no roles": ({"ROLES": ABSENT}, "missing_claim"),
    "roles as text": ({"ROLES": "Learner"}, "bad_claim"),
    "no deployment": ({"DEPLOYMENT_ID": ABSENT}, "missing_claim"),
    "no resource link": ({"RESOURCE_LINK": ABSENT}, "missing_claim"),
    "no resource link id": ({"RESOURCE_LINK": {"title": "x"}}, "missing_claim"),
    "no sub": ({"sub": ABSENT}, "anonymous"),
    "no exp": ({"exp": ABSENT}, "bad_times"),
    "no iat": ({"iat": ABSENT}, "bad_times"),
    "expired": ({"exp": 1_600_000_000}, "token_expired"),
    "old": ({"iat": 1_600_000_000}, "bad_times"),
    "from the future": ({"iat": 4_000_000_000, "exp": 4_000_000_600}, "bad_times"),
    "another audience": ({"aud": "someone"}, "wrong_audience"),
    "another azp": ({"azp": "someone"}, "wrong_audience"),
    "two audiences, no azp": ({"aud": ["client-1", "b"]}, "wrong_audience"),
    "another issuer": ({"iss": "https://evil.example"}, "wrong_issuer"),
    "unknown deployment": ({"DEPLOYMENT_ID": "dep-9"}, "unknown_deployment"),
    "another target": ({"TARGET_LINK_URI": LAUNCH + "/elsewhere"}, "target_link_mismatch"),
    "a foreign target": ({"TARGET_LINK_URI": "https://evil.example/"}, "target_link_mismatch"),
    "no target": ({"TARGET_LINK_URI": ABSENT}, "missing_claim"),
    "no nonce": ({"nonce": ABSENT}, "missing_claim"),
    "another nonce": ({"nonce": "mine"}, "wrong_nonce"),
}


def test_launches_whose_claims_are_not_in_order_are_refused(browser, lms, deps, tenant, subtests):
    for name, (changes, wanted) in BAD_CLAIMS.items():
        with subtests.test(name):
            assert refused(lms.launch(browser(), **changes), wanted)
    assert rows(deps, tenant) == []


def test_tokens_that_prove_nothing_are_refused(browser, lms, deps, tenant, subtests):
    no_kid = jwk.SigningKey("", lms.key.key)
    other = jwk.SigningKey(lms.key.kid, ROGUE.key)

    def tokens(nonce):
        good = lms.sign(nonce)
        head, body, signature = good.split(".")
        yield (
            "unsigned",
            "eyJhbGciOiJub25lIn0." + body + ".",
            {"algorithm_refused", "token_malformed"},
        )
        yield (
            "tampered",
            f"{head}.{body[:-4]}AAAA.{signature}",
            {"bad_signature", "token_malformed"},
        )
        yield "another's key under our kid", lms.sign(nonce, key=other), {"bad_signature"}
        yield "a key nobody publishes", lms.sign(nonce, key=ROGUE), {"unknown_kid"}
        yield "no kid", lms.sign(nonce, key=no_kid), {"missing_kid"}
        yield "oversized", lms.sign(nonce, padding="x" * 70_000), {"token_too_large"}
        yield "HMAC with the public key", hmac_signed(lms, nonce), {"algorithm_refused"}
        yield "no token", "nonsense", {"token_malformed"}
        yield "not ASCII", "é.é.é", {"token_malformed"}

    client = browser()
    state, nonce = lms.begin(client)
    for name, token, wanted in tokens(nonce):
        with subtests.test(name):
            assert refused(post(client, token, state), *wanted)
    assert rows(deps, tenant) == []
    assert post(client, lms.sign(nonce), state).status_code == 303


def hmac_signed(lms, nonce):
    public = json.dumps(lms.key.public_jwk()).encode()
    header = {"alg": "HS256", "kid": lms.key.kid}
    return jose.encode(header, lms.claims(nonce), OctKey.import_key(public), algorithms=["HS256"])


# What it wants accepted (§6.1.2-3), as a learner and as an instructor.

GOOD_CLAIMS = {
    "plain": {},
    "several roles": {"more": [ROLE + "Mentor", "http://purl.imsglobal.org/vocab/lis/v2/system/person#User"]},
    "unknown role": {"more": ["http://purl.imsglobal.org/vocab/lis/v2/uknownrole/unknown#Helper"]},
    "short role": {"short": True},
    "e-mail only": {"name": ABSENT, "given_name": ABSENT, "family_name": ABSENT},
    "names only": {"email": ABSENT},
    "no personal data": dict.fromkeys(("name", "given_name", "family_name", "email"), ABSENT),
    "e-mail without context": {"CONTEXT": ABSENT, "name": ABSENT},
    "audience list and azp": {"aud": ["b", "client-1"], "azp": "client-1"},
    "no services": {"AGS_ENDPOINT": ABSENT, "NRPS_SERVICE": ABSENT},
    "claims unknown to us": {"https://example.org/claim": {"a": [1]}},
    "a little fast": {"skew": 20},
}  # fmt: skip


def test_launches_that_are_legal_are_accepted(browser, lms, deps, tenant, subtests):
    for role in (LEARNER, INSTRUCTOR):
        for name, changes in GOOD_CLAIMS.items():
            with subtests.test(name, role=role):
                given = dict(changes)
                mine = role.rpartition("#")[2] if given.pop("short", False) else role
                given["ROLES"] = [mine, *given.pop("more", [])]
                if skew := given.pop("skew", 0):
                    given["iat"] = int(deps.clock().timestamp()) + skew
                answer = lms.launch(browser(), **given)
                assert answer.status_code == 303, answer.text
                assert answer.location.startswith("/learn/")
                _, launch_id = credential.unscoped(answer.location.removeprefix("/learn/"))
                (row,) = (row for row in rows(deps, tenant) if row.id == launch_id)
                assert row.instructor is (role == INSTRUCTOR)


def test_an_empty_list_of_roles_is_legal_and_nobodys_teacher(browser, lms, deps, tenant):
    assert lms.launch(browser(), ROLES=[]).status_code == 303
    assert [row.instructor for row in rows(deps, tenant)] == [False]


def test_roles_of_a_system_or_an_institution_make_no_teacher(browser, lms, deps, tenant):
    elsewhere = "http://purl.imsglobal.org/vocab/lis/v2/institution/person#Instructor"
    assert lms.launch(browser(), ROLES=[elsewhere, LEARNER]).status_code == 303
    assert [row.instructor for row in rows(deps, tenant)] == [False]


# The login


def test_a_login_may_come_by_get_or_post(browser, lms):
    for method in ("get", "post"):
        client = browser()
        state, nonce = lms.begin(client, method=method)
        assert post(client, lms.sign(nonce), state).status_code == 303


BAD_LOGINS = {
    "no issuer": ({"iss": ABSENT}, "missing_parameter"),
    "no hint": ({"login_hint": ABSENT}, "missing_parameter"),
    "no target": ({"target_link_uri": ABSENT}, "missing_parameter"),
    "unknown issuer": ({"iss": "https://evil.example"}, "unknown_platform"),
    "unknown client": ({"client_id": "client-2"}, "unknown_platform"),
    "foreign target": (
        {"target_link_uri": "https://evil.example/lti/launch"},
        "target_link_mismatch",
    ),
    "beside the launch": ({"target_link_uri": LAUNCH + "x"}, "target_link_mismatch"),
    "climbing target": ({"target_link_uri": LAUNCH + "/../../admin"}, "target_link_mismatch"),
    "long hint": ({"login_hint": "x" * 5000}, "bad_parameter"),
    "NUL": ({"login_hint": "a\0b"}, "bad_parameter"),
    "twice": ({"iss": [ISSUER, ISSUER]}, "repeated_parameter"),
}


def test_logins_that_are_not_in_order_are_refused_and_give_no_cookie(browser, lms, subtests):
    for name, (changes, wanted) in BAD_LOGINS.items():
        for method in ("get", "post"):
            with subtests.test(name, method=method):
                answer = lms.login(browser(), method=method, **changes)
                assert refused(answer, wanted)
                assert "Set-Cookie" not in answer.headers


def test_without_client_id_the_issuer_must_say_enough(browser, lms, deps, http):
    lms.begin(browser(), client_id=ABSENT)
    Lms(deps, http, client_id="client-2").register("acme")
    assert refused(lms.login(browser(), client_id=ABSENT), "missing_parameter")
    lms.begin(browser(), client_id="client-2")


def test_a_target_under_the_launch_url_is_ours(browser, lms):
    client = browser()
    target = LAUNCH + "/pricing?x=1"
    state, nonce = lms.begin(client, target_link_uri=target)
    answer = post(client, lms.sign(nonce, TARGET_LINK_URI=target), state)
    assert answer.status_code == 303


# Replay, and whose browser it is


def test_the_same_launch_twice_and_a_new_token_with_a_used_nonce_are_refused(
    browser, lms, deps, tenant
):
    client = browser()
    state, nonce = lms.begin(client)
    token = lms.sign(nonce)
    assert post(client, token, state).status_code == 303
    assert refused(post(client, token, state), "replayed")
    assert refused(post(client, lms.sign(nonce, sub="user-2"), state), "replayed")
    assert len(rows(deps, tenant)) == 1


def test_a_launch_fits_only_its_own_login(browser, lms):
    client = browser()
    first, nonce = lms.begin(client)
    second, _ = lms.begin(client)
    assert refused(post(client, lms.sign(nonce), second), "wrong_nonce")
    assert post(client, lms.sign(nonce), first).status_code == 303


def test_a_launch_begun_in_another_browser_is_refused(browser, lms, deps, tenant):
    mallory, victim = browser(), browser()
    state, nonce = lms.begin(mallory)
    lms.begin(victim)
    assert refused(post(victim, lms.sign(nonce), state), "state_mismatch")
    assert rows(deps, tenant) == []


def test_a_state_that_is_forged_old_or_repeated_is_refused(browser, lms, clock):
    client = browser()
    state, nonce = lms.begin(client)
    token = lms.sign(nonce)
    for forged in ("", "x", state[:-2] + "AA", "é", "a" * 2_000):
        assert refused(post(client, token, forged), "state_invalid", "missing_parameter")
    twice = client.post("/lti/launch", data={"id_token": token, "state": [state, state]})
    assert refused(twice, "repeated_parameter")
    assert refused(client.post("/lti/launch", data={"state": state}), "missing_parameter")
    clock.move(minutes=11)
    assert refused(post(client, lms.sign(nonce), state), "state_expired")


def test_a_launch_that_brings_no_cookie_is_offered_another_way(browser, lms, deps, tenant):
    client, stranger = browser(), browser()
    state, nonce = lms.begin(client)
    token = lms.sign(nonce)
    answer = post(stranger, token, state)
    assert refused(answer, "no_cookie")
    assert 'target="_blank"' in answer.text
    assert "/lti/login?iss=https%3A%2F%2Flms.example&amp;" in answer.text
    # In a window of its own the same form, sent from our own page, brings the cookie.
    assert 'action="/lti/launch"' in answer.text
    assert refused(post(stranger, token, state, again="1"), "no_cookie")
    assert 'action="/lti/launch"' not in post(stranger, token, state, again="1").text
    assert rows(deps, tenant) == []
    assert post(client, token, state, again="1").status_code == 303


def test_a_frame_that_keeps_no_cookies_is_found_out_before_the_platform_is_asked(
    browser, lms, site
):
    framed = {"Sec-Fetch-Dest": "iframe"}
    blocked = FlaskClient(site, site.response_class, use_cookies=False)
    for method in ("get", "post"):
        tried = lms.login(blocked, method=method, headers=framed)
        assert tried.status_code == 307
        assert "Set-Cookie" in tried.headers
        send = getattr(blocked, method)
        sent = {} if method == "get" else {"data": lms.initiation()}
        answer = send(tried.location, headers=framed, **sent)
        assert refused(answer, "no_cookie")
        assert "lti_message_hint=hint" in answer.text
        assert f"frame-ancestors {ISSUER}" in answer.headers["Content-Security-Policy"]
    keeping = browser()
    tried = lms.login(keeping, headers=framed)
    assert keeping.get(tried.location, headers=framed).location.startswith(f"{ISSUER}/auth?")


def test_the_cookie_is_partitioned_and_bound_to_the_host_where_the_address_is_https(
    browser, lms, deps
):
    plain = lms.login(browser()).headers["Set-Cookie"]
    assert plain.startswith("ostiary_browser=")
    assert "SameSite=Lax" in plain
    assert "Secure" not in plain
    address = "https://learn.example"
    served = create_app(
        replace(deps, settings=deps.settings.model_copy(update={"base_url": address}))
    )
    client = FlaskClient(served, served.response_class, use_cookies=True)
    cookie = lms.login(client, target_link_uri=f"{address}/lti/launch").headers["Set-Cookie"]
    assert cookie.startswith("__Host-ostiary_browser=")
    for attribute in ("HttpOnly", "Secure", "Partitioned", "SameSite=None", "Path=/"):
        assert attribute in cookie


# What an administrator has switched off


def switched_off(deps, lms, tenant):
    with deps.db.read(tenant.id) as read:
        (someone,) = people.listed(read, 10)

    def person(active):
        with deps.db.tx(tenant.id) as tx:
            found = people.lock(tx, someone.id)
            people.save(tx, replace(found, active=active), deps.clock())

    yield (
        "registration",
        lambda on: platforms.enable(deps, lms.id, enabled=on),
        {"platform_disabled"},
    )
    yield "tenant", lambda on: tenancy.enable(deps, "acme", enabled=on), {"launches_disabled"}
    yield "person", person, {"person_inactive"}


def test_what_is_switched_off_between_login_and_launch_refuses_it(
    browser, lms, deps, tenant, subtests
):
    lms.launch(browser())
    for name, switch, wanted in switched_off(deps, lms, tenant):
        with subtests.test(name):
            client = browser()
            state, nonce = lms.begin(client)
            switch(False)
            assert refused(post(client, lms.sign(nonce), state), *wanted)
            switch(True)
            assert post(client, lms.sign(nonce), state).status_code == 303


def test_what_is_switched_off_refuses_the_login(browser, lms, deps):
    platforms.enable(deps, lms.id, enabled=False)
    assert refused(lms.login(browser()), "platform_disabled")
    platforms.enable(deps, lms.id, enabled=True)
    tenancy.enable(deps, "acme", enabled=False)
    assert refused(lms.login(browser()), "platform_disabled")


def test_a_refusal_after_verification_leads_back_to_the_course(browser, lms, deps):
    client = browser()
    state, nonce = lms.begin(client)
    tenancy.enable(deps, "acme", enabled=False)
    assert f'href="{ISSUER}/course/1"' in post(client, lms.sign(nonce), state).text
    unverified = post(client, lms.sign(nonce, key=ROGUE), state)
    assert f'href="{ISSUER}/course/1"' not in unverified.text


# Deployments


def test_an_unknown_deployment_waits_and_works_once_it_is_approved(browser, lms, deps, tenant):
    assert refused(lms.launch(browser(), DEPLOYMENT_ID="dep-2"), "unknown_deployment")
    assert refused(lms.launch(browser(), DEPLOYMENT_ID="dep-2"), "unknown_deployment")
    with deps.db.system() as system:
        waiting = [one for one in registered.deployments(system, lms.id) if one.approved_at is None]
    assert [one.deployment_id for one in waiting] == ["dep-2"]
    platforms.approve(deps, lms.id, "dep-2", None)
    assert lms.launch(browser(), DEPLOYMENT_ID="dep-2").status_code == 303


def test_a_forged_launch_records_no_deployment(browser, lms, deps):
    assert refused(lms.launch(browser(), DEPLOYMENT_ID="dep-2", key=ROGUE), "unknown_kid")
    assert refused(lms.launch(browser(), DEPLOYMENT_ID="dep-2", aud="x"), "wrong_audience")
    with deps.db.system() as system:
        assert len(registered.deployments(system, lms.id)) == 1


def test_another_tenants_deployment_opens_nothing_here(browser, lms, deps, http, tenant):
    globex = tenancy.found(deps, "globex", "Globex")
    Lms(deps, http, client_id="client-2").register("globex", deployment="dep-globex")
    assert refused(lms.launch(browser(), DEPLOYMENT_ID="dep-globex"), "unknown_deployment")
    assert rows(deps, tenant) == rows(deps, globex) == []


# The platform's keys


def test_a_new_key_of_the_platform_is_fetched_once(browser, lms, http, clock):
    assert lms.launch(browser()).status_code == 303
    clock.move(minutes=1)
    lms.publish(lms.key, ROGUE)
    assert lms.launch(browser(), key=ROGUE).status_code == 303
    assert lms.launch(browser(), key=ROGUE).status_code == 303
    assert len(http.to(f"{ISSUER}/jwks")) == 2


def test_forged_key_ids_do_not_make_us_hammer_the_platform(browser, lms, http, clock):
    clock.move(minutes=1)
    for _ in range(4):
        assert refused(lms.launch(browser(), key=ROGUE), "unknown_kid")
    assert len(http.to(f"{ISSUER}/jwks")) <= 2


def test_a_platform_whose_keys_can_not_be_had_gets_a_4xx_and_another_try(browser, lms, http, clock):
    keys = http.answers.pop(f"{ISSUER}/jwks")
    answer = lms.launch(browser())
    assert refused(answer, "platform_keys_unavailable")
    for page in (Response(200, {}, b"<html>Maintenance</html>"), Response(500, {}, b"{}")):
        clock.move(seconds=30)
        http.answers[f"{ISSUER}/jwks"] = page
        assert refused(lms.launch(browser()), "platform_keys_unavailable")
    clock.move(seconds=30)
    http.answers[f"{ISSUER}/jwks"] = keys
    assert lms.launch(browser()).status_code == 303
    # Later on, a copy that is too old still serves.
    clock.move(hours=3)
    http.answers[f"{ISSUER}/jwks"] = Response(200, {}, b"<html>Maintenance</html>")
    assert lms.launch(browser()).status_code == 303


# What the link asks for


def test_an_unknown_activity_is_named(browser, lms, deps, tenant):
    answer = lms.launch(browser(), CUSTOM={"activity": "<b>nothing</b>"})
    assert refused(answer, "unknown_activity")
    assert "&lt;b&gt;nothing" in answer.text
    assert rows(deps, tenant) == []


def test_a_learners_link_without_an_activity_says_so(browser, lms):
    for custom in (ABSENT, {}, {"activity": ""}, {"activity": "$ResourceLink.activity"}):
        client = browser()
        answer = lms.launch(client, CUSTOM=custom)
        assert answer.location.startswith("/lti/activity/")
        page = client.get(answer.location)
        assert page.status_code == 200
        assert "No activity has been chosen yet" in page.text
        assert f"frame-ancestors {ISSUER}" in page.headers["Content-Security-Policy"]


def test_a_teacher_chooses_and_learners_get_it(browser, lms, activity):
    teacher, learner = browser(), browser()
    page = lms.launch(teacher, CUSTOM=ABSENT, ROLES=[INSTRUCTOR], sub="t").location
    shown = teacher.get(page).text
    assert "Pricing" in shown
    csrf = shown.partition('name="csrf" value="')[2].partition('"')[0]
    assert teacher.post(page, data={"activity": activity}).status_code == 403
    assert teacher.post(page, data={"activity": "nothing", "csrf": csrf}).status_code == 403
    stranger = browser()
    assert stranger.post(page, data={"activity": activity, "csrf": csrf}).status_code == 401
    chosen = teacher.post(page, data={"activity": activity, "csrf": csrf})
    assert chosen.location == page.replace("/lti/activity/", "/learn/")
    assert lms.launch(learner, CUSTOM=ABSENT).location.startswith("/learn/")
    elsewhere = lms.launch(browser(), CUSTOM=ABSENT, RESOURCE_LINK={"id": "link-2"})
    assert elsewhere.location.startswith("/lti/activity/")


def test_a_learner_can_not_choose(browser, lms, activity):
    client = browser()
    page = lms.launch(client, CUSTOM=ABSENT).location
    assert client.post(page, data={"activity": activity}).status_code == 403
    assert client.get(page.replace("activity", "members")).status_code == 403


def test_a_teacher_sees_who_is_on_the_course(browser, lms, http):
    teacher = browser()
    lms.launch(browser())
    page = lms.launch(teacher, ROLES=[INSTRUCTOR], sub="t").location.replace(
        "/learn/", "/lti/members/"
    )
    members = f"{ISSUER}/members"
    more = f'<{members}?page=Two>; rel="next"'
    ada = {"user_id": "user-1", "name": "Ada <Byron>", "roles": ["Learner"]}
    ines = {"user_id": "t", "roles": [INSTRUCTOR]}
    http.answers[members] = lambda asked: (
        members_page(ines) if "page=Two" in asked.url else members_page(ada, link=more)
    )
    shown = teacher.get(page)
    assert shown.status_code == 200, shown.text
    assert "Ada &lt;Byron&gt;" in shown.text
    assert "2026-03-02 09:00 UTC" in shown.text
    assert "Teacher" in shown.text
    http.answers.pop(members)
    assert refused(teacher.get(page), "roster_unavailable")


# Sessions of several launches


def who(client, page):
    return client.get(page.replace("/learn/", "/lti/activity/"))


def test_a_launch_is_over_for_other_browsers_and_when_its_time_is(browser, lms, clock, deps):
    client = browser()
    page = lms.launch(client, ROLES=[INSTRUCTOR]).location
    assert who(client, page).status_code == 200
    stranger = who(browser(), page)
    assert stranger.status_code == 401
    assert "course" in stranger.text
    clock.move(hours=deps.settings.launch_hours, seconds=1)
    assert who(client, page).status_code == 401


def test_two_launches_in_one_browser_stay_apart(browser, lms, deps, tenant):
    client = browser()
    first = lms.launch(client, ROLES=[INSTRUCTOR], sub="a", name="Ann").location
    second = lms.launch(client, ROLES=[INSTRUCTOR], sub="b", name="Bob").location
    with deps.db.tx(tenant.id) as tx:
        _, found = people.identified(tx, "lti", lms.id, "b")
        sessions.end_all(tx, found.id, "test", deps.clock())
    assert who(client, first).status_code == 200
    assert who(client, second).status_code == 401


def test_a_launch_token_stands_for_the_cookie_in_a_form_and_for_one_launch_only(
    browser, lms, activity, site, clock
):
    client = browser()
    pages = [lms.launch(client, ROLES=[INSTRUCTOR], sub=sub).location for sub in ("a", "b")]
    pages = [page.replace("/learn/", "/lti/activity/") for page in pages]
    shown = client.get(pages[0]).text
    csrf, token = (
        shown.partition(f'name="{name}" value="')[2].partition('"')[0]
        for name in ("csrf", "launch_token")
    )
    bare = FlaskClient(site, site.response_class, use_cookies=False)
    form = {"activity": activity, "csrf": csrf}
    assert bare.post(pages[0], data=form).status_code == 401
    assert bare.post(pages[0], data={**form, "launch_token": token}).status_code == 303
    assert bare.post(pages[1], data={**form, "launch_token": token}).status_code == 401
    assert bare.get(pages[0], query_string={"launch_token": token}).status_code == 401
    assert bare.get(pages[0], headers={"X-Launch-Token": token}).status_code == 200
    assert bare.get(pages[0], headers={"X-Launch-Token": token[:-2] + "AA"}).status_code == 401
    clock.move(hours=1)
    assert bare.post(pages[0], data={**form, "launch_token": token}).status_code == 401


# Odds and ends


def test_our_keys_are_public_for_less_than_an_overlap(browser, lms, deps):
    answer = browser().get("/lti/jwks/acme")
    assert [one["kty"] for one in answer.json["keys"]] == ["RSA"]
    assert not {"d", "p", "q"} & set(answer.json["keys"][0])
    assert answer.headers["Cache-Control"] == "public, max-age=3600"
    assert deps.settings.key_overlap_hours * 3600 > 3600
    assert browser().get("/lti/jwks/nobody").status_code == 404


def test_visiting_the_launch_address_explains_it(browser, lms):
    for path in ("/lti/launch", "/lti/launch/pricing"):
        answer = browser().get(path)
        assert answer.status_code == 405
        assert answer.headers["Allow"] == "POST"
        assert "learning platforms" in answer.text


def test_what_the_platform_says_in_place_of_a_token_is_passed_on_as_text(browser, lms):
    client = browser()
    state, _ = lms.begin(client)
    said = {"error": "login_required", "error_description": "<script>x</script>", "state": state}
    answer = client.post("/lti/launch", data=said)
    assert refused(answer, "platform_error")
    assert "&lt;script&gt;" in answer.text


def test_a_host_with_a_semicolon_adds_nothing_to_the_policy(browser, lms):
    client = browser()
    back = {"return_url": "https://evil;script-src/x"}
    page = lms.launch(client, CUSTOM=ABSENT, LAUNCH_PRESENTATION=back).location
    policy = client.get(page).headers["Content-Security-Policy"]
    assert f"frame-ancestors {ISSUER}" in policy
    assert "evil" not in policy


TEXT = st.text(max_size=60)
FIELDS = st.dictionaries(
    st.sampled_from(["iss", "login_hint", "target_link_uri", "client_id", "lti_message_hint", "state",
                     "id_token", "error", "again", "cookies"]) | TEXT,
    TEXT | st.lists(TEXT, max_size=3), max_size=8,
)  # fmt: skip


@drawn(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(fields=FIELDS, claims=st.dictionaries(TEXT, st.none() | TEXT | st.integers(), max_size=4))
def test_hostile_parameters_never_break_anything(browser, lms, fields, claims):
    client = browser()
    for path in ("/lti/login", "/lti/launch", "/lti/launch/x"):
        assert client.post(path, data=fields).status_code < 500
        assert client.get(path, query_string=fields).status_code < 500
    state, nonce = lms.begin(client)
    token = jwt.sign({**lms.claims(nonce), **claims}, lms.key)
    assert post(client, token, state).status_code < 500


def test_every_claim_of_the_wrong_type_is_no_fault_of_ours(browser, lms, subtests):
    wild = (
        None,
        True,
        7,
        -1.5,
        "",
        "x" * 5000,
        [],
        [1],
        {},
        {"id": 5},
        {"a": {"b": []}},
        ["\u202e"],
    )
    client = browser()
    for name in lms.claims("n"):
        for value in wild:
            state, nonce = lms.begin(client)
            with subtests.test(name, value=value):
                answer = post(client, jwt.sign({**lms.claims(nonce), name: value}, lms.key), state)
                assert answer.status_code < 500, answer.text
