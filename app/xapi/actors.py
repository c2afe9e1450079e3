"""Agents and groups, xAPI Data 1.0.3 §2.4.2: exactly one inverse functional identifier."""

from __future__ import annotations

from typing import Any

from app.xapi import formats
from app.xapi.checks import Check, array_of, fail, record, text, well_formed

_iri = well_formed(formats.is_iri, "an absolute IRI")


def _account(value: object, place: str) -> None:
    record(value, place, {"homePage": _iri, "name": text}, required=("homePage", "name"))


_IDENTIFIERS: dict[str, Check] = {
    "mbox": well_formed(formats.is_mailto, "a mailto: IRI"),
    "mbox_sha1sum": well_formed(formats.is_sha1, "a SHA-1 in hex"),
    "openid": _iri,
    "account": _account,
}
_MAX_MEMBERS = 1000


def actor(value: object, place: str) -> None:
    """An agent, which needs no objectType, or a group."""
    if isinstance(value, dict) and value.get("objectType") == "Group":
        group(value, place)
    else:
        agent(value, place)


def agent(value: object, place: str) -> None:
    members = record(value, place, {"objectType": _is("Agent"), "name": text, **_IDENTIFIERS})
    if _identifiers(members) != 1:
        fail(place, "an agent has exactly one of mbox, mbox_sha1sum, openid and account")


def group(value: object, place: str) -> None:
    """Identified by one identifier, or anonymous with members."""
    checks = {
        "objectType": _is("Group"),
        "name": text,
        "member": array_of(agent, most=_MAX_MEMBERS),
        **_IDENTIFIERS,
    }
    members = record(value, place, checks, required=("objectType",))
    count = _identifiers(members)
    if count > 1:
        fail(place, "a group has at most one of mbox, mbox_sha1sum, openid and account")
    if count == 0 and not members.get("member"):
        fail(place, "an anonymous group has members")


def _identifiers(members: dict[str, Any]) -> int:
    return sum(name in members for name in _IDENTIFIERS)


def _is(word: str) -> Check:
    return well_formed(lambda t: t == word, repr(word))
