"""Security headers. A page is framed by nobody, unless its handler names who may."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache

from flask import Flask, Response, g, request

from lti.urls import parse_http_url

_HOST = re.compile(r"([A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?")

_POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; font-src 'self'; "
    "connect-src 'self'; base-uri 'none'; form-action {forms}; frame-ancestors {framers}"
)


def framed_by(origins: Iterable[str]) -> None:
    """Let these origins frame the page that this request answers with."""
    g.framers = " ".join(sorted(origins)) or "'none'"


def framed_by_platform(*urls: str | None) -> None:
    """Let the origins of a platform's addresses frame the page; what is no web address adds nothing."""
    framed_by({found for url in urls if (found := _origin(url)) is not None})


def _origin(url: str | None) -> str | None:
    parts = parse_http_url(url)
    # The policy is text: a host with a semicolon in it must not add to it.
    if parts is None or not _HOST.fullmatch(parts.netloc):
        return None
    return f"{parts.scheme}://{parts.netloc}"


def forms_go_to(*origins: str) -> None:
    """Let forms of this page end at other origins too (Chromium judges redirects as well)."""
    g.form_targets = " ".join(("'self'", *origins))


@lru_cache(maxsize=256)
def _policy(forms: str, framers: str) -> str:
    return _POLICY.format(forms=forms, framers=framers)


def install(app: Flask) -> None:
    """Set the headers on every response."""
    secure = app.extensions["ostiary"].settings.secure

    @app.after_request
    def protect(response: Response) -> Response:
        policy = _policy(g.get("form_targets", "'self'"), g.get("framers", "'none'"))
        response.headers.setdefault("Content-Security-Policy", policy)
        response.headers["X-Content-Type-Options"] = "nosniff"
        response.headers["Referrer-Policy"] = "no-referrer"
        response.headers["Permissions-Policy"] = "camera=(), microphone=(), geolocation=()"
        if secure:
            response.headers["Strict-Transport-Security"] = "max-age=31536000; includeSubDomains"
        if request.endpoint != "static":
            response.headers.setdefault("Cache-Control", "no-store")
        return response
