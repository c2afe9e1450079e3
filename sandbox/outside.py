"""The campus's only way out: plain HTTP to neighbours on this machine."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlsplit

import requests

from sandbox.errors import OutsideError

LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
_TIMEOUT_S = 15
_LIMIT = 1_000_000


@dataclass(frozen=True, slots=True)
class Answer:
    """What a neighbour answered; header names are lower case."""

    status: int
    headers: dict[str, str]
    text: str


Send = Callable[[str, str, dict[str, str], bytes | None], Answer]
"""(method, url, headers, body) -> Answer; raises OutsideError."""


def is_loopback(url: str) -> bool:
    """An absolute http(s) URL of this machine, without user info or fragment."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return False
    plain = parts.username is None and not parts.fragment
    return parts.scheme in {"http", "https"} and host in LOOPBACK and plain


def send(method: str, url: str, headers: dict[str, str], body: bytes | None) -> Answer:
    """Send one request: no redirect followed, no proxy asked, at most 1 MB read."""
    if not is_loopback(url):
        raise OutsideError(f"the campus speaks only to this machine, not to {url}")
    try:
        with requests.Session() as session:
            session.trust_env = False
            with session.request(
                method,
                url,
                headers=headers,
                data=body,
                timeout=_TIMEOUT_S,
                allow_redirects=False,
                stream=True,
            ) as response:
                content = response.raw.read(_LIMIT, decode_content=True)
                return Answer(
                    response.status_code,
                    {name.lower(): value for name, value in response.headers.items()},
                    content.decode("utf-8", "replace"),
                )
    except (requests.RequestException, OSError) as error:
        raise OutsideError(f"{method} {url}: {error}") from error
