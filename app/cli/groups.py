"""`ostiary group`: what belonging to a SCIM Group gives."""

from __future__ import annotations

import click

from app.cli.common import json_option, ready, show, tenant_option
from app.flows import groups as flow
from app.flows import tenancy
from app.store import groups as store
from app.store.db import Read
from app.store.groups import Grant

_BY = "operator"
_MOST = 1_000


@click.group()
def group() -> None:
    """Groups that an identity provider keeps, and what belonging to one gives."""


@group.command("list")
@tenant_option
@click.option("--after", default="", help="Go on behind the group with this id.")
@json_option
def listed(slug: str, after: str, as_json: bool) -> None:
    """List groups with what they give, a thousand at most."""
    deps = ready()
    with deps.db.read(tenancy.of_slug(deps, slug).id) as read:
        found = store.listed(read, _MOST, after)
    rows = [
        {
            "id": one.id, "displayName": one.name, "members": one.members,
            "gives": [{"gives": each.gives, "what": each.what} for each in one.grants],
        }
        for one in found
    ]  # fmt: skip
    show(rows, as_json=as_json)


@group.command("give")
@click.argument("group_id")
@tenant_option
@click.option("--role", help="A role in the console: administrator.")
@click.option("--activity", help="An activity's slug; it is assigned to the group's members.")
@json_option
def give(group_id: str, slug: str, role: str | None, activity: str | None, as_json: bool) -> None:
    """Let a group give a role or an activity, to whoever is in it now and later."""
    deps = ready()
    with deps.db.tx(tenancy.of_slug(deps, slug).id) as tx:
        grant = _grant(tx, role, activity)
        count = flow.give(deps, tx, group_id, grant, _BY)
    show({"id": group_id, "gives": grant.gives, "assigned": count}, as_json=as_json)


@group.command("take")
@click.argument("group_id")
@tenant_option
@click.option("--role", help="A role in the console.")
@click.option("--activity", help="An activity's slug.")
@json_option
def take(group_id: str, slug: str, role: str | None, activity: str | None, as_json: bool) -> None:
    """Let a group no longer give something; what it had assigned is dropped."""
    deps = ready()
    with deps.db.tx(tenancy.of_slug(deps, slug).id) as tx:
        grant = _grant(tx, role, activity)
        count = flow.take(deps, tx, group_id, grant, _BY)
    show({"id": group_id, "gives": grant.gives, "dropped": count}, as_json=as_json)


def _grant(read: Read, role: str | None, activity: str | None) -> Grant:
    if (role is None) == (activity is None):
        raise click.UsageError("Say either --role or --activity.")
    return flow.role(role) if role is not None else flow.activity(read, activity or "")


COMMANDS = [group]
