"""The demo's walk: settings, tables, organization, campus, server, and a note where to click."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import requests

from app import config
from app.cli.demo import database, organization
from app.cli.demo.campus import Campus
from app.cli.demo.memory import Memory, environment_file, write_private
from app.deps import assemble
from app.store import migrate

_READY_SECONDS = 60
_LOOK_SECONDS = 0.1


class _Orders:
    """What signals have told us."""

    def __init__(self) -> None:
        # No event: its lock may be this very thread's at the moment of the signal.
        self.stopped = False

    def stop(self, *_: object) -> None:
        self.stopped = True


@click.command()
@click.option("--dir", "directory", type=click.Path(file_okay=False, path_type=Path), required=True)
@click.option("--port", default=8000, type=click.IntRange(0, 65535), help="0 takes a free one.")
@click.option(
    "--no-campus",
    is_flag=True,
    help="Without the practice LMS, identity provider and record store.",
)
@click.option(
    "--users", default=0, type=click.IntRange(0, 2_000_000), help="This many more people."
)
def demo(directory: Path, port: int, no_campus: bool, users: int) -> None:
    """Serve a practice organization on loopback until stopped."""
    memory = Memory(directory)
    environ = _settings(memory, directory, memory.port("port", port))
    settings = config.load(environ)
    os.environ.update(environ)
    migrate.upgrade(
        settings.database_owner_url or settings.database_url,
        app_url=settings.database_url,
        system_url=settings.database_system_url,
    )
    write_private(directory / "ostiary.env", environment_file(environ))
    (directory / "demo.json").unlink(missing_ok=True)
    orders = _Orders()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, orders.stop)
    children: list[subprocess.Popen[Any]] = []
    try:
        campus = None
        if not no_campus:
            campus = Campus(directory / "campus", memory.port("campus_port", 0), settings.base_url)
            children.append(campus.process)
        deps = assemble(settings)
        note = organization.set_up(deps, memory, campus, users)
        deps.db.close()
        serve = [sys.executable, "-m", "app", "serve", "--bind", settings.bind]
        # In a group of its own: a terminal that closes sends SIGHUP, which tells `serve` to go on anew.
        children.append(subprocess.Popen(serve, process_group=0))  # noqa: S603 - ourselves
        _wait_until(lambda: _answers(settings.base_url + "/readyz"), children, orders)
        if not orders.stopped:
            write_private(directory / "demo.json", json.dumps(note, indent=2))
            click.echo(organization.where_to_click(note))
        while not orders.stopped:
            if any(child.poll() is not None for child in children):
                raise click.ClickException("one of the demo's processes ended; see the lines above")
            time.sleep(_LOOK_SECONDS)
    finally:
        _end(children)


def _settings(memory: Memory, directory: Path, port: int) -> dict[str, str]:
    carried = {name: value for name, value in os.environ.items() if name.startswith("OSTIARY_")}
    return {
        "OSTIARY_LOG_LEVEL": "warning",
        **carried,
        **database.settings(memory, directory),
        "OSTIARY_BASE_URL": f"http://127.0.0.1:{port}",
        "OSTIARY_BIND": f"127.0.0.1:{port}",
        "OSTIARY_SECRET_KEYS": os.environ.get("OSTIARY_SECRET_KEYS") or memory.secret("secret_key"),
        "OSTIARY_INSECURE_NEIGHBOURS": "true",
    }


def _answers(url: str) -> bool:
    try:
        return requests.get(url, timeout=2).ok
    except requests.RequestException:
        return False


def _wait_until(
    done: Callable[[], bool], children: list[subprocess.Popen[Any]], orders: _Orders
) -> None:
    until = time.monotonic() + _READY_SECONDS
    while time.monotonic() < until:
        if orders.stopped or done():
            return
        time.sleep(_LOOK_SECONDS)
        if any(child.poll() is not None for child in children):
            raise click.ClickException("the demo's server did not start; see the lines above")
    raise click.ClickException(f"the demo's server was not ready after {_READY_SECONDS} s")


def _end(children: list[subprocess.Popen[Any]]) -> None:
    for child in reversed(children):
        child.terminate()
    for child in reversed(children):
        try:
            child.wait(40)
        except subprocess.TimeoutExpired:
            child.kill()
