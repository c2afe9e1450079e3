"""The only door to PyLTI1p3.

Its message validators look once more at claims that we have verified, and its `Grade` builds and
checks the body of a score. We don't let it verify tokens (it takes replays, a wrong azp, missing
times), nor call services (no time-outs, tokens reused after expiry, next-page URLs lower-cased,
URLs with a second "?" cut), nor hold configuration (shared class state).
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from pylti1p3.exception import LtiException
from pylti1p3.grade import Grade
from pylti1p3.message_validators.resource_message import ResourceMessageValidator

from keys.jwt import VerifiedClaims
from lti.errors import LaunchRefused, Refusal

_RESOURCE_LINK_MESSAGE = ResourceMessageValidator()


def validate_message(claims: VerifiedClaims) -> None:
    """Run PyLTI1p3's validator of resource link messages. Raises LaunchRefused."""
    # It knows no anonymous launch (LTI 1.3 Core §5.3.6.1); whether that is allowed we decide.
    body = {**claims, "sub": claims.get("sub") or "anonymous"}
    if not _RESOURCE_LINK_MESSAGE.can_validate(body):
        raise LaunchRefused(Refusal.UNSUPPORTED_MESSAGE, "This tool takes resource links only.")
    try:
        _RESOURCE_LINK_MESSAGE.validate(body)
    except LtiException as error:
        raise LaunchRefused(Refusal.BAD_CLAIM, f"The launch is incomplete: {error}.") from error


def score_body(
    *,
    user_id: str,
    timestamp: str,
    activity_progress: str,
    grading_progress: str,
    points: tuple[float, float] | None,
    comment: str | None,
    extra: Mapping[str, object],
) -> bytes:
    """A score as JSON (AGS 2.0 §3.4); `points` are given and maximum, both or none.

    Raises ValueError for points that are negative, not finite, or out of nothing.
    """
    grade = Grade()
    grade.set_user_id(user_id).set_timestamp(timestamp)
    grade.set_activity_progress(activity_progress).set_grading_progress(grading_progress)
    if comment is not None:
        grade.set_comment(comment)
    if points is not None:
        given, maximum = points
        if not (math.isfinite(given) and math.isfinite(maximum) and maximum > 0):
            raise ValueError("a score needs finite points and a maximum above 0")
        try:
            grade.set_score_given(given).set_score_maximum(maximum)
        except LtiException as error:
            raise ValueError(str(error)) from error
    if extra:
        grade.set_extra_claims(extra)
    return grade.get_value().encode()
