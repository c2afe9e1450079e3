"""OpenID Connect relying party: the one door to Authlib, with our guards around it.

The walk: `discovery_url` → `parse_discovery` → `begin_sign_in` → `authorization_url`; the browser
comes back: `parse_callback` → `authorization_code` → `token_request` → `parse_token_response` →
`verify_id_token` → `userinfo_request` → `merge_userinfo` → `assertion`.
"""

from __future__ import annotations

from datetime import datetime
from typing import Literal
from urllib.parse import quote_plus

from authlib.common.urls import add_params_to_uri
from authlib.oauth2.auth import ClientAuth
from authlib.oauth2.rfc6749.parameters import prepare_grant_uri, prepare_token_request
from authlib.oauth2.rfc6750.parameters import add_to_headers
from authlib.oauth2.rfc7636 import create_s256_code_challenge
from authlib.oidc.core import CodeIDToken
from authlib.oidc.discovery import get_well_known_url
from joserfc.errors import JoseError

from keys import jwt
from keys.jwk import KeySet
from sso.bounds import text
from sso.callback import AuthorizationCode
from sso.connection import OidcConnection
from sso.discovery import Discovery, require_ready
from sso.errors import TokenInvalid
from sso.id_token import (
    LEEWAY,
    IdTokenClaims,
    check_audience,
    check_issuer,
    check_shape,
    check_sign_in,
    verified_claims,
)
from sso.request import HttpRequest
from sso.state import SignInState
from sso.token_response import TokenResponse

SCOPE = "openid profile email"
_JSON = {"Accept": "application/json"}


def discovery_url(issuer: str) -> str:
    """Where the issuer keeps its metadata (OpenID Connect Discovery 1.0 §4)."""
    return str(get_well_known_url(issuer, external=True))


def authorization_url(
    connection: OidcConnection,
    discovery: Discovery,
    sign_in: SignInState,
    *,
    sealed_state: str,
    redirect_uri: str,
    prompt: Literal["none", "login", "consent", "select_account"] | None = None,
    login_hint: str | None = None,
) -> str:
    """The Authentication Request: code flow with PKCE S256 (OpenID Connect Core 1.0 §3.1.2.1).

    `sealed_state` is `sign_in.to_bytes()`, sealed. A hint that can't be used is left out.
    """
    require_ready(connection, discovery)
    url = prepare_grant_uri(
        discovery.authorization_endpoint,
        connection.client_id,
        "code",
        redirect_uri=redirect_uri,
        scope=SCOPE,
        state=sealed_state,
        nonce=sign_in.nonce,
        code_challenge=create_s256_code_challenge(sign_in.code_verifier),
        code_challenge_method="S256",
        max_age=None if sign_in.max_age is None else str(sign_in.max_age),
        prompt=prompt,
        login_hint=text(login_hint),
    )
    return str(url)


def token_request(
    connection: OidcConnection,
    discovery: Discovery,
    sign_in: SignInState,
    *,
    code: AuthorizationCode,
    redirect_uri: str,
) -> HttpRequest:
    """Redeem the code (OpenID Connect Core 1.0 §3.1.3.1), as the client that we are there."""
    require_ready(connection, discovery)
    body = prepare_token_request(
        "authorization_code",
        redirect_uri=redirect_uri,
        code=code,
        code_verifier=sign_in.code_verifier,
    )
    client_id, secret = connection.client_id, connection.client_secret
    if discovery.client_auth == "client_secret_basic":
        # RFC 6749 §2.3.1 encodes both first; Authlib leaves that out, and can't send beyond latin-1.
        client_id, secret = quote_plus(client_id), quote_plus(secret)
    auth = ClientAuth(client_id, secret, discovery.client_auth)
    headers = _JSON | {"Content-Type": "application/x-www-form-urlencoded"}
    url, headers, body = auth.prepare("POST", discovery.token_endpoint, headers, body)
    return HttpRequest("POST", url, headers, body.encode())


def verify_id_token(
    tokens: TokenResponse,
    *,
    connection: OidcConnection,
    discovery: Discovery,
    jwks: KeySet,
    sign_in: SignInState,
    now: datetime,
) -> IdTokenClaims:
    """Verify the ID token (OpenID Connect Core 1.0 §3.1.3.7, §3.1.3.8). Raises TokenInvalid.

    KeyUnknown: fetch `jwks_uri` once more and try again, once.
    """
    require_ready(connection, discovery)
    claims = verified_claims(
        tokens.id_token,
        discovery=discovery,
        jwks=jwks,
        types=("jwt",),
        require=("exp", "iat"),
        now=now,
    )
    if "events" in claims:
        raise TokenInvalid("A security event is not an ID token.")
    check_shape(claims)
    check_issuer(claims, discovery.issuer)
    check_audience(claims, connection.client_id)
    check_sign_in(claims, sign_in, now)
    _validate(claims, tokens, connection, discovery, sign_in, now)
    return IdTokenClaims(claims)


def _validate(
    claims: jwt.VerifiedClaims,
    tokens: TokenResponse,
    connection: OidcConnection,
    discovery: Discovery,
    sign_in: SignInState,
    now: datetime,
) -> None:
    """Authlib's own reading of the claims; of these checks `at_hash` is its alone."""
    library = CodeIDToken(
        claims,
        jwt.unverified(tokens.id_token).header,
        options={
            "iss": {"essential": True, "value": discovery.issuer},
            "aud": {"essential": True, "value": connection.client_id},
        },
        params={
            "nonce": sign_in.nonce,
            "client_id": connection.client_id,
            "access_token": tokens.access_token,
            "max_age": sign_in.max_age,
        },
    )
    try:
        library.validate(now=int(now.timestamp()), leeway=int(LEEWAY.total_seconds()))
    except JoseError as error:
        raise TokenInvalid(
            f"The ID token is refused: {error.description or error.error}."
        ) from None


def userinfo_request(discovery: Discovery, tokens: TokenResponse) -> HttpRequest | None:
    """Ask for the claims that the ID token may lack (OpenID Connect Core 1.0 §5.3.1); None where
    the provider offers no such endpoint.
    """
    if discovery.userinfo_endpoint is None or tokens.access_token is None:
        return None
    headers = add_to_headers(tokens.access_token, dict(_JSON))
    return HttpRequest("GET", discovery.userinfo_endpoint, headers)


def logout_url(
    connection: OidcConnection,
    discovery: Discovery,
    *,
    id_token_hint: str | None,
    post_logout_redirect_uri: str | None,
) -> str | None:
    """Where to send the browser so that the provider's session ends too (RP-Initiated Logout 1.0
    §2); None where the provider offers no such endpoint. Works for a disabled connection also:
    leaving is always allowed. `post_logout_redirect_uri` only if it is registered there: a provider
    refuses the whole sign-out for an unknown one (§3).
    """
    if discovery.end_session_endpoint is None:
        return None
    optional = {
        "post_logout_redirect_uri": post_logout_redirect_uri,
        "id_token_hint": id_token_hint,
    }
    parameters = {"client_id": connection.client_id}
    parameters |= {name: value for name, value in optional.items() if value is not None}
    return str(add_params_to_uri(discovery.end_session_endpoint, parameters))
