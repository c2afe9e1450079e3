"""URLs as platforms send them: what may be called, what lies under what, how a query grows."""

from __future__ import annotations

import re
from urllib.parse import SplitResult, quote_plus, urlsplit

MAX_URL_LENGTH = 4096
_VISIBLE_ASCII = re.compile(r"[!-~]+", re.ASCII)
_DEFAULT_PORTS = {"http": 80, "https": 443}
_UNSAFE_IN_PATH = re.compile(r"\\|%2f|%5c|%2e|//", re.IGNORECASE)


def parse_http_url(url: object) -> SplitResult | None:
    """Split an absolute http or https URL, or None where `url` is anything else.

    User information, white space, control and non-ASCII characters and backslashes make it
    something else: parsers disagree about them.
    """
    if not isinstance(url, str) or len(url) > MAX_URL_LENGTH or not _VISIBLE_ASCII.fullmatch(url):
        return None
    try:
        parts = urlsplit(url)
        port_is_fine = parts.port is None or parts.port > 0
    except ValueError:
        return None
    if parts.scheme not in _DEFAULT_PORTS or not parts.hostname or not port_is_fine:
        return None
    if "@" in parts.netloc or "\\" in url:
        return None
    return parts


def is_http_url(url: object) -> bool:
    return parse_http_url(url) is not None


def origin(parts: SplitResult) -> tuple[str, str, int]:
    """Scheme, host and port (RFC 6454 §4), the default port filled in."""
    return parts.scheme, parts.hostname or "", parts.port or _DEFAULT_PORTS[parts.scheme]


def lies_under(url: str, base: str) -> bool:
    """Whether `url` is `base` or lies below it: the same origin, and its path on a whole segment.

    A query is free; a fragment, dot segments and encoded separators are not.
    """
    at, root = parse_http_url(url), parse_http_url(base)
    if at is None or root is None or origin(at) != origin(root) or at.fragment:
        return False
    if _UNSAFE_IN_PATH.search(at.path) or {".", ".."}.intersection(at.path.split("/")):
        return False
    stem = root.path.rstrip("/")
    return at.path in (root.path, stem) or at.path.startswith(stem + "/")


def with_query(url: str, parameters: list[tuple[str, str]]) -> str:
    """`url` with `parameters` added to whatever query it has; its own text stays untouched."""
    if not parameters:
        return url
    added = "&".join(f"{quote_plus(name)}={quote_plus(value)}" for name, value in parameters)
    parts = urlsplit(url)
    query = f"{parts.query}&{added}" if parts.query else added
    return parts._replace(query=query, fragment="").geturl()


def with_segment(url: str, segment: str) -> str:
    """`url` with `segment` added to its path; the query is kept (AGS 2.0 §3)."""
    parts = urlsplit(url)
    return parts._replace(path=f"{parts.path.rstrip('/')}/{segment}", fragment="").geturl()
