"""Back-channel logout: the provider ends sessions (OpenID Connect Back-Channel Logout 1.0)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NewType

from keys.jwk import KeySet
from sso.bounds import text
from sso.connection import OidcConnection, SubjectClaim
from sso.discovery import Discovery, require_ready
from sso.errors import TokenInvalid
from sso.id_token import LEEWAY, check_audience, check_issuer, verified_claims

EVENT = "http://schemas.openid.net/event/backchannel-logout"
MAX_LOGOUT_AGE = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class LogoutNotice:
    """End the sessions of `session_index`, or of `subject` where that is None.

    `unique_id` is claimed once, per connection, until `claim_until` (aware, UTC).
    """

    connection_id: str
    issuer: str
    subject: str | None
    session_index: str | None
    unique_id: str
    claim_until: datetime


VerifiedLogout = NewType("VerifiedLogout", LogoutNotice)


def verify_logout_token(
    token: str,
    *,
    connection: OidcConnection,
    discovery: Discovery,
    jwks: KeySet,
    now: datetime,
) -> VerifiedLogout:
    """Check a logout token (Back-Channel Logout 1.0 §2.6). Raises TokenInvalid.

    `typ` logout+jwt is only recommended (§2.4), so "JWT" and none are taken as well: `events`
    and the forbidden `nonce` tell it from an ID token.
    """
    require_ready(connection, discovery)
    claims = verified_claims(
        token,
        discovery=discovery,
        jwks=jwks,
        types=("logout+jwt", "jwt"),
        require=("iat",),
        now=now,
        max_age=MAX_LOGOUT_AGE,
    )
    check_issuer(claims, discovery.issuer)
    check_audience(claims, connection.client_id)
    events = claims.get("events")
    if not isinstance(events, dict) or not isinstance(events.get(EVENT), dict):
        raise TokenInvalid("The token is not a logout token: it lacks the logout event.")
    if "nonce" in claims:
        raise TokenInvalid("A logout token must not hold a nonce.")
    unique_id = text(claims.get("jti"))
    if unique_id is None:
        raise TokenInvalid("The logout token has no usable jti.")
    subject, sid = text(claims.get(connection.subject.value)), text(claims.get("sid"))
    if subject is None and sid is None:
        needed = "sid" if connection.subject is SubjectClaim.OID else "sub or sid"
        raise TokenInvalid(f"The logout token names nobody: it has no usable {needed}.")
    # Past this moment the token's age refuses it by itself.
    claim_until = now + MAX_LOGOUT_AGE + 3 * LEEWAY
    return VerifiedLogout(
        LogoutNotice(connection.id, discovery.issuer, subject, sid, unique_id, claim_until)
    )
