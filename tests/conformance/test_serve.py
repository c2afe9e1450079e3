"""`ostiary serve` as an operator sees it: it drains, it mends itself, it leaves nobody behind."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from tests.demo import eventually


class Served:
    """A gateway served on a free port, on SQLite, with its log in a file."""

    def __init__(self, directory: Path) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.environ = {
            **{
                name: value for name, value in os.environ.items() if not name.startswith("OSTIARY_")
            },
            "OSTIARY_DATABASE_URL": f"sqlite:///{directory / 'ostiary.db'}",
            "OSTIARY_BASE_URL": self.url,
            "OSTIARY_BIND": f"127.0.0.1:{self.port}",
            "OSTIARY_SECRET_KEYS": "a test secret that is long enough 0123456789",
        }
        self.log = directory / "log"

    def ostiary(self, *args: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "app", *args],
            env=self.environ,
            capture_output=True,
            text=True,
            check=False,
        )

    def start(self) -> None:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "app", "serve"], env=self.environ, stdout=log, stderr=log
            )
        eventually(self.answers)

    def answers(self) -> bool:
        try:
            return requests.get(self.url + "/readyz", timeout=10).ok
        except requests.RequestException:
            return False

    def children(self) -> dict[str, int]:
        """The supervisor's children by what they are."""
        found = {}
        for line in (
            Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        ):
            command = Path(f"/proc/{line}/cmdline").read_text()
            found["worker" if "worker\0--parent" in command else "web"] = int(line)
        return found


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    made = Served(tmp_path)
    assert made.ostiary("db", "upgrade").returncode == 0
    try:
        made.start()
        yield made
    finally:
        if made.process.poll() is None:
            made.process.terminate()
            made.process.wait(60)


def gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().split(")")[1].split()[0] == "Z"
    except FileNotFoundError:
        return True


def test_it_refuses_to_start_on_a_database_that_is_behind(tmp_path: Path):
    made = Served(tmp_path)
    refused = made.ostiary("serve")
    assert refused.returncode == 1
    assert "Run `ostiary db upgrade`" in refused.stderr
    assert "Traceback" not in refused.stderr


def test_it_refuses_to_start_with_wrong_settings_and_names_them_all(tmp_path: Path):
    made = Served(tmp_path)
    made.environ |= {"OSTIARY_WEB_THREADS": "0", "OSTIARY_SPEED": "11"}
    refused = made.ostiary("serve")
    assert refused.returncode == 1
    assert "OSTIARY_WEB_THREADS" in refused.stderr
    assert "OSTIARY_SPEED: there is no such setting" in refused.stderr


def test_sigterm_lets_a_request_under_way_finish(served: Served):
    token = json.loads(
        _founded(served, "token", "issue", "--tenant", "acme", "--kind", "scim", "--json")
    )["token"]
    body = json.dumps(
        {"schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "userName": "late"}
    ).encode()
    with socket.create_connection(("127.0.0.1", served.port), timeout=30) as line:
        head = (
            f"POST /scim/v2/Users HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {token}\r\n"
            f"Content-Type: application/scim+json\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
        )
        line.sendall(head.encode() + body[:10])
        # A second request answered means that the first, which came before it, has been taken up.
        assert requests.get(served.url + "/healthz", timeout=5).ok
        served.process.terminate()
        eventually(lambda: not served.answers())
        line.sendall(body[10:])
        answer = b""
        while chunk := line.recv(65536):
            answer += chunk
    assert answer.startswith(b"HTTP/1.1 201"), answer[:200]
    assert served.process.wait(60) == 0
    served.start()
    found = requests.get(
        served.url + "/scim/v2/Users", params={"filter": 'userName eq "late"'},
        headers={"Authorization": f"Bearer {token}"}, timeout=10,
    )  # fmt: skip
    assert found.json()["totalResults"] == 1


@pytest.mark.parametrize("which", ["worker", "web"])
def test_a_child_that_is_killed_is_started_again(served: Served, which: str):
    # A web child that dies at once after its start means that it can't serve: then the whole stops.
    before = eventually(lambda: served.children() if len(served.children()) == 2 else None)
    eventually(lambda: _age(before["web"]) > 6)
    os.kill(before[which], signal.SIGKILL)

    def again():
        now = served.children()
        return now if now.get(which) not in {None, before[which]} else None

    assert eventually(again)
    assert eventually(served.answers)


def test_nobody_is_left_behind_when_the_supervisor_is_killed(served: Served):
    children = eventually(lambda: served.children() if len(served.children()) == 2 else None)
    served.process.kill()
    served.process.wait()
    assert eventually(lambda: all(gone(pid) for pid in children.values()))


def test_the_log_is_json_a_line(served: Served):
    requests.get(served.url + "/nothing", timeout=5)
    eventually(lambda: "unmatched" in served.log.read_text())
    for line in served.log.read_text().splitlines():
        assert {"event", "level", "timestamp"} <= set(json.loads(line)), line


def test_the_doctor_finds_what_is_wrong(served: Served):
    _founded(served, "tenant", "domain", "acme.example", "--tenant", "acme", "--verified")
    examined = served.ostiary("doctor", "--json")
    found = {row["check"]: row for row in json.loads(examined.stdout)}
    assert found["database"]["ok"]
    assert found["secret keys"]["ok"]
    assert not found["address"]["ok"]
    assert examined.returncode == 1
    served.environ["OSTIARY_SECRET_KEYS"] = "quite another secret that is long enough 98765"
    found = {row["check"]: row for row in json.loads(served.ostiary("doctor", "--json").stdout)}
    assert not found["secret keys"]["ok"]
    assert "OSTIARY_SECRET_KEYS" in found["secret keys"]["detail"]


def _age(pid: int) -> float:
    ticks = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19])
    return float(Path("/proc/uptime").read_text().split()[0]) - ticks / os.sysconf("SC_CLK_TCK")


def _founded(served: Served, *command: str) -> str:
    assert served.ostiary("tenant", "create", "acme", "--name", "Acme").returncode == 0
    done = served.ostiary(*command)
    assert done.returncode == 0, done.stderr
    return done.stdout
