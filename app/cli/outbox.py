"""`ostiary outbox`: what waits, why, since when, and another try."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import click

from app.cli.common import INSTANT, json_option, ready, show, tenant_option, written
from app.flows import redeliver, tenancy
from app.kernel.delivery import RECORD_STORE
from app.kernel.errors import NotFound
from app.store import deliveries, destinations

_STATUSES = ["waiting", "delivered", "superseded", "dead"]


@click.group()
def outbox() -> None:
    """Deliveries to platforms and record stores."""


@outbox.command("list")
@tenant_option
@click.option("--status", "statuses", multiple=True, type=click.Choice(_STATUSES))
@click.option("--destination", help="Only those for this one, as `outbox lanes` names it.")
@click.option("--limit", default=100, type=click.IntRange(1, 10_000))
@json_option
def listed(
    slug: str, statuses: tuple[str, ...], destination: str | None, limit: int, as_json: bool
) -> None:
    """List deliveries, newest first, and the record stores that are behind."""
    deps = ready()
    tenant = tenancy.of_slug(deps, slug)
    with deps.db.read(tenant.id) as read:
        found = deliveries.page(read, deps.clock(), limit, statuses, destination=destination)
        rows = [_delivery(row) for row in found]
        if not statuses or "waiting" in statuses:
            behind = [_stream(row) for row in destinations.backlog(read)]
            rows += [row for row in behind if destination in {None, row["destination"]}]
    show(rows, as_json=as_json)


@outbox.command("show")
@click.argument("delivery_id")
@tenant_option
@json_option
def shown(delivery_id: str, slug: str, as_json: bool) -> None:
    """Show one delivery with its tries, the latest first."""
    deps = ready()
    tenant = tenancy.of_slug(deps, slug)
    with deps.db.read(tenant.id) as read:
        row = deliveries.one(read, delivery_id, deps.clock())
    if row is None:
        raise NotFound("There is no such delivery.")
    tries = [
        {
            "at": written(one["at"]), "outcome": one["outcome"], "status": one["status"],
            "error": one["error"], "took_ms": one["took_ms"],
        }
        for one in row["tries"]
    ]  # fmt: skip
    facts = _delivery(row) | {"about": row["about"], "why": row["why"]}
    if as_json:
        show(facts | {"tries": tries}, as_json=True)
    else:
        show(facts, as_json=False)
        show(tries, as_json=False)


@outbox.command("replay")
@click.argument("delivery_ids", nargs=-1)
@tenant_option
@click.option("--since", type=INSTANT, help="Written from this instant on, 2026-03-02T09:00:00Z.")
@click.option("--until", type=INSTANT, help="Written before this instant.")
@click.option("--destination", help="Only those for this one, as `outbox lanes` names it.")
@click.option("--delivered", is_flag=True, help="Also what had arrived already.")
@json_option
def replay(
    delivery_ids: tuple[str, ...], slug: str, since: datetime | None, until: datetime | None,
    destination: str | None, delivered: bool, as_json: bool,
) -> None:  # fmt: skip
    """Try deliveries again that were given up, by id or by range, a thousand at a time."""
    deps = ready()
    done = redeliver.replay(
        deps, redeliver.operator(deps, slug), delivery_ids or None, destination=destination,
        since=since, until=until, delivered=delivered,
    )  # fmt: skip
    show(
        {"replayed": done.waiting, "superseded": done.superseded, "more": done.more},
        as_json=as_json,
    )


@outbox.command("lanes")
@tenant_option
@json_option
def lanes(slug: str, as_json: bool) -> None:
    """Show how each destination fares: failing or off, why and since when, and what waits there."""
    deps = ready()
    tenant = tenancy.of_slug(deps, slug)
    with deps.db.read(tenant.id) as read:
        rows = deliveries.fares(read)
    show([
        {
            "destination": row["destination"], "name": row["name"], "state": row["state"],
            "failures": row["failures"], "failing_since": written(row["failing_since"]), "why": row["why"],
            "waiting": row["waiting"], "waiting_since": written(row["waiting_since"]),
            "next_try": written(row["next_try"]), "dead": row["dead"],
        }
        for row in rows
    ], as_json=as_json)  # fmt: skip


def _delivery(row: dict[str, Any]) -> dict[str, Any]:
    agreed = {name: row[name] for name in ("id", "destination", "status", "attempts")}
    waiting = row["status"] == "waiting"
    # What stands in its way though it was not tried: the destination is off, or fails for others.
    stands = waiting and not row["under_way"] and row["why"] != deliveries.NOT_TRIED
    return agreed | {
        "last_error": row["last_error"] or (row["why"] if stands else None),
        "waiting_since": written(row["created_at"]) if waiting else None,
        "next_try": written(row["next_try"]), "type": row["type"], "subject": row["subject"],
    }  # fmt: skip


def _stream(row: dict[str, Any]) -> dict[str, Any]:
    off = None if row["enabled"] else "The record store is switched off."
    return {
        "id": row["id"], "destination": RECORD_STORE + row["id"], "status": "waiting",
        "attempts": row["attempts"], "last_error": row["last_error"] or off,
        "waiting_since": written(row["behind_since"]),
        "next_try": written(row["next_at"]) if row["enabled"] else None,
        "type": "statements", "subject": None,
    }  # fmt: skip


COMMANDS = [outbox]
