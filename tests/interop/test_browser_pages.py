"""Every kind of page, wide and narrow, light and dark: readable by everyone, and quiet in the console."""

from __future__ import annotations

from typing import Any

import pytest

from tests.demo import Demo, eventually
from tests.interop.browser import Desk, frame_of, inspect, tab_to
from tests.interop.person import answer, open_in_course, push, question, sign_in

pytestmark = [pytest.mark.interop, pytest.mark.timeout(300)]


def go(desk: Desk, url: str, heading: str) -> None:
    """Open a page, and inspect it once it shows what it should."""
    desk.page.goto(url)
    assert desk.page.get_by_role("heading", level=1).inner_text() == heading
    inspect(desk.page)


@pytest.fixture
def administrator(demo: Demo, desks: Any) -> Desk:
    desk: Desk = desks()
    admin = demo.note["admin"]
    desk.page.goto(demo.note["base_url"] + "/login?return_to=/admin")
    desk.page.get_by_label("E-mail address").fill(admin["email"])
    desk.page.get_by_label("Password").fill(admin["password"])
    desk.page.get_by_role("button", name="Sign in").click()
    return desk


def test_pages_before_anyone_is_signed_in(demo: Demo, desks: Any):
    desk, base = desks(), demo.note["base_url"]
    go(desk, f"{base}/", "The door to learning at work")
    go(desk, f"{base}/sso/signed-out", "You are signed out")
    go(desk, f"{base}/lti/launch", "This address is for learning platforms")
    go(desk, f"{base}/nothing/here", "Not found")
    go(desk, f"{base}/admin", "Please sign in")

    go(desk, f"{base}/learn", "Sign in")
    desk.page.get_by_label("E-mail address").fill("ada@nowhere.example")
    desk.page.get_by_role("button", name="Go on").click()
    assert "No organization signs in here" in desk.page.get_by_role("alert").inner_text()
    inspect(desk.page)

    go(desk, f"{base}/login", "Sign in with a password")
    desk.page.get_by_label("E-mail address").fill("admin@campus.example")
    desk.page.get_by_label("Password").fill("a wrong one")
    desk.page.get_by_role("button", name="Sign in").click()
    desk.page.get_by_role("alert").wait_for()
    inspect(desk.page)


def test_a_choice_between_two_ways_of_signing_in(demo: Demo, desks: Any):
    page = desks().page
    other = demo.ostiary(
        "connection", "add", "--tenant", demo.note["tenant"], "--kind", "oidc", "--name", "The other",
        "--issuer", "https://idp.example", "--client-id", "a", "--client-secret", "b",
    )  # fmt: skip
    page.goto(demo.note["base_url"] + "/sso")
    page.get_by_label("E-mail address").fill("ben@campus.example")
    page.get_by_role("button", name="Go on").click()
    assert page.get_by_role("heading", level=1).inner_text() == "Choose how to sign in"
    inspect(page)
    page.get_by_role("link", name="Campus").click()
    assert page.url.startswith(demo.note["campus"]["idp"])
    demo.ostiary("connection", "disable", other["id"])


def test_pages_of_someone_who_learns(demo: Demo, desks: Any):
    desk, base = desks(), demo.note["base_url"]
    page = desk.page
    push(page, demo, "Provision: Ben Carter")
    sign_in(page, demo, "ben@campus.example")
    page.get_by_role("heading", name="Your learning").wait_for()
    inspect(page)
    page.get_by_role("link", name="Look inside").click()
    page.get_by_role("button", name="Start").wait_for()
    inspect(page)
    page.get_by_role("button", name="Start").click()

    kinds: set[str] = set()
    told: set[str] = set()
    while page.locator("form#now input[name=decision]").count():
        item = question(page)
        kind = "number" if "numeric" in item else item["type"]
        if kind not in kinds:
            kinds.add(kind)
            page.locator("details.why summary").click()
            inspect(page)
            _answer_what_can_not_be_scored(desk, kind)
        right = len(told) != 1  # the second answer is a wrong one
        answer(page, page, right=right)
        verdict = page.locator("#verdict").inner_text()
        if verdict not in told:
            told.add(verdict)
            inspect(page)
    assert {"single_choice", "multiple_choice", "number"} <= kinds
    assert {"Right", "Not right yet"} <= told
    assert page.locator("#result").inner_text() == "Completed"
    inspect(page)

    page.get_by_role("button", name="Practise again").click()
    page.get_by_role("heading", name="This practice round").wait_for()
    inspect(page)
    page.get_by_role("link", name="Back to your learning").click()
    inspect(page)
    go(desk, f"{base}/", "The door to learning at work")
    go(desk, f"{base}/admin", "This was refused")
    go(desk, f"{base}/learn/a/unknown", "Not found")


def _answer_what_can_not_be_scored(desk: Desk, kind: str) -> None:
    form = desk.page.locator("form#now")
    if kind == "number":
        form.get_by_role("textbox").fill("about twelve")
    elif kind != "multiple_choice":
        return  # the browser itself asks for an answer
    form.get_by_role("button", name="Answer").click()
    desk.page.get_by_role("alert").wait_for()
    inspect(desk.page)


def test_a_learner_who_needs_a_break(demo: Demo, desks: Any):
    page = desks().page
    push(page, demo, "Provision: Chen Wu")
    shown = open_in_course(page, demo, "Chen")
    while shown.locator("form#now input[name=decision]").count():
        answer(page, shown, right=False)
    assert shown.locator("#result").inner_text() == "Time for a break"
    inspect(page, shown)


def test_pages_inside_the_course(demo: Demo, desks: Any):
    teacher, learner = desks().page, desks().page
    shown = open_in_course(learner, demo, "Dora")
    inspect(learner, shown)
    answer(learner, shown)
    inspect(learner, shown)
    shown.get_by_role("link", name="Back to your course").click()
    shown.get_by_role("heading", name="Back in the course").wait_for()

    shown = open_in_course(teacher, demo, "Ines")
    shown.get_by_role("row").filter(has_text="Dora Novak").wait_for()
    inspect(teacher, shown)
    shown.get_by_role("button", name="Try the activity yourself").click()
    shown.get_by_role("heading", name="Question 1").wait_for()
    inspect(teacher, shown)

    # A link that names no activity: a learner is told so, a teacher chooses.
    demo.control("PUT", "lms/links/unnamed", {"title": "To be chosen", "custom": {}})
    lms, base = demo.note["campus"]["lms"], demo.note["base_url"]
    learner.goto(f"{lms}/links/unnamed/view?as=dora")
    shown = frame_of(learner, base)
    shown.get_by_role("heading", name="No activity has been chosen yet").wait_for()
    inspect(learner, shown)
    teacher.goto(f"{lms}/links/unnamed/view?as=ines")
    shown = frame_of(teacher, base)
    shown.get_by_role("heading", name="Which activity does this link open?").wait_for()
    inspect(teacher, shown)
    shown.get_by_role("radio").first.check()
    shown.get_by_role("button", name="Open this activity").click()
    shown.get_by_role("button", name="Try the activity yourself").wait_for()
    learner.goto(f"{lms}/links/unnamed/view?as=dora")
    frame_of(learner, base).get_by_role("heading", name="Question").wait_for()


def test_pages_of_the_console(demo: Demo, desks: Any, administrator: Desk):
    learner, page, base = desks().page, administrator.page, demo.note["base_url"]
    for name in (
        "Overview", "People", "Departures", "Platforms", "Sign-in", "Tokens", "Deliveries", "Destinations",
        "Audit log",
    ):  # fmt: skip
        page.get_by_role("navigation", name="Sections").get_by_role("link", name=name).click()
        assert page.get_by_role("heading", level=1).inner_text() == name
        inspect(page)

    push(learner, demo, "Provision: Emil Berg")
    shown = open_in_course(learner, demo, "Emil")
    demo.control("PUT", "faults/lms", {"fail_next": 99, "status": 400, "only": "/lms/api/"})
    answer(learner, shown)
    eventually(lambda: any(row["status"] == "dead" for row in demo.ostiary(
        "outbox", "list", "--tenant", demo.note["tenant"])))  # fmt: skip
    demo.control("PUT", "faults/lms", {})
    go(administrator, f"{base}/admin/outbox", "Deliveries")
    page.get_by_role("button", name="given up again").first.click()
    assert "for another try" in page.get_by_role("status").inner_text()
    inspect(page)
    go(administrator, f"{base}/admin/outbox?show=all", "Deliveries")
    go(administrator, f"{base}/admin", "Overview")

    page.get_by_label("Name or e-mail address").fill("emil")
    page.get_by_role("button", name="Find").click()
    page.get_by_role("link", name="Emil Berg").click()
    assert page.get_by_role("heading", level=1).inner_text() == "Emil Berg"
    inspect(page)
    page.get_by_role("button", name="End all sessions").click()
    assert "ended" in page.get_by_role("status").inner_text()
    inspect(page)
    learner.reload()
    go(administrator, f"{base}/admin/people?q=nobody+has+this+name", "People")


def test_credentials_are_made_and_revoked_by_keyboard(demo: Demo, administrator: Desk):
    page = administrator.page
    go(administrator, demo.note["base_url"] + "/admin/tokens", "Tokens")
    tab_to(page, page.locator("summary").get_by_text("Issue a token"))
    page.keyboard.press("Enter")
    tab_to(page, page.locator("#token-name"))
    page.keyboard.type("By keyboard")
    inspect(page)
    tab_to(page, page.get_by_role("button", name="Issue", exact=True))
    page.keyboard.press("Enter")
    shown = page.get_by_role("status", name="The new token")
    assert shown.locator("code").first.inner_text().startswith("ost_scim_")
    inspect(page)
    page.get_by_label("Revoke By keyboard").press("Enter")
    inspect(page)
    page.get_by_role("button", name="Revoke for good").press("Enter")
    page.get_by_role("row").filter(has_text="By keyboard").get_by_text("revoked").wait_for()
    assert not shown.count()

    page.locator("summary").get_by_text("Add a client").press("Enter")
    page.locator("#client-name").fill("A client")
    page.get_by_role("button", name="Add", exact=True).press("Enter")
    page.get_by_role("heading", name="Copy the secret").wait_for()
    inspect(page)
    page.get_by_role("button", name="Switch off").press("Enter")
    page.get_by_role("button", name="Switch on").wait_for()
    inspect(page)


def test_departures_are_shown_on_every_page_and_undone_with_one_click(
    demo: Demo, administrator: Desk
):
    page, base = administrator.page, demo.note["base_url"]
    schema = "urn:ietf:params:scim:schemas:core:2.0:User"
    for number in range(7):
        body = {"schemas": [schema], "userName": f"leaver{number}@campus.example", "active": True}
        made = demo.scim("POST", "/Users", body).json()["id"]
        assert demo.scim("DELETE", f"/Users/{made}").status_code == 204
    go(administrator, f"{base}/admin", "Overview")
    page.get_by_role("link", name="Look and decide").click()
    page.get_by_role("heading", name="Who left").wait_for()
    inspect(page)
    page.get_by_role("button", name="Bring everyone back").click()
    eventually(lambda: page.get_by_text("departures are undone").count())
    inspect(page)
    go(administrator, f"{base}/admin/departures", "Departures")


def test_what_provisioning_asked_for_is_shown_and_tried_out(demo: Demo, administrator: Desk):
    page, base = administrator.page, demo.note["base_url"]
    body = {"userName": "traced@campus.example", "displayName": "Traced"}
    made = demo.scim("POST", "/Users", body).json()["id"]
    assert demo.scim("POST", "/Users", body).status_code == 409
    go(administrator, f"{base}/admin/provisioning", "Provisioning")
    page.get_by_label("User name, e-mail address, externalId or group name").fill(
        "traced@campus.example"
    )
    page.get_by_role("button", name="Look up").click()
    page.get_by_text("What was sent").first.click()
    assert page.get_by_text("Another User bears this userName.").count() == 1
    inspect(page)
    page.get_by_role("link", name="Try a request out").click()
    page.get_by_label("Method").select_option("DELETE")
    page.get_by_label("Path").fill(f"/Users/{made}")
    page.get_by_role("button", name="See what it would do").click()
    page.get_by_role("heading", name="It would be done: 204").wait_for()
    inspect(page)
    assert demo.scim("GET", f"/Users/{made}").status_code == 200


def test_a_group_gives_what_an_administrator_says(demo: Demo, administrator: Desk):
    page, base = administrator.page, demo.note["base_url"]
    assert demo.scim("POST", "/Groups", {"displayName": "The team"}).status_code == 201
    go(administrator, f"{base}/admin/groups", "Groups")
    card = page.get_by_role("region", name="The team")
    card.get_by_label("Let it give").select_option(label="administrator")
    card.get_by_role("button", name="Give to The team").click()
    card.get_by_role("button", name="Take back administrator from The team").wait_for()
    inspect(page)


def test_pages_of_the_campus(demo: Demo, desks: Any):
    desk = desks()
    for path in ("/", "/idp/", "/lms/", "/lms/gradebook", "/lrs/", "/nothing"):
        desk.page.goto(demo.note["campus"]["lms"].removesuffix("/lms") + path)
        inspect(desk.page)
