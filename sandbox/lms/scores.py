"""Scores and results: what a score may say, and what the gradebook makes of it (AGS 2.0 §3.4)."""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime, timedelta
from typing import Any

from sandbox.campus import Campus
from sandbox.errors import Refused
from sandbox.lms.course import flavour
from sandbox.store import Json

ACTIVITY = frozenset({"Initialized", "Started", "InProgress", "Submitted", "Completed"})
GRADING = frozenset({"FullyGraded", "Pending", "PendingManual", "Failed", "NotReady"})
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)", re.ASCII)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def receive(campus: Campus, item: Json, score: Json) -> Json:
    """Enter a score; gives its cell. 400 bad body, 409 stale, 404/422 (or 400) wrong person."""
    check(score)
    manners = flavour(campus)
    person = campus.people.by_lms_id(score["userId"])
    if person is None:
        raise Refused(manners.unknown_user_status, "unknown_user", "userId is not on this course")
    if person.teacher:
        raise Refused(manners.teacher_score_status, "not_a_learner", "teachers get no grades here")
    moment = milliseconds(score["timestamp"]) // manners.precision_ms * manners.precision_ms
    key = f"{item['id']}|{person.lms_id}"
    with campus.store.change():
        cell = campus.store.get("cell", key) or {
            "line_item": item["id"],
            "user": person.lms_id,
            "person": person.key,
            "moment": None,
            "result": None,
            "history": [],
        }
        if cell["moment"] is not None and moment <= cell["moment"]:
            raise Refused(409, "stale_score", "a score of this time or a later one stands already")
        cell["moment"] = moment
        cell["history"].append({**score, "received_at": campus.clock()})
        cell["result"] = _result(campus, item, score, cell["result"])
        campus.store.put("cell", key, cell)
    return cell


def check(score: Json) -> None:
    """Refuse a score whose members are missing or of the wrong kind."""
    _want(isinstance(score.get("userId"), str) and score["userId"] != "", "userId is missing")
    progress, grading = score.get("activityProgress"), score.get("gradingProgress")
    _want(_among(progress, ACTIVITY), "activityProgress is missing or unknown")
    _want(_among(grading, GRADING), "gradingProgress is missing or unknown")
    milliseconds(score.get("timestamp"))
    given, maximum = score.get("scoreGiven"), score.get("scoreMaximum")
    if given is not None:
        _want(_number(given) and given >= 0, "scoreGiven must be a number, 0 or more")
        _want(maximum is not None, "scoreMaximum must come with scoreGiven")
    if maximum is not None:
        _want(_number(maximum) and maximum > 0, "scoreMaximum must be a number above 0")
    _want(isinstance(score.get("comment", ""), str), "comment must be text")
    submission = score.get("submission", {})
    _want(isinstance(submission, dict), "submission must be an object")
    for name in ("startedAt", "submittedAt"):
        if name in submission:
            milliseconds(submission[name])


def milliseconds(stamp: Any) -> int:
    """An ISO 8601 time with its zone, as milliseconds since 1970."""
    _want(isinstance(stamp, str) and _TIME.fullmatch(stamp) is not None, "timestamp is not a time")
    try:
        return (datetime.fromisoformat(stamp) - _EPOCH) // timedelta(milliseconds=1)
    except (ValueError, OverflowError) as error:
        raise Refused(400, "invalid_score", "timestamp is not a time") from error


def _result(campus: Campus, item: Json, score: Json, before: Json | None) -> Json | None:
    """The grade that stands now. No scoreGiven clears it (§3.4.3); unfinished grading waits."""
    if score.get("scoreGiven") is None:
        return None
    if score["gradingProgress"] != "FullyGraded":
        return None if flavour(campus).unfinished_erases else before
    scale = item["scoreMaximum"] / score["scoreMaximum"]
    result = {
        "resultScore": round(score["scoreGiven"] * scale, 4),
        "resultMaximum": item["scoreMaximum"],
    }
    return {**result, "comment": score["comment"]} if score.get("comment") else result


def _number(value: Any) -> bool:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return number and abs(value) <= 1e9 and math.isfinite(value)


def _among(value: Any, allowed: frozenset[str]) -> bool:
    return isinstance(value, str) and value in allowed


def _want(condition: bool, message: str) -> None:  # noqa: FBT001 - it reads as an assertion
    if not condition:
        raise Refused(400, "invalid_score", message)
