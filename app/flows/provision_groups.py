"""A SCIM Group and its members: arriving, changing, leaving."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from app.flows import guard, provision_events
from app.flows.guard import Left
from app.flows.provision_act import Act
from app.flows.provision_people import check
from app.kernel.errors import Unavailable
from app.store import groups, memberships, scim
from app.store.faults import CONTESTED
from app.store.memberships import Gone
from app.store.scim import Stored
from scim.attributes import ResourceType
from scim.errors import InvalidValue
from scim.members import MemberChanges
from scim.schemas import GROUP


def arrive(act: Act, body: Mapping[str, Any], members: tuple[str, ...]) -> Stored:
    """Make a Group with its members; raises InvalidValue for an id that nobody has."""
    check(body)
    group_id = act.deps.ids.new()
    _check_known(act, group_id, members)
    added = memberships.add(act.tx, group_id, members, act.now)
    (made,) = scim.add(act.tx, act.client, act.types.group, {group_id: body}, act.now)
    provision_events.created(act, act.types.group, [made], members)
    act.note("group.provisioned", group_id, added=added)
    return made


def change(act: Act, before: Stored, body: Mapping[str, Any], members: MemberChanges) -> Stored:
    """Give a Group another body and other members; what was so before is no change."""
    check(body)
    _check_known(act, before.id, members.add)
    gone = memberships.remove(act.tx, before.id, members.remove)
    if members.reset:
        gone += memberships.keep(act.tx, before.id, members.add)
    removed = len(gone)
    added = memberships.add(act.tx, before.id, members.add, act.now)
    if added:
        groups.assign(act.tx, act.now, group_id=before.id, person_ids=members.add)
    if body == before.body and not added and not removed:
        return before
    act.note("group.changed", before.id, added=added, removed=removed)
    guard.note(act, _left(gone))
    stored = scim.save(act.tx, act.client, act.types.group, before, body, act.now)
    # Only of a PUT that names them all and takes none away all the members are known, and not too many.
    whole = act.request == "PUT" and members.reset and not gone
    provision_events.changed(
        act, act.types.group, before, stored, request="PUT" if whole else "PATCH",
        members=members.add if whole else (), added=members.add if added else (),
        removed=[one.member_id for one in gone],
    )  # fmt: skip
    return stored


def leave(act: Act, gone: Stored) -> list[Gone]:
    """Delete a Group softly, with its memberships; returns those in other Groups that end by it."""
    ended = memberships.forget(act.tx, gone.id)
    scim.remove(act.tx, act.types.group, gone, act.now)
    provision_events.deleted(act, act.types.group, gone)
    act.note("group.removed", gone.id)
    guard.note(act, _left([one for one in ended if one.group_id == gone.id]))
    return [one for one in ended if one.group_id != gone.id]


def hold_around(act: Act, of: ResourceType, key: str) -> set[str]:
    """Hold the Groups that lose a member when this one is deleted, and itself where it is one; returns them.

    In one order everywhere, or two requests wait for each other: Groups by id, then people.
    """
    own = {key} if of.name == GROUP.name else set()
    return memberships.hold_groups(act.tx, own | memberships.groups_of(act.tx, key))


def check_held(act: Act, key: str, held: Collection[str]) -> None:
    """Raise Unavailable where it has come into another Group since, which must not be waited for now."""
    if not memberships.groups_of(act.tx, key) <= set(held):
        raise Unavailable(CONTESTED.sentence, code=CONTESTED.code, retry_after=1)


def lose(act: Act, ended: Sequence[Gone]) -> None:
    """Note that Groups show a member less, who was deleted: another version, and receivers are told."""
    if not ended:
        return
    members = {one.group_id: one.member_id for one in ended}
    versions = memberships.count_up(act.tx, members, act.now)
    for group_id in sorted(versions):
        act.note("group.changed", group_id, added=0, removed=1)
    provision_events.lost(act, act.types.group, versions, members)


def _left(gone: Sequence[Gone]) -> list[Left]:
    return [Left(one.member_id, "left_group", one.group_id) for one in gone if one.kind == "User"]


def _check_known(act: Act, group_id: str, ids: tuple[str, ...]) -> None:
    if group_id in ids:
        raise InvalidValue("A Group cannot be its own member.")
    memberships.hold(act.tx, ids)
    unknown = memberships.unknown(act.tx, ids) if ids else []
    if unknown:
        raise InvalidValue(f"There is no User or Group {unknown[0]!r} to be a member.")
