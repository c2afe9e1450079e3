"""The rotation policy of a key ring.

A platform may have cached our JWKS for a while (the overlap). So a new key is published first,
signs only when every cache must have seen it, and the old one stays published for one overlap
after it last signed:

    new   published ───── overlap ─────▶ signs ─────────────────────────▶
    old   signs ───────────────────────▶ retires ───── overlap ─────▶ gone
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from keys.errors import NoSigningKey, RotationPending


@dataclass(frozen=True, slots=True)
class KeyRecord:
    """When one key is published and signs; aware UTC times, None where not yet decided."""

    kid: str
    published_at: datetime
    signs_from: datetime
    retires_at: datetime | None = None
    gone_at: datetime | None = None

    def published(self, now: datetime) -> bool:
        return self.published_at <= now and (self.gone_at is None or now < self.gone_at)

    def signs(self, now: datetime) -> bool:
        return self.signs_from <= now and (self.retires_at is None or now < self.retires_at)


@dataclass(frozen=True, slots=True)
class Rotation:
    """What to store: insert `new`, update `retiring` by kid."""

    new: KeyRecord
    retiring: tuple[KeyRecord, ...]


def signing_key(records: Iterable[KeyRecord], now: datetime) -> KeyRecord:
    """The key that signs at `now`: of several the newest. Raises NoSigningKey."""
    candidates = [record for record in records if record.signs(now)]
    if not candidates:
        raise NoSigningKey("No key of this ring signs at present.")
    return max(candidates, key=lambda record: (record.signs_from, record.kid))


def published_keys(records: Iterable[KeyRecord], now: datetime) -> tuple[KeyRecord, ...]:
    """The keys that the JWKS document shows at `now`, newest first."""
    shown = [record for record in records if record.published(now)]
    return tuple(sorted(shown, key=lambda record: (record.signs_from, record.kid), reverse=True))


def gone_keys(records: Iterable[KeyRecord], now: datetime) -> tuple[KeyRecord, ...]:
    """The keys that nobody needs any more: their private halves can be erased."""
    return tuple(r for r in records if r.gone_at is not None and r.gone_at <= now)


def plan_rotation(
    records: Sequence[KeyRecord], new_kid: str, now: datetime, overlap: timedelta
) -> Rotation:
    """Plan the next rotation; in an empty ring the new key signs at once.

    `overlap`: the longest time for which a platform may hold our JWKS. Raises RotationPending
    while an earlier new key waits for its turn.
    """
    if overlap <= timedelta(0):
        raise ValueError("the overlap must be positive")
    if any(record.kid == new_kid for record in records):
        raise ValueError("this key is in the ring already")
    current = [record for record in records if record.gone_at is None]
    waiting = [record for record in current if record.signs_from > now]
    if waiting:
        when = max(record.signs_from for record in waiting)
        raise RotationPending(f"A new key is published already and signs from {when.isoformat()}.")
    signs_from = now + overlap if any(record.signs(now) for record in records) else now
    new = KeyRecord(new_kid, published_at=now, signs_from=signs_from)
    retiring = tuple(
        replace(record, retires_at=signs_from, gone_at=signs_from + overlap) for record in current
    )
    return Rotation(new, retiring)
