"""What a launch leads to, and for whom it stays open."""

from flask.testing import FlaskClient

from app.kernel import credential
from app.store import launches, people
from tests.lti_platform import ABSENT, INSTRUCTOR, ISSUER, refused, rows

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
    for nothing in ("nothing", "", "a\0b", "x" * 5000, activity[:-1] + "2"):
        form = {"activity": nothing, "csrf": csrf}
        assert refused(teacher.post(page, data=form), "unknown_activity")
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


def test_a_link_that_names_its_activity_leaves_nothing_to_choose(browser, lms, activity, deps):
    teacher = browser()
    page = lms.launch(teacher, ROLES=[INSTRUCTOR]).location.replace("/learn/", "/lti/activity/")
    shown = teacher.get(page).text
    assert "names its activity itself" in shown
    _, launch_id = credential.unscoped(page.rpartition("/")[2])
    form = {"activity": activity, "csrf": deps.seal.mac("csrf", launch_id.encode())}
    assert refused(teacher.post(page, data=form), "named_by_link")


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
        launches.end_all(tx, found.id, "test", deps.clock())
    assert who(client, first).status_code == 200
    assert who(client, second).status_code == 401


def test_a_launch_token_stands_for_the_cookie_in_a_form_and_for_one_launch_only(
    browser, lms, activity, site, clock
):
    client = browser()
    teacher = {"ROLES": [INSTRUCTOR], "CUSTOM": ABSENT}
    pages = [lms.launch(client, sub=sub, **teacher).location for sub in ("a", "b")]
    shown = client.get(pages[0]).text
    csrf, token = (
        shown.partition(f'name="{name}" value="')[2].partition('"')[0]
        for name in ("csrf", "launch_token")
    )
    bare = FlaskClient(site, site.response_class, use_cookies=False)
    form = {"activity": activity, "csrf": csrf}
    assert bare.post(pages[0], data=form).status_code == 401
    chosen = bare.post(pages[0], data={**form, "launch_token": token})
    assert chosen.status_code == 307
    assert chosen.location.startswith("/learn/")
    assert bare.post(pages[1], data={**form, "launch_token": token}).status_code == 401
    assert bare.get(pages[0], query_string={"launch_token": token}).status_code == 401
    assert bare.get(pages[0], headers={"X-Launch-Token": token}).status_code == 200
    assert bare.get(pages[0], headers={"X-Launch-Token": token[:-2] + "AA"}).status_code == 401
    clock.move(hours=1)
    assert bare.post(pages[0], data={**form, "launch_token": token}).status_code == 401
