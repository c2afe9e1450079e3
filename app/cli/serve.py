"""`ostiary serve` and `db`: the gateway's processes, and the tables they need."""

from __future__ import annotations

import errno
import os
import socket
import sys
import tempfile

import click

from app import config
from app.cli.common import env_file_option, json_option, ready, show, take_env_file
from app.cli.supervisor import Child, Supervisor
from app.store import migrate
from app.web import logs

_BACKLOG = 2048


@click.command()
@click.option("--bind", help="HOST:PORT to listen on; by default OSTIARY_BIND.")
@env_file_option
def serve(bind: str | None, env_file: str | None) -> None:
    """Serve: web processes, and the worker beside them.

    SIGHUP replaces them, one after the other and without a break, by new ones from the code and
    settings on disk. SIGTERM lets them finish what they have, and ends.
    """
    given = dict(os.environ)
    take_env_file(env_file)
    deps = ready()
    deps.db.close()
    logs.configure(deps.settings.log_level)
    listener = _listening(bind or deps.settings.bind)
    ours = [sys.executable, "-m", "app"]
    file = ["--env-file", env_file] if env_file else []
    with tempfile.TemporaryDirectory(prefix="ostiary-metrics-") as metrics:
        # What the file says now may be gone from it later, so it is not handed down.
        env = {**given, "PROMETHEUS_MULTIPROC_DIR": metrics}
        web = [*ours, "web", "--listener", str(listener.fileno()), *file]
        worker = [*ours, "worker", "--parent", str(os.getpid()), *file]
        supervisor = Supervisor(
            web=lambda: Child(web, env, listener.fileno()), worker=lambda: Child(worker, env)
        )
        sys.exit(supervisor.run(stop_listening=listener.close))


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


def _listening(bind: str) -> socket.socket:
    """Open the socket at HOST:PORT ([HOST]:PORT for IPv6); raises ClickException with a sentence."""
    host, _, port = bind.rpartition(":")
    if not host or not port.isdecimal():
        raise click.ClickException(f"Can't listen on {bind}: write it as HOST:PORT.")
    host = host.removeprefix("[").removesuffix("]")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        made = socket.create_server((host, int(port)), family=family, backlog=_BACKLOG)
    except (OSError, OverflowError) as error:
        if getattr(error, "errno", None) == errno.EADDRINUSE:
            raise click.ClickException(
                f"Can't listen on {bind}: another program listens there already."
            ) from error
        raise click.ClickException(f"Can't listen on {bind}: {error}.") from error
    # A connection has it from here. Gunicorn sets it too, but too late for who comes before it: each of
    # their answers would wait some 40 ms for the acknowledgement of its headers, for as long as they stay.
    made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return made


COMMANDS = [serve, db]
