"""Faults that a test or a curious visitor can switch on, one set for each service."""

from __future__ import annotations

import html
import time
from dataclasses import dataclass
from threading import Lock

from flask import Response, json

SERVICES = ("lms", "idp", "lrs")

MACHINE_PATHS = (
    "/lms/jwks",
    "/lms/token",
    "/lms/api/",
    "/idp/.well-known/",
    "/idp/jwks",
    "/idp/token",
    "/idp/userinfo",
    "/lrs/xapi/",
)
"""Faults strike these; a page for people stays well."""


@dataclass(slots=True)
class Fault:
    """What is wrong now. `*_next` count down, one for each request that is struck."""

    slow_ms: int = 0
    status: int = 500
    fail_next: int = 0
    error_rate: float = 0.0
    throttle_next: int = 0
    retry_after: int = 1
    html_next: int = 0
    html_status: int = 200
    lose_next: int = 0
    """Do the work, then answer 504: the answer was lost on its way."""
    only: str = ""
    """Strike only paths that begin so, such as /lms/api/."""


class Faults:
    """The faults of all services; they do not outlive the process."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._now = {service: Fault() for service in SERVICES}
        self._debt = dict.fromkeys(SERVICES, 0.0)

    def set(self, service: str, fault: Fault) -> None:
        with self._lock:
            self._now[service] = fault
            self._debt[service] = 0.0

    def get(self, service: str) -> Fault:
        return self._now[service]

    def before(self, path: str) -> Response | None:
        """An answer in place of the service's own, or None when the request may pass."""
        fault = self._struck(path)
        if fault is None:
            return None
        if fault.slow_ms:
            time.sleep(fault.slow_ms / 1000)
        with self._lock:
            return self._answer(path.split("/")[1], fault)

    def after(self, path: str, response: Response) -> Response:
        """The answer to give once the work is done: the service's own, or one that got lost."""
        fault = self._struck(path)
        if fault is None or response.status_code >= 400:
            return response
        with self._lock:
            if fault.lose_next <= 0:
                return response
            fault.lose_next -= 1
        return _error(504, "the answer was lost on its way")

    def _struck(self, path: str) -> Fault | None:
        if not path.startswith(MACHINE_PATHS):
            return None
        fault = self._now[path.split("/")[1]]
        return fault if path.startswith(fault.only) else None

    def _answer(self, service: str, fault: Fault) -> Response | None:
        if fault.throttle_next > 0:
            fault.throttle_next -= 1
            response = _error(429, "too many requests")
            response.headers["Retry-After"] = str(fault.retry_after)
            return response
        if fault.html_next > 0:
            fault.html_next -= 1
            text = f"<!doctype html><title>{html.escape(service)}</title><p>Please sign in.</p>"
            return Response(text, fault.html_status, mimetype="text/html")
        if fault.fail_next > 0:
            fault.fail_next -= 1
            return _error(fault.status, "switched to fail")
        self._debt[service] += fault.error_rate
        if self._debt[service] >= 1:
            self._debt[service] -= 1
            return _error(fault.status, "switched to fail now and then")
        return None


def _error(status: int, message: str) -> Response:
    body = json.dumps({"error": "fault", "error_description": message})
    return Response(body, status, mimetype="application/json")
