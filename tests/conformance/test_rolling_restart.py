"""Rolling restarts under load, and several web processes on one SQLite file."""

from __future__ import annotations

import http.client
import json
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import requests

from tests.demo import Demo, eventually
from tests.served import USER, Served, children_of
from tests.visitor import Visitor


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    made = Served(tmp_path, OSTIARY_SCIM_RATE="0")
    settings = tmp_path / "settings"
    settings.write_text("OSTIARY_SESSION_HOURS=8\n")
    made.options = ["--env-file", str(settings)]
    assert made.ostiary("db", "upgrade").returncode == 0
    try:
        made.start()
        yield made
    finally:
        made.stop()


class Client(threading.Thread):
    """Sends requests without a pause until told to stop; every one must be answered as it should."""

    def __init__(self, served: Served, token: str, number: int, *, keep_alive: bool) -> None:
        super().__init__()
        self._served, self._token, self._number = served, token, number
        self._keep_alive = keep_alive
        self.stop = threading.Event()
        self.answered: list[int] = []
        self.made: list[str] = []
        self.fault: Exception | None = None

    def run(self) -> None:
        line = self._line()
        try:
            while not self.stop.is_set():
                status = self._request(line, len(self.answered))
                self.answered.append(status)
                if not self._keep_alive or line.sock is None:  # it said `Connection: close`
                    line.close()
                    line = self._line()
        except Exception as fault:  # noqa: BLE001 - told to the test
            self.fault = fault
        finally:
            line.close()

    def _line(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self._served.port, timeout=30)

    def _request(self, line: http.client.HTTPConnection, n: int) -> int:
        headers = {"Authorization": f"Bearer {self._token}"}
        if not self._keep_alive:
            headers["Connection"] = "close"
        if n % 4:
            line.request("GET", "/scim/v2/Users?count=1", headers=headers)
        else:
            name = f"u{self._number}-{n}"
            body = json.dumps({"schemas": [USER], "userName": name})
            line.request("POST", "/scim/v2/Users", body, headers)
        answer = line.getresponse()
        answer.read()
        if answer.status == 201:
            self.made.append(name)
        return answer.status


def test_a_rolling_restart_drops_no_request(served: Served):
    token = served.scim_token()
    clients = [Client(served, token, number, keep_alive=number % 2 == 0) for number in range(6)]
    for client in clients:
        client.start()
    seen = [served.children()]
    for _ in range(3):
        served.restarted()
        before = [len(client.answered) for client in clients]
        eventually(lambda: all(len(c.answered) > n for c, n in zip(clients, before, strict=True)))  # noqa: B023
        seen.append(served.children())
    for client in clients:
        client.stop.set()
    for client in clients:
        client.join(60)
        assert client.fault is None
        assert set(client.answered) <= {200, 201}
    assert len({each["web"] for each in seen}) == len({each["worker"] for each in seen}) == 4
    headers = {"Authorization": f"Bearer {token}"}
    total = requests.get(served.url + "/scim/v2/Users?count=0", headers=headers, timeout=10).json()
    assert total["totalResults"] == sum(len(client.made) for client in clients)


def test_a_restart_takes_up_the_settings_on_disk(served: Served, tmp_path: Path):
    assert len(served.web_workers()) == 1
    (tmp_path / "settings").write_text("OSTIARY_WEB_PROCESSES=2  # more of them\n")
    served.restarted()
    assert len(served.web_workers()) == 2


def test_what_can_not_start_leaves_the_old_ones_serving_and_says_why(
    served: Served, tmp_path: Path
):
    eventually(lambda: served.events().get("serving") == 2)  # none still reads its settings
    before = served.children()
    (tmp_path / "settings").write_text("OSTIARY_SESSION_HOURS=never\n")
    served.process.send_signal(signal.SIGHUP)
    eventually(lambda: served.events()["not replaced"] == 1)
    assert served.answers()
    eventually(lambda: len(children_of(served.process.pid)) == 2)
    assert served.children() == before
    (told,) = [line for line in served.lines() if line["event"] == "not replaced"]
    assert told["process"] == "web"
    assert "OSTIARY_SESSION_HOURS" in told["reason"]
    (tmp_path / "settings").write_text("")
    served.restarted()
    assert served.children() != before


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[Demo]:
    running = Demo(tmp_path, {"OSTIARY_WEB_PROCESSES": "2"})
    yield running
    assert running.stop() == 0


def counting_processes(demo: Demo) -> set[str]:
    """The web processes that have answered something, by the counters that each keeps in a file."""
    serve = next(
        pid
        for pid in children_of(demo.process.pid)
        if "serve" in Path(f"/proc/{pid}/cmdline").read_text().split("\0")
    )
    for pid in children_of(serve):
        for line in Path(f"/proc/{pid}/environ").read_text().split("\0"):
            if line.startswith("PROMETHEUS_MULTIPROC_DIR="):
                return {one.name for one in Path(line.partition("=")[2]).glob("counter_*.db")}
    raise AssertionError(serve)


def test_two_web_processes_share_sessions_and_claim_a_launch_once(demo: Demo):
    base, admin = demo.note["base_url"], demo.note["admin"]
    visitor = Visitor()
    page = visitor.get(base + "/login")
    entered = visitor.submit(
        page.forms[0], organization=demo.note["tenant"], email=admin["email"], password=admin["password"],
    )  # fmt: skip
    assert entered.status == 200, entered.text
    cookies = visitor._http.cookies.get_dict()

    def me(_: int) -> int:
        return requests.get(base + "/api/v1/me", cookies=cookies, timeout=30).status_code

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(me, range(64))) == {200}
        eventually(
            lambda: set(pool.map(me, range(16))) == {200} and len(counting_processes(demo)) == 2
        )
    for _ in range(4):
        assert launched_at_once(demo, 8) == [303] + [403] * 7
    visitor.close()


def launched_at_once(demo: Demo, times: int) -> list[int]:
    """Post one launch, with its one state and nonce, several times at once; the statuses, sorted."""
    visitor = Visitor()
    control = demo.note["campus"]["lms"].removesuffix("/lms") + "/control/lms/launches"
    wish = {"person": "ada", "link": "product-update", "target": "window"}
    begun = visitor.post(control, json=wish).response.json()
    page = visitor.post(begun["url"], data=begun["fields"])
    form = next(form for form in page.forms if form.action == demo.note["lti"]["launch_url"])
    cookies = visitor._http.cookies.get_dict()
    visitor.close()

    def launch(_: int) -> int:
        return requests.post(
            form.action, data=form.values, cookies=cookies, timeout=30, allow_redirects=False
        ).status_code

    with ThreadPoolExecutor(times) as pool:
        return sorted(pool.map(launch, range(times)))
