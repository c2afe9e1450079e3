"""What roles mean (LTI 1.3 Core §A.2).

Only context roles decide anything here: an institution's or a system's role says who someone is
elsewhere, not what they do in this course. Unknown roles are kept and mean nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

MEMBERSHIP = "http://purl.imsglobal.org/vocab/lis/v2/membership"
TEST_USER = "http://purl.imsglobal.org/vocab/lti/system/person#TestUser"

# …membership#Principal, or …membership/Principal#SubRole; the short name stands for the former.
_CONTEXT_ROLE = re.compile(rf"{re.escape(MEMBERSHIP)}(?:#(\w+)|/(\w+)#\w+)", re.ASCII)
_SHORT_NAME = re.compile(r"[A-Z][A-Za-z]*", re.ASCII)
_RUNS_THE_COURSE = frozenset({"Instructor", "ContentDeveloper", "Administrator"})


def context_roles(roles: Iterable[str]) -> frozenset[str]:
    """The principal context roles, by short name: a sub-role counts as its principal."""
    return frozenset(name for role in roles if (name := _principal(role)) is not None)


def is_instructor(roles: Iterable[str]) -> bool:
    """Whether the context roles let someone run the course: teach, author or administer it."""
    return not _RUNS_THE_COURSE.isdisjoint(context_roles(roles))


def is_learner(roles: Iterable[str]) -> bool:
    """Whether someone learns in this context; one may teach there as well."""
    return "Learner" in context_roles(roles)


def is_test_user(roles: Iterable[str]) -> bool:
    """Whether this is the platform's student preview: no gradebook takes its scores."""
    return TEST_USER in roles


def _principal(role: str) -> str | None:
    if _SHORT_NAME.fullmatch(role):
        return role
    found = _CONTEXT_ROLE.fullmatch(role)
    return None if found is None else found[1] or found[2]
