import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lti import ags
from lti.ags import ActivityProgress, GradingProgress, LineItem, Result, Score
from lti.errors import ServiceRefused
from lti.service import Kind

NOW = datetime(2026, 3, 1, 12, 0, 0, 123456, tzinfo=UTC)
SCORE = Score(
    user_id="user-1",
    timestamp=NOW,
    activity_progress=ActivityProgress.COMPLETED,
    grading_progress=GradingProgress.FULLY_GRADED,
    score_given=0.75,
    score_maximum=1,
    submitted_at=NOW - timedelta(seconds=2),
)


def sent(score):
    return json.loads(ags.score_request("https://lms.example/i/1", score, "t").body)


def test_a_score_request():
    request = ags.score_request("https://lms.example/i/1/lineitem?type_id=1&X=a", SCORE, "tok")
    assert (request.method, request.url) == (
        "POST",
        "https://lms.example/i/1/lineitem/scores?type_id=1&X=a",
    )
    assert request.headers == {
        "Authorization": "Bearer tok",
        "Content-Type": "application/vnd.ims.lis.v1.score+json",
    }
    assert json.loads(request.body) == {
        "userId": "user-1",
        "timestamp": "2026-03-01T12:00:00.123Z",
        "activityProgress": "Completed",
        "gradingProgress": "FullyGraded",
        "scoreGiven": 0.75,
        "scoreMaximum": 1,
        "submission": {"submittedAt": "2026-03-01T11:59:58.123Z"},
    }


def test_progress_alone_bears_no_points():
    score = replace(
        SCORE,
        activity_progress=ActivityProgress.STARTED,
        grading_progress=GradingProgress.PENDING,
        score_given=None,
        score_maximum=None,
        submitted_at=None,
        started_at=NOW,
    )
    assert sent(score) == {
        "userId": "user-1",
        "timestamp": "2026-03-01T12:00:00.123Z",
        "activityProgress": "Started",
        "gradingProgress": "Pending",
        "submission": {"startedAt": "2026-03-01T12:00:00.123Z"},
    }


@pytest.mark.parametrize(
    "changes",
    [{"score_given": None}, {"score_maximum": None}, {"score_given": -1}, {"score_maximum": 0}],
)
def test_points_without_sense_are_a_mistake(changes):
    with pytest.raises(ValueError):
        sent(replace(SCORE, **changes))


def test_extra_credit_and_zero_are_points():
    assert sent(replace(SCORE, score_given=3))["scoreGiven"] == 3
    assert sent(replace(SCORE, score_given=0))["scoreGiven"] == 0


def test_a_comment_is_bounded_and_an_empty_one_is_none():
    assert len(sent(replace(SCORE, comment="x" * 9000))["comment"]) == 4096
    assert "comment" not in sent(replace(SCORE, comment=""))


def test_times_are_utc_with_milliseconds():
    local = datetime(2026, 3, 1, 13, 0, tzinfo=timezone(timedelta(hours=1)))
    assert ags.iso_8601(local) == "2026-03-01T12:00:00.000Z"


@given(st.lists(st.integers(min_value=-5_000_000, max_value=5_000_000), max_size=20))
def test_timestamps_increase_even_to_a_platform_that_drops_fractions(steps):
    now, previous, seen = NOW, None, []
    for microseconds in steps:
        now += timedelta(microseconds=microseconds)
        previous = ags.next_timestamp(previous, now)
        assert previous >= now
        seen.append(previous)
    whole = [int(at.timestamp()) for at in seen]
    assert whole == sorted(set(whole))
    texts = [ags.iso_8601(at) for at in seen]
    assert texts == sorted(set(texts))


def test_a_timestamp_is_the_time_when_nothing_stands_against_it():
    assert ags.next_timestamp(None, NOW) == NOW
    assert ags.next_timestamp(NOW - timedelta(seconds=1), NOW) == NOW


@pytest.mark.parametrize("status", [200, 201, 202, 204])
def test_an_accepted_score_may_have_an_empty_body(answer, status):
    response = answer(status, b"", content_type="text/html")
    assert ags.score_outcome(response, NOW).kind == Kind.ACCEPTED


def test_a_stale_score_is_superseded(answer):
    assert ags.score_outcome(answer(409, b"{}"), NOW).kind == Kind.SUPERSEDED


@pytest.mark.parametrize("status", [400, 422])
def test_a_refused_person_is_explained(answer, status):
    outcome = ags.score_outcome(answer(status, b'{"error":"User not found"}'), NOW)
    assert outcome.kind == Kind.REFUSED
    assert "teachers, test students" in outcome.message
    assert "User not found" in outcome.message


@pytest.mark.parametrize(
    ("status", "words"),
    [(403, "permit"), (404, "deleted"), (410, "was deleted"), (415, "refused the score")],
)
def test_other_refusals_have_their_sentence(answer, status, words):
    outcome = ags.score_outcome(answer(status, b"{}"), NOW)
    assert (outcome.kind, words in outcome.message) == (Kind.REFUSED, True)


def test_a_404_that_is_no_json_may_be_a_proxys(answer):
    assert ags.score_outcome(answer(404, b"404 page not found"), NOW).kind == Kind.MISSING


def test_throttling_and_outages_are_repeated_later(answer):
    throttled = answer(403, b"", x_rate_limit_remaining="0")
    assert ags.score_outcome(throttled, NOW).kind == Kind.THROTTLED
    down = ags.score_outcome(answer(503, b"<html>", retry_after="7"), NOW)
    assert (down.kind, down.retry_after) == (Kind.THROTTLED, timedelta(seconds=7))
    assert ags.score_outcome(answer(503, b"<html>"), NOW).kind == Kind.RETRY


def test_line_items_are_asked_for_with_the_exact_type():
    request = ags.line_items_request("https://lms.example/i?x=1", "t", "link/1")
    assert request.url == "https://lms.example/i?x=1&resource_link_id=link%2F1"
    assert request.headers["Accept"] == "application/vnd.ims.lis.v2.lineitemcontainer+json"


def test_results_are_asked_for_without_limit():
    request = ags.results_request("https://lms.example/i/1?x=1", "t", "u 1")
    assert request.url == "https://lms.example/i/1/results?x=1&user_id=u+1"


def test_a_page_of_line_items(answer):
    page = "https://lms.example/i"
    response = answer(
        200,
        [
            {"id": page + "/1", "label": "A", "scoreMaximum": 10, "resourceLinkId": "l"},
            {"id": page + "/2", "label": 7, "scoreMaximum": "10", "tag": "t"},
            {"label": "no id"},
            {"id": "javascript:x"},
            "text",
        ],
        Link='<https://lms.example/i?p=2>; rel="next"',
    )
    items, following = ags.read_line_items(response, page, NOW)
    assert items == (
        LineItem(page + "/1", "A", 10.0, "l"),
        LineItem(page + "/2", "", None, tag="t"),
    )
    assert following == "https://lms.example/i?p=2"


def test_a_page_of_results(answer):
    body = [
        {"userId": "u", "resultScore": 0, "resultMaximum": 1, "comment": "ok"},
        {"userId": "v"},
        {"userId": 7, "resultScore": 1},
        {"userId": "w", "resultScore": True, "resultMaximum": 1e300},
    ]
    results, following = ags.read_results(answer(200, body), "https://lms.example/r", NOW)
    assert results == (
        Result("u", 0.0, 1.0, "ok"),
        Result("v", None, None, None),
        Result("w", None, 1e300, None),
    )
    assert following is None


@pytest.mark.parametrize("body", [{}, None, "x", [0] * 10_001], ids=["{}", "null", "text", "many"])
def test_what_is_no_list_is_refused(answer, body):
    with pytest.raises(ServiceRefused):
        ags.read_line_items(answer(200, body), "https://lms.example/i", NOW)
