"""What belonging to a group gives, as an administrator sets it: a role in the console, an assigned activity."""

from __future__ import annotations

from typing import Final

from app.deps import Deps
from app.kernel.errors import Invalid, NotFound
from app.store import activities, audit, groups
from app.store.db import Read, Tx
from app.store.groups import Grant
from scim.text import storable

ROLES: Final = ("administrator",)


def role(name: str) -> Grant:
    """A role in the console; raises Invalid for one that there is not."""
    if name not in ROLES:
        raise Invalid(f"There is no role {name[:100]!r}; there is {', '.join(ROLES)}.")
    return Grant("role", name)


def activity(read: Read, slug: str) -> Grant:
    """An activity by its slug; raises NotFound."""
    found = activities.by_slug(read, slug) if storable(slug) else None
    if found is None:
        raise NotFound(f"There is no activity {slug[:100]!r}.")
    return Grant("activity", found.id)


def give(deps: Deps, tx: Tx, group_id: str, grant: Grant, by: str) -> int:
    """Let a group give it, to those who are in it at once; returns how many were assigned.

    Raises NotFound.
    """
    _known(tx, group_id)
    now = deps.clock()
    if not groups.give(tx, group_id, grant, by, now):
        return 0
    added = groups.assign(tx, now, group_id=group_id) if grant.gives == "activity" else 0
    _note(deps, tx, by, "group.grant_added", group_id, grant, added)
    return added


def take(deps: Deps, tx: Tx, group_id: str, grant: Grant, by: str) -> int:
    """Let a group no longer give it; returns how many assignments were dropped. Raises NotFound."""
    _known(tx, group_id)
    if not groups.take(tx, group_id, grant):
        raise NotFound("The group does not give that.")
    dropped = 0
    if grant.gives == "activity":
        dropped = groups.drop(tx, group_id, deps.clock(), activity_id=grant.what)
    _note(deps, tx, by, "group.grant_removed", group_id, grant, dropped)
    return dropped


def _known(read: Read, group_id: str) -> None:
    if not storable(group_id) or groups.name_of(read, group_id) is None:
        raise NotFound("There is no such group.")


def _note(
    deps: Deps, tx: Tx, by: str, action: str, group_id: str, grant: Grant, count: int
) -> None:
    audit.record(
        tx, deps.ids.new(), deps.clock(), by, action, group_id, gives=grant.gives, what=grant.what,
        assignments=count,
    )  # fmt: skip
