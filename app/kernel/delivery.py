"""How a delivery can end, when a failed one is tried again, and how long a destination is left in peace."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal

REGISTRATION = "registration:"
RECORD_STORE = "destination:"
"""What a destination's name begins with; the id of its row follows."""

STATEMENTS = "xapi"
PUSHED = "set_push"
POLLED = "set_poll"
"""The kinds of such rows: a record store, and receivers of SCIM events (RFC 8935, RFC 8936)."""

REMOVED = "removed"
"""One of them that an operator has removed: nothing goes there, but it has a name where it is spoken of."""

_BACKOFF = tuple(
    timedelta(seconds=s)
    for s in (5, 5 * 60, 30 * 60, 2 * 3600, 5 * 3600, 10 * 3600, 14 * 3600, 20 * 3600, 24 * 3600)
)
"""Standard Webhooks' schedule: with the first try ten, over about 75 hours."""

TRIES = len(_BACKOFF) + 1
FREE_TRIES = 100
"""A throttled try is none of the ten, until a delivery's log holds so many; then it counts like a failure."""

BRAKE = 20
"""So many refused in a row, and none taken, are not their own fault: what goes there is held back."""

_JITTER = 0.2
_LONGEST_WAIT = timedelta(hours=24)
_FIRST_PAUSE = timedelta(milliseconds=50)
"""After the second failure in a row: an error now and then is no outage. Doubled, it is ten seconds after ten."""

_FIRST_THROTTLE = timedelta(seconds=1)
_LONGEST_PAUSE = timedelta(minutes=5)

Kind = Literal["delivered", "superseded", "refused", "failed", "throttled", "later", "held", "gone"]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one try. `retry_after` in seconds, where the other side said when.

    delivered   the other side has it
    superseded  the other side has something newer
    refused     never: a person must look at it
    failed      the destination's fault (away, too slow, an error, no token): a try, and it gets a pause
    throttled   the destination asks us to slow down: no try, and it gets a pause
    later       the fault of this delivery alone, or ours: a try, and the others go on
    held        not sent, and nobody's fault: no try
    gone        the destination says that it is gone for good: it is switched off, the delivery waits
    """

    kind: Kind
    message: str | None = None
    status: int | None = None
    retry_after: float | None = None

    @property
    def answered(self) -> bool:
        """Whether the destination has shown that it works."""
        return self.kind in {"delivered", "superseded", "refused"} and self.status is not None

    @property
    def unfit(self) -> bool:
        """Whether the destination itself has refused it."""
        return self.kind == "refused" and self.status is not None

    def braked(self) -> Outcome:
        """What a refusal is where everything is refused: the destination's failure."""
        return replace(
            self, kind="failed", message=f"Refuses everything: {self.message or ''}".rstrip()
        )


def next_try(
    attempts: int, now: datetime, random: float, retry_after: float | None = None
) -> datetime | None:
    """Return when to try again after `attempts` tries, or None when they are used up.

    `random` in 0..1 spreads the waits by ±20%, so that many failures don't come back as one wave.
    """
    if attempts >= TRIES:
        return None
    wait = _BACKOFF[attempts - 1] * _spread(random)
    if retry_after is not None:
        wait = max(wait if attempts > 1 else timedelta(0), timedelta(seconds=retry_after))
    return now + min(wait, _LONGEST_WAIT)


def pause(failures: int, random: float, outcome: Outcome) -> timedelta:
    """Return how long a destination that failed so often in a row is left in peace.

    After one failure not at all, then from a twentieth of a second, doubling to five minutes at most. Where
    it throttles from a second, or as long as it asks, up to a day. Spread by ±20%.
    """
    throttled = outcome.kind == "throttled"
    first, doublings = (
        (_FIRST_THROTTLE, failures - 1) if throttled else (_FIRST_PAUSE, failures - 2)
    )
    doubled = first * float(2 ** min(max(doublings, 0), 20))
    wait = min(doubled, _LONGEST_PAUSE / (1 + _JITTER)) * _spread(random)
    if not throttled and failures < 2:  # noqa: PLR2004 - the first one
        wait = timedelta(0)
    if outcome.retry_after is not None:
        asked = timedelta(seconds=outcome.retry_after)
        wait = max(asked, first if throttled else wait)
    return min(wait, _LONGEST_WAIT)


def _spread(random: float) -> float:
    return 1 - _JITTER + 2 * _JITTER * random
