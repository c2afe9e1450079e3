"""How a delivery can end, and when a failed one is tried again."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

_BACKOFF = tuple(
    timedelta(seconds=s)
    for s in (5, 5 * 60, 30 * 60, 2 * 3600, 5 * 3600, 10 * 3600, 14 * 3600, 20 * 3600, 24 * 3600)
)
"""Standard Webhooks' schedule: with the first try ten, over about 75 hours."""

TRIES = len(_BACKOFF) + 1
_JITTER = 0.2
_LONGEST_WAIT = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one try.

    delivered   the other side has it
    superseded  the other side has something newer
    later       not now: try again; `retry_after` in seconds where they said when
    refused     never: a person must look at it
    """

    kind: Literal["delivered", "superseded", "later", "refused"]
    message: str | None = None
    status: int | None = None
    retry_after: float | None = None


def next_try(
    attempts: int, now: datetime, random: float, retry_after: float | None = None
) -> datetime | None:
    """Return when to try again after `attempts` tries, or None when they are used up.

    `random` in 0..1 spreads the waits by ±20%, so that many failures don't come back as one wave.
    """
    if attempts >= TRIES:
        return None
    wait = _BACKOFF[attempts - 1] * (1 - _JITTER + 2 * _JITTER * random)
    if retry_after is not None:
        wait = max(wait if attempts > 1 else timedelta(0), timedelta(seconds=retry_after))
    return now + min(wait, _LONGEST_WAIT)


def next_stream_try(
    attempts: int, now: datetime, random: float, retry_after: float | None = None
) -> datetime:
    """Return when a stream goes on: it never gives up, since what follows must not overtake."""
    capped = min(attempts, 3)
    return next_try(capped, now, random, retry_after) or now + _LONGEST_WAIT
