"""The world that is broken on purpose: a gateway, the practice campus and a database, each a process of ours."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import requests

from app.cli.demo import organization
from app.cli.demo.memory import Memory
from app.config import load
from app.deps import Deps, assemble
from app.flows import tenancy
from app.kernel.errors import Unavailable
from app.kernel.tenant import Tenant
from tests.faults.base import Base
from tests.ports import free_port

_MARK = "FAULT_RUN"
"""An environment variable by which every process of a run, and of its children, is found again."""

_READY_SECONDS = 60
_STOP_SECONDS = 60
_STARTS = 30


Answer = TypeVar("Answer")


class Process:
    """One program of the run; killed, stopped and started again, always on the same port and folder."""

    def __init__(
        self, name: str, command: list[str], environ: dict[str, str], log: Path, url: str = ""
    ) -> None:
        self.name, self.url = name, url
        self._command, self._environ, self._log = command, environ, log
        self._running: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        assert self._running is not None
        return self._running.pid

    @property
    def ended(self) -> bool:
        return self._running is None or self._running.poll() is not None

    def start(self) -> None:
        with self._log.open("ab") as log:
            self._running = subprocess.Popen(
                [sys.executable, "-m", *self._command], env=self._environ,
                stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            )  # fmt: skip

    def end(self, number: signal.Signals) -> int:
        """Send it a signal and wait until it is gone; returns its exit code."""
        assert self._running is not None
        self._running.send_signal(number)
        return self._running.wait(_STOP_SECONDS)

    def answers(self) -> bool:
        try:
            return requests.get(self.url, timeout=5).ok
        except requests.RequestException:
            return False


class World:
    """Everything that runs, and a log of what was done to it."""

    def __init__(self, directory: Path, base: Base) -> None:
        self.directory, self.base = directory, base
        self._began, self._lock = time.monotonic(), threading.Lock()
        self.told: list[str] = []
        self.gave_up = 0
        self._serving = False
        port, campus_port = free_port(), free_port()
        settings = {
            **base.environ, "OSTIARY_BASE_URL": f"http://127.0.0.1:{port}",
            "OSTIARY_BIND": f"127.0.0.1:{port}", "OSTIARY_WEB_PROCESSES": "2", "OSTIARY_WEB_THREADS": "4",
            "OSTIARY_SECRET_KEYS": "a test secret that is long enough 0123456789",
            "OSTIARY_INSECURE_NEIGHBOURS": "true",
        }  # fmt: skip
        self.environ = {**_bare(), **settings, _MARK: str(directory)}
        self.log, gateway = directory / "serve.log", settings["OSTIARY_BASE_URL"]
        self.serve = Process("serve", ["app", "serve"], self.environ, self.log, gateway + "/readyz")
        self.campus = Process(
            "campus",
            ["sandbox", "--dir", str(directory / "campus"), "--port", str(campus_port), "--gateway", gateway],
            {**_bare(), _MARK: str(directory)}, directory / "campus.log",
            f"http://127.0.0.1:{campus_port}/healthz",
        )  # fmt: skip
        self.campus_url = f"http://127.0.0.1:{campus_port}"
        self.deps: Deps = assemble(load(settings))

    def start(self) -> None:
        """Start the campus, found the organization, start the gateway."""
        self.campus.start()
        self.until(self.campus.answers)
        self.note = organization.set_up(
            self.deps, Memory(self.directory), _Introduced(self.campus_url), 0
        )
        self.tenant: Tenant = tenancy.of_slug(self.deps, self.note["tenant"])
        self.start_serve()
        self.say("everything runs")

    def start_serve(self) -> None:
        """Start the gateway: again, as an init system would, while one before it still holds the port."""
        self._serving = False
        for _ in range(_STARTS):
            self.serve.start()
            self.until(lambda: self.serve.ended or all(self.parts().values()))
            if not self.serve.ended:
                break
            self.say("serve did not start")
            self.wait(1)
        self._serving = True
        self.until(self.serve.answers)

    def stop(self) -> None:
        """Stop what still runs, the gateway first."""
        self._serving = False
        for each in (self.serve, self.campus):
            if not each.ended:
                each.end(signal.SIGTERM)
        self.deps.db.close()

    def say(self, text: str) -> None:
        """Write into the log of the run, with the seconds since its beginning."""
        with self._lock:
            self.told.append(f"{time.monotonic() - self._began:7.2f}  {text}")

    def wait(self, seconds: float, sooner: Callable[[], object] = lambda: False) -> None:
        """Let time pass, but no longer than until `sooner` is true."""
        over = time.monotonic() + seconds
        while time.monotonic() < over and not sooner():
            self.tend()
            time.sleep(0.05)

    def until(self, done: Callable[[], object], seconds: float = _READY_SECONDS) -> None:
        """Wait until something is true, as an init system would that starts a `serve` that gave up."""
        over = time.monotonic() + seconds
        while not done():
            assert time.monotonic() < over, f"it did not come true: {done}; {self.last_words()}"
            self.tend()
            time.sleep(0.1)

    def database(self, do: Callable[[Deps], Answer]) -> Answer:
        """Do something at the database, again where a connection turns out to be broken."""
        over = time.monotonic() + _READY_SECONDS
        while True:
            try:
                return do(self.deps)
            except Unavailable:
                assert time.monotonic() < over, "the database stays away"
                self.wait(0.1)

    def tend(self) -> None:
        """Start the gateway again where it ended by itself."""
        if self._serving and self.serve.ended:
            self.gave_up += 1
            self.say("serve ended by itself: started again, as an init system would")
            self.serve.start()

    def parts(self) -> dict[str, list[int]]:
        """The gateway's processes by what they are: worker, master (of the web processes), web."""
        found: dict[str, list[int]] = {"worker": [], "master": [], "web": []}
        for child in children(self.serve.pid):
            if "worker" in command_of(child):
                found["worker"].append(child)
            else:
                found["master"].append(child)
                found["web"] += children(child)
        return found

    def left_behind(self) -> list[str]:
        """Every process that still bears the mark of this run."""
        mark = f"{_MARK}={self.directory}".encode()
        found = []
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                if mark in (folder / "environ").read_bytes().split(b"\0"):
                    found.append(f"{folder.name} {' '.join(command_of(int(folder.name)))}")
            except OSError:  # it ended while we looked, or is another user's
                continue
        return found

    def control(self, method: str, path: str, body: Any = None) -> Any:
        """Call the campus's control API."""
        return _Introduced(self.campus_url).call(method, path, body)

    def ostiary(self, *args: str) -> Any:
        """Run an `ostiary` command beside the gateway; returns its JSON."""
        done = subprocess.run(
            [sys.executable, "-m", "app", *args, "--json"],
            env=self.environ, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def last_words(self) -> str:
        """How the logs end."""
        logs = (self.directory / "campus.log", self.log)
        return "\n".join(one.read_text(errors="replace")[-1500:] for one in logs if one.exists())


class _Introduced:
    """The campus as the demo's set-up sees it."""

    def __init__(self, url: str) -> None:
        self._control = f"{url}/control"
        self.urls = {"lms": f"{url}/lms", "idp": f"{url}/idp", "lrs": f"{url}/lrs/xapi"}

    def put(self, path: str, body: dict[str, Any]) -> Any:
        return self.call("PUT", path, body)

    def get(self, path: str) -> Any:
        return self.call("GET", path)

    def call(self, method: str, path: str, body: Any = None) -> Any:
        answer = requests.request(method, f"{self._control}/{path}", json=body, timeout=30)
        answer.raise_for_status()
        return answer.json()


def children(pid: int) -> list[int]:
    """The processes that a process has started and that still run."""
    try:
        return [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def command_of(pid: int) -> list[str]:
    """A process's command line; empty where it is gone."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_text().split("\0")[:-1]
    except OSError:
        return []


def age(pid: int) -> float:
    """Seconds since a process began; 0 where it is gone."""
    try:
        ticks = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19])
    except OSError:
        return 0.0
    return float(Path("/proc/uptime").read_text().split()[0]) - ticks / os.sysconf("SC_CLK_TCK")


def _bare() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("OSTIARY_")}
