"""Sealing of secrets at rest and of values that pass through a browser.

The operator sets a list of secret strings: the first seals, all of them open, so that the list
rotates by putting a new one in front. Each purpose has its own derived keys (HKDF, RFC 5869), so
that a value sealed for one purpose can't be opened as another.
"""

from __future__ import annotations

import base64
import hmac
import re
from collections.abc import Sequence
from functools import lru_cache

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from keys.errors import SealBroken, WeakSecret

MIN_SECRET_LENGTH = 32
MIN_DISTINCT_CHARACTERS = 8
MAX_TOKEN_LENGTH = 1_000_000
_SHAPE = re.compile(r"[A-Za-z0-9_-]+={0,2}", re.ASCII)


class Seal:
    """Seals, opens and authenticates values under a list of secrets.

    `secret_keys`: strings of at least 32 characters, newest first. Raises WeakSecret.
    """

    def __init__(self, secret_keys: Sequence[str]) -> None:
        if isinstance(secret_keys, str) or not secret_keys:
            raise WeakSecret("Give at least one secret key.")
        for secret in secret_keys:
            _check_secret(secret)
        secrets = tuple(secret.encode() for secret in secret_keys)

        # Purposes are few; deriving costs microseconds, but launches use it several times each.
        @lru_cache(maxsize=256)
        def fernets(purpose: str) -> MultiFernet:
            derived = (_derive(secret, "seal", purpose) for secret in secrets)
            return MultiFernet([Fernet(base64.urlsafe_b64encode(key)) for key in derived])

        @lru_cache(maxsize=256)
        def mac_keys(purpose: str) -> tuple[bytes, ...]:
            return tuple(_derive(secret, "mac", purpose) for secret in secrets)

        self._fernets = fernets
        self._mac_keys = mac_keys

    def seal(self, purpose: str, data: bytes) -> str:
        """Encrypt and authenticate `data` under the first key; URL-safe text."""
        # A fixed time: we keep expiry inside the value, and a stored secret need not tell its age.
        return self._fernets(purpose).encrypt_at_time(data, 0).decode("ascii")

    def open(self, purpose: str, token: str) -> bytes:
        """Return what was sealed for `purpose`, under any of the keys. Raises SealBroken."""
        # The decoder below skips foreign characters, which would give one value many spellings.
        if len(token) > MAX_TOKEN_LENGTH or not _SHAPE.fullmatch(token):
            raise SealBroken("This value was not sealed by us.")
        try:
            return self._fernets(purpose).decrypt(token.encode("ascii"))
        except InvalidToken:
            raise SealBroken("This value was not sealed by us.") from None

    def rotate(self, purpose: str, token: str) -> str:
        """Seal again under the first key. Raises SealBroken."""
        return self.seal(purpose, self.open(purpose, token))

    def mac(self, purpose: str, data: bytes) -> str:
        """HMAC-SHA-256 of `data` under the first key, in hex."""
        return hmac.digest(self._mac_keys(purpose)[0], data, "sha256").hex()

    def mac_matches(self, purpose: str, data: bytes, mac: str) -> bool:
        """Whether `mac` is that of `data` under any of the keys, in constant time."""
        given = mac.encode(errors="replace")
        matches = [
            hmac.compare_digest(hmac.digest(key, data, "sha256").hex().encode(), given)
            for key in self._mac_keys(purpose)
        ]
        return any(matches)


def _check_secret(secret: str) -> None:
    if len(secret) < MIN_SECRET_LENGTH:
        raise WeakSecret(f"A secret key needs at least {MIN_SECRET_LENGTH} characters.")
    if len(set(secret)) < MIN_DISTINCT_CHARACTERS:
        raise WeakSecret("A secret key must be random, not one character repeated.")


def _derive(secret: bytes, use: str, purpose: str) -> bytes:
    if not purpose:
        raise ValueError("a purpose can't be empty")
    info = f"ostiary {use} {purpose}".encode()
    return HKDF(algorithm=SHA256(), length=32, salt=None, info=info).derive(secret)
