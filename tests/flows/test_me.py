"""Who am I? The signed-in session answers, else the newest launch of this browser."""

from __future__ import annotations

from dataclasses import replace

import pytest

from app.kernel import credential
from app.store import people
from tests import learners
from tests.flows.test_local import EMAIL, PASSWORD, sign_in

SECRET = "b" * 48


@pytest.fixture
def activity(deps, tenant):
    return learners.publish(deps, tenant)


@pytest.fixture
def course(deps, tenant):
    return learners.Course(deps, tenant)


@pytest.fixture
def ada(deps, tenant):
    return learners.person(deps, tenant, "ada")


@pytest.fixture
def browser(gateway):
    made = gateway()
    made.give("ostiary_browser", SECRET)
    return made


def ask(browser, launch=None):
    answer = browser.get("/api/v1/me", query_string={} if launch is None else {"launch": launch})
    if answer.status_code == 200:
        return answer.json["via"], answer.json["person"]["userName"]
    assert answer.content_type == "application/problem+json"
    return answer.status_code


def public(launch):
    return credential.scoped(launch.tenant_id, launch.launch_id)


def test_nobody(gateway, browser):
    assert ask(gateway()) == ask(browser) == 401


def test_a_launch_answers_in_its_own_browser_only(browser, gateway, course, ada, activity):
    launch = public(course.launch(ada, activity, browser=SECRET))
    assert ask(browser) == ask(browser, launch) == ("lti", "ada")
    other = gateway()
    other.give("ostiary_browser", "c" * 48)
    assert ask(other) == ask(other, launch) == ask(gateway(), launch) == 401


def test_the_newest_launch_answers_and_an_older_one_when_asked_for(
    browser, course, ada, activity, deps, tenant, clock
):
    first = course.launch(ada, activity, browser=SECRET)
    clock.move(seconds=1)
    ben = learners.person(deps, tenant, "ben")
    course.launch(ben, activity, browser=SECRET)
    assert ask(browser) == ("lti", "ben")
    assert ask(browser, public(first)) == ("lti", "ada")


def test_the_signed_in_session_answers_before_a_launch_unless_one_is_asked_for(
    browser, course, ada, activity, deps
):
    from app.flows import local

    local.create_administrator(deps, "acme", EMAIL, PASSWORD)
    launch = course.launch(ada, activity, browser=SECRET)
    assert sign_in(browser).status_code == 303
    assert ask(browser) == ("local", EMAIL)
    assert ask(browser, public(launch)) == ("lti", "ada")


@pytest.mark.parametrize("name", ["", "x", "a" * 500, "\x00", "é"])
def test_a_name_that_is_none_is_a_401(browser, course, ada, activity, name):
    course.launch(ada, activity, browser=SECRET)
    if name:
        assert ask(browser, name) == 401


def test_a_launch_of_a_person_switched_off_is_gone(browser, course, ada, activity, deps, tenant):
    launch = public(course.launch(ada, activity, browser=SECRET))
    with deps.db.tx(tenant.id) as tx:
        people.save(tx, replace(ada, active=False), deps.clock())
    assert ask(browser) == ask(browser, launch) == 401


def test_a_launch_opens_no_console(browser, course, deps, tenant, activity):
    from app.flows import local

    administrator = local.create_administrator(deps, "acme", EMAIL, PASSWORD)
    course.launch(administrator, activity, browser=SECRET)
    assert ask(browser) == ("lti", EMAIL)
    assert browser.get("/admin").status_code == 401


@pytest.mark.parametrize("what", ["tenant", "platform"])
def test_what_was_switched_off_does_not_revive_when_it_is_switched_on_again(
    browser, gateway, course, ada, activity, deps, what
):
    from app.flows import local, platforms, tenancy

    local.create_administrator(deps, "acme", EMAIL, PASSWORD)
    signed_in = gateway()
    sign_in(signed_in)
    launch = public(course.launch(ada, activity, browser=SECRET))
    assert ask(browser, launch) == ("lti", "ada")

    def switch(*, enabled):
        if what == "tenant":
            tenancy.enable(deps, "acme", enabled=enabled)
        else:
            platforms.enable(deps, course.registration, enabled=enabled)

    switch(enabled=True)
    assert ask(browser, launch) == ("lti", "ada"), "nothing was off"
    switch(enabled=False)
    assert ask(browser, launch) == 401
    assert (ask(signed_in) == 401) == (what == "tenant")
    switch(enabled=True)
    assert ask(browser, launch) == 401
    assert (ask(signed_in) == 401) == (what == "tenant")
