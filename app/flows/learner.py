"""Who learns what, and by which door they came: looked up anew in every transaction."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from app.kernel.credential import Credential
from app.kernel.errors import NotFound, Refused, Unauthenticated
from app.kernel.person import Person
from app.kernel.tenant import Tenant, TenantId
from app.store import activities, launches, sessions
from app.store.activities import Published
from app.store.db import Read
from app.store.launches import Launch


@dataclass(frozen=True, slots=True)
class BySession:
    """A signed-in session, and the slug of the activity that its page names."""

    presented: Credential
    slug: str

    @property
    def tenant_id(self) -> TenantId:
        """The tenant to look in."""
        return self.presented.tenant


@dataclass(frozen=True, slots=True)
class ByLaunch:
    """A launch that its page names; the guard has made sure that this browser holds it."""

    tenant_id: TenantId
    launch_id: str


Door = BySession | ByLaunch


@dataclass(frozen=True, slots=True)
class Learner:
    """A person at an activity, with everything that this rests on enabled at this moment."""

    person: Person
    tenant: Tenant
    identity_id: str | None
    activity: Published
    launch: Launch | None


def enter(read: Read, door: Door, now: datetime) -> Learner:
    """Return the learner; inside a write transaction the person is held until its end.

    Raises Unauthenticated once the session or launch no longer stands, NotFound for an activity that
    is not this tenant's, Refused for a launch whose link names no activity.
    """
    if isinstance(door, ByLaunch):
        return _launched(read, door, now)
    session = sessions.standing(read, door.presented, now)
    if session is None:
        raise Unauthenticated("Sign in first.", code="sign_in_first")
    found = activities.by_slug(read, door.slug)
    if found is None:
        raise NotFound("There is no such activity here.")
    return Learner(session.person, session.tenant, session.identity_id, found, None)


def _launched(read: Read, door: ByLaunch, now: datetime) -> Learner:
    launch = launches.standing(read, door.launch_id, None, now)
    if launch is None:
        raise Unauthenticated(
            "This launch is over. Open the activity again from your course.", code="launch_over"
        )
    found = activities.get(read, launch.activity_id) if launch.activity_id else None
    if found is None:
        raise Refused("This link names no activity yet. Tell your teacher.", code="no_activity")
    return Learner(launch.person, launch.tenant, launch.identity_id, found, launch)
