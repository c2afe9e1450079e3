"""What every command shares: Deps from the environment, and one JSON value on standard output."""

from __future__ import annotations

import json
import os
import shlex
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

import click

from app import config
from app.config import SettingsError
from app.deps import Deps, assemble
from app.kernel.clock import iso
from app.store.migrate import require_current

F = TypeVar("F", bound=Callable[..., Any])


def ready() -> Deps:
    """Assemble Deps from the environment; raises SettingsError or SchemaUnfit."""
    deps = assemble(config.load())
    require_current(deps.db)
    return deps


def env_file_option(command: F) -> F:
    """Add --env-file FILE: settings that win over the environment's."""
    return click.option(
        "--env-file",
        type=click.Path(dir_okay=False),
        help="Settings, NAME=VALUE a line; read at the start and at each replacement.",
    )(command)


def take_env_file(path: str | None) -> None:
    """Put a file's settings into this process's environment; raises SettingsError."""
    if path is None:
        return
    try:
        lines = Path(path).read_text().splitlines()
        pairs = [part for line in lines for part in shlex.split(line, comments=True)]
    except (OSError, ValueError) as error:
        raise SettingsError(f"The settings in {path} can't be read: {error}.") from error
    if any("=" not in pair for pair in pairs):
        raise SettingsError(f"The settings in {path} can't be read: write NAME=VALUE a line.")
    os.environ.update(dict(pair.split("=", 1) for pair in pairs))


def json_option(command: F) -> F:
    """Add --json: one JSON value and nothing else on standard output."""
    return click.option(
        "--json", "as_json", is_flag=True, help="Print one JSON value and nothing else."
    )(command)


def tenant_option(command: F) -> F:
    """Add --tenant SLUG."""
    return click.option("--tenant", "slug", required=True, help="The tenant's slug.")(command)


def scope_option(command: F) -> F:
    """Add --scope read|write."""
    return click.option(
        "--scope", type=click.Choice(["read", "write"]), default="write", show_default=True,
        help="Whether it may only look.",
    )(command)  # fmt: skip


def client_option(command: F) -> F:
    """Add --client NAME."""
    return click.option(
        "--client", default="default", show_default=True,
        help="The provisioning client; externalIds belong to it.",
    )(command)  # fmt: skip


def show(value: Any, *, as_json: bool) -> None:
    """Print a result, for a machine or for a person."""
    if as_json:
        click.echo(json.dumps(value, ensure_ascii=False))
    elif isinstance(value, list):
        for row in value or [{"": "nothing"}]:
            click.echo("  ".join(f"{name}: {item}" for name, item in row.items()))
    else:
        width = max(map(len, value))
        for name, item in value.items():
            click.echo(f"{name:<{width}}  {item}")


class _Instant(click.ParamType[datetime]):
    """An aware instant in ISO 8601."""

    name = "instant"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> datetime:
        """Read it; one without an offset is refused, since nobody knows which clock it means."""
        if isinstance(value, datetime):
            return value
        try:
            read = datetime.fromisoformat(value)
        except ValueError:
            self.fail(f"{value!r} is not an instant like 2026-03-02T09:00:00Z.", param, ctx)
        if read.tzinfo is None:
            self.fail(f"{value!r} names no offset from UTC; end it with Z.", param, ctx)
        return read


INSTANT = _Instant()


def written(instant: datetime | None) -> str | None:
    """Write an instant for JSON, or None."""
    return iso(instant) if instant else None
