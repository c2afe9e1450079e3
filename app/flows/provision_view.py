"""Resources as a provisioning client sees them (RFC 7644 §3.9)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from app.deps import Deps
from app.store import memberships
from app.store.db import Read
from app.store.memberships import Link
from app.store.scim import Stored
from scim.attributes import ResourceType
from scim.errors import TooMany
from scim.etag import etag
from scim.represent import EVERYTHING, Meta, Projection, location, represent, spliced
from scim.schemas import GROUP, USER
from scim.text import to_json

MOST_MEMBERS: Final = 200_000
"""What the Groups of one answer may have together: some 27 MiB. A single Group is shown whatever it holds."""

_TYPES = {"User": USER, "Group": GROUP}


@dataclass(frozen=True, slots=True)
class Shown:
    """One resource for a response: its JSON, which is None where none was asked for."""

    text: str | None
    location: str
    version: int
    id: str

    @property
    def etag(self) -> str:
        return etag(self.version)


def base_url(deps: Deps) -> str:
    """The SCIM root's address, without a slash at its end."""
    return f"{deps.settings.base_url}/scim/v2"


def shown(
    deps: Deps, read: Read, of: ResourceType, stored: Stored, projection: Projection | None
) -> Shown:
    """Show one resource; without a projection only where it is."""
    text = None if projection is None else documents(deps, read, of, [stored], projection)[0]
    return Shown(text, location(base_url(deps), of, stored.id), stored.version, stored.id)


def documents(
    deps: Deps, read: Read, of: ResourceType, found: Sequence[Stored], projection: Projection
) -> list[str]:
    """Show resources as JSON; members and groups are loaded only where they will be seen.

    Raises TooMany where several Groups have more than MOST_MEMBERS together.
    """
    root = base_url(deps)
    members, groups = {}, {}
    if of.name == GROUP.name and projection.wants_named("members", of):
        members = _members(read, [one.id for one in found])
    grouped = [one.id for one in found if one.grouped]
    if of.name == USER.name and grouped and projection.wants_named("groups", of):
        groups = memberships.groups(read, grouped)
    shown, whole = [], projection == EVERYTHING and of.plain
    for one in found:
        more: dict[str, Any] = {}
        if one.id in members:
            more["members"] = [_member(root, link) for link in members[one.id]]
        if one.id in groups:
            more["groups"] = [_group(root, link) for link in groups[one.id]]
        meta = Meta(one.id, one.created_at, one.updated_at, one.version, root)
        if whole:
            shown.append(spliced(one.kept, of, meta, more, external_id=one.external_id))
        else:
            shown.append(to_json(represent(one.body | more, of, meta, projection)))
    return shown


def _members(read: Read, ids: Sequence[str]) -> dict[str, list[Link]]:
    if len(ids) > 1 and memberships.are_more_than(read, ids, MOST_MEMBERS):
        raise TooMany(
            f"The Groups of this answer have more than {MOST_MEMBERS:,} members together: ask with"
            " excludedAttributes=members, or for fewer at once by a smaller count."
        )
    return memberships.members(read, ids)


def _member(root: str, link: Link) -> dict[str, str]:
    return _linked(root, link, link.kind)


def _group(root: str, link: Link) -> dict[str, str]:
    return _linked(root, link, "direct")


def _linked(root: str, link: Link, kind: str) -> dict[str, str]:
    said = {"value": link.id, "$ref": location(root, _TYPES[link.kind], link.id), "type": kind}
    return said if link.display is None else said | {"display": link.display}
