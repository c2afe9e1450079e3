"""`ostiary backup` and `ostiary restore`: everything in one file, and back."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path

import click

from app.cli.common import json_option, ready, show
from app.flows import backup as flow

_FILE = click.argument("file", type=click.Path(path_type=Path))

_LOOK_AFTER = """\
This is the state of {made_at}. What was done after that instant is not in it, and can't be known here:
  - Whoever was deactivated since is active again. As soon as the gateway serves, let every identity
    provider and HR system that provisions send everything anew (a full synchronization).
  - Tokens revoked, passwords and keys changed, roles taken away, and tenants, connections and platforms
    switched off since are as they were. Do it again, before it serves.
Every session and launch has ended: people sign in anew."""


@click.command()
@_FILE
@json_option
def backup(file: Path, as_json: bool) -> None:
    """Write everything into FILE, while serving. It holds people's data: keep it safe."""
    made = flow.make(ready(), file, _progress)
    show(asdict(made) | {"file": str(made.file)}, as_json=as_json)


@click.command()
@_FILE
@json_option
def restore(file: Path, as_json: bool) -> None:
    """Bring a backup into an empty database, SQLite or PostgreSQL, with the secret keys it was made under."""
    done = flow.restore(ready(), file, _progress)
    shown = asdict(done) if as_json else asdict(done) | {"tenants": ", ".join(done.tenants)}
    show(shown, as_json=as_json)
    click.echo(_LOOK_AFTER.format(made_at=done.made_at), err=True)


def _progress(table: str, rows: int) -> None:
    if sys.stderr.isatty():
        click.echo(f"{table:<18}{rows:>10}", err=True)


COMMANDS = [backup, restore]
