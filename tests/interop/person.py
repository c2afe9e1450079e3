"""What a person does in a browser on the demo and its campus."""

from __future__ import annotations

import json
import re
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from tests.demo import Demo
from tests.interop.browser import frame_of, tab_to

if TYPE_CHECKING:
    from playwright.sync_api import Frame, Page

ACTIVITY = json.loads(files("app.learning").joinpath("seed/product_update.json").read_text())


def plain(text: str) -> str:
    return " ".join("".join(c for c in text if c not in "*`_").split())


def question(shown: Page | Frame) -> dict[str, Any]:
    """The question on the page, as the activity has it."""
    form = shown.locator("form#now")
    prompt = plain(form.locator("legend, label[for=answer]").inner_text())
    labels = {plain(text) for text in form.locator("label.choice").all_inner_texts()}
    return next(
        item for item in ACTIVITY["items"]
        if plain(item["prompt"]) == prompt
        and {plain(choice["text"]) for choice in item.get("choices", [])} == labels
    )  # fmt: skip


def answer(page: Page, shown: Page | Frame, *, right: bool = True) -> int:
    """Answer with the keyboard alone; gives how many presses of Tab led to the first field."""
    item, form = question(shown), shown.locator("form#now")
    if "choices" in item:
        wanted = item["correct"] if isinstance(item["correct"], list) else [item["correct"]]
        if not right:
            wanted = [next(c["key"] for c in item["choices"] if c["key"] not in wanted)]
        presses = _choose(page, shown, wanted)
    else:
        text = str(item["numeric"]["value"]) if "numeric" in item else item["accepted"][0]
        presses = tab_to(page, form.get_by_role("textbox"))
        page.keyboard.type(text if right else "-1")
    asked = form.locator("input[name=decision]").get_attribute("value")
    tab_to(page, form.get_by_role("button", name="Answer"))
    page.keyboard.press("Enter")
    form.locator(f"input[value='{asked}']").wait_for(state="detached")
    shown.locator("#feedback").wait_for()
    return presses


def _choose(page: Page, shown: Page | Frame, wanted: list[str]) -> int:
    fields = shown.locator("form#now input[name=answer]")
    keys = [one.get_attribute("value") for one in fields.all()]
    presses = tab_to(page, fields.first)
    if fields.first.get_attribute("type") == "radio":
        page.keyboard.press("Space")
        for _ in range(keys.index(wanted[0])):
            page.keyboard.press("ArrowDown")
        return presses
    for position, key in enumerate(keys):
        if position:
            page.keyboard.press("Tab")
        if key in wanted:
            page.keyboard.press("Space")
    return presses


def push(page: Page, demo: Demo, words: str) -> None:
    """Press a button on the provider's page; the gateway must take what it sends."""
    page.goto(demo.note["campus"]["idp"] + "/")
    page.get_by_role("button", name=words).click()
    told = page.get_by_role("status").inner_text()
    assert re.search(r"→ 2\d\d$", told), told


def open_in_course(page: Page, demo: Demo, name: str) -> Frame:
    """Open the activity in its frame in the course, as this person."""
    page.goto(demo.note["campus"]["lms"] + "/")
    activity = page.get_by_role("region", name="Product update")
    activity.get_by_role("link", name=f"Open as {name}", exact=True).click()
    return frame_of(page, demo.note["base_url"])


def sign_in(page: Page, demo: Demo, email: str) -> None:
    """Go to /learn, and sign in at the campus's provider."""
    page.goto(demo.note["base_url"] + "/learn")
    page.get_by_label("E-mail address").fill(email)
    page.get_by_role("button", name="Go on").click()
    page.get_by_label("Password").fill(demo.note["learner"]["password"])
    page.get_by_role("button", name="Sign in").click()


def progress(shown: Page | Frame) -> list[str]:
    """What the bars of the page say, in per cent."""
    return [one.get_attribute("value") for one in shown.locator("progress").all()]
