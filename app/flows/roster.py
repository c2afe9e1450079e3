"""Who is on the course: the platform's members (NRPS 2.0), read page by page for a teacher."""

from __future__ import annotations

from datetime import timedelta

from app.deps import Deps
from app.flows import services
from app.http import HttpFailed
from app.kernel.errors import NeighbourFailed, NotFound
from app.store import courses
from app.store.launches import Launch
from lti import nrps
from lti.errors import ServiceError
from lti.nrps import Member
from lti.service import HttpRequest

_PAGES = 200
_MEMBERS = 20_000
_PATIENCE = timedelta(seconds=25)
"""A teacher waits for the page that shows them."""


def members(deps: Deps, launch: Launch) -> tuple[Member, ...]:
    """Return the members of a launch's context, at most 20,000 of them.

    Raises NotFound where the platform offers no list, NeighbourFailed where it does not give it.
    """
    url = None
    if launch.context_id is not None:
        with deps.db.read(launch.tenant.id) as read:
            url = courses.memberships_url(read, launch.context_id)
    found: list[Member] = []
    if url is None:
        raise NotFound("The platform offers no list of this course's members.", code="no_roster")
    until = deps.clock() + _PATIENCE
    for _ in range(_PAGES):
        if deps.clock() > until:
            raise NeighbourFailed(
                "The platform lists its members too slowly.", code="roster_unavailable"
            )
        page = _page(deps, launch, url)
        found += page.members
        if page.next_url is None or len(found) >= _MEMBERS:
            break
        url = page.next_url
    return tuple(found[:_MEMBERS])


def _page(deps: Deps, launch: Launch, url: str) -> nrps.MembersPage:
    def build(token: str) -> HttpRequest:
        return nrps.members_request(url, token)

    try:
        response = services.call(deps, launch.tenant.id, launch.registration_id, nrps.SCOPE, build)
        return nrps.read_members(response, url, deps.clock())
    except ServiceError as error:
        raise NeighbourFailed(error.message, code="roster_unavailable") from error
    except HttpFailed as error:
        raise NeighbourFailed(error.reason, code="roster_unavailable") from error
