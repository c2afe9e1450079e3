"""OAuth 2.0: the token endpoint for provisioning clients (RFC 6749 §4.4), and what it is (RFC 8414).

Authlib's server leads through the grant. What it leaves open is decided here before it begins: parameters
count in the body alone and once, a client proves itself in one way only, and a header that can't be read
is a wrong one.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable
from typing import Any, ClassVar, Final, cast

from authlib.oauth2.rfc6749 import (
    AuthorizationServer,
    ClientMixin,
    InvalidClientError,
    InvalidRequestError,
    OAuth2Error,
    OAuth2Payload,
    OAuth2Request,
    UnsupportedGrantTypeError,
)
from authlib.oauth2.rfc6749.grants import ClientCredentialsGrant
from authlib.oauth2.rfc6750 import BearerTokenGenerator
from flask import Blueprint, Response, g, jsonify, request
from werkzeug.datastructures import MultiDict

from app.flows import clients, grant
from app.kernel.errors import Unauthenticated
from app.store.oauth_clients import OAuthClient
from app.web import here

blueprint = Blueprint("oauth", __name__)

ASSERTION: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
METHODS: Final = ["client_secret_basic", "client_secret_post", "private_key_jwt"]
CHALLENGE: Final = 'Basic realm="Ostiary"'
_LARGEST_BODY: Final = 128 * 1024
_PLAIN: Final = re.compile(r"[^\x20-\x21\x23-\x5b\x5d-\x7e]")
_ONLY: Final = "Send the grant_type client_credentials; no other is served."
_WHO: Final = "The client is unknown, switched off, or did not prove who it is."


@blueprint.post("/oauth/token")
def token() -> Response:
    """Give an access token to a client that proves who it is (RFC 6749 §4.4)."""
    request.max_content_length = _LARGEST_BODY
    return cast(Response, _SERVER.create_token_response(request.form))


@blueprint.get("/.well-known/oauth-authorization-server")
def metadata() -> Response:
    """Describe the token endpoint (RFC 8414 §2)."""
    deps = here.deps()
    return jsonify(
        issuer=deps.settings.base_url,
        token_endpoint=clients.token_url(deps),
        scopes_supported=list(grant.SCOPES["write"]),
        response_types_supported=[],
        grant_types_supported=[ClientCredentialsGrant.GRANT_TYPE],
        token_endpoint_auth_methods_supported=METHODS,
        token_endpoint_auth_signing_alg_values_supported=list(grant.ALGORITHMS),
    )


class _Payload(OAuth2Payload):  # type: ignore[misc]
    """The parameters of the body."""

    def __init__(self, form: MultiDict[str, str]) -> None:
        self._form = form

    @property
    def data(self) -> MultiDict[str, str]:
        return self._form


class _Request(OAuth2Request):  # type: ignore[misc]
    """A request as Authlib's server takes it."""

    def __init__(self, form: MultiDict[str, str]) -> None:
        # Whether plain http will do is the settings' to say, when the gateway boots.
        super().__init__(request.method, "https://here/oauth/token", headers=request.headers)
        self.payload = _Payload(form)
        self._form = form

    @property
    def form(self) -> MultiDict[str, str]:
        return self._form


class _Client(ClientMixin):  # type: ignore[misc]
    """One of our clients as Authlib's server asks about it; `proof` once it has signed for itself."""

    def __init__(self, of: OAuthClient) -> None:
        self.of = of
        self.proof: grant.Proof | None = None

    def check_client_secret(self, text: str) -> bool:
        return grant.secret_matches(self.of, text)

    def check_endpoint_auth_method(self, method: str, _endpoint: str) -> bool:
        return (method == "private_key_jwt") == (self.of.digest is None)

    def check_grant_type(self, name: str) -> bool:
        return name == str(ClientCredentialsGrant.GRANT_TYPE)

    def get_allowed_scope(self, scope: str | None) -> str | None:
        """Return what was asked for, or all that there is; None when it may not have that much."""
        most = grant.SCOPES[self.of.scope]
        wanted = dict.fromkeys((scope or "").split() or most)
        return " ".join(wanted) if set(wanted) <= set(most) else None


class _NotProvenError(InvalidClientError):  # type: ignore[misc]
    """The client's assertion does not hold, for a reason that its administrator can mend."""

    def __init__(self, error: Unauthenticated) -> None:
        # RFC 6749 §5.2 allows neither quotation marks nor backslashes, and ASCII alone.
        super().__init__(description=_PLAIN.sub("'", error.message))


class _Grant(ClientCredentialsGrant):  # type: ignore[misc]
    TOKEN_ENDPOINT_AUTH_METHODS: ClassVar[list[str]] = METHODS

    def validate_token_request(self) -> None:
        """Refuse what Authlib would put up with, then let it go on."""
        _check(self.request)
        super().validate_token_request()


class _Server(AuthorizationServer):  # type: ignore[misc]
    """Authlib's server on our rows, which it reaches through `app/flows/grant.py` alone."""

    def create_oauth2_request(self, form: MultiDict[str, str]) -> _Request:
        return _Request(form)

    def query_client(self, client_id: str) -> _Client | None:
        found = grant.find(here.deps(), client_id, request.remote_addr)
        if found is None:
            return None
        here.note(tenant=found.tenant_id, oauth_client=found.id)
        g.oauth_client = found
        return _Client(found)

    def save_token(self, made: Any, asked: Any) -> None:
        """It was stored when it was made."""

    def handle_response(self, status: int, body: Any, _headers: Any) -> Response:
        response = jsonify(body)
        response.status_code = status
        response.headers["Pragma"] = "no-cache"
        return response

    def handle_error_response(self, _request: Any, error: OAuth2Error) -> Response:
        """Say what is wrong (RFC 6749 §5.2)."""
        here.note(error=error.error)
        if isinstance(error, UnsupportedGrantTypeError):
            wrong = error.error if request.form.get("grant_type") else InvalidRequestError.error
            return self.handle_response(400, {"error": wrong, "error_description": _ONLY}, None)
        if not isinstance(error, InvalidClientError):
            return self.handle_response(400, dict(error.get_body()), None)
        if "oauth_client" in g:
            grant.failed(here.deps(), g.oauth_client, request.remote_addr)
        said = error.description if isinstance(error, _NotProvenError) else _WHO
        body = {"error": error.error, "error_description": said}
        response = self.handle_response(401, body, None)
        response.headers["WWW-Authenticate"] = CHALLENGE
        return response

    def send_signal(self, name: str, *_: Any, **__: Any) -> None:
        """Nobody listens."""


def _check(asked: _Request) -> None:
    """Check what the standard wants of a request and Authlib does not (RFC 6749 §2.3, §3.2)."""
    if any(len(values) > 1 for values in asked.form.listvalues()):
        raise InvalidRequestError("A parameter was sent more than once.")
    header = request.headers.get("Authorization", "")
    if header and not _readable(header):
        raise InvalidClientError
    ways = [bool(header), "client_secret" in asked.form, "client_assertion" in asked.form]
    if sum(ways) > 1:
        raise InvalidRequestError("The client must prove who it is in one way only.")


def _readable(header: str) -> bool:
    """Whether a header is Basic authentication in UTF-8 (RFC 7617 §2)."""
    scheme, _, encoded = header.partition(" ")
    try:
        text = base64.b64decode(encoded.strip(), validate=True).decode()
    except ValueError:
        return False
    return scheme.lower() == "basic" and ":" in text


def _signs(find: Callable[[str], _Client | None], asked: _Request) -> _Client | None:
    """Know a client by what it signs: private_key_jwt (RFC 7523 §2.2, §3)."""
    form = asked.form
    if form.get("client_assertion_type") != ASSERTION or "client_assertion" not in form:
        return None
    claimed = grant.claimed_by(form["client_assertion"])
    client = find(claimed) if form.get("client_id", claimed) == claimed else None
    if client is None:
        return None
    try:
        client.proof = grant.verified(here.deps(), client.of, form["client_assertion"])
    except Unauthenticated as error:
        raise _NotProvenError(error) from error
    return client


def _give(client: _Client, scope: str, **_: Any) -> str:
    may = "write" if "scim.write" in scope.split() else "read"
    try:
        return grant.issue(here.deps(), client.of, may, client.proof)
    except Unauthenticated as error:
        raise _NotProvenError(error) from error


def _seconds(*_: Any) -> int:
    return int(grant.LIFE.total_seconds())


_SERVER: Final = _Server()
_SERVER.register_grant(_Grant)
_SERVER.register_client_auth_method("private_key_jwt", _signs)
_SERVER.register_token_generator("default", BearerTokenGenerator(_give, None, _seconds))
