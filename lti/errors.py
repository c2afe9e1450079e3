"""What the tool refuses, and what a platform's services answer.

LtiError
├── BadRegistration        a platform's data that we can't work with
├── LoginRefused           a login initiation request that we don't take
├── LaunchRefused          a launch that we don't take
│   ├── UnknownKid         the key set may be out of date: fetch it once more and try again
│   └── UnknownDeployment  a genuine launch from a deployment that nobody approved
└── ServiceError           a service call that brought nothing
    ├── ServiceRefused     it will not succeed when repeated
    ├── TokenRejected      fetch a new access token, then repeat
    └── ServiceUnavailable repeat later, no sooner than `retry_after`
"""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum


class Refusal(StrEnum):
    """Stable codes that a refused login or launch shows to its user."""

    # login initiation
    MISSING_PARAMETER = "missing_parameter"
    REPEATED_PARAMETER = "repeated_parameter"
    BAD_PARAMETER = "bad_parameter"
    # the state that we sealed at the login
    STATE_INVALID = "state_invalid"
    STATE_EXPIRED = "state_expired"
    STATE_MISMATCH = "state_mismatch"
    # the token
    TOKEN_TOO_LARGE = "token_too_large"  # noqa: S105 - a code, no secret
    TOKEN_MALFORMED = "token_malformed"  # noqa: S105 - a code, no secret
    TOKEN_EXPIRED = "token_expired"  # noqa: S105 - a code, no secret
    ALGORITHM_REFUSED = "algorithm_refused"
    MISSING_KID = "missing_kid"
    UNKNOWN_KID = "unknown_kid"
    BAD_SIGNATURE = "bad_signature"
    BAD_TIMES = "bad_times"
    # the claims
    WRONG_ISSUER = "wrong_issuer"
    WRONG_AUDIENCE = "wrong_audience"
    WRONG_NONCE = "wrong_nonce"
    WRONG_VERSION = "wrong_version"
    MISSING_CLAIM = "missing_claim"
    BAD_CLAIM = "bad_claim"
    UNSUPPORTED_MESSAGE = "unsupported_message"
    UNKNOWN_DEPLOYMENT = "unknown_deployment"
    TARGET_LINK_MISMATCH = "target_link_mismatch"
    ANONYMOUS = "anonymous"


class LtiError(Exception):
    """Base of this package; `code` is stable, `message` is for a human."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class BadRegistration(LtiError):
    pass


class LoginRefused(LtiError):
    pass


class LaunchRefused(LtiError):
    pass


class UnknownKid(LaunchRefused):
    pass


class UnknownDeployment(LaunchRefused):
    def __init__(self, deployment_id: str) -> None:
        super().__init__(
            Refusal.UNKNOWN_DEPLOYMENT,
            "This installation of the tool has not been approved yet. Please ask an administrator.",
        )
        self.deployment_id = deployment_id


class ServiceError(LtiError):
    pass


class ServiceRefused(ServiceError):
    pass


class TokenRejected(ServiceError):
    pass


class ServiceUnavailable(ServiceError):
    def __init__(self, code: str, message: str, retry_after: timedelta | None = None) -> None:
        super().__init__(code, message)
        self.retry_after = retry_after
