"""What all pages share: who may post here, how a refusal looks, which headers go out."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlencode

from flask import Flask, Request, Response, jsonify, render_template, request
from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Response as AnyResponse

from sandbox.campus import Campus, here
from sandbox.errors import OutsideError, Refused
from sandbox.faults import MACHINE_PATHS, SERVICES

_LOOPBACK = "http://127.0.0.1:* http://localhost:*"
_POLICY = (
    "default-src 'self'; img-src 'self' data:; base-uri 'none'; object-src 'none'; frame-ancestors 'self'; "
    f"form-action 'self' {_LOOPBACK}; frame-src 'self' {_LOOPBACK}"
)


def json_object() -> dict[str, Any]:
    """The request's body as a JSON object; 415 or 400 when it is none."""
    if not request.is_json:
        raise Refused(415, "unsupported_media_type", "send JSON, and say so in Content-Type")
    value = json_value()
    if not isinstance(value, dict):
        raise Refused(400, "invalid_request", "the body must be a JSON object")
    return value


def json_value() -> Any:
    """The request's body as JSON, whatever its media type."""
    try:
        return json.loads(request.get_data(cache=True), parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise Refused(400, "invalid_request", "the body is not JSON") from error


def own_pages_only() -> None:
    """Refuse a form that another site's page posts (its browser says where it came from)."""
    origin = request.headers.get("Origin")
    if request.method != "GET" and origin not in (None, here().base_url):
        raise Refused(403, "foreign_origin", "this form belongs to the campus's own pages")


def form_post(url: str, fields: dict[str, str]) -> str:
    """A page that posts these fields on by itself, or by a button where scripts are off."""
    return render_template("post.html", url=url, fields=fields)


def with_query(url: str, fields: dict[str, str]) -> str:
    """The URL with these fields added to its query."""
    return f"{url}{'&' if '?' in url else '?'}{urlencode(fields)}"


def install(app: Flask, campus: Campus) -> None:
    """Wire guards, journal, faults, headers and error pages into the application."""

    @app.before_request
    def guard() -> AnyResponse | None:
        if request.path == "/healthz":
            return None
        if request.host != campus.base_url.partition("://")[2]:
            # A foreign name that points to this machine must not reach the control API.
            raise Refused(421, "wrong_host", f"the campus answers at {campus.base_url}")
        request.get_data(cache=True)
        return campus.faults.before(request.path)

    @app.after_request
    def finish(response: Response) -> Response:
        service = request.path.split("/")[1]
        if service in SERVICES:
            response = campus.faults.after(request.path, response)
            campus.journal.note(service, request, response, campus.clock())
        response.headers["Content-Security-Policy"] = _POLICY
        response.headers["X-Content-Type-Options"] = "nosniff"
        # With "no-referrer" browsers call a form's own origin null, which `own_pages_only` refuses.
        response.headers["Referrer-Policy"] = "same-origin"
        response.headers.setdefault("Cache-Control", "no-store")
        return response

    @app.errorhandler(Refused)
    def refused(error: Refused) -> AnyResponse:
        return _say_no(request, error.status, error.code, error.message)

    @app.errorhandler(OutsideError)
    def unreachable(error: OutsideError) -> AnyResponse:
        return _say_no(request, 502, "neighbour_unreachable", str(error))

    @app.errorhandler(HTTPException)
    def http_error(error: HTTPException) -> AnyResponse:
        code = (error.name or "error").lower().replace(" ", "_")
        answer = _say_no(request, error.code or 500, code, error.description or "")
        if error.code == 405:
            answer.headers.extend(
                (name, value) for name, value in error.get_headers() if name == "Allow"
            )
        return answer


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _say_no(asked: Request, status: int, code: str, message: str) -> Response:
    if asked.path.startswith((*MACHINE_PATHS, "/control/")):
        answer = jsonify(error=code, error_description=message)
    else:
        answer = Response(render_template("error.html", code=code, message=message, status=status))
    answer.status_code = status
    return answer
