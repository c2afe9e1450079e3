"""What a sign-in says about a person: one value for SAML and OpenID Connect alike."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal, NewType


@dataclass(frozen=True, slots=True)
class Assertion:
    """A provider's word on who signed in. Times are aware, UTC.

    The identity is (`connection_id`, `issuer`, `subject`), nothing else. `unique_id` is claimed
    once, per connection, and the claim is kept until `claim_until`: a second use is a replay.
    `session_index` is the provider's name for its session (OIDC `sid`, SAML SessionIndex), by
    which it may end ours. The attributes are None where the provider is silent.
    """

    connection_id: str
    protocol: Literal["oidc", "saml"]
    issuer: str
    subject: str
    unique_id: str
    claim_until: datetime
    authenticated_at: datetime
    session_index: str | None = None
    user_name: str | None = None
    email: str | None = None
    email_verified: bool | None = None
    display_name: str | None = None
    given_name: str | None = None
    family_name: str | None = None
    groups: tuple[str, ...] = ()
    acr: str | None = None
    amr: tuple[str, ...] = ()


VerifiedAssertion = NewType("VerifiedAssertion", Assertion)
"""Only the protocol modules make one, after every check has passed."""
