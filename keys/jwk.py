"""RSA signing keys and JSON Web Keys (RFC 7517, RFC 7638)."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import lru_cache

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from joserfc import jwk as jose
from joserfc.util import base64_to_int

from keys.errors import BadKey
from keys.strict_json import StrictJsonError, parse_object

RSA_BITS = 2048
MAX_RSA_BITS = 8192
MAX_JWKS_BYTES = 256_000
MAX_JWKS_KEYS = 100
MAX_HELD_KEYS = 256

Key = jose.RSAKey | jose.ECKey


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A private RSA key; `kid` is its RFC 7638 thumbprint (SHA-256, base64url)."""

    kid: str
    key: jose.RSAKey = field(repr=False, compare=False)

    def pem(self) -> bytes:
        """The private key as unencrypted PKCS #8 PEM: seal it before it is stored."""
        return self.key.as_pem(private=True)

    def public_jwk(self) -> dict[str, str]:
        """The public half, for publishing (RFC 7517 §4)."""
        public = self.key.as_dict(private=False)
        return {
            "kty": "RSA",
            "use": "sig",
            "alg": "RS256",
            "kid": self.kid,
            "n": str(public["n"]),
            "e": str(public["e"]),
        }


def generate() -> SigningKey:
    """Make a new RSA 2048 key. Takes some 100 ms of CPU."""
    return _signing_key(jose.RSAKey.generate_key(RSA_BITS))


def from_pem(pem: bytes) -> SigningKey:
    """Read an unencrypted RSA private key of 2048 bits or more. Raises BadKey."""
    try:
        key = load_pem_private_key(pem, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise BadKey("This is not an unencrypted private key in PEM.") from error
    if not isinstance(key, RSAPrivateKey):
        raise BadKey("This is not an RSA key.")
    if not RSA_BITS <= key.key_size <= MAX_RSA_BITS:
        raise BadKey(f"An RSA key needs at least {RSA_BITS} bits.")
    return _signing_key(jose.RSAKey.import_key(key))


def _signing_key(key: jose.RSAKey) -> SigningKey:
    return SigningKey(kid=key.thumbprint(), key=key)


_held: OrderedDict[str, SigningKey] = OrderedDict()
_held_lock = threading.Lock()


def held(kid: str, open_pem: Callable[[], bytes]) -> SigningKey:
    """Return the key named `kid`, calling `open_pem` only the first time.

    Parsing a PEM costs a hundred times a signature, so the key object is held in this process.
    A kid names its content, hence a held key is never stale. Raises BadKey if the PEM is another
    key than `kid` says.
    """
    with _held_lock:
        if (key := _held.get(kid)) is not None:
            _held.move_to_end(kid)
            return key
    key = from_pem(open_pem())
    if key.kid != kid:
        raise BadKey("The stored key does not match its kid.")
    with _held_lock:
        _held[kid] = key
        while len(_held) > MAX_HELD_KEYS:
            _held.popitem(last=False)
    return key


def jwks(public_keys: Iterable[dict[str, str]]) -> dict[str, list[dict[str, str]]]:
    """The JWK Set document of these public JWKs (RFC 7517 §5)."""
    return {"keys": list(public_keys)}


@dataclass(frozen=True, slots=True)
class KeySet:
    """Public keys of another party that may verify signatures."""

    keys: tuple[Key, ...] = field(repr=False)

    def named(self, kid: str) -> tuple[Key, ...]:
        return tuple(key for key in self.keys if key.kid == kid)


@lru_cache(maxsize=512)
def parse_jwks(document: bytes) -> KeySet:
    """Read a JWK Set (RFC 7517 §5), remembering the result by the document's text.

    Keys of unknown type or use, and too weak ones, are left out, as §5 advises.
    Raises BadKey when the document is no JWK Set, or is larger than we take.
    """
    if len(document) > MAX_JWKS_BYTES:
        raise BadKey("The key set is too large.")
    try:
        entries = parse_object(document).get("keys")
    except StrictJsonError as error:
        raise BadKey("The key set is not JSON.") from error
    if not isinstance(entries, list) or len(entries) > MAX_JWKS_KEYS:
        raise BadKey("The document holds no list of keys, or too many.")
    return KeySet(tuple(key for entry in entries if (key := _public_key(entry)) is not None))


def _public_key(entry: object) -> Key | None:
    if not isinstance(entry, dict) or entry.get("kty") not in ("RSA", "EC"):
        return None
    if entry.get("use", "sig") != "sig" or not isinstance(entry.get("kid", ""), str):
        return None
    # Only public members are read, so that a set that leaks private halves changes nothing.
    names = ("kty", "use", "key_ops", "alg", "kid", "n", "e", "crv", "x", "y")
    public = {name: entry[name] for name in names if name in entry}
    try:
        if entry["kty"] == "EC":
            key: Key = jose.ECKey.import_key(public)
        elif _sane_rsa(public):
            key = jose.RSAKey.import_key(public)
        else:
            return None
        key.check_key_op("verify")
    except Exception:  # noqa: BLE001 - foreign key material fails in many ways, all mean "unusable"
        return None
    return key


def _sane_rsa(entry: dict[str, object]) -> bool:
    n, e = entry.get("n"), entry.get("e")
    if not isinstance(n, str) or not isinstance(e, str):
        return False
    modulus, exponent = base64_to_int(n), base64_to_int(e)
    # A huge exponent makes each verification slow.
    return RSA_BITS <= modulus.bit_length() <= MAX_RSA_BITS and 1 < exponent < 2**32
