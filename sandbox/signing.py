"""A ring of RS256 keys that one service of the campus signs with and publishes."""

from __future__ import annotations

from threading import Lock
from typing import Any

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet, RSAKey

from sandbox.errors import Refused
from sandbox.store import Store


class Ring:
    """Signs with the newest key; publishes it and those older ones that were kept."""

    def __init__(self, store: Store, service: str) -> None:
        self._store = store
        self._service = service
        self._lock = Lock()
        kept = store.get("keys", service)
        self._keys = [RSAKey.import_key(key) for key in kept["keys"]] if kept else []
        if not self._keys:
            self.rotate(keep_old=False)

    def rotate(self, *, keep_old: bool) -> str:
        """Sign with a new key from now on; the old ones stay published, or vanish at once."""
        fresh = RSAKey.generate_key(2048, auto_kid=True)
        with self._lock:
            self._keys = [fresh, *(self._keys if keep_old else [])]
            private = [key.as_dict(private=True) for key in self._keys]
            self._store.put("keys", self._service, {"keys": private})
        return str(fresh.kid)

    def sign(self, claims: dict[str, Any]) -> str:
        key = self._keys[0]
        return jwt.encode({"alg": "RS256", "kid": key.kid}, claims, key, algorithms=["RS256"])

    def verify(self, token: str) -> dict[str, Any]:
        """The claims of a token that this ring signed; lifetimes are the caller's business."""
        try:
            return jwt.decode(token, KeySet(list(self._keys)), algorithms=["RS256"]).claims
        except (JoseError, ValueError) as error:
            raise Refused(400, "invalid_request", "that token was not signed here") from error

    def jwks(self) -> dict[str, Any]:
        """The public JWK Set (RFC 7517 §5)."""
        extra = {"use": "sig", "alg": "RS256"}
        return {"keys": [{**key.as_dict(private=False), **extra} for key in self._keys]}
