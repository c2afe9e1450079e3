import json

import pytest

from lti import pylti
from lti.errors import LaunchRefused, Refusal


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"MESSAGE_TYPE": "LtiDeepLinkingRequest"}, Refusal.UNSUPPORTED_MESSAGE),
        ({"VERSION": "1.1"}, Refusal.BAD_CLAIM),
        ({"ROLES": None}, Refusal.BAD_CLAIM),
        ({"RESOURCE_LINK": {}}, Refusal.BAD_CLAIM),
    ],
)
def test_its_validators_really_run(platform, changes, code):
    with pytest.raises(LaunchRefused) as refused:
        pylti.validate_message(platform.claims(**changes))
    assert refused.value.code == code


def test_a_launch_without_sub_is_left_to_us(platform):
    claims = platform.claims(sub=None)
    pylti.validate_message(claims)
    assert "sub" not in claims


def test_the_launch_goes_through_the_door(platform, monkeypatch):
    seen = []
    monkeypatch.setattr(pylti, "validate_message", seen.append)
    platform.verify()
    assert seen == [platform.claims()]


def body(**changes):
    fields = {
        "user_id": "u",
        "timestamp": "t",
        "activity_progress": "Completed",
        "grading_progress": "FullyGraded",
        "points": (0.5, 1),
        "comment": None,
        "extra": {},
    }
    return json.loads(pylti.score_body(**{**fields, **changes}))


def test_a_score_body():
    assert body(comment="Well done", extra={"submission": {"submittedAt": "s"}}) == {
        "userId": "u",
        "timestamp": "t",
        "activityProgress": "Completed",
        "gradingProgress": "FullyGraded",
        "scoreGiven": 0.5,
        "scoreMaximum": 1,
        "comment": "Well done",
        "submission": {"submittedAt": "s"},
    }


def test_a_score_of_zero_is_sent():
    assert body(points=(0, 10))["scoreGiven"] == 0


@pytest.mark.parametrize(
    "points", [(-1, 1), (1, 0), (1, -1), (float("nan"), 1), (1, float("inf")), (float("inf"), 1)]
)
def test_points_without_sense_are_a_mistake(points):
    with pytest.raises(ValueError):
        body(points=points)
