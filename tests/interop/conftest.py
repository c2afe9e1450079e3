"""One demo and one browser for all the tests that need them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

from tests.demo import Demo
from tests.interop.browser import Desk, chromium, driver

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Playwright


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    running = Demo(tmp_path_factory.mktemp("demo"), {})
    yield running
    assert running.stop() == 0


@pytest.fixture(scope="session")
def playwright() -> Iterator[Playwright]:
    with driver() as running:
        yield running


@pytest.fixture(scope="session")
def browser(playwright: Playwright) -> Iterator[Browser]:
    with chromium(playwright) as running:
        yield running


@pytest.fixture
def desks(browser: Browser) -> Iterator[Any]:
    """Make desks, each a browser profile of its own; at the end their consoles must be clean."""
    made: list[Desk] = []

    def desk(**options: Any) -> Desk:
        made.append(Desk(browser, **options))
        return made[-1]

    yield desk
    for each in made:
        each.close()
