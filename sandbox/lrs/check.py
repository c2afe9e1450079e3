"""Whether a statement is one (xAPI 1.0.3 Data §2): 400 with the first thing that is wrong."""

from __future__ import annotations

import re
import uuid
from datetime import datetime
from typing import Any

from sandbox.errors import Refused
from sandbox.store import Json

_MEMBERS = frozenset(
    {
        "id",
        "actor",
        "verb",
        "object",
        "result",
        "context",
        "timestamp",
        "stored",
        "authority",
        "version",
        "attachments",
    }
)
_IDENTIFIERS = ("mbox", "mbox_sha1sum", "openid", "account")
_IRI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:\S+")
_DURATION = re.compile(
    r"P(?=.)(\d+W|(\d+Y)?(\d+M)?(\d+D)?(T(?=.)(\d+H)?(\d+M)?(\d+(\.\d+)?S)?)?)", re.ASCII
)
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:?\d\d)", re.ASCII)
_INTERACTIONS = frozenset(
    {
        "true-false",
        "choice",
        "fill-in",
        "long-fill-in",
        "matching",
        "performance",
        "sequencing",
        "likert",
        "numeric",
        "other",
    }
)


def statement(value: Any) -> Json:
    """The statement itself, once it is in order."""
    found = _object(value, "a statement")
    for name, held in found.items():
        _want(name in _MEMBERS, f"{name} is no member of a statement")
        _want(held is not None, f"{name} must not be null")
    for name in ("actor", "verb", "object"):
        _want(name in found, f"{name} is missing")
    if "id" in found:
        _want(is_uuid(found["id"]), "id must be a UUID")
    agent(found["actor"], "actor")
    verb = _object(found["verb"], "verb")
    _want(_iri(verb.get("id")), "verb.id must be an IRI")
    _language_map(verb.get("display", {}), "verb.display")
    _object_of(found["object"])
    _result(_object(found.get("result", {}), "result"))
    _context(_object(found.get("context", {}), "context"))
    for name in ("timestamp", "stored"):
        _want(name not in found or is_time(found[name]), f"{name} must be an ISO 8601 time")
    if "authority" in found:
        agent(found["authority"], "authority")
    _want(isinstance(found.get("version", "1.0.3"), str), "version must be text")
    _want(not found.get("attachments"), "attachments are not taken here")
    return found


def agent(value: Any, where: str) -> None:
    """An Agent or a Group with one inverse functional identifier (§2.4.2)."""
    found = _object(value, where)
    kind = found.get("objectType", "Agent")
    _want(kind in ("Agent", "Group"), f"{where}.objectType must be Agent or Group")
    named = [name for name in _IDENTIFIERS if name in found]
    anonymous = kind == "Group" and not named and isinstance(found.get("member"), list)
    _want(len(named) == 1 or anonymous, f"{where} needs exactly one of {', '.join(_IDENTIFIERS)}")
    if "mbox" in found:
        mail = found["mbox"]
        _want(isinstance(mail, str) and mail.startswith("mailto:"), f"{where}.mbox is no mailto:")
    if "account" in found:
        account = _object(found["account"], f"{where}.account")
        _want(_iri(account.get("homePage")), f"{where}.account.homePage must be an IRI")
        name = account.get("name")
        _want(isinstance(name, str) and name != "", f"{where}.account.name is missing")
    for member in found.get("member", []) if kind == "Group" else []:
        agent(member, f"{where}.member")


def is_uuid(value: Any) -> bool:
    try:
        return isinstance(value, str) and len(value) == 36 and bool(uuid.UUID(value))
    except ValueError:
        return False


def is_time(value: Any) -> bool:
    if not isinstance(value, str) or not _TIME.fullmatch(value):
        return False
    try:
        datetime.fromisoformat(value)
    except ValueError:
        return False
    return True


def _object_of(value: Any) -> None:
    found = _object(value, "object")
    kind = found.get("objectType", "Activity")
    if kind in ("Agent", "Group"):
        agent(found, "object")
    elif kind == "StatementRef":
        _want(is_uuid(found.get("id")), "object.id must be a UUID")
    elif kind == "SubStatement":
        _want("id" not in found, "a sub-statement has no id")
        statement({name: held for name, held in found.items() if name != "objectType"})
    else:
        _want(kind == "Activity", "object.objectType is unknown")
        _activity(found, "object")


def _activity(value: Any, where: str) -> None:
    found = _object(value, where)
    _want(_iri(found.get("id")), f"{where}.id must be an IRI")
    definition = _object(found.get("definition", {}), f"{where}.definition")
    for name in ("name", "description"):
        _language_map(definition.get(name, {}), f"{where}.definition.{name}")
    if "type" in definition:
        _want(_iri(definition["type"]), f"{where}.definition.type must be an IRI")
    if "interactionType" in definition:
        kind = definition["interactionType"]
        _want(isinstance(kind, str) and kind in _INTERACTIONS, "interactionType is unknown")
    _extensions(definition, f"{where}.definition")


def _result(result: Json) -> None:
    score = _object(result.get("score", {}), "result.score")
    for name in ("scaled", "raw", "min", "max"):
        _want(name not in score or _number(score[name]), f"result.score.{name} must be a number")
    _want(-1 <= score.get("scaled", 0) <= 1, "result.score.scaled must lie between -1 and 1")
    if "raw" in score:
        low, high = score.get("min", score["raw"]), score.get("max", score["raw"])
        _want(low <= score["raw"] <= high, "result.score.raw lies outside min and max")
    for name in ("success", "completion"):
        _want(isinstance(result.get(name, False), bool), f"result.{name} must be true or false")
    _want(isinstance(result.get("response", ""), str), "result.response must be text")
    duration = result.get("duration", "PT0S")
    fits = isinstance(duration, str) and _DURATION.fullmatch(duration) is not None
    _want(fits, "result.duration must be an ISO 8601 duration")
    _extensions(result, "result")


def _context(context: Json) -> None:
    if "registration" in context:
        _want(is_uuid(context["registration"]), "context.registration must be a UUID")
    groups = _object(context.get("contextActivities", {}), "context.contextActivities")
    for name, held in groups.items():
        known = name in ("parent", "grouping", "category", "other")
        _want(known, f"context.contextActivities.{name} is unknown")
        for one in held if isinstance(held, list) else [held]:
            _activity(one, f"context.contextActivities.{name}")
    for name in ("instructor", "team"):
        if name in context:
            agent(context[name], f"context.{name}")
    _extensions(context, "context")


def _extensions(holder: Json, where: str) -> None:
    for name in _object(holder.get("extensions", {}), f"{where}.extensions"):
        _want(_iri(name), f"{where}.extensions has a key that is no IRI")


def _language_map(value: Any, where: str) -> None:
    held = _object(value, where)
    _want(all(isinstance(one, str) for one in held.values()), f"{where} must be a language map")


def _object(value: Any, where: str) -> Json:
    _want(isinstance(value, dict), f"{where} must be an object")
    found: Json = value
    return found


def _iri(value: Any) -> bool:
    return isinstance(value, str) and _IRI.fullmatch(value) is not None


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _want(condition: bool, message: str) -> None:  # noqa: FBT001 - it reads as an assertion
    if not condition:
        raise Refused(400, "invalid_statement", message)
