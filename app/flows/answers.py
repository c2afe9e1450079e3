"""What the answer of a destination means that took nothing: whether and when it is worth another try."""

from __future__ import annotations

from datetime import datetime
from http import HTTPStatus

from app.http import Response
from app.kernel.delivery import Outcome
from lti.service import retry_after

_SHOWN = 200


def said(response: Response, who: str) -> str:
    """What it answered, in a line; `who` begins the sentence."""
    words = response.body[:_SHOWN].decode(errors="replace")
    return f"{who} answered {response.status}: " + "".join(c for c in words if c.isprintable())


def is_page(response: Response) -> bool:
    """A page is a firewall's or a proxy's word: who is meant has not judged what was sent."""
    return response.headers.get("Content-Type", "").startswith("text/html")


def trouble(response: Response, who: str, now: datetime) -> Outcome:
    """It is gone for good, asks us to slow down, or has failed."""
    status, told = response.status, said(response, who)
    if status == HTTPStatus.GONE:
        return Outcome("gone", told, status)
    asked = retry_after(response, now)
    wait = None if asked is None else asked.total_seconds()
    slower = status == HTTPStatus.TOO_MANY_REQUESTS or (
        status == HTTPStatus.SERVICE_UNAVAILABLE and wait is not None
    )
    return Outcome("throttled" if slower else "failed", told, status, wait)
