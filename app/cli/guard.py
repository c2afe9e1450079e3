"""`ostiary guard`: mass departures that wait, and what becomes of them."""

from __future__ import annotations

from typing import Any

import click

from app.cli.common import json_option, ready, show, tenant_option
from app.flows import guard as flow
from app.flows import tenancy
from app.kernel.clock import iso
from app.store import guard as store
from app.store.guard import Hold

_BY = "operator"


@click.group()
def guard() -> None:
    """When one client makes too many people leave, what can't be undone waits for a decision."""


@guard.command("list")
@tenant_option
@click.option("--all", "everything", is_flag=True, help="Also what was decided.")
@json_option
def listed(slug: str, everything: bool, as_json: bool) -> None:
    """List what waits, newest first."""
    deps = ready()
    with deps.db.read(tenancy.of_slug(deps, slug).id) as read:
        found = store.listed(read, statuses=() if everything else ("open", "restoring"))
        rows = [_shown(one) | store.progress(read, one.id) for one in found]
    show(rows, as_json=as_json)


@guard.command("approve")
@click.argument("hold_id")
@tenant_option
@click.option("--and-next-hour", is_flag=True, help="Also what the client does in the next hour.")
@json_option
def approve(hold_id: str, slug: str, and_next_hour: bool, as_json: bool) -> None:
    """Let happen what waits: the departures are meant."""
    deps = ready()
    with deps.db.tx(tenancy.of_slug(deps, slug).id) as tx:
        flow.approve(deps, tx, hold_id, _BY, and_next_hour=and_next_hour)
    show({"id": hold_id, "status": "approved"}, as_json=as_json)


@guard.command("restore")
@click.argument("hold_id")
@tenant_option
@json_option
def restore(hold_id: str, slug: str, as_json: bool) -> None:
    """Bring everyone back, in their groups and roles as before; they sign in anew."""
    deps = ready()
    tenant = tenancy.of_slug(deps, slug)
    with deps.db.tx(tenant.id) as tx:
        flow.restore(deps, tx, hold_id, _BY)
    while flow.go_on(deps):
        pass
    with deps.db.read(tenant.id) as read:
        done = store.progress(read, hold_id)
    show({"id": hold_id, "status": "restored"} | done, as_json=as_json)


def _shown(one: Hold) -> dict[str, Any]:
    return {
        "id": one.id, "client": one.client, "status": one.status, "active": one.active,
        "allowed": one.allowed, "opened_at": iso(one.opened_at),
    }  # fmt: skip


COMMANDS = [guard]
