"""Strings and instants as this package compares them."""

from __future__ import annotations

import json
import re
import unicodedata
from datetime import UTC, datetime, timedelta, timezone
from json.encoder import encode_basestring
from typing import Any

# What neither PostgreSQL's text nor UTF-8 can hold.
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")

_INSTANT = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:\.(\d{1,12}))?(Z|[+-]\d\d:\d\d)?",
    re.ASCII | re.IGNORECASE,
)
_TO_JSON = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def fold(text: str) -> str:
    """The form in which strings that are not caseExact are compared, stored and made unique."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", text).casefold())


def to_json(value: Any) -> str:
    """JSON text without blanks, in UTF-8's own characters."""
    return _TO_JSON(value)


def quoted(text: str) -> str:
    """A string of JSON, as `to_json` writes it."""
    return encode_basestring(text)


def storable(text: str) -> bool:
    """False for text with a NUL or half a surrogate pair, which no database takes."""
    return _UNSTORABLE.search(text) is None


def stored_form(text: str) -> str:
    """The text, or where no database takes it the Python literal of it."""
    return text if storable(text) else repr(text)


def parse_instant(text: str) -> datetime | None:
    """An xsd:dateTime (RFC 7643 §2.3.5) as an aware UTC datetime, or None if it is not one.

    Without an offset it is read as UTC; digits past the microsecond are dropped.
    """
    match = _INSTANT.fullmatch(text)
    if match is None:
        return None
    *whole, fraction, offset = match.groups()
    microsecond = int((fraction or "0")[:6].ljust(6, "0"))
    try:
        year, month, day, hour, minute, second = (int(part) for part in whole)
        local = datetime(
            year, month, day, hour, minute, second, microsecond, tzinfo=_offset(offset)
        )
        return local.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def format_instant(instant: datetime) -> str:
    """RFC 3339 in UTC with a `Z`, microseconds only where there are any."""
    utc = instant if instant.tzinfo is UTC else instant.astimezone(UTC)
    return f"{utc.isoformat().removesuffix('+00:00')}Z"


def instant_number(instant: datetime) -> float:
    """Microseconds since 1970, as instants are indexed and compared (exact until 2255)."""
    return float((instant - _EPOCH) // _MICROSECOND)


def _offset(text: str | None) -> timezone:
    if text is None or text in "Zz":
        return UTC
    delta = timedelta(hours=int(text[1:3]), minutes=int(text[4:6]))
    return timezone(-delta if text[0] == "-" else delta)
