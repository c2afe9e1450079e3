"""Versions and preconditions (RFC 7644 §3.14, RFC 9110 §13.1)."""

from __future__ import annotations

import re

from scim.errors import PreconditionFailed

_ENTITY_TAG = re.compile(r'\s*(?:W/)?"([^"]*)"\s*(?:,|$)')


def etag(version: int) -> str:
    """A weak entity tag: the same resource may be rendered in different projections."""
    return f'W/"{version}"'


def check_if_match(header: str | None, version: int) -> None:
    """Raises PreconditionFailed unless the `If-Match` header is absent, `*` or names the version.

    Compared weakly, since the tags are weak (RFC 7644 §3.14 sends them in If-Match).
    """
    if header is not None and not _names(header, version):
        raise PreconditionFailed("The resource has changed: read it again.")


def not_modified(header: str | None, version: int) -> bool:
    """Whether a GET with this `If-None-Match` header is answered 304."""
    return header is not None and _names(header, version)


def _names(header: str, version: int) -> bool:
    if header.strip() == "*":
        return True
    position = 0
    while match := _ENTITY_TAG.match(header, position):
        if match[1] == str(version):
            return True
        position = match.end()
    return False
