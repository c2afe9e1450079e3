"""JSON Web Tokens: signing and verification (RFC 7515, RFC 7519, RFC 8725)."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NewType

from joserfc import jws
from joserfc.errors import ExceededSizeError, JoseError
from joserfc.jws import CompactSignature, JWSRegistry
from joserfc.util import urlsafe_b64decode

from keys import errors
from keys.jwk import Key, KeySet, SigningKey
from keys.strict_json import StrictJsonError, parse_object

MAX_HEADER_LENGTH = 8_000
MAX_PAYLOAD_LENGTH = 64_000
MAX_SIGNATURE_LENGTH = 1_400
MAX_TOKEN_LENGTH = MAX_HEADER_LENGTH + MAX_PAYLOAD_LENGTH + MAX_SIGNATURE_LENGTH + 2
MAX_KEYS_TRIED = 10
ALGORITHMS = frozenset({"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384"})

VerifiedClaims = NewType("VerifiedClaims", dict[str, object])
"""Claims of a token whose signature and times hold."""


class _Registry(JWSRegistry):
    max_header_length = MAX_HEADER_LENGTH
    max_payload_length = MAX_PAYLOAD_LENGTH
    max_signature_length = MAX_SIGNATURE_LENGTH


# Unknown header members are ignored, as RFC 7515 §4 wants it.
_SIGNING = _Registry(algorithms=["RS256"], strict_check_header=False)
_VERIFYING = _Registry(algorithms=sorted(ALGORITHMS), strict_check_header=False)


@dataclass(frozen=True, slots=True)
class Unverified:
    """A token's content that nobody vouches for. Use it to choose keys, and for nothing else."""

    header: dict[str, object]
    claims: dict[str, object]


def sign(
    claims: Mapping[str, object], key: SigningKey, header: Mapping[str, str] | None = None
) -> str:
    """Sign `claims` with RS256; the header names our kid, `header` adds to it (`typ`)."""
    protected = {"typ": "JWT", **(header or {}), "alg": "RS256", "kid": key.kid}
    payload = json.dumps(claims, separators=(",", ":"), allow_nan=False)
    return jws.serialize_compact(protected, payload, key.key, registry=_SIGNING)


def unverified(token: str) -> Unverified:
    """Read a token without verifying it. Raises TokenMalformed, TokenTooLarge."""
    signature = _extract(token)
    return Unverified(_header(signature), _claims(signature))


def verify(
    token: str,
    keys: KeySet,
    *,
    algorithms: Collection[str],
    now: datetime,
    leeway: timedelta,
    require: Collection[str] = ("exp", "iat"),
    max_age: timedelta | None = None,
    kid_required: bool = True,
) -> VerifiedClaims:
    """Verify signature and times, and return the claims.

    The algorithm must be in `algorithms` (asymmetric ones only); the key comes from `keys` alone:
    the header's jku, jwk, x5u and x5c are never looked at, and `crit` is refused (RFC 7515
    §4.1.11). `exp`, `nbf` and `iat` are checked where present, those in `require` must be;
    `max_age` bounds the age of `iat`. Raises a TokenRefused; UnknownKid means that the key set
    may be out of date.
    """
    signature = _extract(token)
    header = _header(signature)
    algorithm = header["alg"]
    if algorithm not in ALGORITHMS.intersection(algorithms):
        raise errors.AlgorithmRefused("The token is signed with an algorithm that we don't accept.")
    candidates = _candidates(header, keys, kid_required=kid_required)
    if not any(_verifies(signature, key) for key in candidates):
        raise errors.BadSignature("The token's signature does not match the key.")
    claims = _claims(signature)
    check_times(claims, now=now, leeway=leeway, require=require, max_age=max_age)
    return VerifiedClaims(claims)


def check_times(
    claims: Mapping[str, object],
    *,
    now: datetime,
    leeway: timedelta,
    require: Collection[str] = ("exp", "iat"),
    max_age: timedelta | None = None,
) -> None:
    """Check `exp`, `nbf`, `iat` (RFC 7519 §4.1.4-6): seconds since 1970, `leeway` either way."""
    times = {name: _time(claims, name) for name in ("exp", "nbf", "iat")}
    for name in require:
        if times.get(name) is None:
            raise errors.MissingTime(f"The token has no {name}.")
    at, slack = now.timestamp(), leeway.total_seconds()
    if times["exp"] is not None and at >= times["exp"] + slack:
        raise errors.TokenExpired("The token has expired.")
    for name in ("nbf", "iat"):
        begins = times[name]
        if begins is not None and begins > at + slack:
            raise errors.TokenNotYetValid(f"The token's {name} lies in the future.")
    issued = times["iat"]
    oldest = at - slack - max_age.total_seconds() if max_age is not None else None
    if oldest is not None and issued is not None and issued < oldest:
        raise errors.TokenTooOld("The token was issued too long ago.")


def _extract(token: str) -> CompactSignature:
    if len(token) > MAX_TOKEN_LENGTH:
        raise errors.TokenTooLarge("The token is too large.")
    try:
        return jws.extract_compact(token.encode("ascii"), None, _VERIFYING)
    except ExceededSizeError:
        raise errors.TokenTooLarge("The token is too large.") from None
    except (JoseError, ValueError, TypeError, RecursionError) as error:
        raise errors.TokenMalformed("The token is not a signed JWT.") from error


def _header(signature: CompactSignature) -> dict[str, object]:
    # Read again, strictly: duplicate names could show another algorithm to another reader.
    try:
        header = parse_object(urlsafe_b64decode(signature.segments["header"]))
    except (StrictJsonError, ValueError) as error:
        raise errors.TokenMalformed("The token's header is not a JSON object.") from error
    if "crit" in header or "b64" in header:
        raise errors.TokenMalformed("The token's header asks for an extension that we don't know.")
    if not isinstance(header.get("alg"), str) or not isinstance(header.get("kid", ""), str):
        raise errors.TokenMalformed("The token's header has members of the wrong type.")
    return header


def _claims(signature: CompactSignature) -> dict[str, object]:
    try:
        return parse_object(signature.payload)
    except StrictJsonError as error:
        raise errors.TokenMalformed(f"The token's claims are refused: {error}.") from error


def _candidates(header: dict[str, object], keys: KeySet, *, kid_required: bool) -> tuple[Key, ...]:
    kid = header.get("kid")
    if isinstance(kid, str) and kid:
        if not (named := keys.named(kid)):
            raise errors.UnknownKid("The key set holds no key of the token's kid.")
        return named[:MAX_KEYS_TRIED]
    if kid_required:
        raise errors.MissingKid("The token does not say which key signed it.")
    return keys.keys[:MAX_KEYS_TRIED]


def _verifies(signature: CompactSignature, key: Key) -> bool:
    try:
        key.check_alg(signature.headers()["alg"])
        return jws.validate_compact(signature, key, registry=_VERIFYING)
    except (JoseError, ValueError, TypeError):
        return False


def _time(claims: Mapping[str, object], name: str) -> float | None:
    value = claims.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise errors.TokenMalformed(f"The token's {name} is not a number.")
    return float(value)
