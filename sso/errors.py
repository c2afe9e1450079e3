"""Why a sign-in is refused.

SignInRefused
├── ConnectionInvalid      the connection is configured wrongly or switched off
├── DiscoveryInvalid       the provider's metadata can't be used
│   └── IssuerMismatch     ... because it speaks for another issuer
├── CallbackRefused        what the browser brought back can't be used
│   ├── StateInvalid       not a state of ours, or of another connection
│   ├── StateExpired
│   ├── BrowserMismatch    begun in another browser (login CSRF)
│   ├── ResponseIssuer     answered by another provider (mix-up)
│   └── ProviderRefused    the provider answered with an error
├── TokenResponseInvalid   the token endpoint's answer can't be used
│   └── ClientRefused      the provider does not accept our client id and secret
├── TokenInvalid           an ID or logout token fails a check
│   ├── AlgorithmRefused, SignatureInvalid, TokenExpired, NonceMismatch, AudienceMismatch
│   └── KeyUnknown         signed with a key that we have not seen: refetch the JWKS once
└── UserinfoInvalid        the UserInfo answer can't be used
"""

from __future__ import annotations

from typing import ClassVar


class SignInRefused(Exception):
    """A sign-in (or a logout notice) is refused. `code` is stable; `message` is for people."""

    code: ClassVar[str] = "sign_in_refused"

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class ConnectionInvalid(SignInRefused):
    code = "connection_invalid"


class DiscoveryInvalid(SignInRefused):
    code = "discovery_invalid"


class IssuerMismatch(DiscoveryInvalid):
    code = "issuer_mismatch"


class CallbackRefused(SignInRefused):
    code = "callback_refused"


class StateInvalid(CallbackRefused):
    code = "state_invalid"


class StateExpired(CallbackRefused):
    code = "state_expired"


class BrowserMismatch(CallbackRefused):
    code = "browser_mismatch"


class ResponseIssuer(CallbackRefused):
    code = "response_issuer"


class ProviderRefused(CallbackRefused):
    """The provider answered with an error (RFC 6749 §4.1.2.1); `error` is its code or "other"."""

    code = "provider_refused"

    def __init__(self, message: str, error: str) -> None:
        super().__init__(message)
        self.error = error


class TokenResponseInvalid(SignInRefused):
    code = "token_response_invalid"


class ClientRefused(TokenResponseInvalid):
    code = "client_refused"


class TokenInvalid(SignInRefused):
    code = "token_invalid"


class AlgorithmRefused(TokenInvalid):
    code = "algorithm_refused"


class KeyUnknown(TokenInvalid):
    code = "key_unknown"


class SignatureInvalid(TokenInvalid):
    code = "signature_invalid"


class TokenExpired(TokenInvalid):
    code = "token_expired"


class NonceMismatch(TokenInvalid):
    code = "nonce_mismatch"


class AudienceMismatch(TokenInvalid):
    code = "audience_mismatch"


class UserinfoInvalid(SignInRefused):
    code = "userinfo_invalid"
