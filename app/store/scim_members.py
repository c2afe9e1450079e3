"""One group's members in the order of their ids, by the index of memberships.

A page of a hundred thousand costs what the page costs: nobody is looked at who is not on it.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import exists, literal, select

from app.store.db import Read
from app.store.scim_order import Source
from app.store.tables.people import membership
from app.store.tables.scim import resource
from scim.nodes import And, Compare, Node

_M, _GROUP = membership.alias("gm"), resource.alias("g")


@dataclass(frozen=True, slots=True)
class Crowd:
    """A group's members, and what else a filter demands of them."""

    group_id: str
    rest: Node | None


def crowd_of(node: Node) -> Crowd | None:
    """Return the group whose members a filter asks for: `groups.value eq "…"`, alone or with an `and`."""
    terms = node.nodes if isinstance(node, And) else (node,)
    for at, term in enumerate(terms):
        if isinstance(term, Compare) and term.op == "eq" and term.path.text == "groups.value":
            rest = And((*terms[:at], *terms[at + 1 :]))
            return Crowd(str(term.operand), rest if rest.nodes else None)
    return None


def members(read: Read, group_id: str) -> Source:
    """Where the Users among them lie. A group that was deleted has none; who was deleted is in none."""
    live = exists(literal(1)).where(
        _GROUP.c.tenant_id == read.tenant, _GROUP.c.id == group_id, _GROUP.c.deleted_at.is_(None)
    )
    rows = (
        _M.c.tenant_id == read.tenant, _M.c.group_id == group_id, _M.c.kind == "User", live,
    )  # fmt: skip
    every = select(_M.c.person_id).where(*rows)
    return Source(_M.c.person_id, _M.c.person_id, rows, None, aside=True, bearers=every)
