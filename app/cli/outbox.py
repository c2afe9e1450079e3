"""`ostiary outbox`: what waits, why, and another try."""

from __future__ import annotations

from typing import Any

import click

from app.cli.common import json_option, ready, show, tenant_option
from app.flows import tenancy
from app.store import destinations
from app.store import outbox as store


@click.group()
def outbox() -> None:
    """Deliveries to platforms and record stores."""


@outbox.command("list")
@tenant_option
@click.option("--limit", default=100, type=click.IntRange(1, 10_000))
@json_option
def listed(slug: str, limit: int, as_json: bool) -> None:
    """List deliveries, newest first, and the record stores that are behind."""
    deps = ready()
    tenant = tenancy.of_slug(deps, slug)
    with deps.db.read(tenant.id) as read:
        rows = [_delivery(row) for row in store.listed(read, limit)]
        rows += [_stream(row) for row in destinations.backlog(read)]
    show(rows, as_json=as_json)


@outbox.command("replay")
@click.argument("delivery_ids", nargs=-1, required=True)
@tenant_option
@json_option
def replay(delivery_ids: tuple[str, ...], slug: str, as_json: bool) -> None:
    """Try dead deliveries again from the start."""
    deps = ready()
    tenant = tenancy.of_slug(deps, slug)
    with deps.db.tx(tenant.id) as tx:
        count = store.replay(tx, delivery_ids, deps.clock())
    show({"replayed": count}, as_json=as_json)


def _delivery(row: dict[str, Any]) -> dict[str, Any]:
    return {name: row[name] for name in ("id", "destination", "status", "attempts", "last_error")}


def _stream(row: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": row["id"], "destination": f"destination:{row['id']}", "status": "waiting",
        "attempts": row["attempts"], "last_error": row["last_error"],
    }  # fmt: skip


COMMANDS = [outbox]
