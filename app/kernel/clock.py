"""Time as a value: flows read it once from `Deps.clock` and pass it down."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

Clock = Callable[[], datetime]


def system_clock() -> datetime:
    """Return the present instant, aware and in UTC."""
    return datetime.now(UTC)  # noqa: TID251 - the one place that reads the clock


def iso(instant: datetime) -> str:
    """Write an instant as RFC 3339 in UTC with milliseconds, as our JSON answers do."""
    return instant.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def instant(at: datetime) -> str:
    """Write an instant in UTC to the microsecond, always in the same shape."""
    return at.astimezone(UTC).isoformat(timespec="microseconds")
