"""Learners who walk while things break, each behind a client that repeats what was not answered.

What a walker was answered with 2xx or 3xx is acknowledged, and stands in the walk's ledger.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, TypeVar
from urllib.parse import parse_qs, urljoin, urlsplit

import requests

from tests.answers import question, right_answer, wrong_answer
from tests.faults.world import World
from tests.visitor import Form, Page, Visitor

_PATIENCE_SECONDS = 90
_PAUSE_SECONDS = (0.1, 0.6)
_THINKING_SECONDS = 0.4
_MOST_ANSWERS = 60
_TABS = 3
_KNOCKS_AFTER = 6
_BUSY = {429, 502, 503, 504}
_USER = "urn:ietf:params:scim:schemas:core:2.0:User"
_PATCH = "urn:ietf:params:scim:api:messages:2.0:PatchOp"

Answer = TypeVar("Answer", Page, requests.Response)


class Stuck(Exception):
    """A client repeated a request for longer than anybody would."""


@dataclass
class Walk:
    """One learner's walk, planned before it begins, and what came of it.

    wrong: how likely an answer is wrong · leaves_after: so many answers, then a deactivation by SCIM
    person: the SCIM id · ledger: {decision: (item, answer)} as acknowledged, in order
    knocks: requests begun after the deactivation was acknowledged · complaints: what must not be
    """

    key: str
    seed: str
    wrong: float
    leaves_after: int | None
    person: str = ""
    finished: bool = False
    ledger: dict[str, tuple[str, list[str]]] = field(default_factory=dict)
    knocks: int = 0
    complaints: list[str] = field(default_factory=list)


def planned(seed: int, count: int) -> list[Walk]:
    """The walks of a seed: mostly right answers; every sixth learner leaves in the middle."""
    drawn = random.Random(f"walks {seed}")
    return [
        Walk(
            f"walker-{number}", f"{seed} {number}", drawn.choice((0.0, 0.1, 0.3)),
            drawn.randint(1, 6) if number % 6 == 5 else None,
        )
        for number in range(count)
    ]  # fmt: skip


class Walker:
    """Does one walk; `hopeless` is set when the run has failed and nobody need go on."""

    def __init__(self, world: World, walk: Walk, hopeless: threading.Event) -> None:
        self._world, self._walk, self._hopeless = world, walk, hopeless
        self._random = random.Random(f"walk {walk.seed}")
        self._browser = Visitor()

    def walk(self) -> None:
        """Join, launch, answer until mastery or until being cut off."""
        try:
            self._join()
            page = self._launch()
            while form := _asked(page):
                if len(self._walk.ledger) == self._walk.leaves_after:
                    self._leave(page, form)
                    break
                page = self._answer(form)
                assert len(self._walk.ledger) < _MOST_ANSWERS, "no end to the questions"
            self._walk.finished = True
        except Exception as error:  # noqa: BLE001 - whatever stops a walk is a finding
            self._complain(f"stopped by {type(error).__name__}: {error}")
        finally:
            self._browser.close()

    def _join(self) -> None:
        """Be made by SCIM as a provisioning client does it: look first, then create."""
        url = f"{self._world.campus_url}/control/people/{self._walk.key}"
        named = {"given": "Learner", "family": self._walk.key}
        known = self._insist(lambda: requests.put(url, json=named, timeout=30)).json()
        body = {
            "schemas": [_USER], "userName": known["email"], "externalId": known["employee"],
            "displayName": self._walk.key, "active": True,
        }  # fmt: skip
        wanted = {"filter": f'userName eq "{known["email"]}"'}
        while not (found := self._scim("GET", "/Users", params=wanted).json())["totalResults"]:
            # Where an answer got lost, the second try is a 409 and the next look finds the User.
            made = self._scim("POST", "/Users", json=body)
            assert made.status_code in {201, 409}, f"SCIM create: {made.status_code} {made.text}"
        self._walk.person = found["Resources"][0]["id"]

    def _launch(self) -> Page:
        """Open the activity from the LMS; whatever goes wrong, the learner clicks the link again."""
        over, why = time.monotonic() + _PATIENCE_SECONDS, ""
        while time.monotonic() < over and not self._hopeless.is_set():
            try:
                page = self._click(self._browser)
                if _asked(page):
                    return page
                why = f"{page.status} at {page.url.partition('?')[0]}: {page.text[:200]}"
                self._look_at(page.status, why)
            except requests.RequestException as error:
                why = type(error).__name__
            self._pause()
        raise Stuck(f"at the launch: {why}")

    def _click(self, browser: Visitor) -> Page:
        """Launch once, to whatever page that leads."""
        begun = browser.post(
            f"{self._world.campus_url}/control/lms/launches",
            json={"person": self._walk.key, "link": "product-update", "target": "window"},
        )
        if begun.status != 200:
            return begun
        asked = begun.response.json()
        if asked["method"] == "POST":
            return browser.through(browser.post(asked["url"], data=asked["fields"]))
        return browser.through(browser.get(asked["url"], params=asked["fields"]))

    def _answer(self, form: Form) -> Page:
        self._hopeless.wait(self._random.uniform(0, _THINKING_SECONDS))
        wrong = self._random.random() < self._walk.wrong
        given = wrong_answer(form) if wrong else right_answer(form)
        answered = self._insist(lambda: _send(self._browser, form, given))
        assert self._acknowledged(answered, form, given), f"{answered.status}: {answered.text}"
        onward = urljoin(answered.url, answered.response.headers["Location"])
        page = self._insist(lambda: self._browser.get(onward))
        assert page.status == 200, f"the page after an answer: {page.status}: {page.text}"
        return page

    def _leave(self, page: Page, form: Form) -> None:
        """Be switched off by SCIM while some tabs keep knocking; what begins afterwards gets nowhere."""
        off = threading.Event()
        with ThreadPoolExecutor(_TABS) as pool:
            tabs = [pool.submit(self._knock, page.url, form, off) for _ in range(_TABS)]
            patch = {
                "schemas": [_PATCH],
                "Operations": [{"op": "Replace", "path": "active", "value": "False"}],
            }
            try:
                done = self._scim("PATCH", f"/Users/{self._walk.person}", json=patch)
                acknowledged = time.monotonic()
            finally:
                off.set()
            assert done.status_code in {200, 204}, f"SCIM PATCH: {done.status_code} {done.text}"
            for begun, what in [one for tab in tabs for one in tab.result()]:
                if begun > acknowledged:
                    self._complain(f"got in after the cut-off: {what}")
        browser = Visitor()
        for _ in range(_KNOCKS_AFTER):
            try:
                again = self._click(browser)
            except requests.RequestException:
                continue
            self._look_at(again.status, again.url)
            self._walk.knocks += 1
            if _asked(again):
                self._complain("launched after the cut-off")
        browser.close()

    def _knock(self, page: str, form: Form, off: threading.Event) -> list[tuple[float, str]]:
        """Ask for page, answer and name in turn, each on a new connection; returns what got in, and when."""
        got_in, after, turn = [], 0, 0
        me = f"{self._world.note['base_url']}/api/v1/me"
        while after < _KNOCKS_AFTER:
            tab = self._browser.twin()
            turn, after = turn + 1, after + off.is_set()
            begun = time.monotonic()
            try:
                if turn % 3 == 0:
                    came = _send(tab, form, right_answer(form))
                    entered = self._acknowledged(came, form, right_answer(form))
                else:
                    came = tab.get(page if turn % 3 == 1 else me)
                    entered = came.status == 200
            except requests.RequestException:
                self._pause()
                continue
            finally:
                tab.close()
            self._look_at(came.status, came.url)
            self._walk.knocks += off.is_set()
            if entered:
                got_in.append((begun, f"{came.response.request.method} {came.url}"))
        return got_in

    def _acknowledged(self, answered: Page, form: Form, given: list[str]) -> bool:
        """Enter an answer that was taken into the ledger; the same answer again is the same entry."""
        if answered.status != 303:
            return False
        query = parse_qs(urlsplit(answered.response.headers["Location"]).query)
        if "note" in query:
            self._complain(f"its own answer, sent again, was not known: {query['note']}")
        self._walk.ledger[form.values["decision"][0]] = (question(form)["key"], given)
        return True

    def _scim(self, method: str, path: str, **what: Any) -> requests.Response:
        note = self._world.note["scim"]
        head = {
            "Authorization": f"Bearer {note['token']}",
            "Content-Type": "application/scim+json",
        }
        return self._insist(
            lambda: requests.request(method, note["url"] + path, headers=head, timeout=30, **what)
        )

    def _insist(self, send: Callable[[], Answer]) -> Answer:
        """Repeat a request until it is answered; raises Stuck."""
        over, why = time.monotonic() + _PATIENCE_SECONDS, ""
        while time.monotonic() < over and not self._hopeless.is_set():
            try:
                came = send()
                status = came.status if isinstance(came, Page) else came.status_code
                why = f"{status} from {came.url.partition('?')[0]}"
                self._look_at(status, why)
                if status < 500 and status not in _BUSY:
                    return came
            except requests.RequestException as error:
                why = f"{type(error).__name__}: {error}"
            self._pause()
        raise Stuck(why)

    def _look_at(self, status: int, where: str) -> None:
        if status >= 500 and status not in _BUSY:
            self._complain(f"a {status}: {where}")

    def _complain(self, text: str) -> None:
        self._world.say(f"{self._walk.key}: {text}")
        self._walk.complaints.append(text)

    def _pause(self) -> None:
        self._hopeless.wait(self._random.uniform(*_PAUSE_SECONDS))


def _asked(page: Page) -> Form | None:
    """The form of the question on a page."""
    return next((one for one in page.forms if "decision" in one.values), None)


def _send(browser: Visitor, form: Form, given: list[str]) -> Page:
    # Not on to the next page: the answer is acknowledged by the redirect itself.
    data = {**form.values, "answer": given}
    return browser.post(form.action, data=data, allow_redirects=False)
