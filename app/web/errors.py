"""The one place where an error becomes a response, in the words of the protocol that asked.

/scim  application/scim+json (RFC 7644 §3.12)    /lti, /sso  a page with a code and a way out
/api, /xapi  application/problem+json (RFC 9457)  /oauth      JSON with an OAuth code (RFC 6749 §5.2)
/ssf   JSON with a code of RFC 8935 §2.4, where it has one, else as /api    elsewhere  a page
"""

from __future__ import annotations

import http
from dataclasses import dataclass

import structlog
from flask import Flask, Response, jsonify, make_response, render_template, request
from werkzeug.exceptions import HTTPException

from app.kernel.errors import UNEXPECTED, OstiaryError
from app.web import here
from lti.errors import LtiError
from scim.errors import ScimError, error_document
from sso.errors import SignInRefused

_OAUTH = ("/oauth", "/.well-known/oauth-")
_OF_TOKENS = ("invalid_token", "insufficient_scope")
"""Codes of RFC 6750 §3.1 for a bearer token that came and is not enough."""

_OF_THE_RECEIVER = range(400, 429)
"""What RFC 8935 §2.4 has words for; that it is to wait, or our trouble, is told otherwise."""

_HTML_FREE = ("/api", "/xapi", "/healthz", "/readyz", "/metrics", "/lti/jwks")


@dataclass(frozen=True, slots=True)
class Fault:
    """An error as told to the caller."""

    status: int
    code: str
    message: str
    retry_after: int | None = None
    scim_type: str | None = None


def install(app: Flask) -> None:
    """Register the handlers, routing faults (404, 405, 413) included."""
    app.register_error_handler(OstiaryError, lambda error: render(
        Fault(error.status, error.wire_code, error.message, error.retry_after)))  # fmt: skip
    app.register_error_handler(ScimError, lambda error: render(
        Fault(error.status, error.scim_type or "scim", error.message, scim_type=error.scim_type)))  # fmt: skip
    app.register_error_handler(
        LtiError, lambda error: render(Fault(403, error.code, error.message))
    )
    app.register_error_handler(
        SignInRefused, lambda error: render(Fault(403, error.code, error.message))
    )
    app.register_error_handler(HTTPException, _http)
    app.register_error_handler(Exception, _unexpected)


def render(fault: Fault) -> Response:
    """Answer with a fault in the dialect of the path that was asked."""
    here.note(error=fault.code)
    if request.path.startswith("/scim"):
        response = _scim(fault)
    elif request.path.startswith(_OAUTH):
        response = _oauth(fault)
    elif request.path.startswith("/ssf"):
        response = _of_events(fault)
    elif request.path.startswith(_HTML_FREE):
        response = _problem(fault)
    else:
        response = make_response(
            render_template("error.html", fault=fault, request_id=here.request_id())
        )
    response.status_code = fault.status
    if fault.retry_after is not None:
        response.headers["Retry-After"] = str(fault.retry_after)
    if fault.status == http.HTTPStatus.UNAUTHORIZED or fault.code in _OF_TOKENS:
        response.headers.setdefault("WWW-Authenticate", _challenge(fault))
    return response


def _challenge(fault: Fault) -> str:
    """Say how to come in; without an error where no token came (RFC 6750 §3)."""
    if request.path.startswith("/xapi"):
        return 'Basic realm="Ostiary"'
    said = f', error="{fault.code}"' if fault.code in _OF_TOKENS else ""
    return f'Bearer realm="Ostiary"{said}'


def _oauth(fault: Fault) -> Response:
    """An error beside those of the standard's own list is put into the nearest of its words."""
    codes = {429: "temporarily_unavailable", 503: "temporarily_unavailable", 500: "server_error"}
    code = codes.get(fault.status, "invalid_request")
    return jsonify(error=code, error_description=fault.message)


def _of_events(fault: Fault) -> Response:
    if fault.status not in _OF_THE_RECEIVER:
        return _problem(fault)
    code = {401: "authentication_failed", 403: "access_denied"}.get(fault.status, "invalid_request")
    return jsonify(err=code, description=fault.message)


def _scim(fault: Fault) -> Response:
    response = jsonify(error_document(fault.status, fault.message, fault.scim_type))
    response.content_type = "application/scim+json"
    return response


def _problem(fault: Fault) -> Response:
    title = http.HTTPStatus(fault.status).phrase
    response = jsonify(
        type="about:blank", title=title, status=fault.status, detail=fault.message,
        code=fault.code, requestId=here.request_id(),
    )  # fmt: skip
    response.content_type = "application/problem+json"
    return response


def _http(error: HTTPException) -> Response:
    status = error.code or 500
    sentences = {
        404: "There is nothing at this address.",
        405: "This address does not take that kind of request.",
        413: "The request is larger than we accept.",
    }
    message = sentences.get(status, error.description or "The request can't be answered.")
    response = render(
        Fault(status, http.HTTPStatus(status).phrase.lower().replace(" ", "_"), message)
    )
    for name, value in error.get_headers():
        if name == "Allow":
            response.headers[name] = value
    return response


def _unexpected(error: Exception) -> Response:
    structlog.get_logger("ostiary.web").error(
        "unexpected", request_id=here.request_id(), exc_info=error
    )
    return render(Fault(500, "internal_error", UNEXPECTED))
