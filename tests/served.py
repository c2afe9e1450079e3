"""`ostiary serve` as a process of its own, for tests that look at it as an operator does."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import requests

from tests.demo import eventually

USER = "urn:ietf:params:scim:schemas:core:2.0:User"


class Served:
    """A gateway served on a free port, on SQLite unless `environ` says otherwise, with its log in a file."""

    def __init__(self, directory: Path, **environ: str) -> None:
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
            **environ,
        }
        self.log = directory / "log"
        self.options: list[str] = []
        self.process: subprocess.Popen[bytes] | None = None

    def ostiary(self, *args: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "app", *args],
            env=self.environ,
            capture_output=True,
            text=True,
            check=False,
        )

    def founded(self, *command: str) -> str:
        """What a command prints once there is a tenant `acme`."""
        assert self.ostiary("tenant", "create", "acme", "--name", "Acme").returncode == 0
        done = self.ostiary(*command)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def scim_token(self) -> str:
        issue = ("token", "issue", "--tenant", "acme", "--kind", "scim", "--json")
        return json.loads(self.founded(*issue))["token"]

    def start(self) -> None:
        # Through a pipe, so that the log is no file of the gateway's own: it must tell of a full disk, too.
        with self.log.open("ab") as log:
            self._log = subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=log)
        self.process = subprocess.Popen(
            [sys.executable, "-m", "app", "serve", *self.options],
            env=self.environ, stdout=self._log.stdin, stderr=self._log.stdin,
        )  # fmt: skip
        self._log.stdin.close()
        eventually(self.answers)

    def stop(self) -> int:
        if self.process.poll() is None:
            self.process.terminate()
        code = self.process.wait(60)
        self._log.wait(60)
        return code

    def answers(self) -> bool:
        assert self.process.poll() is None, self.log.read_text()
        try:
            return requests.get(self.url + "/readyz", timeout=10).ok
        except requests.RequestException:
            return False

    def restarted(self) -> None:
        """Ask for a rolling restart and wait until both kinds of process are replaced."""
        before = self.events()["replaced"]
        self.process.send_signal(signal.SIGHUP)
        eventually(lambda: self.events()["replaced"] == before + 2, 60)

    def lines(self) -> list[dict[str, Any]]:
        """The log's JSON lines."""
        whole = self.log.read_text().rpartition("\n")[0]
        return [json.loads(line) for line in whole.splitlines() if line.startswith("{")]

    def events(self) -> dict[str, int]:
        found = {"replaced": 0, "not replaced": 0}
        for line in self.lines():
            found[line["event"]] = found.get(line["event"], 0) + 1
        return found

    def children(self) -> dict[str, int]:
        """The supervisor's children by what they are; the newest of a kind."""
        found = {}
        for pid in children_of(self.process.pid):
            command = Path(f"/proc/{pid}/cmdline").read_text().split("\0")
            if "worker" in command:
                found["worker"] = pid
            elif "web" in command:
                found["web"] = pid
        return found

    def web_workers(self) -> list[int]:
        return children_of(self.children()["web"])


def children_of(pid: int) -> list[int]:
    """A process's children, the newest last."""
    return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().split(")")[1].split()[0] == "Z"
    except FileNotFoundError:
        return True
