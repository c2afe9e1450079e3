"""The two processes that `serve` supervises: gunicorn with the web application, and the worker."""

from __future__ import annotations

import gc
import os
import sys
from contextlib import suppress
from typing import Any

import click
from gunicorn.app.base import BaseApplication
from gunicorn.workers.gthread import ThreadWorker

from app.cli.common import env_file_option, ready, take_env_file
from app.cli.supervisor import GRACE_SECONDS
from app.config import Settings, SettingsError
from app.deps import Deps
from app.factory import create_app
from app.kernel.errors import OstiaryError
from app.store.migrate import SchemaUnfit
from app.web import logs
from app.worker import main as run_worker

report_option = click.option(
    "--report",
    type=int,
    hidden=True,
    help="A descriptor on which to tell the supervisor how it goes.",
)


@click.command(hidden=True)
@click.option("--listener", type=int, required=True, help="A listening socket's descriptor.")
@report_option
@env_file_option
def web(listener: int, report: int | None, env_file: str | None) -> None:
    """Answer requests on a socket that `serve` has opened."""
    deps = _fit(report, env_file)
    deps.db.close()
    _Gunicorn(gunicorn_options(deps.settings), listener, report).run()


@click.command()
@click.option(
    "--parent", type=int, hidden=True, help="Stop when this process is no longer our parent."
)
@report_option
@env_file_option
def worker(parent: int | None, report: int | None, env_file: str | None) -> None:
    """Deliver the outbox, as `serve` does beside its web processes."""
    deps = _fit(report, env_file)
    logs.configure(deps.settings.log_level)
    _tell(report, "up 1")
    run_worker(deps, parent)


def gunicorn_options(settings: Settings) -> dict[str, Any]:
    """Return gunicorn's settings by their names in its configuration files.

    A worker of gunicorn that is told to end drops nothing: it takes no new connection (those wait in
    the socket for its successor), finishes what it has, and keeps idle connections for two seconds more
    (`STOP_KEEPALIVE_LINGER` in its gthread.py), answering what still comes on them with `Connection:
    close`. A client that was silent all that time and speaks in the very moment of the close sees its
    connection end without an answer, as with any server that closes idle connections, and may send
    again (RFC 9112 §9.3.1).
    """
    return {
        "worker_class": f"{__name__}.DrainingWorker",
        "workers": settings.web_processes,
        "threads": settings.web_threads,
        "graceful_timeout": GRACE_SECONDS,
        "timeout": 60,
        "keepalive": 15,
        "loglevel": "warning",
        "control_socket_disable": True,
        "limit_request_line": 8190,
    }


class DrainingWorker(ThreadWorker):  # type: ignore[misc]
    """Gunicorn's worker, which lets go of the listening socket as soon as it takes no more from it.

    Else, when all are told to end, new connections would be let in to wait for nobody until the last
    request is answered; now they are refused at once, and a proxy turns to another machine.
    """

    def set_accept_enabled(self, enabled: bool) -> None:
        super().set_accept_enabled(enabled)
        if not self.alive:
            for listener in self.sockets:
                listener.close()


class _Gunicorn(BaseApplication):  # type: ignore[misc]
    """Gunicorn in this process, so that its workers share the code that is loaded already."""

    def __init__(self, options: dict[str, Any], listener: int, report: int | None) -> None:
        self._options = {
            **options,
            "bind": f"fd://{listener}",
            "post_worker_init": lambda _worker: self._begun(report),
            "worker_exit": lambda _server, _worker: logs.flush(),
        }
        super().__init__()

    def _begun(self, report: int | None) -> None:
        logs.gather()
        # What is loaded stays, and requests leave next to nothing in circles: there is little to look for.
        gc.collect()
        gc.freeze()
        gc.set_threshold(20_000, 50, 100)
        _tell(report, f"up {self._options['workers']}")

    def load_config(self) -> None:
        for name, value in self._options.items():
            self.cfg.set(name, value)

    def load(self) -> Any:
        return create_app()


def _fit(report: int | None, env_file: str | None) -> Deps:
    """Assemble Deps; where the supervisor listens, it is told why that can't be."""
    try:
        take_env_file(env_file)
        return ready()
    except (SettingsError, SchemaUnfit, OstiaryError) as error:
        if report is None:
            raise
        _tell(report, "down " + " ".join(str(error).split()))
        sys.exit(1)


def _tell(report: int | None, line: str) -> None:
    if report is not None:
        with suppress(OSError):  # the supervisor is no more
            os.write(report, line.encode() + b"\n")


COMMANDS = [web, worker]
