"""The course on one site, the gateway on another, in a browser that keeps third parties' cookies away."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.resources import as_file, files
from typing import TYPE_CHECKING, Any

import pytest
import requests

from tests.demo import eventually
from tests.interop.browser import Desk, chromium, frame_of, inspect
from tests.interop.gateway import Gateway, Process
from tests.interop.person import answer
from tests.interop.tls import Front
from tests.ports import free_port

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page, Playwright

pytestmark = [pytest.mark.interop, pytest.mark.timeout(300)]

SEED = files("app.learning").joinpath("seed/product_update.json")


@dataclass
class Course:
    """The campus's LMS at `localhost`, and a gateway at 127.0.0.1 that is its tool."""

    gateway: Gateway
    url: str

    def control(self, method: str, path: str, body: Any = None) -> Any:
        answered = requests.request(method, f"{self.url}/control/{path}", json=body, timeout=30)
        assert answered.ok, answered.text
        return answered.json()

    def introduce(self) -> None:
        """Register each with the other, and place the activity in the course."""
        lms, ostiary = f"{self.url}/lms", self.gateway.ostiary
        made = ostiary(
            "platform", "add", "--tenant", self.gateway.tenant, "--name", "Campus", "--issuer", lms,
            "--client-id", "tool", "--deployment-id", "1", "--auth-url", f"{lms}/auth",
            "--token-url", f"{lms}/token", "--jwks-url", f"{lms}/jwks",
        )  # fmt: skip
        with as_file(SEED) as seed:
            slug = ostiary("activity", "import", str(seed), "--tenant", self.gateway.tenant)["slug"]
        self.control("PUT", "lms/tool", {
            "login_url": made["login_url"], "launch_url": made["launch_url"],
            # The campus does not know the front's certificate; it fetches our keys behind it.
            "jwks_url": made["jwks_url"].replace(self.gateway.base_url, f"http://127.0.0.1:{self.gateway.port}"),
            "client_id": "tool", "deployment_id": "1",
        })  # fmt: skip
        self.control("PUT", "lms/links/update", {"title": "Update", "custom": {"activity": slug}})

    def open(self, page: Page, name: str) -> None:
        page.goto(f"{self.url}/lms/links/update/view?as={name}")

    def score(self, person: str) -> float | None:
        cells = self.control("GET", "lms/gradebook")
        found = [one["result"] for one in cells if one["person"] == person and one["result"]]
        return found[0]["resultScore"] if found else None


@pytest.fixture(scope="module")
def course(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Course]:
    directory, port = tmp_path_factory.mktemp("sites"), free_port()
    front = Front(directory) if request.param == "https" else None
    gateway = Gateway(directory, **({"OSTIARY_BASE_URL": front.base_url} if front else {}))
    campus = Process(
        [sys.executable, "-m", "sandbox", "--dir", str(directory / "campus"), "--port", str(port),
         "--gateway", gateway.base_url, "--host", "localhost"],
        dict(os.environ), directory / "campus.log", f"http://localhost:{port}/healthz",
    )  # fmt: skip
    made = Course(gateway, f"http://localhost:{port}")
    made.introduce()
    gateway.start()
    if front:
        front.forward(gateway.port)
    yield made
    gateway.stop()
    campus.stop()
    if front:
        front.close()


@pytest.fixture(scope="module")
def strict(playwright: Playwright) -> Iterator[Browser]:
    with chromium(playwright, "--test-third-party-cookie-phaseout") as running:
        yield running


@pytest.fixture
def desk(strict: Browser) -> Iterator[Desk]:
    made = Desk(strict, ignore_https_errors=True)
    yield made
    made.close()


def sent_cookies(page: Page, begins: str) -> list[str]:
    """Collect the cookies of requests to addresses that begin so."""
    seen: list[str] = []

    def note(request: Any) -> None:
        if request.url.startswith(begins):
            seen.append(request.all_headers().get("cookie", ""))

    page.on("requestfinished", note)
    return seen


@pytest.mark.parametrize("course", ["https"], indirect=True)
def test_over_https_the_frame_keeps_a_cookie_of_its_own(course: Course, desk: Desk) -> None:
    base = course.gateway.base_url
    # A cookie of the site's, held by no partition, stays away from the frame: this browser is strict.
    desk.context.add_cookies([{
        "name": "planted", "value": "1", "url": base, "sameSite": "None", "secure": True,
    }])  # fmt: skip
    own = sent_cookies(desk.page, f"{base}/")
    desk.page.goto(f"{base}/")
    assert "planted=1" in own[0]
    sent = sent_cookies(desk.page, f"{base}/learn/")
    course.open(desk.page, "ada")
    shown = frame_of(desk.page, base)
    shown.get_by_role("heading", name="Question 1").wait_for()
    answer(desk.page, shown)
    eventually(lambda: course.score("ada"))
    assert len(sent) >= 2
    assert all("ostiary_browser=" in cookies and "planted" not in cookies for cookies in sent)
    (held,) = [c for c in desk.context.cookies() if c["name"].endswith("ostiary_browser")]
    assert held["name"].startswith("__Host-")
    assert (held["secure"], held["httpOnly"], held["sameSite"]) == (True, True, "None")
    assert held["partitionKey"].startswith("http://localhost")
    inspect(desk.page, shown)


@pytest.mark.parametrize("course", ["http"], indirect=True)
def test_where_the_frame_keeps_no_cookie_a_new_window_lets_in(course: Course, desk: Desk) -> None:
    base = course.gateway.base_url
    sent = sent_cookies(desk.page, base)
    course.open(desk.page, "ada")
    shown = frame_of(desk.page, base)
    shown.get_by_role("heading", name="One more step").wait_for()
    assert not any(sent)
    inspect(desk.page, shown)
    with desk.context.expect_page() as opened:
        shown.get_by_role("link", name="Open in a new window").click()
    page = opened.value
    page.get_by_role("heading", name="Question 1").wait_for()
    assert page.url.startswith(f"{base}/learn/")
    inspect(page)
    answer(page, page)
    eventually(lambda: course.score("ada"))

    # A launch that the LMS itself opens in a window needs no detour through a frame.
    desk.page.goto(f"{course.url}/lms/")
    with desk.context.expect_page() as opened:
        desk.page.get_by_role("row").filter(has_text="Ben Carter").get_by_role(
            "link", name="New window"
        ).click()
    opened.value.get_by_role("heading", name="Question 1").wait_for()
