"""Bounds for everything that a provider or a browser sends: sizes, types, characters."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from ipaddress import ip_address
from urllib.parse import urlsplit

from keys.strict_json import StrictJsonError, parse_object
from sso.errors import SignInRefused

MAX_URL = 2_000
MAX_IDENTIFIER = 255  # OpenID Connect Core 1.0 §2: sub has at most 255 characters
_UNSAFE = frozenset({"Cc", "Cs", "Zl", "Zp"})


def json_object(
    body: bytes, *, limit: int, what: str, refusal: type[SignInRefused]
) -> dict[str, object]:
    """Parse a JSON object of at most `limit` bytes; raises `refusal` for anything else."""
    if len(body) > limit:
        raise refusal(f"{what} is larger than {limit} bytes.")
    try:
        return parse_object(body)
    except StrictJsonError as error:
        raise refusal(f"{what} can't be read: {error}.") from None


def json_answer(
    content_type: str, body: bytes, *, limit: int, what: str, refusal: type[SignInRefused]
) -> dict[str, object]:
    """`json_object` for an HTTP answer, which must also say that it is JSON (RFC 6749 §5.1)."""
    if content_type.partition(";")[0].strip().lower() != "application/json":
        raise refusal(f"{what} is not sent as application/json.")
    return json_object(body, limit=limit, what=what, refusal=refusal)


def text(value: object, limit: int = MAX_IDENTIFIER) -> str | None:
    """`value` if it is a non-empty string of at most `limit` characters, none of them a control."""
    if not isinstance(value, str) or not 0 < len(value) <= limit:
        return None
    return None if any(unicodedata.category(char) in _UNSAFE for char in value) else value


def strings(value: object, *, count: int, limit: int = MAX_IDENTIFIER) -> tuple[str, ...]:
    """The usable strings of a JSON array, at most `count`; nothing if it is not an array."""
    if not isinstance(value, list):
        return ()
    usable: Iterable[str | None] = (text(item, limit) for item in value[:count])
    return tuple(item for item in usable if item is not None)


def endpoint(value: object, *, allow_http_loopback: bool) -> str | None:
    """`value` if it is an absolute URL that we may call or redirect to, else None.

    https, a host, no user information, no fragment (RFC 6749 §3.1); plain http only towards this
    very machine, and only when `allow_http_loopback` says so.
    """
    url = text(value, MAX_URL)
    if url is None or not url.isascii() or " " in url or "\\" in url:
        return None
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return None
    if not parts.hostname or "@" in parts.netloc or "#" in url:
        return None
    if parts.scheme == "https":
        return url
    return (
        url
        if parts.scheme == "http" and allow_http_loopback and _loopback(parts.hostname)
        else None
    )


def _loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
