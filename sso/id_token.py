"""The guards around ID tokens: what OpenID Connect Core 1.0 §3.1.3.7 asks for and the library
behind `sso.oidc` leaves to its caller.
"""

from __future__ import annotations

import hmac
from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from typing import NewType

from keys import errors as keys_errors
from keys import jwt
from keys.jwk import KeySet
from sso.bounds import text
from sso.discovery import Discovery
from sso.errors import (
    AlgorithmRefused,
    AudienceMismatch,
    KeyUnknown,
    NonceMismatch,
    SignatureInvalid,
    TokenExpired,
    TokenInvalid,
)
from sso.state import SignInState

LEEWAY = timedelta(seconds=30)

IdTokenClaims = NewType("IdTokenClaims", dict[str, object])
"""Claims of an ID token that answers our sign-in, every check passed."""


def verified_claims(
    token: str,
    *,
    discovery: Discovery,
    jwks: KeySet,
    types: Collection[str],
    require: Collection[str],
    now: datetime,
    max_age: timedelta | None = None,
) -> jwt.VerifiedClaims:
    """Signature, algorithm, `typ` (RFC 8725 §3.11; absent is allowed) and times.

    Raises TokenInvalid; KeyUnknown when fresher keys may help. A token without a kid is taken
    only while the provider has a single key (OpenID Connect Core 1.0 §10.1).
    """
    single = len(jwks.keys) == 1
    try:
        header = jwt.unverified(token).header
        claims = jwt.verify(
            token,
            jwks,
            algorithms=discovery.algorithms,
            now=now,
            leeway=LEEWAY,
            require=require,
            max_age=max_age,
            kid_required=not single,
        )
    except keys_errors.TokenRefused as error:
        raise _translated(error) from None
    typ = header.get("typ")
    if typ is not None and (not isinstance(typ, str) or typ.lower() not in types):
        raise TokenInvalid("The token is of another type than expected here.")
    return claims


def _translated(error: keys_errors.TokenRefused) -> TokenInvalid:
    match error:
        case keys_errors.AlgorithmRefused():
            return AlgorithmRefused(error.message)
        case keys_errors.UnknownKid():
            return KeyUnknown(error.message)
        case keys_errors.BadSignature():
            return SignatureInvalid(error.message)
        case keys_errors.TokenExpired() | keys_errors.TokenTooOld():
            return TokenExpired(error.message)
        case _:
            return TokenInvalid(error.message)


def check_shape(claims: Mapping[str, object]) -> None:
    """The types that the checks after this one rely on."""
    if text(claims.get("sub")) is None:
        raise TokenInvalid("The token's sub is missing, empty or unusable.")
    for name in ("azp", "nonce", "at_hash", "sid", "acr"):
        if name in claims and text(claims[name]) is None:
            raise TokenInvalid(f"The token's {name} is not a usable text.")
    auth_time = claims.get("auth_time", 0)
    if isinstance(auth_time, bool) or not isinstance(auth_time, int | float):
        raise TokenInvalid("The token's auth_time is not a number.")


def check_issuer(claims: Mapping[str, object], issuer: str) -> None:
    if claims.get("iss") != issuer:
        raise TokenInvalid("The token comes from another issuer.")


def check_audience(claims: Mapping[str, object], client_id: str) -> None:
    """We must be in `aud`, whatever `azp` says; among several, `azp` must be us too."""
    aud = claims.get("aud")
    audience = [aud] if isinstance(aud, str) else aud
    if not isinstance(audience, list) or client_id not in audience:
        raise AudienceMismatch("The token was not issued to us.")
    if not all(isinstance(item, str) for item in audience):
        raise AudienceMismatch("The token's audience is not a list of texts.")
    azp = claims.get("azp")
    if (len(audience) > 1 or azp is not None) and azp != client_id:
        raise AudienceMismatch("The token was issued for another party's use.")


def check_sign_in(claims: Mapping[str, object], sign_in: SignInState, now: datetime) -> None:
    """The token answers this very sign-in: its nonce, not issued before it, a fresh enough
    authentication if one was asked for (OpenID Connect Core 1.0 §3.1.3.7, points 10, 11, 13).
    """
    nonce = claims.get("nonce")
    if not isinstance(nonce, str) or not hmac.compare_digest(
        nonce.encode(errors="replace"), sign_in.nonce.encode()
    ):
        raise NonceMismatch("The token answers another sign-in.")
    if _seconds(claims, "iat") < (sign_in.issued_at - LEEWAY).timestamp():
        raise TokenExpired("The token was issued before the sign-in began, or the clocks differ.")
    auth_time = claims.get("auth_time")
    if auth_time is not None and _seconds(claims, "auth_time") > (now + LEEWAY).timestamp():
        raise TokenInvalid("The token's auth_time lies in the future.")
    if sign_in.max_age is None:
        return
    if auth_time is None:
        raise TokenInvalid("The token does not say when the person authenticated.")
    oldest = now - LEEWAY - timedelta(seconds=sign_in.max_age)
    if _seconds(claims, "auth_time") < oldest.timestamp():
        raise TokenExpired("The authentication is older than we asked for.")


def _seconds(claims: Mapping[str, object], name: str) -> float:
    value = claims.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TokenInvalid(f"The token's {name} is not a number.")
    return float(value)
