"""The small formats of xAPI: IRIs, language tags, times, durations, identifiers, hashes.

Each check answers whether the text is well formed; none of them looks anything up.
"""

from __future__ import annotations

import re
from calendar import monthrange
from datetime import datetime, timedelta

_IRI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:[^\s<>\"{}|\\^`\x00-\x1f\x7f]+")
_UUID = re.compile(
    r"[0-9a-f]{8}-[0-9a-f]{4}-[1-8][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", re.IGNORECASE
)
_MAILTO = re.compile(r"mailto:[^@\s<>\"]+@[^@\s<>\"]+")
_SHA1 = re.compile(r"[0-9a-f]{40}", re.IGNORECASE)
_SHA2 = re.compile(r"[0-9a-f]{56}|[0-9a-f]{64}|[0-9a-f]{96}|[0-9a-f]{128}", re.IGNORECASE)
# RFC 5646 langtag without the grandfathered ones; x-… alone is allowed.
_LANGUAGE = re.compile(
    r"([a-z]{2,3}(-[a-z]{3}){0,3}|[a-z]{4}|[a-z]{5,8})(-[a-z]{4})?(-([a-z]{2}|\d{3}))?"
    r"(-([a-z0-9]{5,8}|\d[a-z0-9]{3}))*(-[a-wyz0-9](-[a-z0-9]{2,8})+)*(-x(-[a-z0-9]{1,8})+)?"
    r"|x(-[a-z0-9]{1,8})+",
    re.IGNORECASE | re.ASCII,
)
_TIME = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:\.\d{1,12})?(Z|[+-]\d\d(?::?\d\d)?)", re.ASCII
)
_NUM = r"\d{1,12}"
_DURATION = re.compile(
    rf"P(?=.)(?:{_NUM}W|(?:{_NUM}Y)?(?:{_NUM}M)?(?:{_NUM}D)?"
    rf"(?:T(?=.)(?:{_NUM}H)?(?:{_NUM}M)?(?:{_NUM}(?:\.\d{{1,12}})?S)?)?)",
    re.ASCII,
)
_MEDIA = re.compile(
    r"[a-z0-9][a-z0-9!#$&^_.+-]*/[a-z0-9][a-z0-9!#$&^_.+-]*(\s*;.*)?", re.IGNORECASE
)
_MAX_IRI = 2048
_MAX_TAG = 100
_MOST_HOUR, _MOST_MINUTE, _MOST_SECOND = 23, 59, 60
_MONTHS = 12


def is_iri(text: str) -> bool:
    """Absolute: RFC 3987 with a scheme (xAPI Data 1.0.3 §2.2)."""
    return len(text) <= _MAX_IRI and _IRI.fullmatch(text) is not None


def is_uuid(text: str) -> bool:
    return _UUID.fullmatch(text) is not None


def is_mailto(text: str) -> bool:
    return len(text) <= _MAX_IRI and _MAILTO.fullmatch(text) is not None


def is_sha1(text: str) -> bool:
    return _SHA1.fullmatch(text) is not None


def is_sha2(text: str) -> bool:
    return _SHA2.fullmatch(text) is not None


def is_language(text: str) -> bool:
    return len(text) <= _MAX_TAG and _LANGUAGE.fullmatch(text) is not None


def is_media_type(text: str) -> bool:
    return _MEDIA.fullmatch(text) is not None


def is_duration(text: str) -> bool:
    """ISO 8601 with designators; a fraction only of the seconds."""
    return _DURATION.fullmatch(text) is not None


def is_timestamp(text: str) -> bool:
    """RFC 3339 with an offset; -00:00, which says that the offset is unknown, is refused."""
    match = _TIME.fullmatch(text)
    if match is None:
        return False
    year, month, day, hour, minute, second = (int(part) for part in match.groups()[:6])
    zone = match[7]
    if not (year and 1 <= month <= _MONTHS and 1 <= day <= monthrange(year, month)[1]):
        return False
    if hour > _MOST_HOUR or minute > _MOST_MINUTE or second > _MOST_SECOND:
        return False
    digits = zone[1:].replace(":", "") if zone != "Z" else "01"
    if zone.startswith("-") and not digits.strip("0"):
        return False
    return int(digits[:2]) <= _MOST_HOUR and int(digits[2:] or "0") <= _MOST_MINUTE


def timestamp(at: datetime) -> str:
    """UTC with milliseconds, such as 2026-03-04T09:30:00.000Z; a naive time is refused."""
    if at.tzinfo is None:
        raise ValueError("a timestamp needs a time zone")
    moved = at.replace(tzinfo=None) - (at.utcoffset() or timedelta())
    return moved.isoformat(timespec="milliseconds") + "Z"


def duration(span: timedelta) -> str:
    """ISO 8601 to a hundredth of a second, as xAPI compares them; a negative span is refused."""
    if span < timedelta():
        raise ValueError("a duration is not negative")
    hundredths = span // timedelta(milliseconds=10)
    seconds, rest = divmod(hundredths, 100)
    minutes, second = divmod(seconds, 60)
    hours, minute = divmod(minutes, 60)
    fraction = f".{rest:02d}" if rest else ""
    parts = [f"{hours}H" if hours else "", f"{minute}M" if minute else ""]
    if second or rest or not (hours or minute):
        parts.append(f"{second}{fraction}S")
    return "PT" + "".join(parts)
