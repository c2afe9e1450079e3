"""The gateway as an operator runs it: `ostiary serve`, by default on durable SQLite, set up by its own commands."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
import urllib.request
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from app import config
from app.cli.processes import gunicorn_options
from bench.procs import ROOT, NotRunning, Server
from tests.ports import free_port
from tests.postgres import Server as Postgres

TENANT = "bench"
DATABASES = ["sqlite", "postgresql"]


class Gateway:
    """A gateway of its own in `home`, with one tenant and no limit on it; all else is at its default, or in `settings`."""

    def __init__(self, home: Path, **settings: str) -> None:
        self._home = home
        self._port = free_port()
        self.url = f"http://127.0.0.1:{self._port}"
        self.environ = {
            "OSTIARY_BASE_URL": self.url,
            "OSTIARY_BIND": f"127.0.0.1:{self._port}",
            "OSTIARY_SECRET_KEYS": secrets.token_urlsafe(48),
            "OSTIARY_INSECURE_NEIGHBOURS": "true",  # the bench's LMS is on loopback
            "OSTIARY_SCIM_RATE": "0",  # it measures what we can do, not what we let one tenant do
            "OSTIARY_DATABASE_URL": f"sqlite:///{home}/ostiary.db",
            **settings,
        }
        self.file = home / "ostiary.db"
        """Its database, where that is SQLite."""
        self._env = _clean_environment() | self.environ
        self.ostiary("db", "upgrade")
        self.ostiary("tenant", "create", TENANT, "--name", "Benchmark")

    def ostiary(self, *arguments: str) -> Any:
        """Run a command with --json and return what it printed; raises NotRunning."""
        ran = subprocess.run(
            [sys.executable, "-m", "app", *arguments, "--json"],
            env=self._env, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        if ran.returncode:
            raise NotRunning(f"ostiary {' '.join(arguments)}: {ran.stderr[-2000:]}")
        return json.loads(ran.stdout)

    def serve(self, name: str = "ostiary", processes: int = 1) -> Server:
        """Start `ostiary serve`: so many web processes, and the worker."""
        command = [sys.executable, "-m", "app", "serve"]
        env = self._env | {"OSTIARY_WEB_PROCESSES": str(processes)}
        server = Server(name, command, env, self._port, self._home / "ostiary.log")
        server.wait()
        # Its socket is open before anybody answers; until then this waits in the queue.
        urllib.request.urlopen(f"{self.url}/readyz", timeout=60).close()
        return server

    def gunicorn_options(self) -> dict[str, Any]:
        """Return gunicorn's options as `ostiary serve` sets them."""
        return gunicorn_options(config.load(self._env))


def database(name: str, stack: ExitStack) -> dict[str, str]:
    """Return the settings of one of DATABASES; a durable PostgreSQL server is started until the stack ends."""
    if name == "sqlite":
        return {}
    server = Postgres(durable=True)
    stack.callback(server.stop)
    return server.migrated().environ()


def serve_beside(
    gateway: Gateway, name: str, module: str, home: Path, settings: Mapping[str, str], processes: int = 1
) -> Server:  # fmt: skip
    """Serve `module:app` by gunicorn with the very options that the gateway gives it, loaded once for all."""
    port = free_port()
    options = home / f"{port}.conf.py"
    given = gateway.gunicorn_options() | {
        "bind": f"127.0.0.1:{port}", "workers": processes, "preload_app": True,
    }  # fmt: skip
    options.write_text("".join(f"{name} = {value!r}\n" for name, value in given.items()))
    command = [sys.executable, "-m", "gunicorn", "--config", str(options), f"{module}:app"]
    log = home / f"{port}.log"
    server = Server(name, command, _clean_environment() | dict(settings), port, log)
    server.wait()
    return server


def _clean_environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("OSTIARY_")}
