"""Assignment and Grade Services 2.0: scores, line items, results."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from http import HTTPStatus
from typing import TypeVar

from keys.strict_json import StrictJsonError, parse
from lti import pylti
from lti.errors import ServiceRefused
from lti.paging import next_url
from lti.service import (
    HttpRequest,
    HttpResponse,
    Kind,
    Outcome,
    bearer_request,
    classify,
    detail,
    read_json,
)
from lti.urls import is_http_url, with_query, with_segment

_SCOPE = "https://purl.imsglobal.org/spec/lti-ags/scope/"
SCOPE_SCORE = _SCOPE + "score"
SCOPE_LINEITEM = _SCOPE + "lineitem"
SCOPE_LINEITEM_READONLY = _SCOPE + "lineitem.readonly"
SCOPE_RESULT_READONLY = _SCOPE + "result.readonly"

MEDIA_SCORE = "application/vnd.ims.lis.v1.score+json"
MEDIA_LINEITEMS = "application/vnd.ims.lis.v2.lineitemcontainer+json"
MEDIA_RESULTS = "application/vnd.ims.lis.v2.resultcontainer+json"

MAX_COMMENT = 4096
MAX_ENTRIES = 10_000
_SECOND = timedelta(seconds=1)


class ActivityProgress(StrEnum):
    """How far the person is (§3.4.7)."""

    INITIALIZED = "Initialized"
    STARTED = "Started"
    IN_PROGRESS = "InProgress"
    SUBMITTED = "Submitted"
    COMPLETED = "Completed"


class GradingProgress(StrEnum):
    """How far the grading is (§3.4.8). Moodle erases the grade unless it is FullyGraded."""

    FULLY_GRADED = "FullyGraded"
    PENDING = "Pending"
    PENDING_MANUAL = "PendingManual"
    FAILED = "Failed"
    NOT_READY = "NotReady"


@dataclass(frozen=True, slots=True)
class Score:
    """A score to publish (§3.4). `user_id` is the launch's `sub`; times are aware.

    `score_given` and `score_maximum` come together or not at all; the former may exceed the latter.
    """

    user_id: str
    timestamp: datetime
    activity_progress: ActivityProgress
    grading_progress: GradingProgress
    score_given: float | None = None
    score_maximum: float | None = None
    comment: str | None = None
    started_at: datetime | None = None
    submitted_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class LineItem:
    """A column of the gradebook (§3.2); `id` is its URL."""

    id: str
    label: str
    score_maximum: float | None = None
    resource_link_id: str | None = None
    resource_id: str | None = None
    tag: str | None = None


@dataclass(frozen=True, slots=True)
class Result:
    """What the gradebook holds for one person (§3.3); no `score` means none yet."""

    user_id: str
    score: float | None
    maximum: float | None
    comment: str | None


Entry = TypeVar("Entry")


def next_timestamp(previous: datetime | None, now: datetime) -> datetime:
    """The timestamp of the next score for one line item and person; strictly increasing (§3.4.9).

    Keep the result as the next call's `previous`. It moves on by whole seconds, since a platform
    may compare with one second's resolution (Moodle) and would take a newer score for an old one.
    """
    if previous is None or now.replace(microsecond=0) > previous:
        return now
    return max(now, previous + _SECOND)


def iso_8601(at: datetime) -> str:
    """A time with milliseconds and `Z`, as AGS wants it (§3.4.9)."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def score_request(lineitem_url: str, score: Score, access_token: str) -> HttpRequest:
    """POST a score to `{line item}/scores` (§3.4). Raises ValueError for points that make no sense."""
    if (score.score_given is None) != (score.score_maximum is None):
        raise ValueError("scoreGiven and scoreMaximum come together")
    points = None
    if score.score_given is not None and score.score_maximum is not None:
        points = (score.score_given, score.score_maximum)
    times = {"startedAt": score.started_at, "submittedAt": score.submitted_at}
    submission = {name: iso_8601(at) for name, at in times.items() if at is not None}
    body = pylti.score_body(
        user_id=score.user_id,
        timestamp=iso_8601(score.timestamp),
        activity_progress=score.activity_progress.value,
        grading_progress=score.grading_progress.value,
        points=points,
        comment=score.comment[:MAX_COMMENT] if score.comment else None,
        extra={"submission": submission} if submission else {},
    )
    url = with_segment(lineitem_url, "scores")
    return bearer_request("POST", url, access_token, content=(MEDIA_SCORE, body))


def score_outcome(response: HttpResponse, now: datetime) -> Outcome:
    """What the answer to a score means. SUPERSEDED: a newer score stands, nothing is left to do."""
    outcome = classify(response, now)
    if outcome.kind is not Kind.REFUSED:
        return outcome
    if response.status == HTTPStatus.NOT_FOUND and not _is_json(response.body):
        return Outcome(Kind.MISSING, _NOT_THERE + detail(response))
    reasons = {
        400: _NO_GRADE,
        422: _NO_GRADE,
        403: "The platform does not permit this tool to send grades to this course.",
        404: "The platform no longer has this line item: it may have been deleted.",
        410: "The platform no longer has this line item: it was deleted there.",
    }
    reason = reasons.get(response.status, "The platform refused the score.")
    return Outcome(Kind.REFUSED, reason + detail(response))


_NOT_THERE = (
    "There is nothing at the line item's address just now: it may have been deleted, or a proxy answers "
    "while the platform is away."
)
_NO_GRADE = (
    "The platform takes no grade for this person in this line item, as is usual for teachers, "
    "test students and people who left the course."
)


def _is_json(body: bytes) -> bool:
    try:
        parse(body)
    except StrictJsonError:
        return False
    return True


def line_items_request(
    lineitems_url: str, access_token: str, resource_link_id: str | None = None
) -> HttpRequest:
    """GET the line items (§3.2). Moodle needs exactly this Accept header."""
    query = [("resource_link_id", resource_link_id)] if resource_link_id is not None else []
    return bearer_request(
        "GET", with_query(lineitems_url, query), access_token, accept=MEDIA_LINEITEMS
    )


def results_request(
    lineitem_url: str, access_token: str, user_id: str | None = None
) -> HttpRequest:
    """GET the results of a line item (§3.3). No `limit`: Moodle fails on it."""
    query = [("user_id", user_id)] if user_id is not None else []
    url = with_query(with_segment(lineitem_url, "results"), query)
    return bearer_request("GET", url, access_token, accept=MEDIA_RESULTS)


def read_line_items(
    response: HttpResponse, page_url: str, now: datetime
) -> tuple[tuple[LineItem, ...], str | None]:
    """One page of line items, and the next page's URL. Raises a ServiceError."""
    items = (
        LineItem(
            id=entry_id,
            label=_text(entry, "label") or "",
            score_maximum=_number(entry, "scoreMaximum"),
            resource_link_id=_text(entry, "resourceLinkId"),
            resource_id=_text(entry, "resourceId"),
            tag=_text(entry, "tag"),
        )
        for entry in _entries(response, now)
        if (entry_id := _text(entry, "id")) and is_http_url(entry_id)
    )
    return tuple(items), next_url(response, page_url)


def read_results(
    response: HttpResponse, page_url: str, now: datetime
) -> tuple[tuple[Result, ...], str | None]:
    """One page of results, and the next page's URL. Raises a ServiceError."""
    results = (
        Result(
            user_id=user_id,
            score=_number(entry, "resultScore"),
            maximum=_number(entry, "resultMaximum"),
            comment=_text(entry, "comment"),
        )
        for entry in _entries(response, now)
        if (user_id := _text(entry, "userId"))
    )
    return tuple(results), next_url(response, page_url)


def _entries(response: HttpResponse, now: datetime) -> list[Mapping[str, object]]:
    found = read_json(response, now)
    if not isinstance(found, list) or len(found) > MAX_ENTRIES:
        raise ServiceRefused("bad_response", "The platform's answer is not a list we can read.")
    return [entry for entry in found if isinstance(entry, dict)]


def _text(entry: Mapping[str, object], name: str) -> str | None:
    value = entry.get(name)
    return value if isinstance(value, str) and 0 < len(value) <= MAX_COMMENT else None


def _number(entry: Mapping[str, object], name: str) -> float | None:
    value = entry.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return float(value)
