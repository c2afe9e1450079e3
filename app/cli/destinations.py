"""`ostiary destination`: where statements are forwarded to, and who hears of SCIM events."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime

import click

from app.cli.common import (
    INSTANT,
    client_option,
    json_option,
    ready,
    show,
    tenant_option,
    written,
)
from app.flows import event_streams, redeliver, tenancy
from app.flows.event_streams import Wanted
from app.store import destinations


@click.group()
def destination() -> None:
    """Where statements are forwarded to, and who hears of SCIM events."""


@destination.command("add")
@tenant_option
@click.option("--kind", type=click.Choice(["xapi", "set-push", "set-poll"]), required=True)
@click.option(
    "--url", default="",
    help="The record store's xAPI endpoint, with or without /statements; or where events are pushed.",
)  # fmt: skip
@click.option("--key", default="", help="The record store's user name.")
@click.option("--secret", default="", help="The record store's password.")
@click.option("--authorization", default="", help="The Authorization header that a set-push wants.")
@click.option(
    "--audience", default="", help="Whom the event tokens are for; by default a name of ours."
)
@click.option("--mode", type=click.Choice(["notice", "full"]), default="notice",
              help="Only what has changed, or with the data too.")  # fmt: skip
@client_option
@json_option
def add(
    slug: str, kind: str, url: str, key: str, secret: str, authorization: str, audience: str, mode: str,
    client: str, as_json: bool,
) -> None:  # fmt: skip
    """Forward a tenant's statements, from now on, to a record store (xapi), or tell of SCIM events.

    set-push sends each event's token to an address (RFC 8935), set-poll lets the receiver come for them with
    the token that is shown this once (RFC 8936). --client says by whose externalIds it knows people.
    """
    if kind == "xapi":
        if not (url and key and secret):
            raise click.UsageError("A record store takes --url, --key and --secret.")
        show({"id": tenancy.add_record_store(ready(), slug, url, key, secret)}, as_json=as_json)
        return
    if (kind == "set-push") != bool(url) or key or secret:
        raise click.UsageError(
            "set-push takes --url, set-poll none; neither takes --key or --secret."
        )
    wanted = Wanted(url, authorization, audience, client, full=mode == "full")
    made = event_streams.add(ready(), slug, wanted)
    show({name: value for name, value in asdict(made).items() if value}, as_json=as_json)


@destination.command("list")
@tenant_option
@json_option
def listed(slug: str, as_json: bool) -> None:
    """List destinations: on or off, and since when each is behind or failing."""
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


@destination.command("remove")
@click.argument("destination_id")
@tenant_option
@json_option
def remove(destination_id: str, slug: str, as_json: bool) -> None:
    """Remove it for good. What waits for it is given up, and a receiver's tokens are revoked."""
    deps = ready()
    redeliver.remove(deps, redeliver.operator(deps, slug), destination_id)
    show({"id": destination_id, "removed": True}, as_json=as_json)


@destination.command("rewind")
@click.argument("destination_id")
@tenant_option
@click.option("--since", type=INSTANT, required=True, help="An instant, 2026-03-02T09:00:00Z.")
@json_option
def rewind(destination_id: str, slug: str, since: datetime, as_json: bool) -> None:
    """Send a record store everything stored since then once more; ids are fixed, so nothing is stored twice."""
    deps = ready()
    count = redeliver.rewind(deps, redeliver.operator(deps, slug), destination_id, since)
    show({"id": destination_id, "again": count}, as_json=as_json)


def _switch(slug: str, destination_id: str, *, enabled: bool, as_json: bool) -> None:
    deps = ready()
    redeliver.switch(deps, redeliver.operator(deps, slug), destination_id, enabled=enabled)
    show({"id": destination_id, "enabled": enabled}, as_json=as_json)


COMMANDS = [destination]
