"""Grades on their way to the platform's gradebook (AGS 2.0 §3.4): written with the answer, sent later."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any

from app.deps import Deps
from app.flows import services
from app.kernel.clock import iso
from app.kernel.delivery import REGISTRATION, Kind, Outcome
from app.kernel.errors import Refused
from app.store import courses, outbox
from app.store.db import Tx
from app.store.dispatch import Claimed
from app.store.launches import Launch
from app.store.outbox import Fact
from lti import ags, service
from lti.errors import ServiceError, ServiceUnavailable

_MAXIMUM = 100.0


def enqueue(
    deps: Deps, tx: Tx, *, launch: Launch, score: float, completed: bool,
    submitted_at: datetime | None, now: datetime,
) -> bool:  # fmt: skip
    """Let a score (0 to 1) go to the launch's line item, in the transaction that made it true.

    A newer score takes the place of one that still waits. Nothing is sent, and False returned, where
    the launch has no line item, may not write scores, or is nobody's whom the gradebook holds.
    """
    if launch.line_item_id is None or launch.user_id is None or not launch.graded:
        return False
    item = courses.item(tx, launch.line_item_id)
    if item is None or ags.SCOPE_SCORE not in item.scopes:
        return False
    previous = courses.last_score_at(tx, item.id, launch.user_id)
    timestamp = ags.next_timestamp(previous, now)
    courses.score_at(tx, item.id, launch.user_id, timestamp)
    payload = {
        "line_item": item.url, "user_id": launch.user_id, "timestamp": iso(timestamp),
        "score": min(1.0, max(0.0, score)), "completed": completed,
        "submitted_at": iso(submitted_at) if submitted_at else None,
    }  # fmt: skip
    outbox.enqueue(
        tx, deps.ids.new(), Fact(deps.ids.new(), "score.changed", launch.person.id, payload), now,
        kind="ags_score", destination=REGISTRATION + item.registration_id,
        key=f"{item.id} {launch.user_id}", newest_only=True,
    )  # fmt: skip
    return True


def send(deps: Deps, claimed: Claimed) -> Outcome:
    """Send one score. A platform that holds a newer one (409) has superseded it."""
    registration_id = claimed.destination.removeprefix(REGISTRATION)
    line_item, score = claimed.fact.payload["line_item"], _score(claimed.fact.payload)
    try:
        response = services.call(
            deps, claimed.tenant, registration_id, ags.SCOPE_SCORE,
            lambda token: ags.score_request(line_item, score, token),
        )  # fmt: skip
    except Refused as error:
        off = error.wire_code == "platform_disabled"
        return Outcome("held" if off else "refused", error.message)
    except services.TokenAwaited as error:
        return Outcome("held", error.message)
    except ServiceError as error:
        # No token: an administrator mends that over there, and the score is not at fault.
        wait = error.retry_after if isinstance(error, ServiceUnavailable) else None
        kind: Kind = "throttled" if error.code == service.Kind.THROTTLED else "failed"
        return Outcome(kind, error.message, retry_after=_seconds(wait))
    said = ags.score_outcome(response, deps.clock())
    return Outcome(
        _MEANING.get(said.kind, "failed"), said.message, response.status, _seconds(said.retry_after)
    )


_MEANING: Mapping[str, Kind] = MappingProxyType({
    service.Kind.ACCEPTED: "delivered",
    service.Kind.SUPERSEDED: "superseded",
    service.Kind.REFUSED: "refused",
    service.Kind.MISSING: "later",
    service.Kind.THROTTLED: "throttled",
})  # fmt: skip


def _seconds(wait: timedelta | None) -> float | None:
    return None if wait is None else wait.total_seconds()


def _score(fact: Any) -> ags.Score:
    done, submitted = fact["completed"], fact["submitted_at"]
    return ags.Score(
        user_id=fact["user_id"],
        timestamp=datetime.fromisoformat(fact["timestamp"]),
        activity_progress=(
            ags.ActivityProgress.COMPLETED if done else ags.ActivityProgress.IN_PROGRESS
        ),
        # The estimate so far is a grade too; anything less final would erase it in Moodle.
        grading_progress=ags.GradingProgress.FULLY_GRADED,
        score_given=round(fact["score"] * _MAXIMUM, 2),
        score_maximum=_MAXIMUM,
        submitted_at=datetime.fromisoformat(submitted) if submitted else None,
    )
