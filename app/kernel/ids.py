"""Identifiers and random secrets: the one place that draws them."""

from __future__ import annotations

import secrets
from datetime import datetime

from app.kernel.clock import Clock


def uuid7(now: datetime, random: int) -> str:
    """Build a version 7 UUID (RFC 9562 §5.7) from an instant and 74 random bits."""
    millis = int(now.timestamp() * 1000)
    value = (millis & (2**48 - 1)) << 80
    value |= 0x7 << 76
    value |= ((random >> 62) & 0xFFF) << 64
    value |= 0b10 << 62
    value |= random & (2**62 - 1)
    digits = f"{value:032x}"
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


class Ids:
    """Draws row ids, which sort by time, and secrets of 192 bits."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def new(self) -> str:
        """Return a new row id."""
        return uuid7(self._clock(), secrets.randbits(74))

    def secret(self) -> bytes:
        """Return 24 random bytes."""
        return secrets.token_bytes(24)
