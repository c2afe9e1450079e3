"""Speaking with an OpenID provider: its documents, and the requests of a sign-in.

Whatever fails there is a refusal for the person before us, not a failure of ours.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from app.deps import Deps
from app.flows import documents
from app.http import HttpFailed, Response
from app.kernel.errors import NeighbourFailed, Unavailable
from keys.jwk import KeySet
from keys.strict_json import StrictJsonError, parse_object
from sso.connection import OidcConnection
from sso.discovery import Discovery, parse_discovery, parse_provider_keys
from sso.errors import DiscoveryInvalid, KeyUnknown
from sso.oidc import discovery_url
from sso.request import HttpRequest

T = TypeVar("T")


def discovery(deps: Deps, connection: OidcConnection) -> Discovery:
    """Return the provider's metadata; raises NeighbourFailed or sso's DiscoveryInvalid."""
    allow = deps.settings.insecure_neighbours

    def parse(body: bytes) -> Discovery:
        return parse_discovery(body, issuer=connection.issuer, allow_http_loopback=allow)

    return _document(deps, discovery_url(connection.issuer), parse, _is_json)


def with_keys(deps: Deps, found: Discovery, verify: Callable[[KeySet], T]) -> T:
    """Verify with the provider's keys; an unknown one is looked for once more, freshly fetched."""

    def keys(*, newer: bool) -> KeySet:
        return _document(deps, found.jwks_uri, parse_provider_keys, _is_key_set, newer=newer)

    try:
        return verify(keys(newer=False))
    except KeyUnknown:
        return verify(keys(newer=True))


def send(deps: Deps, request: HttpRequest) -> Response:
    """Send a request of the sign-in; raises NeighbourFailed when no answer comes."""
    try:
        return deps.http.send(request)
    except HttpFailed as error:
        raise NeighbourFailed(
            f"Your identity provider did not answer; try again in a moment. {error.reason}",
            code="provider_unavailable",
        ) from error


def content_type(response: Response) -> str:
    """Return what the answer says it is."""
    return response.headers.get("Content-Type", "")


def _document(
    deps: Deps, url: str, parse: Callable[[bytes], T], readable: Callable[[bytes], bool],
    *, newer: bool = False,
) -> T:  # fmt: skip
    try:
        try:
            return parse(documents.fetch(deps, url, newer=newer, readable=readable))
        except DiscoveryInvalid:
            # What is kept may have been mended there since.
            return parse(documents.fetch(deps, url, newer=True, readable=readable))
    except Unavailable as error:
        if error.wire_code != "fetch_failed":
            raise
        raise NeighbourFailed(
            f"Your identity provider can't be asked just now; try again in a moment. {error.message}",
            code="provider_unavailable",
            retry_after=error.retry_after,
        ) from error


def _is_json(body: bytes) -> bool:
    try:
        parse_object(body)
    except StrictJsonError:
        return False
    return True


def _is_key_set(body: bytes) -> bool:
    try:
        parse_provider_keys(body)
    except DiscoveryInvalid:
        return False
    return True
