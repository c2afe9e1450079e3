"""A gateway as an operator runs it: `ostiary serve` on SQLite, set up by its own commands alone."""

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

from tests.ports import free_port

_READY_SECONDS = 60


class Process:
    """A program with its log; `check` tells when it serves."""

    def __init__(self, command: list[str], environ: dict[str, str], log: Path, ready: str) -> None:
        self._log, self.log_path = log.open("ab"), log
        self.process = subprocess.Popen(command, env=environ, stdout=self._log, stderr=self._log)
        until = time.monotonic() + _READY_SECONDS
        while not _answers(ready):
            assert self.process.poll() is None, self.log()
            assert time.monotonic() < until, self.log()
            time.sleep(0.05)

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(60)
        self._log.close()
        return code

    def log(self) -> str:
        return self.log_path.read_text()


class Gateway:
    """One tenant's gateway on a port of its own."""

    def __init__(self, directory: Path, tenant: str = "acme", **environ: str) -> None:
        self.directory, self.tenant = directory, tenant
        self.port = free_port()
        self.base_url = environ.get("OSTIARY_BASE_URL", f"http://127.0.0.1:{self.port}")
        self._environ = {
            **{name: value for name, value in os.environ.items() if not name.startswith("OSTIARY_")},
            "OSTIARY_BASE_URL": self.base_url,
            "OSTIARY_BIND": f"127.0.0.1:{self.port}",
            "OSTIARY_DATABASE_URL": f"sqlite:///{directory}/ostiary.db",
            "OSTIARY_INSECURE_NEIGHBOURS": "true",
            "OSTIARY_LOG_LEVEL": "info",
            "OSTIARY_SECRET_KEYS": "only for the interop tests 0123456789",
            **environ,
        }  # fmt: skip
        self.ostiary("db", "upgrade")
        self.ostiary("tenant", "create", tenant, "--name", tenant.title())

    def start(self) -> None:
        command = [sys.executable, "-m", "app", "serve"]
        ready = f"http://127.0.0.1:{self.port}/readyz"
        self.process = Process(command, self._environ, self.directory / "gateway.log", ready)

    def stop(self) -> None:
        assert self.process.stop() == 0, self.process.log()

    def ostiary(self, *args: str) -> Any:
        """Run a command; returns its JSON."""
        done = subprocess.run(
            [sys.executable, "-m", "app", *args, "--json"],
            env=self._environ, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def scim(self, token: str, method: str, path: str, body: Any = None) -> requests.Response:
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/scim+json"}
        url = f"{self.base_url}/scim/v2{path}"
        return requests.request(method, url, json=body, headers=headers, timeout=30)


def _answers(url: str) -> bool:
    try:
        return requests.get(url, timeout=2).status_code < 500
    except requests.RequestException:
        return False
