"""`ostiary serve`, `worker`, `db`: the processes, and the tables they need."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable

import click

from app import config
from app.cli.common import json_option, ready, show
from app.store import migrate
from app.web import logs
from app.worker import main as run_worker

_GRACE_SECONDS = 30
_QUICK_DEATH = 5.0
_LONGEST_PAUSE = 30.0


@click.command()
@click.option("--bind", help="HOST:PORT to listen on; by default OSTIARY_BIND.")
def serve(bind: str | None) -> None:
    """Serve: web processes, and the worker beside them. SIGTERM drains both."""
    deps = ready()
    settings = deps.settings
    deps.db.close()
    with tempfile.TemporaryDirectory(prefix="ostiary-metrics-") as metrics:
        env = {**os.environ, "PROMETHEUS_MULTIPROC_DIR": metrics}
        web = _gunicorn(bind or settings.bind, settings)
        work = [sys.executable, "-m", "app", "worker", "--parent", str(os.getpid())]
        sys.exit(Supervisor({"web": web, "worker": work}, env).run())


@click.command()
@click.option(
    "--parent", type=int, hidden=True, help="Stop when this process is no longer our parent."
)
def worker(parent: int | None) -> None:
    """Deliver the outbox, as `serve` does beside its web processes."""
    deps = ready()
    logs.configure(deps.settings.log_level)
    run_worker(deps, parent)


@click.group()
def db() -> None:
    """The database's tables."""


@db.command("upgrade")
@json_option
def upgrade(as_json: bool) -> None:
    """Bring the tables to this version; on PostgreSQL also the roles' grants and row-level security."""
    settings = config.load()
    migrate.upgrade(
        settings.database_owner_url or settings.database_url,
        app_url=settings.database_url,
        system_url=settings.database_system_url,
    )
    show({"upgraded": True}, as_json=as_json)


class Supervisor:
    """Keeps child processes running until told to stop, then lets them finish."""

    def __init__(self, commands: dict[str, list[str]], env: dict[str, str]) -> None:
        self._commands = commands
        self._env = env
        self._children: dict[str, tuple[subprocess.Popen[bytes], float]] = {}
        self._quick_deaths: Counter[str] = Counter()
        self._due: dict[str, float] = {}
        self._stopping = threading.Event()

    def run(self) -> int:
        """Run until SIGTERM or SIGINT; returns the exit code. A child that dies is started again."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: self._stopping.set())
        for name in self._commands:
            self._start(name)
        while not self._stopping.wait(0.2):
            for name, (child, started) in list(self._children.items()):
                if child.poll() is None:
                    continue
                if name == "web" and time.monotonic() - started < _QUICK_DEATH:
                    self._finish()
                    return child.returncode or 1
                if time.monotonic() >= self._due_at(name):
                    self._start(name)
        self._finish()
        return 0

    def _due_at(self, name: str) -> float:
        """When a child that has died starts again: one that keeps dying at once waits longer each time."""
        if name in self._due:
            return self._due[name]
        now = time.monotonic()
        quick = now - self._children[name][1] < _QUICK_DEATH
        self._quick_deaths[name] = self._quick_deaths[name] + 1 if quick else 0
        self._due[name] = now + min(_LONGEST_PAUSE, 0.5 * 2 ** self._quick_deaths[name])
        return self._due[name]

    def _start(self, name: str) -> None:
        child = subprocess.Popen(self._commands[name], env=self._env, preexec_fn=_with_parent())  # noqa: S603, PLW1509
        self._children[name] = (child, time.monotonic())
        self._due.pop(name, None)

    def _finish(self) -> None:
        # The web first: what it still answers may give the worker something to deliver.
        for name in ("web", "worker"):
            child, _ = self._children[name]
            child.send_signal(signal.SIGTERM)
            try:
                child.wait(_GRACE_SECONDS + 5)
            except subprocess.TimeoutExpired:
                child.kill()


def _gunicorn(bind: str, settings: config.Settings) -> list[str]:
    return [
        sys.executable, "-m", "gunicorn", "app.factory:create_app()",
        "--bind", bind, "--worker-class", "gthread",
        "--workers", str(settings.web_processes), "--threads", str(settings.web_threads),
        "--graceful-timeout", str(_GRACE_SECONDS), "--timeout", "60", "--keep-alive", "15",
        "--log-level", "warning", "--no-control-socket", "--limit-request-line", "8190",
    ]  # fmt: skip


def _with_parent() -> Callable[[], None] | None:
    """Let a child get SIGTERM when the supervisor is killed outright (Linux)."""
    if not sys.platform.startswith("linux"):
        return None
    libc = ctypes.CDLL(None)
    pr_set_pdeathsig = 1
    return lambda: libc.prctl(pr_set_pdeathsig, signal.SIGTERM) and None


COMMANDS = [serve, worker, db]
