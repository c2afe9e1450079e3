"""The operator's command: `ostiary`, or `python -m app`."""

from __future__ import annotations

import sys

import click

from app.cli import (
    activities,
    audit,
    backup,
    connections,
    credentials,
    demo,
    destinations,
    doctor,
    groups,
    guard,
    outbox,
    people,
    platforms,
    processes,
    schemas,
    serve,
    tenants,
)
from app.config import SettingsError
from app.kernel.errors import OstiaryError
from app.store.migrate import SchemaUnfit
from keys.errors import KeysError
from lti.errors import LtiError
from sso.errors import SignInRefused


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="ostiary")
def group() -> None:
    """Ostiary, a standards-first learning gateway."""


for module in (
    serve,
    processes,
    tenants,
    credentials,
    platforms,
    connections,
    people,
    groups,
    schemas,
    activities,
    destinations,
    outbox,
    audit,
    guard,
    backup,
    demo,
    doctor,
):
    for command in module.COMMANDS:
        group.add_command(command)


def main() -> None:
    """Run a command; what goes wrong is one sentence on standard error and exit code 1."""
    try:
        group(standalone_mode=False)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except click.Abort:
        sys.exit(130)
    except (OstiaryError, KeysError, LtiError, SignInRefused) as error:
        _fail(getattr(error, "message", str(error)))
    except (SettingsError, SchemaUnfit) as error:
        _fail(str(error))


def _fail(sentence: str) -> None:
    click.echo(f"ostiary: {sentence}", err=True)
    sys.exit(1)
