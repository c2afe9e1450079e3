"""`ostiary destination`: where statements are forwarded to."""

from __future__ import annotations

from datetime import datetime

import click

from app.cli.common import INSTANT, json_option, ready, show, tenant_option, written
from app.flows import redeliver, tenancy
from app.store import destinations


@click.group()
def destination() -> None:
    """Where statements are forwarded to."""


@destination.command("add")
@tenant_option
@click.option("--kind", type=click.Choice(["xapi"]), required=True, expose_value=False)
@click.option(
    "--url", required=True, help="The record store's xAPI endpoint, with or without /statements."
)
@click.option("--key", required=True)
@click.option("--secret", required=True)
@json_option
def add(slug: str, url: str, key: str, secret: str, as_json: bool) -> None:
    """Forward a tenant's statements, from now on, to a record store."""
    show({"id": tenancy.add_record_store(ready(), slug, url, key, secret)}, as_json=as_json)


@destination.command("list")
@tenant_option
@json_option
def listed(slug: str, as_json: bool) -> None:
    """List record stores: on or off, and since when each is behind or failing."""
    deps = ready()
    tenant = tenancy.of_slug(deps, slug)
    with deps.db.read(tenant.id) as read:
        rows = destinations.listed(read)
    show([
        {
            "id": row["id"], "kind": row["kind"], "url": row["url"], "enabled": row["enabled"],
            "behind_since": written(row["behind_since"]), "failing_since": written(row["failing_since"]),
            "attempts": row["attempts"], "last_error": row["last_error"],
        }
        for row in rows
    ], as_json=as_json)  # fmt: skip


@destination.command("disable")
@click.argument("destination_id")
@tenant_option
@json_option
def disable(destination_id: str, slug: str, as_json: bool) -> None:
    """Send nothing there until it is switched on again; what comes meanwhile waits."""
    _switch(slug, destination_id, enabled=False, as_json=as_json)


@destination.command("enable")
@click.argument("destination_id")
@tenant_option
@json_option
def enable(destination_id: str, slug: str, as_json: bool) -> None:
    """Go on sending there, from where it stopped."""
    _switch(slug, destination_id, enabled=True, as_json=as_json)


@destination.command("rewind")
@click.argument("destination_id")
@tenant_option
@click.option("--since", type=INSTANT, required=True, help="An instant, 2026-03-02T09:00:00Z.")
@json_option
def rewind(destination_id: str, slug: str, since: datetime, as_json: bool) -> None:
    """Send everything stored since then once more; ids are fixed, so nothing is stored twice."""
    deps = ready()
    count = redeliver.rewind(deps, redeliver.operator(deps, slug), destination_id, since)
    show({"id": destination_id, "again": count}, as_json=as_json)


def _switch(slug: str, destination_id: str, *, enabled: bool, as_json: bool) -> None:
    deps = ready()
    redeliver.switch(deps, redeliver.operator(deps, slug), destination_id, enabled=enabled)
    show({"id": destination_id, "enabled": enabled}, as_json=as_json)


COMMANDS = [destination]
