"""The gateway under load while its database fails: clear refusals, recovery by itself, nothing lost."""

from __future__ import annotations

import json
import resource
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from tests.demo import eventually
from tests.postgres import Server
from tests.served import USER, Served, children_of

HOLDER = """
import sqlite3, sys
db = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=30)
db.execute("BEGIN EXCLUSIVE")
print("held", flush=True)
sys.stdin.readline()
db.execute("ROLLBACK")
"""


class Writer(threading.Thread):
    """A provisioning client that makes one user after the other, and repeats what was answered 503."""

    def __init__(self, served: Served, token: str, number: int) -> None:
        super().__init__()
        self._url, self._number = served.url + "/scim/v2/Users", number
        self._headers = {
            "Authorization": f"Bearer {token}",
            "Content-Type": "application/scim+json",
        }
        self.stop = threading.Event()
        self.acknowledged: list[str] = []
        self.refusals: list[requests.Response] = []
        self.fault: BaseException | None = None

    def run(self) -> None:
        try:
            while not self.stop.is_set():
                self._make(f"u{self._number}-{len(self.acknowledged)}")
        except BaseException as fault:  # noqa: BLE001 - told to the test
            self.fault = fault

    def _make(self, name: str) -> None:
        unknown = False
        body = json.dumps({"schemas": [USER], "userName": name})
        while not self.stop.is_set():
            answer = requests.post(self._url, body, headers=self._headers, timeout=60)
            if answer.status_code == 201 or (unknown and answer.status_code == 409):
                self.acknowledged.append(name)
                return
            assert answer.status_code == 503, (answer.status_code, answer.text)
            self.refusals.append(answer)
            unknown = unknown or "It is not known" in answer.text


class Load:
    """Several writers at once, on a gateway of its own."""

    def __init__(self, served: Served) -> None:
        self.served = served
        self.token = served.scim_token()
        self.writers = [Writer(served, self.token, number) for number in range(4)]
        for writer in self.writers:
            writer.start()

    @property
    def acknowledged(self) -> list[str]:
        return [name for writer in self.writers for name in writer.acknowledged]

    @property
    def refusals(self) -> list[requests.Response]:
        return [answer for writer in self.writers for answer in writer.refusals]

    def goes_on(self, by: int = 8) -> None:
        """Wait until so many more writes are acknowledged."""
        before = len(self.acknowledged)
        eventually(lambda: self.sound() and len(self.acknowledged) >= before + by)

    def is_refused(self, by: int = 1) -> None:
        before = len(self.refusals)
        eventually(lambda: self.sound() and len(self.refusals) >= before + by)

    def sound(self) -> bool:
        for writer in self.writers:
            if writer.fault is not None:
                raise writer.fault
        return True

    def found(self) -> set[str]:
        """Who is there, by SCIM; a reading client."""
        names: set[str] = set()
        while True:
            page = requests.get(
                self.served.url + "/scim/v2/Users", headers={"Authorization": f"Bearer {self.token}"},
                params={"startIndex": len(names) + 1, "attributes": "userName"}, timeout=30,
            )  # fmt: skip
            assert page.status_code == 200, page.text
            names |= {one["userName"] for one in page.json().get("Resources", ())}
            if len(names) >= page.json()["totalResults"]:
                return names

    def end(self) -> None:
        for writer in self.writers:
            writer.stop.set()
        for writer in self.writers:
            writer.join(90)


def check(load: Load, *codes: str) -> None:
    """Every acknowledged write is there, and every refusal was one that a client understands."""
    load.end()
    assert load.sound()
    assert set(load.acknowledged) <= load.found()
    for answer in load.refusals:
        assert int(answer.headers["Retry-After"]) > 0
        assert answer.headers["Content-Type"] == "application/scim+json"
        detail = answer.json()["detail"]
        assert "Nothing was changed" in detail or "It is not known whether" in detail
    log = load.served.lines()
    assert codes
    assert {line["code"] for line in log if line["event"] == "database fault"} <= set(codes)
    assert not [line for line in log if line["event"] == "unexpected"]


@pytest.fixture
def served(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Served]:
    made = Served(tmp_path, **getattr(request, "param", {}))
    assert made.ostiary("db", "upgrade").returncode == 0
    try:
        made.start()
        yield made
    finally:
        made.stop()


@pytest.fixture
def load(served: Served) -> Iterator[Load]:
    made = Load(served)
    yield made
    made.end()


def all_processes(pid: int) -> list[int]:
    return [pid, *(each for child in children_of(pid) for each in all_processes(child))]


def test_a_full_disk_is_told_and_writing_goes_on_once_there_is_room(served: Served, load: Load):
    load.goes_on()
    before = served.children()
    processes = all_processes(served.process.pid)
    unlimited = {pid: resource.prlimit(pid, resource.RLIMIT_FSIZE) for pid in processes}
    for pid, (_, hard) in unlimited.items():
        # No file may be written beyond its first page: as if the disk were full.
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (4096, hard))
    load.is_refused(8)
    assert load.found()  # who only reads is served
    for pid, limits in unlimited.items():
        resource.prlimit(pid, resource.RLIMIT_FSIZE, limits)
    load.goes_on()
    check(load, "database_full")
    assert served.children() == before
    with sqlite3.connect(served.environ["OSTIARY_DATABASE_URL"].removeprefix("sqlite:///")) as db:
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    db.close()


def test_a_database_that_another_process_holds_is_busy_until_it_lets_go(served: Served, load: Load):
    load.goes_on()
    before = served.children()
    path = served.environ["OSTIARY_DATABASE_URL"].removeprefix("sqlite:///")
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, path],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert holder.stdout.readline() == "held\n"
    load.is_refused()
    assert load.found()
    holder.communicate("\n", timeout=30)
    assert holder.returncode == 0
    load.goes_on()
    check(load, "database_busy")
    assert served.children() == before


@pytest.fixture
def own_postgres(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """A server of this test's own, since it is restarted."""
    monkeypatch.delenv("OSTIARY_TEST_POSTGRES_URL", raising=False)
    server = Server()
    yield server
    server.stop()


def test_postgresql_restarted_under_load_loses_nothing_acknowledged(
    own_postgres: Server, tmp_path: Path
):
    served = Served(tmp_path, **own_postgres.migrated().environ())
    served.start()
    try:
        load = Load(served)
        before = served.children()
        for _ in range(2):
            load.goes_on()
            own_postgres.restart()
            load.goes_on()
        assert load.refusals
        check(load, "database_unavailable")
        assert served.children() == before
    finally:
        load.end()
        assert served.stop() == 0
