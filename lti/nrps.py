"""Names and Role Provisioning Services 2.0: who is in the course."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from lti.errors import ServiceRefused
from lti.paging import next_url
from lti.service import HttpRequest, HttpResponse, bearer_request, read_json
from lti.urls import with_query

SCOPE = "https://purl.imsglobal.org/spec/lti-nrps/scope/contextmembership.readonly"
MEDIA_MEMBERS = "application/vnd.ims.lti-nrps.v2.membershipcontainer+json"
MAX_MEMBERS = 20_000
MAX_TEXT = 320
MAX_ROLES = 100


class Status(StrEnum):
    """A membership's status (§2.3); `Deleted` appears among differences only."""

    ACTIVE = "Active"
    INACTIVE = "Inactive"
    DELETED = "Deleted"


@dataclass(frozen=True, slots=True)
class Member:
    """One person of a context (§2.3): `user_id` is the `sub` of their launches.

    `roles` as sent, short names or URIs: `lti.roles` reads both.
    """

    user_id: str
    roles: tuple[str, ...]
    status: Status = Status.ACTIVE
    name: str | None = None
    given_name: str | None = None
    family_name: str | None = None
    email: str | None = None
    lis_person_sourcedid: str | None = None


@dataclass(frozen=True, slots=True)
class MembersPage:
    """One page: follow `next_url` until it is None. `skipped` counts entries without a user_id."""

    context_id: str | None
    members: tuple[Member, ...]
    skipped: int
    next_url: str | None


def members_request(
    memberships_url: str,
    access_token: str,
    *,
    rlid: str | None = None,
    role: str | None = None,
    limit: int | None = None,
) -> HttpRequest:
    """GET the members (§2.4): of the resource link `rlid` (§3.2), with `role`, `limit` a page."""
    wanted = (("rlid", rlid), ("role", role), ("limit", None if limit is None else str(limit)))
    query = [(name, value) for name, value in wanted if value is not None]
    url = with_query(memberships_url, query)
    return bearer_request("GET", url, access_token, accept=MEDIA_MEMBERS)


def read_members(response: HttpResponse, page_url: str, now: datetime) -> MembersPage:
    """Read one page of members; what is shown only is dropped where it is not text.

    Raises a ServiceError.
    """
    container = read_json(response, now)
    entries = container.get("members") if isinstance(container, dict) else None
    if not isinstance(container, dict) or not isinstance(entries, list):
        raise ServiceRefused("bad_response", "The platform's answer is not a list of members.")
    if len(entries) > MAX_MEMBERS:
        raise ServiceRefused("bad_response", "The platform sent too many members at once.")
    members = tuple(member for entry in entries if (member := _member(entry)) is not None)
    context = container.get("context")
    return MembersPage(
        context_id=_text(context, "id") if isinstance(context, dict) else None,
        members=members,
        skipped=len(entries) - len(members),
        # Moodle offers a page past the end, which is empty: an empty page ends the list.
        next_url=next_url(response, page_url) if entries else None,
    )


def _member(entry: object) -> Member | None:
    if not isinstance(entry, dict) or (user_id := _text(entry, "user_id")) is None:
        return None
    return Member(
        user_id=user_id,
        roles=_roles(entry.get("roles")),
        status=_status(entry.get("status")),
        name=_text(entry, "name"),
        given_name=_text(entry, "given_name"),
        family_name=_text(entry, "family_name"),
        email=_text(entry, "email"),
        lis_person_sourcedid=_text(entry, "lis_person_sourcedid"),
    )


def _roles(value: object) -> tuple[str, ...]:
    if not isinstance(value, list):
        return ()
    return tuple(r for r in value[:MAX_ROLES] if isinstance(r, str) and len(r) <= MAX_TEXT)


def _status(value: object) -> Status:
    """Active where left out (§2.3); a status that we don't know gives nobody access."""
    if value is None:
        return Status.ACTIVE
    return next((status for status in Status if status == value), Status.INACTIVE)


def _text(entry: Mapping[str, object], name: str) -> str | None:
    value = entry.get(name)
    return value if isinstance(value, str) and 0 < len(value) <= MAX_TEXT else None
