"""A strict validator of statements: xAPI Data 1.0.3 §2 and, by version, IEEE 9274.1.1 (2.0).

It reads untrusted JSON values, names the place of the first fault, refuses what the
specification does not know, null anywhere outside an extension, and sizes beyond its bounds.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, NewType, cast

from app.xapi import formats
from app.xapi.activities import activity
from app.xapi.actors import actor, agent, group
from app.xapi.checks import (
    Check,
    array_of,
    boolean,
    extensions,
    fail,
    integer,
    language_map,
    number,
    record,
    text,
    well_formed,
)
from app.xapi.verbs import VOIDED

Version = Literal["1.0.3", "2.0.0"]
Statement = NewType("Statement", dict[str, Any])

_CONTEXT_ACTIVITIES = ("parent", "grouping", "category", "other")


def validated(value: object, version: Version = "1.0.3") -> Statement:
    """The same value as a Statement. Raises StatementInvalid with the place of the fault."""
    statement(value, "statement", version)
    return cast("Statement", value)


def statement(value: object, place: str, version: Version) -> None:
    members = record(
        value,
        place,
        {
            **_core(version),
            "object": lambda v, p: _object(v, p, version),
            "id": _uuid,
            "stored": _timestamp,
            "authority": _authority,
            "version": well_formed(
                lambda t: t.startswith(version[:3]), f"a version {version[:3]}.x"
            ),
        },
        required=("actor", "verb", "object"),
    )
    _consistent(members, place)
    is_reference = members["object"].get("objectType") == "StatementRef"
    if members["verb"]["id"] == VOIDED.iri and not is_reference:
        fail(f"{place}.object", "a voiding statement points to a statement")


def _core(version: Version) -> dict[str, Check]:
    """What a statement and a sub-statement have in common (the object apart)."""
    return {
        "actor": actor,
        "verb": _verb,
        "result": _result,
        "context": lambda v, p: _context(v, p, version),
        "timestamp": _timestamp,
        "attachments": array_of(_attachment, most=100),
    }


_uuid = well_formed(formats.is_uuid, "a UUID")
_iri = well_formed(formats.is_iri, "an absolute IRI")
_timestamp = well_formed(formats.is_timestamp, "an ISO 8601 time with an offset")
_language = well_formed(formats.is_language, "an RFC 5646 language tag")
_duration = well_formed(formats.is_duration, "an ISO 8601 duration")


def _verb(value: object, place: str) -> None:
    record(value, place, {"id": _iri, "display": language_map}, required=("id",))


def _object(value: object, place: str, version: Version) -> None:
    kind = value.get("objectType", "Activity") if isinstance(value, dict) else "Activity"
    checks: dict[str, Check] = {
        "Activity": activity,
        "Agent": agent,
        "Group": group,
        "StatementRef": _reference,
        "SubStatement": lambda v, p: _sub_statement(v, p, version),
    }
    if not isinstance(kind, str) or kind not in checks:
        fail(f"{place}.objectType", "is none of the object types")
    checks[kind](value, place)


def _reference(value: object, place: str) -> None:
    names = ("objectType", "id")
    record(value, place, {"objectType": _exactly("StatementRef"), "id": _uuid}, required=names)


def _sub_statement(value: object, place: str, version: Version) -> None:
    """Without id, stored, version and authority, and not nested (§2.4.4.3)."""

    def inner(v: object, p: str) -> None:
        if isinstance(v, dict) and v.get("objectType") == "SubStatement":
            fail(p, "a sub-statement does not hold another")
        _object(v, p, version)

    checks = {**_core(version), "objectType": _exactly("SubStatement"), "object": inner}
    members = record(value, place, checks, required=("objectType", "actor", "verb", "object"))
    _consistent(members, place)


def _exactly(word: str) -> Check:
    return well_formed(lambda t: t == word, repr(word))


def _result(value: object, place: str) -> None:
    record(
        value,
        place,
        {
            "score": _score,
            "success": boolean,
            "completion": boolean,
            "response": text,
            "duration": _duration,
            "extensions": extensions,
        },
    )


def _score(value: object, place: str) -> None:
    members = record(value, place, {"scaled": number, "raw": number, "min": number, "max": number})
    scaled, raw = members.get("scaled"), members.get("raw")
    low, high = members.get("min"), members.get("max")
    if scaled is not None and not -1 <= scaled <= 1:
        fail(f"{place}.scaled", "must lie between -1 and 1")
    if low is not None and high is not None and low >= high:
        fail(f"{place}.min", "must be less than max")
    if raw is not None and ((low is not None and raw < low) or (high is not None and raw > high)):
        fail(f"{place}.raw", "must lie between min and max")


def _context(value: object, place: str, version: Version) -> None:
    checks: dict[str, Check] = {
        "registration": _uuid,
        "instructor": actor,
        "team": group,
        "contextActivities": _context_activities,
        "revision": text,
        "platform": text,
        "language": _language,
        "statement": _reference,
        "extensions": extensions,
    }
    if version == "2.0.0":
        checks["contextAgents"] = array_of(_context_actor("contextAgent", "agent", agent), most=100)
        checks["contextGroups"] = array_of(_context_actor("contextGroup", "group", group), most=100)
    record(value, place, checks)


def _context_activities(value: object, place: str) -> None:
    """An array of activities, or one by itself, which an LRS turns into an array."""

    def one_or_more(v: object, p: str) -> None:
        (array_of(activity, most=100) if isinstance(v, list) else activity)(v, p)

    record(value, place, dict.fromkeys(_CONTEXT_ACTIVITIES, cast("Check", one_or_more)))


def _context_actor(kind: str, name: str, check: Check) -> Check:
    def checked(value: object, place: str) -> None:
        types = array_of(_iri, most=100, least=1)
        checks = {"objectType": _exactly(kind), name: check, "relevantTypes": types}
        record(value, place, checks, required=("objectType", name))

    return checked


def _consistent(members: Mapping[str, Any], place: str) -> None:
    """The members revision and platform speak of an activity only (§2.4.6)."""
    context, thing = members.get("context", {}), members["object"]
    if thing.get("objectType", "Activity") != "Activity":
        for name in ("revision", "platform"):
            if name in context:
                fail(f"{place}.context.{name}", "is only for an object that is an activity")


def _authority(value: object, place: str) -> None:
    """An agent, or an anonymous group of two: application and user (§2.4.9)."""
    actor(value, place)
    pair = 2
    if isinstance(value, dict) and value.get("objectType") == "Group":
        members = value.get("member", [])
        if len(members) != pair or {"mbox", "mbox_sha1sum", "openid", "account"} & set(value):
            fail(place, "an authority group is anonymous and has two members")


def _attachment(value: object, place: str) -> None:
    record(
        value,
        place,
        {
            "usageType": _iri,
            "display": language_map,
            "description": language_map,
            "contentType": well_formed(formats.is_media_type, "an Internet media type"),
            "length": integer,
            "sha2": well_formed(formats.is_sha2, "a SHA-2 hash in hex"),
            "fileUrl": _iri,
        },
        required=("usageType", "display", "contentType", "length", "sha2"),
    )
