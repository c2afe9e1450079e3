"""OpenID Provider metadata (OpenID Connect Discovery 1.0 §3, RFC 8414 §2, RFC 9207 §3)."""

from __future__ import annotations

from dataclasses import dataclass

from keys import jwk
from keys.errors import BadKey
from sso.bounds import endpoint, json_object, strings
from sso.connection import OidcConnection
from sso.errors import ConnectionInvalid, DiscoveryInvalid, IssuerMismatch

MAX_METADATA_BYTES = 256_000
ALGORITHMS = ("RS256", "PS256", "ES256")
CLIENT_AUTH_METHODS = ("client_secret_basic", "client_secret_post")
_MAX_LIST = 100


@dataclass(frozen=True, slots=True)
class Discovery:
    """What we use of a provider's metadata, all of it checked.

    `algorithms` are those that both sides take for ID tokens, `client_auth` the method that we
    use at the token endpoint, `iss_parameter` whether each callback must name its issuer.
    """

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    userinfo_endpoint: str | None
    end_session_endpoint: str | None
    algorithms: tuple[str, ...]
    client_auth: str
    iss_parameter: bool


def parse_discovery(body: bytes, *, issuer: str, allow_http_loopback: bool = False) -> Discovery:
    """Read the document found at the issuer's /.well-known/openid-configuration.

    Raises IssuerMismatch when it speaks for another issuer (Discovery §4.3), DiscoveryInvalid
    when it lacks or forbids something that we need.
    """
    metadata = json_object(
        body,
        limit=MAX_METADATA_BYTES,
        what="The provider's metadata",
        refusal=DiscoveryInvalid,
    )
    if metadata.get("issuer") != issuer:
        raise IssuerMismatch(
            "The provider's metadata names another issuer than this connection. Compare the two,"
            " trailing slash included; a shared address (such as Entra ID's /common) can't be used."
        )
    _require_code_flow(metadata)

    def url(name: str, *, required: bool) -> str | None:
        found = endpoint(metadata.get(name), allow_http_loopback=allow_http_loopback)
        if found is None and (required or metadata.get(name) is not None):
            raise DiscoveryInvalid(f"The provider's {name} is not a usable https URL.")
        return found

    return Discovery(
        issuer=issuer,
        authorization_endpoint=url("authorization_endpoint", required=True) or "",
        token_endpoint=url("token_endpoint", required=True) or "",
        jwks_uri=url("jwks_uri", required=True) or "",
        userinfo_endpoint=url("userinfo_endpoint", required=False),
        end_session_endpoint=url("end_session_endpoint", required=False),
        algorithms=_algorithms(metadata),
        client_auth=_client_auth(metadata),
        iss_parameter=metadata.get("authorization_response_iss_parameter_supported") is True,
    )


def require_ready(connection: OidcConnection, discovery: Discovery) -> None:
    """Each step of a sign-in begins with this: a connection that is switched off takes part in
    nothing, and metadata kept from before its issuer was changed is not used.
    """
    if not connection.enabled:
        raise ConnectionInvalid("This way of signing in is switched off.")
    if discovery.issuer != connection.issuer:
        raise IssuerMismatch("The metadata at hand is another issuer's.")


def _require_code_flow(metadata: dict[str, object]) -> None:
    if "code" not in strings(metadata.get("response_types_supported"), count=_MAX_LIST):
        raise DiscoveryInvalid("The provider does not offer the authorization code flow.")
    methods = metadata.get("code_challenge_methods_supported")
    # Absent says nothing: well-known providers do PKCE without announcing it.
    if methods is not None and "S256" not in strings(methods, count=_MAX_LIST):
        raise DiscoveryInvalid("The provider does not offer PKCE with S256.")


def _algorithms(metadata: dict[str, object]) -> tuple[str, ...]:
    """Ours, as far as the provider has them: what it lists never widens what we take."""
    offered = strings(metadata.get("id_token_signing_alg_values_supported"), count=_MAX_LIST)
    shared = tuple(name for name in ALGORITHMS if name in offered)
    if not shared:
        raise DiscoveryInvalid(
            f"The provider signs ID tokens with none of {', '.join(ALGORITHMS)}."
        )
    return shared


def _client_auth(metadata: dict[str, object]) -> str:
    offered = metadata.get("token_endpoint_auth_methods_supported")
    if offered is None:
        return "client_secret_basic"  # the default of OpenID Connect Discovery 1.0 §3
    for method in CLIENT_AUTH_METHODS:
        if method in strings(offered, count=_MAX_LIST):
            return method
    raise DiscoveryInvalid(
        f"The provider's token endpoint takes none of {', '.join(CLIENT_AUTH_METHODS)}."
    )


def parse_provider_keys(body: bytes) -> jwk.KeySet:
    """Read what `jwks_uri` answered (RFC 7517 §5). Raises DiscoveryInvalid."""
    try:
        return jwk.parse_jwks(body)
    except BadKey as error:
        raise DiscoveryInvalid(f"The provider's keys can't be used: {error.message}") from None
