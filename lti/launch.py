"""Validation of a resource link launch (LTI Security Framework 1.0 §5.1.3, LTI 1.3 Core §5.3).

One pipeline of small checks. What needs memory stays with the caller: the state's `jti` and the
nonce are to be claimed once, in the transaction that opens the session.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import NewType

from keys import errors as key_errors
from keys import jwt
from keys.jwk import KeySet
from keys.jwt import VerifiedClaims
from lti import claims as names
from lti import pylti
from lti.claims import Launch, read_launch, required_text
from lti.errors import LaunchRefused, Refusal, UnknownDeployment, UnknownKid
from lti.login import LoginState
from lti.registration import Deployment, Registration

VerifiedLaunch = NewType("VerifiedLaunch", Launch)
"""A launch that passed every check of `verify`."""

Claims = Mapping[str, object]

RESOURCE_LINK_REQUEST = "LtiResourceLinkRequest"
DEFAULT_LEEWAY = timedelta(seconds=60)
MAX_AGE = timedelta(minutes=10)
MAX_AUDIENCES = 16

_TOKEN_REFUSALS: dict[type[key_errors.TokenRefused], Refusal] = {
    key_errors.TokenTooLarge: Refusal.TOKEN_TOO_LARGE,
    key_errors.TokenMalformed: Refusal.TOKEN_MALFORMED,
    key_errors.AlgorithmRefused: Refusal.ALGORITHM_REFUSED,
    key_errors.MissingKid: Refusal.MISSING_KID,
    key_errors.BadSignature: Refusal.BAD_SIGNATURE,
    key_errors.MissingTime: Refusal.BAD_TIMES,
    key_errors.TokenExpired: Refusal.TOKEN_EXPIRED,
    key_errors.TokenTooOld: Refusal.BAD_TIMES,
    key_errors.TokenNotYetValid: Refusal.BAD_TIMES,
}


def verify(
    id_token: str,
    *,
    registration: Registration,
    jwks: KeySet,
    state: LoginState,
    deployments: Iterable[Deployment],
    now: datetime,
    leeway: timedelta = DEFAULT_LEEWAY,
) -> VerifiedLaunch:
    """Verify a launch against the login that began it.

    `state` was sealed by us and opened by the caller, who has also checked its browser
    (`login.check_browser`); `deployments` are the approved ones of `registration`. Raises
    LaunchRefused: UnknownKid when fetching the key set once more may help, UnknownDeployment when
    all else holds but nobody approved the deployment.
    """
    check_state(state, registration, now)
    claims = verified_claims(id_token, jwks, now=now, leeway=leeway)
    check_issuer(claims, registration)
    check_audience(claims, registration)
    check_nonce(claims, state)
    check_version(claims)
    check_message_type(claims)
    check_target_link_uri(claims, state)
    launch = read_launch(claims, registration.client_id)
    pylti.validate_message(claims)
    deployment = approved_deployment(launch, state, deployments)
    check_subject(launch, deployment)
    return VerifiedLaunch(launch)


def check_state(state: LoginState, registration: Registration, now: datetime) -> None:
    """The login is recent, and went to this platform (Security Framework 1.0 §5.1.1.3)."""
    if state.registration_id != registration.id:
        raise LaunchRefused(
            Refusal.STATE_MISMATCH, "The launch comes from another platform than its login."
        )
    if now >= state.expires_at:
        raise LaunchRefused(
            Refusal.STATE_EXPIRED, "The launch took too long. Please open the link once more."
        )


def verified_claims(
    id_token: str, jwks: KeySet, *, now: datetime, leeway: timedelta
) -> VerifiedClaims:
    """Signature, algorithm, key and times (§5.1.3 steps 1, 6-8): RS256 only, kid required."""
    try:
        return jwt.verify(
            id_token, jwks, algorithms=("RS256",), now=now, leeway=leeway, max_age=MAX_AGE
        )
    except key_errors.UnknownKid as error:
        raise UnknownKid(
            Refusal.UNKNOWN_KID, "The platform signed with a key that it does not publish."
        ) from error
    except key_errors.TokenRefused as error:
        raise LaunchRefused(_TOKEN_REFUSALS[type(error)], error.message) from error


def check_issuer(claims: Claims, registration: Registration) -> None:
    """`iss` is exactly the registered issuer (§5.1.3 step 2)."""
    if required_text(claims, "iss") != registration.issuer:
        raise LaunchRefused(Refusal.WRONG_ISSUER, "The launch comes from an unknown issuer.")


def check_audience(claims: Claims, registration: Registration) -> None:
    """`aud` names us, alone or among others; then `azp` must be us (§5.1.3 steps 3-5)."""
    audience = claims.get("aud")
    if audience is None:
        raise LaunchRefused(Refusal.MISSING_CLAIM, "The launch has no aud.")
    audiences = audience if isinstance(audience, list) else [audience]
    if len(audiences) > MAX_AUDIENCES or registration.client_id not in audiences:
        raise LaunchRefused(Refusal.WRONG_AUDIENCE, "The launch is meant for another tool.")
    azp = claims.get("azp")
    if azp is None and len(audiences) > 1:
        raise LaunchRefused(Refusal.WRONG_AUDIENCE, "The launch has several audiences and no azp.")
    if azp is not None and azp != registration.client_id:
        raise LaunchRefused(Refusal.WRONG_AUDIENCE, "The launch was issued to another tool.")


def check_nonce(claims: Claims, state: LoginState) -> None:
    """`nonce` is the one of our login (§5.1.3 step 9)."""
    nonce = required_text(claims, "nonce")
    if not hmac.compare_digest(nonce.encode(), state.nonce.encode()):
        raise LaunchRefused(
            Refusal.WRONG_NONCE, "The launch does not belong to its login. Please start again."
        )


def check_version(claims: Claims) -> None:
    """The version is 1.3.0 (LTI 1.3 Core §5.3.2)."""
    if required_text(claims, names.VERSION) != "1.3.0":
        raise LaunchRefused(Refusal.WRONG_VERSION, "The launch is not of LTI version 1.3.0.")


def check_message_type(claims: Claims) -> None:
    """The message is one that we take (LTI 1.3 Core §5.3.1)."""
    if required_text(claims, names.MESSAGE_TYPE) != RESOURCE_LINK_REQUEST:
        raise LaunchRefused(
            Refusal.UNSUPPORTED_MESSAGE, "This tool does not take this kind of LTI message."
        )


def check_target_link_uri(claims: Claims, state: LoginState) -> None:
    """The signed target is the one of the login, which anyone could write (§5.3.4)."""
    if required_text(claims, names.TARGET_LINK_URI, names.MAX_TEXT) != state.target_link_uri:
        raise LaunchRefused(
            Refusal.TARGET_LINK_MISMATCH, "The launch leads elsewhere than its login said."
        )


def approved_deployment(
    launch: Launch, state: LoginState, deployments: Iterable[Deployment]
) -> Deployment:
    """The deployment is the login's, where that named one, and approved (LTI 1.3 Core §5.3.3)."""
    if state.deployment_id is not None and state.deployment_id != launch.deployment_id:
        raise LaunchRefused(
            Refusal.STATE_MISMATCH, "The launch comes from another deployment than its login."
        )
    for deployment in deployments:
        if deployment.deployment_id == launch.deployment_id:
            return deployment
    raise UnknownDeployment(launch.deployment_id)


def check_subject(launch: Launch, deployment: Deployment) -> None:
    """`sub` may be missing only where the deployment allows it (LTI 1.3 Core §5.3.6)."""
    if launch.sub is None and not deployment.allows_anonymous:
        raise LaunchRefused(
            Refusal.ANONYMOUS, "The platform did not say who you are. Please sign in there first."
        )
