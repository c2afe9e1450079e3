"""The demo as a process of its own, for tests that walk over real HTTP."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import requests

_READY_SECONDS = 90


class Demo:
    """`ostiary demo` on a free port, and what it tells about itself."""

    def __init__(self, directory: Path, environ: dict[str, str], *options: str) -> None:
        self.directory = directory
        self._environ = {
            **{
                name: value for name, value in os.environ.items() if not name.startswith("OSTIARY_")
            },
            **environ,
        }
        self._options = options
        self.start()

    def start(self) -> None:
        note = self.directory / "demo.json"
        note.unlink(missing_ok=True)
        self._log = (self.directory / "log").open("ab")
        command = [sys.executable, "-m", "app", "demo", "--dir", str(self.directory), "--port", "0"]
        self.process = subprocess.Popen(
            [*command, *self._options], env=self._environ, stdout=self._log, stderr=self._log
        )
        until = time.monotonic() + _READY_SECONDS
        while not note.exists():
            if self.process.poll() is not None or time.monotonic() > until:
                self.process.kill()
                raise AssertionError(f"the demo is not ready: {self.log()}")
            time.sleep(0.05)
        self.note: dict[str, Any] = json.loads(note.read_text())

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(60)
        self._log.close()
        return code

    def log(self) -> str:
        return (self.directory / "log").read_text()

    def ostiary(self, *args: str) -> Any:
        """Run an `ostiary` command on the demo's database; returns its JSON."""
        done = subprocess.run(
            ["bash", "-c", f'set -a; . "{self.directory}/ostiary.env"; set +a; exec "$0" -m app "$@" --json',
             sys.executable, *args],
            env=self._environ, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def control(self, method: str, path: str, body: Any = None) -> Any:
        """Call the campus's control API."""
        base = self.note["campus"]["lms"].removesuffix("/lms")
        answer = requests.request(method, f"{base}/control/{path}", json=body, timeout=30)
        assert answer.ok, answer.text
        return answer.json()

    def scim(self, method: str, path: str, body: Any = None) -> requests.Response:
        """Call the gateway's SCIM service with the demo's token."""
        return requests.request(
            method, self.note["scim"]["url"] + path, json=body, timeout=30,
            headers={"Authorization": f"Bearer {self.note['scim']['token']}", "Content-Type": "application/scim+json"},
        )  # fmt: skip


def eventually(look: Any, seconds: float = 30) -> Any:
    """Return what `look` gives as soon as it is true; fails after `seconds`."""
    until = time.monotonic() + seconds
    while not (found := look()):
        assert time.monotonic() < until, "it did not come true"
        time.sleep(0.05)
    return found
