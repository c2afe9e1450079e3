"""An OpenID provider as values: metadata, keys, tokens, each bendable by a test."""

import base64
import hashlib
import hmac
import json
from dataclasses import dataclass
from datetime import UTC, datetime

import pytest
from joserfc import jws
from joserfc.jwk import ECKey, RSAKey

from sso.connection import OidcConnection
from sso.discovery import parse_discovery, parse_provider_keys
from sso.oidc import verify_id_token
from sso.state import begin_sign_in
from sso.token_response import TokenResponse

NOW = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
ISSUER = "https://idp.example.com/realms/acme"
ACCESS_TOKEN = "an-access-token"
COOKIE = "c" * 43


def b64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def half_hash(access_token=ACCESS_TOKEN):
    return b64(hashlib.sha256(access_token.encode()).digest()[:16])


def changed(values, changes):
    merged = values | changes
    return {name: value for name, value in merged.items() if value is not ...}


@dataclass
class Provider:
    rsa: RSAKey
    ec: ECKey
    stranger: RSAKey

    now = NOW
    issuer = ISSUER
    cookie = COOKIE
    second = int(NOW.timestamp())
    half_hash = staticmethod(half_hash)

    def metadata(self, **changes):
        values = {
            "issuer": ISSUER,
            "authorization_endpoint": f"{ISSUER}/authorize?policy=one",
            "token_endpoint": f"{ISSUER}/token",
            "jwks_uri": f"{ISSUER}/jwks",
            "userinfo_endpoint": f"{ISSUER}/userinfo",
            "end_session_endpoint": f"{ISSUER}/logout",
            "response_types_supported": ["code", "code id_token"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256", "ES256", "PS256", "HS256", "none"],
            "token_endpoint_auth_methods_supported": ["client_secret_basic"],
            "code_challenge_methods_supported": ["S256"],
        }
        return json.dumps(changed(values, changes)).encode()

    def discovery(self, **changes):
        return parse_discovery(self.metadata(**changes), issuer=ISSUER)

    def jwks(self, *keys):
        published = [key.as_dict(private=False) for key in keys or (self.rsa, self.ec)]
        return parse_provider_keys(json.dumps({"keys": published}).encode())

    def connection(self, **changes):
        values = {
            "id": "con_1",
            "issuer": ISSUER,
            "client_id": "ostiary",
            "client_secret": "s3cret",
        }
        return OidcConnection(**(values | changes))

    def sign_in(self, **changes):
        values = {
            "connection_id": "con_1",
            "browser_cookie": COOKIE,
            "nonce": "n" * 43,
            "code_verifier": "v" * 43,
            "return_to": "/learn?activity=a",
            "now": NOW,
        }
        return begin_sign_in(**(values | changes))

    def claims(self, **changes):
        second = self.second
        values = {
            "iss": ISSUER,
            "sub": "00u1",
            "aud": "ostiary",
            "iat": second + 5,
            "exp": second + 305,
            "auth_time": second - 60,
            "nonce": "n" * 43,
            "at_hash": half_hash(),
            "sid": "session-1",
            "preferred_username": "ada@example.com",
            "email": "ada@example.com",
            "email_verified": True,
            "name": "Ada Byron",
            "given_name": "Ada",
            "family_name": "Byron",
            "groups": ["Sales", "All"],
            "acr": "urn:mfa",
            "amr": ["pwd", "otp"],
        }
        return changed(values, changes)

    def logout_claims(self, **changes):
        second = self.second
        values = {
            "iss": ISSUER,
            "sub": "00u1",
            "sid": "session-1",
            "aud": "ostiary",
            "iat": second,
            "exp": second + 120,
            "jti": "logout-1",
            "events": {"http://schemas.openid.net/event/backchannel-logout": {}},
        }
        return changed(values, changes)

    def sign(self, claims, *, alg="RS256", key=None, **header):
        key = key or (self.ec if alg == "ES256" else self.rsa)
        protected = changed({"typ": "JWT", "kid": key.kid}, header) | {"alg": alg}
        parts = (b64(json.dumps(part).encode()) for part in (protected, claims))
        signed = ".".join(parts)
        # Not the library's own serializer, which would refuse the headers that we need to bend.
        signature = jws.JWSRegistry.algorithms[alg].sign(signed.encode(), key)
        return f"{signed}.{b64(signature)}"

    def unsigned(self, claims, alg="none"):
        header = {"alg": alg, "typ": "JWT", "kid": self.rsa.kid}
        return f"{b64(json.dumps(header).encode())}.{b64(json.dumps(claims).encode())}."

    def keyed_with_public_key(self, claims):
        """HS256 with the RSA public key, which everyone knows, as the secret."""
        signed = self.unsigned(claims, "HS256").rstrip(".")
        pem = self.rsa.as_pem(private=False)
        return f"{signed}.{b64(hmac.digest(pem, signed.encode(), 'sha256'))}"

    def verify(self, token, **changes):
        """The gateway's side: verify `token` in answer to `sign_in()` ten seconds ago."""
        values = {
            "connection": self.connection(),
            "discovery": self.discovery(),
            "jwks": self.jwks(),
            "sign_in": self.sign_in(),
            "now": datetime.fromtimestamp(NOW.timestamp() + 10, UTC),
        }
        access_token = changes.pop("access_token", ACCESS_TOKEN)
        return verify_id_token(TokenResponse(token, access_token), **(values | changes))


@pytest.fixture(scope="session")
def provider():
    return Provider(
        rsa=RSAKey.generate_key(2048, {"kid": "rsa-1", "use": "sig"}),
        ec=ECKey.generate_key("P-256", {"kid": "ec-1", "use": "sig"}),
        stranger=RSAKey.generate_key(2048, {"kid": "rsa-1", "use": "sig"}),
    )
