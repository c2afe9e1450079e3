"""Whose launch it is: replays, browsers, what is switched off, deployments, the platform's keys."""

from dataclasses import replace

from flask.testing import FlaskClient

from app.factory import create_app
from app.flows import documents, platforms, tenancy
from app.http import Response
from app.store import people
from app.store import platforms as registered
from keys import jwk
from tests.lti_platform import ABSENT, ISSUER, Lms, post, refused, rows

ROGUE = jwk.generate()


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


def test_a_form_of_another_site_does_not_cost_the_browser_its_other_launches(browser, lms, site):
    """Over plain http the cookie stays away from such a form, though the browser has one."""
    client = browser()
    first = lms.launch(client, CUSTOM=ABSENT).location
    blind = FlaskClient(site, site.response_class, use_cookies=False)
    form = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Dest": "document"}
    answer = lms.login(blind, method="post", headers=form)
    assert answer.status_code == 303
    assert "Set-Cookie" not in answer.headers
    onward = client.get(answer.location, headers=form)
    assert onward.location.startswith(f"{ISSUER}/auth?")
    assert "login_hint=user-1" in onward.location
    assert "lti_message_hint=hint" in onward.location
    assert client.get(first).status_code == 200
    # Whoever has none gets one then.
    assert "Set-Cookie" in browser().get(answer.location, headers=form).headers


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


def test_what_is_kept_of_the_keys_address_may_be_another_kind_of_document(
    browser, lms, deps, http, clock
):
    http.answers[f"{ISSUER}/jwks"], keys = Response(200, {}, b"{}"), http.answers[f"{ISSUER}/jwks"]
    documents.fetch(deps, f"{ISSUER}/jwks")  # as a provider's metadata, say
    assert refused(lms.launch(browser()), "platform_keys_unavailable")
    http.answers[f"{ISSUER}/jwks"] = keys
    clock.move(hours=2)
    assert lms.launch(browser()).status_code == 303
