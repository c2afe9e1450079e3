"""Requests to a platform's services and what its answers mean.

The requests are values that the caller sends; the answers are read by their shape alone.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from enum import StrEnum
from http import HTTPStatus
from types import MappingProxyType
from typing import Protocol

from keys.strict_json import StrictJsonError, parse
from lti.errors import ServiceRefused, ServiceUnavailable, TokenRejected

MAX_RETRY_AFTER = timedelta(days=1)
MAX_BODY_BYTES = 8_000_000
MAX_DETAIL = 200
_HTML = re.compile(
    rb"\s*(?:\xef\xbb\xbf)?\s*<(?:!doctype|html|head|body|script|br|div|p|\?xml)\b", re.IGNORECASE
)
_TOKEN = re.compile(r"[!-~]+", re.ASCII)


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """A request to send: `body` None where there is none."""

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes | None = None


class HttpResponse(Protocol):
    """An answer: header names in any case, `body` whole and undecoded."""

    @property
    def status(self) -> int: ...
    @property
    def headers(self) -> Mapping[str, str]: ...
    @property
    def body(self) -> bytes: ...


class Kind(StrEnum):
    """What to do about an answer. MISSING: nothing is there, perhaps for good, perhaps for a moment."""

    ACCEPTED = "accepted"
    SUPERSEDED = "superseded"
    THROTTLED = "throttled"
    TOKEN_EXPIRED = "token_expired"  # noqa: S105 - a code, no secret
    REFUSED = "refused"
    MISSING = "missing"
    RETRY = "retry"


@dataclass(frozen=True, slots=True)
class Outcome:
    """An answer understood: `message` for a human, `retry_after` where the platform asks."""

    kind: Kind
    message: str
    retry_after: timedelta | None = None


def bearer_request(
    method: str,
    url: str,
    token: str,
    *,
    accept: str | None = None,
    content: tuple[str, bytes] | None = None,
) -> HttpRequest:
    """A service call with an access token (Security Framework 1.0 §4.1); content is (type, body)."""
    if not _TOKEN.fullmatch(token):
        raise ValueError("an access token is visible ASCII")
    headers = {"Authorization": f"Bearer {token}"}
    if accept is not None:
        headers["Accept"] = accept
    body = None
    if content is not None:
        headers["Content-Type"], body = content
    return HttpRequest(method, url, MappingProxyType(headers), body)


def header(response: HttpResponse, name: str) -> str | None:
    """A header's value, its name compared without case (RFC 9110 §5.1)."""
    wanted = name.lower()
    return next((value for key, value in response.headers.items() if key.lower() == wanted), None)


def classify(response: HttpResponse, now: datetime) -> Outcome:
    """What a platform's answer means, whatever the service. `now` is for a Retry-After date."""
    kind, status = _kind(response), response.status
    if kind is Kind.REFUSED:
        reason = _REASONS.get(status, "The platform refused this.")
        return Outcome(kind, reason + detail(response))
    wait = retry_after(response, now)
    if status == HTTPStatus.SERVICE_UNAVAILABLE and wait is not None:
        kind = Kind.THROTTLED  # it says when (RFC 9110 §15.6.4)
    if kind is Kind.RETRY:
        shape = " with a web page" if is_page(response) else ""
        return Outcome(kind, f"The platform answered {status}{shape}.", wait)
    return Outcome(kind, _MESSAGES[kind], wait if kind is Kind.THROTTLED else None)


_MESSAGES = {
    Kind.ACCEPTED: "Accepted.",
    Kind.SUPERSEDED: "The platform holds a newer value already.",
    Kind.THROTTLED: "The platform asks us to slow down.",
    Kind.TOKEN_EXPIRED: "The platform did not accept the access token.",
}
_REASONS = {
    403: "The platform does not permit this tool to do that.",
    404: "The platform no longer has this: it may have been deleted there.",
    410: "The platform no longer has this: it was deleted there.",
}
_BY_STATUS = {
    401: Kind.TOKEN_EXPIRED,
    408: Kind.RETRY,
    409: Kind.SUPERSEDED,
    425: Kind.RETRY,
    429: Kind.THROTTLED,
}


def _kind(response: HttpResponse) -> Kind:
    status = response.status
    if status in _BY_STATUS:
        return _BY_STATUS[status]
    if status == HTTPStatus.FORBIDDEN and _rate_limited(response):
        return Kind.THROTTLED
    # Redirects are not followed. A page comes from a login form, a firewall or a maintenance
    # notice: the service itself has not answered.
    if status // 100 not in (2, 4) or is_page(response):
        return Kind.RETRY
    return Kind.ACCEPTED if status // 100 == 2 else Kind.REFUSED  # noqa: PLR2004 - 2xx


def is_page(response: HttpResponse) -> bool:
    """Whether the body is a web page. The Content-Type alone does not tell: Moodle says text/html."""
    return _HTML.match(response.body[:256]) is not None


def detail(response: HttpResponse) -> str:
    """The platform's own words, shortened to one line, to follow a sentence of ours."""
    words = response.body[: MAX_DETAIL * 4].decode(errors="replace").split()
    text = "".join(char for char in " ".join(words) if char.isprintable())[:MAX_DETAIL]
    return f" It said: {text}" if text else ""


def read_json(response: HttpResponse, now: datetime) -> object:
    """The JSON of a successful answer, whatever its Content-Type.

    Raises TokenRejected (401), ServiceUnavailable (repeat later), ServiceRefused (don't).
    """
    outcome = classify(response, now)
    if outcome.kind is Kind.TOKEN_EXPIRED:
        raise TokenRejected(outcome.kind, outcome.message)
    if outcome.kind in (Kind.THROTTLED, Kind.RETRY):
        raise ServiceUnavailable(outcome.kind, outcome.message, outcome.retry_after)
    if outcome.kind is not Kind.ACCEPTED:
        raise ServiceRefused(outcome.kind, outcome.message)
    if len(response.body) > MAX_BODY_BYTES:
        raise ServiceRefused("bad_response", "The platform's answer is too large.")
    try:
        return parse(response.body)
    except StrictJsonError as error:
        raise ServiceRefused("bad_response", "The platform's answer is not JSON.") from error


def _rate_limited(response: HttpResponse) -> bool:
    # Canvas throttles with 403, and tells it apart only by this header.
    try:
        return float(header(response, "X-Rate-Limit-Remaining") or "nan") <= 0
    except ValueError:
        return False


def retry_after(response: HttpResponse, now: datetime) -> timedelta | None:
    """Retry-After (RFC 9110 §10.2.3), seconds or a date, bounded; None where it makes no sense."""
    value = (header(response, "Retry-After") or "").strip()
    try:
        seconds = float(value)
    except ValueError:
        try:
            when = parsedate_to_datetime(value)
        except (ValueError, TypeError, IndexError, OverflowError):
            return None
        when = when if when.tzinfo is not None else when.replace(tzinfo=UTC)
        seconds = (when - now).total_seconds()
    if not math.isfinite(seconds) or seconds < 0:
        return None
    return timedelta(seconds=min(seconds, MAX_RETRY_AFTER.total_seconds()))
