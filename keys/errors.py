"""What can go wrong with keys and tokens.

KeysError
├── WeakSecret           a secret key list that we refuse to start with
├── SealBroken           a sealed value that is not ours, or not for this purpose
├── BadKey               a PEM, JWK or JWKS document that we can't use
├── NoSigningKey         a ring in which nothing signs now
├── RotationPending      a ring whose last rotation has not ended
└── TokenRefused         a JWT that we don't take
    ├── TokenMalformed · TokenTooLarge · AlgorithmRefused
    ├── MissingKid · UnknownKid (refetch the key set once) · BadSignature
    └── MissingTime · TokenExpired · TokenTooOld · TokenNotYetValid
"""

from __future__ import annotations

from typing import ClassVar


class KeysError(Exception):
    """Base of this package; `code` is stable, `message` is for a human."""

    code: ClassVar[str] = "keys_error"

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class WeakSecret(KeysError):
    code = "weak_secret"


class SealBroken(KeysError):
    code = "seal_broken"


class BadKey(KeysError):
    code = "bad_key"


class NoSigningKey(KeysError):
    code = "no_signing_key"


class RotationPending(KeysError):
    code = "rotation_pending"


class TokenRefused(KeysError):
    code = "token_refused"


class TokenMalformed(TokenRefused):
    code = "token_malformed"


class TokenTooLarge(TokenRefused):
    code = "token_too_large"


class AlgorithmRefused(TokenRefused):
    code = "algorithm_refused"


class MissingKid(TokenRefused):
    code = "missing_kid"


class UnknownKid(TokenRefused):
    code = "unknown_kid"


class BadSignature(TokenRefused):
    code = "bad_signature"


class MissingTime(TokenRefused):
    code = "missing_time"


class TokenExpired(TokenRefused):
    code = "token_expired"


class TokenTooOld(TokenRefused):
    code = "token_too_old"


class TokenNotYetValid(TokenRefused):
    code = "token_not_yet_valid"
