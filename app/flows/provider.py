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

    return _document(deps, discovery_url(connection.issuer), parse)


def with_keys(deps: Deps, found: Discovery, verify: Callable[[KeySet], T]) -> T:
    """Verify with the provider's keys; an unknown one is looked for once more, freshly fetched."""
    try:
        return verify(_document(deps, found.jwks_uri, parse_provider_keys))
    except KeyUnknown:
        return verify(_document(deps, found.jwks_uri, parse_provider_keys, newer=True))


def send(deps: Deps, request: HttpRequest) -> Response:
    """Send a request of the sign-in; raises NeighbourFailed when no answer comes."""
    try:
        return deps.http.send(request)
    except HttpFailed as error:
        raise NeighbourFailed(f"The identity provider did not answer. {error.reason}") from error


def content_type(response: Response) -> str:
    """Return what the answer says it is."""
    return response.headers.get("Content-Type", "")


def _document(deps: Deps, url: str, parse: Callable[[bytes], T], *, newer: bool = False) -> T:
    try:
        try:
            return parse(documents.fetch(deps, url, newer=newer))
        except DiscoveryInvalid:
            # What is kept may be the page of a maintenance that is over by now.
            return parse(documents.fetch(deps, url, newer=True))
    except Unavailable as error:
        if error.wire_code != "fetch_failed":
            raise
        raise NeighbourFailed(
            f"The identity provider did not answer. {error.message}", retry_after=error.retry_after
        ) from error
