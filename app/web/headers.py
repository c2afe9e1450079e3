"""Security headers. A page is framed by nobody, unless its handler names who may."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from flask import Flask, request

from lti.urls import parse_http_url

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

_HOST = re.compile(r"([A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?")

_POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; font-src 'self'; "
    "connect-src 'self'; base-uri 'none'; form-action {forms}; frame-ancestors {framers}"
)


def _policy(forms: str, framers: str) -> str:
    return _POLICY.format(forms=forms, framers=framers)


_POLICY_HEADER = "Content-Security-Policy"
_FRAMERS, _FORMS = "ostiary.framers", "ostiary.forms"
"""Under these names a request's environment holds what its handler has let others do."""

_FIXED = {
    _POLICY_HEADER: _policy("'self'", "'none'"),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
    "Cache-Control": "no-store",
}


def framed_by(origins: Iterable[str]) -> None:
    """Let these origins frame the page that this request answers with."""
    _let(_FRAMERS, " ".join(sorted(origins)) or "'none'")


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
    _let(_FORMS, " ".join(("'self'", *origins)))


def _let(what: str, origins: str) -> None:
    request.environ[what] = origins


def install(app: Flask) -> None:
    """Set the headers on every response; what a handler has set itself stays."""
    fixed = dict(_FIXED)
    if app.extensions["ostiary"].settings.secure:
        fixed["Strict-Transport-Security"] = "max-age=31536000; includeSubDomains"

    app.wsgi_app = _Protected(app.wsgi_app, fixed)  # type: ignore[method-assign]


class _Protected:
    """Adds what is missing of some headers, below Flask: there each of them would cost a search."""

    def __init__(self, app: WSGIApplication, fixed: Mapping[str, str]) -> None:
        self._app, self._fixed = app, fixed

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        def start(status: str, said: list[tuple[str, str]], *error: Any) -> Any:
            there = {name for name, _ in said}
            fixed = self._fixed
            if _FRAMERS in environ or _FORMS in environ:
                policy = _policy(environ.get(_FORMS, "'self'"), environ.get(_FRAMERS, "'none'"))
                fixed = {**fixed, _POLICY_HEADER: policy}
            more = [pair for pair in fixed.items() if pair[0] not in there]
            return start_response(status, said + more, *error)

        return self._app(environ, start)
