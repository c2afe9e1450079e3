"""A provisioning client that asks for tokens, without a library."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from joserfc import jwk, jwt
from joserfc.jws import JWSRegistry

from app.flows import acting, clients
from app.flows.clients import Made, Wanted

ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
GRANT = {"grant_type": "client_credentials"}


class _Absent:
    def __repr__(self) -> str:
        return "absent"


ABSENT = _Absent()


def key(kind: str = "RSA", number: int = 0) -> Any:
    """A private key, the same for the same kind and number."""
    return _key(kind, number)


@cache
def _key(kind: str, number: int) -> Any:
    parameters = {"kid": f"{kind}-{number}"}
    if kind == "EC":
        return jwk.ECKey.generate_key("P-256", parameters)
    return jwk.RSAKey.generate_key(2048, parameters)


def key_set(*keys: Any) -> str:
    return json.dumps({"keys": [one.as_dict(private=False) for one in keys]})


def made(deps, slug="acme", **wanted) -> Made:
    return clients.add(deps, acting.operator(deps, slug), Wanted(**{"name": "Entra ID", **wanted}))


def switched(deps, row, slug="acme", *, enabled):
    clients.switch(deps, acting.operator(deps, slug), row, enabled=enabled)


def basic(client_id: str, secret: str) -> dict[str, str]:
    encoded = base64.b64encode(f"{client_id}:{secret}".encode()).decode()
    return {"Authorization": f"Basic {encoded}"}


@dataclass
class Asking:
    """One client's requests for tokens: with its secret, or with what it signs."""

    site: Any
    deps: Any
    of: Made
    address: str = "192.0.2.1"
    count: int = field(default=0)

    def send(self, *, headers=None, **form):
        return self.site.test_client().post(
            "/oauth/token", data={**GRANT, **form}, headers=headers or {},
            environ_base={"REMOTE_ADDR": self.address},
        )  # fmt: skip

    def basic(self, secret=None, **form):
        return self.send(headers=basic(self.of.client_id, secret or self.of.client_secret), **form)

    def posted(self, secret=None, **form):
        secret = secret or self.of.client_secret
        return self.send(client_id=self.of.client_id, client_secret=secret, **form)

    def signed(self, assertion, **form):
        return self.send(client_assertion_type=ASSERTION, client_assertion=assertion, **form)

    def assertion(self, by=None, alg="RS256", header=None, **changes):
        now = int(self.deps.clock().timestamp())
        self.count += 1
        claims = {
            "iss": self.of.client_id, "sub": self.of.client_id, "aud": self.of.token_url,
            "iat": now, "exp": now + 300, "jti": f"id-{self.count}", **changes,
        }  # fmt: skip
        claims = {name: value for name, value in claims.items() if value is not ABSENT}
        by = by or key()
        named = {"alg": alg, **({"kid": by.kid} if by.kid else {}), **(header or {})}
        named = {name: value for name, value in named.items() if value is not ABSENT}
        registry = JWSRegistry(algorithms=[alg], strict_check_header=False)
        return jwt.encode(named, claims, by, registry=registry)


def refused(answer, error, status=400):
    """An error of RFC 6749 §5.2, that nobody keeps."""
    assert answer.status_code == status, answer.text
    assert answer.content_type == "application/json"
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.json["error"] == error, answer.json
    said = answer.json["error_description"]
    assert said.isascii()
    assert said.isprintable()
    assert not set(said) & set('"\\')
    if status == 401:
        assert answer.headers["WWW-Authenticate"] == 'Basic realm="Ostiary"'
    return said
