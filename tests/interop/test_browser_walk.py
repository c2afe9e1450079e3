"""The walk in a real browser: by mouse where a person clicks, by keyboard where they learn."""

from __future__ import annotations

from typing import Any

import pytest

from tests.demo import Demo
from tests.interop.browser import frame_of, inspect, tab_to
from tests.interop.person import answer, open_in_course, progress, push, sign_in

pytestmark = [pytest.mark.interop, pytest.mark.timeout(300)]


def test_a_joiner_arrives_learns_and_leaves(demo: Demo, desks: Any):
    from playwright.sync_api import expect

    base = demo.note["base_url"]
    directory, course, own = desks().page, desks().page, desks().page
    push(directory, demo, "Provision: Ada Miller")

    shown = open_in_course(course, demo, "Ada")
    assert shown.get_by_role("heading", level=2).first.inner_text() == "Question 1"
    why = shown.locator("details.why")
    tab_to(course, why.locator("summary"))
    course.keyboard.press("Enter")
    expect(why).to_contain_text("you have not answered anything on this yet", ignore_case=True)
    assert why.evaluate("it => it.open")

    course.reload()
    shown = frame_of(course, base)
    answer(course, shown, right=False)
    assert shown.locator("#verdict").inner_text() == "Not right yet"
    expect(shown.locator("#feedback")).to_contain_text("What is right")
    answers = 1
    while shown.locator("form#now input[name=decision]").count():
        # After an answer the keyboard goes on from what was said to it.
        expect(shown.locator("#feedback")).to_be_focused()
        assert answer(course, shown) <= 4
        assert shown.locator("#verdict").inner_text() == "Right"
        answers += 1
        assert answers < 60
    assert shown.locator("#result").inner_text() == "Completed"
    assert set(progress(shown)) == {"100"}

    course.goto(demo.note["campus"]["lms"] + "/gradebook")
    row = course.get_by_role("row").filter(has_text="Ada Miller")
    expect(row.locator("summary")).to_contain_text("100", timeout=30_000)
    course.goto(demo.note["campus"]["lrs"].removesuffix("/xapi") + "/")
    expect(course.locator(".stream")).to_contain_text("passed", timeout=30_000)

    sign_in(own, demo, "ada@campus.example")
    expect(own.get_by_role("heading", name="Your learning")).to_be_visible()
    assert progress(own) == ["100"]
    own.get_by_role("link", name="See your result").click()
    assert set(progress(own)) == {"100"}

    # She practises in her course, and is switched off meanwhile.
    shown = open_in_course(course, demo, "Ada")
    push(directory, demo, "Deactivate: Ada Miller")
    shown.get_by_role("button", name="Practise again").click()
    over = course.frame_locator("iframe").get_by_role("heading", level=1)
    expect(over).to_have_text("This is over")
    inspect(course, frame_of(course, base))
    own.get_by_role("link", name="Back to your learning").click()
    expect(own.get_by_role("heading", name="Sign in")).to_be_visible()
    own.get_by_label("E-mail address").fill("ada@campus.example")
    own.get_by_role("button", name="Go on").click()
    assert own.url.startswith(demo.note["campus"]["idp"])

    # Opening it anew does not help, and the page says why and leads back.
    shown = open_in_course(course, demo, "Ada")
    expect(course.frame_locator("iframe").get_by_role("heading", level=1)).to_have_text(
        "This was refused"
    )
    assert "switched off" in shown.locator("main").inner_text()
    inspect(course, shown)
    shown.get_by_role("link", name="Back to your course").click()
    expect(course.frame_locator("iframe").get_by_role("heading", level=1)).to_have_text(
        "Back in the course"
    )
