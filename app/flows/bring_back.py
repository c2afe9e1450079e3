"""Undoing departures: people, their roles, groups and assignments as they were; sessions stay ended."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from app.deps import Deps
from app.flows import provision_events
from app.kernel.person import Person
from app.store import audit, groups, guard, learning, memberships, people, scim
from app.store.db import Tx
from app.store.guard import Departure
from scim.custom import Types

_DELETED = "This person has been deleted since."
_NAME_TAKEN = "Somebody else bears this user name by now."


@dataclass(frozen=True, slots=True)
class Back:
    """An administrator's doing (`by`): a client's departures are undone for a hold."""

    deps: Deps
    tx: Tx
    client: str
    types: Types
    by: str
    hold_id: str
    now: datetime


def all_of(back: Back, departures: Sequence[Departure]) -> None:
    """Undo departures, given the last first; what has changed since then is left as it is."""
    _hold_all(back, departures)
    left_groups, undone = defaultdict[str, list[str]](list), list[str]()
    for one in departures:
        if one.kind == "left_group" and one.group_id:
            if memberships.unknown(back.tx, [one.person_id]):
                guard.failed(back.tx, one.id, _DELETED)
                continue
            left_groups[one.group_id].append(one.person_id)
        elif why := _person(back, one):
            guard.failed(back.tx, one.id, why)
            continue
        undone.append(one.id)
    for group_id, person_ids in left_groups.items():
        _into_group(back, group_id, person_ids)
    guard.restored(back.tx, undone, back.now)


def _hold_all(back: Back, departures: Sequence[Departure]) -> None:
    """Hold groups, then people, before anything is written: a request holds one, then wants a counter."""
    named = {one.group_id for one in departures if one.group_id}
    memberships.hold_groups(
        back.tx, named.union(*(one.before.get("groups", ()) for one in departures))
    )
    for person_id in sorted({one.person_id for one in departures}):
        people.lock(back.tx, person_id)


def _person(back: Back, one: Departure) -> str | None:
    """Undo a deactivation or deletion; returns why that can't be."""
    person = people.lock(back.tx, one.person_id)
    if person is None:
        return "This person has been erased."
    if one.kind == "deactivated":
        if person.deleted_at is not None:
            return _DELETED
        if not person.active:
            _activate(back, person)
    else:
        if person.deleted_at is not None:
            if person.user_name and people.by_user_name(back.tx, person.user_name):
                return _NAME_TAKEN
            _undelete(back, person)
        # Also of whom the client itself has made anew since then: it knows nothing of roles.
        _give_back(back, person, one)
    if one.settled_at is not None:
        learning.take_up_assignments(back.tx, one.person_id, one.settled_at)
    audit.record(
        back.tx, back.deps.ids.new(), back.now, back.by, "person.restored", one.person_id,
        hold=back.hold_id,
    )  # fmt: skip
    return None


def _activate(back: Back, person: Person) -> None:
    people.save(back.tx, replace(person, active=True), back.now)
    before = scim.get(back.tx, back.client, back.types.user, person.id)
    if before is not None:
        body = {**before.body, "active": True}
        after = scim.save(back.tx, back.client, back.types.user, before, body, back.now)
        provision_events.changed(back, back.types.user, before, after, turned="activate")


def _undelete(back: Back, person: Person) -> None:
    people.save(back.tx, replace(person, deleted_at=None), back.now)
    gone = scim.deleted(back.tx, back.client, back.types.user, person.id)
    if gone is not None:
        there = scim.restore(back.tx, back.client, back.types.user, gone, gone.body, back.now)
        provision_events.created(back, back.types.user, [there])


def _give_back(back: Back, person: Person, one: Departure) -> None:
    for role in one.before.get("roles", ()):
        people.grant(back.tx, person.id, role, back.by, back.now)
    for group_id in one.before.get("groups", ()):
        _into_group(back, group_id, [person.id])


def _into_group(back: Back, group_id: str, person_ids: Sequence[str]) -> None:
    """Let people be members again; a group of the client's own that it deleted comes back as well."""
    gone = scim.deleted(back.tx, back.client, back.types.group, group_id)
    if gone is not None and gone.owner != back.client:
        return  # somebody else's doing, and meant
    if gone is not None:
        there = scim.restore(back.tx, back.client, back.types.group, gone, gone.body, back.now)
        provision_events.created(back, back.types.group, [there])
    if not memberships.add(back.tx, group_id, person_ids, back.now):
        return
    groups.assign(back.tx, back.now, group_id=group_id, person_ids=person_ids)
    group = scim.get(back.tx, back.client, back.types.group, group_id)
    if group is not None:
        after = group
        if gone is None:
            after = scim.save(back.tx, back.client, back.types.group, group, group.body, back.now)
        provision_events.changed(back, back.types.group, group, after, added=person_ids)
