"""Names and Role Provisioning Services 2.0: who is on the course."""

from __future__ import annotations

from collections.abc import Mapping

from sandbox.campus import Campus
from sandbox.errors import Refused
from sandbox.lms.claims import identity, launch_roles
from sandbox.lms.course import COURSE, LABEL, TITLE, api, find_link, flavour, page_size
from sandbox.lms.tool import registered
from sandbox.paging import page_of
from sandbox.people import Person, members
from sandbox.store import Json


def container(campus: Campus, asked: Mapping[str, str]) -> tuple[Json, str | None]:
    """(the membership container of one page, the query of the next). `role` and `rlid` narrow."""
    if "rlid" in asked:
        find_link(campus, asked["rlid"])
    manners = flavour(campus)
    people = members(campus.people)
    if "role" in asked:
        wanted = asked["role"].rpartition("#")[2]
        if wanted not in {"Instructor", "Learner"}:
            raise Refused(400, "invalid_request", "role must be Instructor or Learner")
        people = [one for one in people if one.teacher == (wanted == "Instructor")]
    page, more = page_of(people, asked, page_size(campus), past_the_end=manners.page_past_the_end)
    privacy = registered(campus)["privacy"]
    body = {
        "id": f"{api(campus)}/members",
        "context": {"id": COURSE, "label": LABEL, "title": TITLE},
        "members": [_member(one, privacy, short=manners.short_names) for one in page],
    }
    return body, more


def _member(person: Person, privacy: str, *, short: bool) -> Json:
    role = launch_roles(person)[0]
    return {
        "status": "Active",
        "user_id": person.lms_id,
        "roles": [role.rpartition("#")[2] if short else role],
        "lis_person_sourcedid": person.employee,
        **identity(person, privacy),
    }
