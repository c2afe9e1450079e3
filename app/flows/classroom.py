"""A teacher's view: how far each learner of the course is in the launch's activity."""

from __future__ import annotations

from dataclasses import dataclass

from app.deps import Deps
from app.flows import roster
from app.flows.learner import ByLaunch, Learner, enter
from app.kernel.errors import NeighbourFailed, NotFound, Refused
from app.store import launches, learning, people
from app.store.launches import Launch
from app.store.learning import Learned
from lti import roles
from lti.nrps import Member, Status

MOST = 500


@dataclass(frozen=True, slots=True)
class Pupil:
    """A learner of the course; `known` is None for who has not answered yet."""

    name: str
    known: Learned | None


@dataclass(frozen=True, slots=True)
class Classroom:
    """At most 500 learners by name, of `count`. `listed`: from the platform's own list of members."""

    teacher: Learner
    pupils: tuple[Pupil, ...]
    count: int
    listed: bool


def look(deps: Deps, door: ByLaunch) -> Classroom:
    """Return the course's learners with their progress; raises Refused to whoever does not teach there.

    Where the platform gives no list, those who have come from this course are shown.
    """
    now = deps.clock()
    with deps.db.read(door.tenant_id) as read:
        teacher = enter(read, door, now)
    launch = teacher.launch
    if launch is None or not launch.instructor:
        raise Refused("This page is for the teachers of the course.", code="not_an_instructor")
    names = _members(deps, launch)
    listed = names is not None
    with deps.db.read(door.tenant_id) as read:
        if names is None:
            seen = launches.last_by_user(read, launch.registration_id, launch.context_id or "")
            names = dict.fromkeys(user for user in seen if user != launch.user_id)
        count = len(names)
        names = dict(sorted(names.items(), key=lambda one: (one[1] or "", one[0]))[:MOST])
        known = people.of_subjects(read, "lti", launch.registration_id, names)
        standings = learning.standings(
            read, person_ids={one.id for one in known.values()}, activity_id=teacher.activity.id
        )
    by_person = {one.person_id: one for one in standings}
    pupils = []
    for user_id, name in names.items():
        person = known.get(user_id)
        label = name or (person.label if person else user_id)
        pupils.append(Pupil(label, by_person.get(person.id) if person else None))
    pupils.sort(key=lambda one: one.name.casefold())
    return Classroom(teacher, tuple(pupils), count, listed)


def _members(deps: Deps, launch: Launch) -> dict[str, str | None] | None:
    """Return the learners' names by user id, as the platform tells them; None where it does not."""
    try:
        found = roster.members(deps, launch)
    except (NotFound, NeighbourFailed, Refused):
        return None
    return {one.user_id: _name(one) for one in found if _learns(one)}


def _learns(member: Member) -> bool:
    return member.status is Status.ACTIVE and not roles.is_instructor(member.roles)


def _name(member: Member) -> str | None:
    full = " ".join(filter(None, (member.given_name, member.family_name)))
    return member.name or full or member.email
