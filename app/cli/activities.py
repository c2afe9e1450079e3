"""`ostiary activity`: what a tenant's people can learn."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from app.cli.common import json_option, ready, show, tenant_option
from app.flows import activities
from app.learning.document import MAX_BYTES


@click.group()
def activity() -> None:
    """Adaptive activities."""


@activity.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@tenant_option
@json_option
def import_(file: Path, slug: str, as_json: bool) -> None:
    """Publish an activity document, as a new version where it differs from the present one."""
    with file.open("rb") as opened:
        text = opened.read(MAX_BYTES + 1)
    made = activities.publish(ready(), slug, text)
    show({"id": made.id, "slug": made.slug, "version": made.version}, as_json=as_json)


@activity.command("list")
@tenant_option
@json_option
def list_(slug: str, as_json: bool) -> None:
    """Show a tenant's activities."""
    show([asdict(one) for one in activities.listed(ready(), slug)], as_json=as_json)


COMMANDS = [activity]
