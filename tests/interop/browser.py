"""Debian's Chromium driven by Playwright, with an eye on the console and on accessibility.

`SCREENSHOTS=DIR make test-interop` also keeps a picture of each page that was inspected.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Frame, Locator, Page, Playwright

PROGRAM = "/usr/bin/chromium"
FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip
WIDE, NARROW = 1280, 390

_AXE = Path(__file__).parent / "peers/node_modules/axe-core/axe.min.js"
_RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
_MOST_TABS = 60


@contextmanager
def driver() -> Iterator[Playwright]:
    """Playwright itself, of which a thread can have only one."""
    # Not at the top: `make test` collects this folder too, where Playwright need not be installed.
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        yield playwright


@contextmanager
def chromium(playwright: Playwright, *flags: str) -> Iterator[Browser]:
    browser = playwright.chromium.launch(executable_path=PROGRAM, args=[*FLAGS, *flags])
    yield browser
    browser.close()


class Desk:
    """One person's browser: a profile of its own, and everything that its consoles said."""

    def __init__(self, browser: Browser, width: int = WIDE, **options: Any) -> None:
        self.context: BrowserContext = browser.new_context(
            viewport={"width": width, "height": 900}, locale="en-GB", **options
        )
        self.said: list[tuple[str, str]] = []
        self._refused: set[str] = set()
        self.context.on("console", self._console)
        self.context.on("weberror", lambda error: self.said.append(("error", str(error.error))))
        self.context.on("response", self._response)
        self.page: Page = self.context.new_page()

    def _console(self, message: Any) -> None:
        if message.type in {"error", "warning"}:
            self.said.append((message.location["url"], message.text))

    def _response(self, response: Any) -> None:
        # A refused page is a page; that the browser notes its status is no fault of it.
        if 400 <= response.status < 500 and response.request.is_navigation_request():
            self._refused.add(response.url)

    def close(self) -> None:
        """Close the browser; nothing may have gone wrong in any of its consoles."""
        self.context.close()
        faults = [
            (url, text) for url, text in self.said
            if not (text.startswith("Failed to load resource") and url in self._refused)
        ]  # fmt: skip
        assert faults == []


def frame_of(page: Page, base_url: str) -> Frame:
    """The page's frame that shows something of `base_url`."""
    found = page.locator("iframe").element_handle().content_frame()
    assert found is not None
    found.wait_for_url(lambda url: url.startswith(base_url))
    return found


def inspect(page: Page, shown: Page | Frame | None = None) -> None:
    """Fail on what axe finds, wide and narrow, light and dark, and where a phone would scroll sideways."""
    shown = shown or page
    size = page.viewport_size
    for width, scheme in ((WIDE, "light"), (WIDE, "dark"), (NARROW, "light")):
        page.set_viewport_size({"width": width, "height": 900})
        page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        wide, room = shown.evaluate(
            "[document.documentElement.scrollWidth, document.documentElement.clientWidth]"
        )
        _picture(page, shown, f"{width}-{scheme}")
        assert wide <= room, f"{shown.url} is {wide} px wide on {room}"
        found = "\n".join(violations(shown))
        assert not found, f"{shown.url} at {width} px, {scheme}: {found}"
    page.emulate_media(color_scheme="light")
    page.set_viewport_size(size)


def _picture(page: Page, shown: Page | Frame, name: str) -> None:
    folder = os.environ.get("SCREENSHOTS")
    if folder:
        path = re.sub(r"[^a-z]+", "-", shown.url.partition("//")[2].partition("/")[2].lower())[:60]
        count = len(list(Path(folder).glob("*.png")))
        page.screenshot(path=f"{folder}/{count:03d}-{name}-{path}.png", full_page=True)


def violations(shown: Page | Frame) -> list[str]:
    """What axe finds: rule, what it asks for, and where."""
    if not shown.evaluate("'axe' in window"):
        shown.evaluate(_AXE.read_text())
    found = shown.evaluate(
        "rules => axe.run(document, {runOnly: rules, iframes: false, resultTypes: ['violations']})", _RULES
    )  # fmt: skip
    return [
        f"{one['id']}: {one['help']}: {[(node['target'], node.get('failureSummary')) for node in one['nodes']]}"
        for one in found["violations"]
    ]


def tab_to(page: Page, wanted: Locator) -> int:
    """Press Tab until this has the focus; gives how often."""
    for presses in range(1, _MOST_TABS):
        page.keyboard.press("Tab")
        if wanted.evaluate("it => it === document.activeElement && document.hasFocus()"):
            return presses
    raise AssertionError(f"the keyboard does not reach {wanted}")
