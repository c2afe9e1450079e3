"""From verified claims to an assertion, UserInfo's included (OpenID Connect Core 1.0 §5)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from sso.assertion import Assertion, VerifiedAssertion
from sso.bounds import json_answer, strings, text
from sso.connection import OidcConnection
from sso.errors import TokenInvalid, UserinfoInvalid
from sso.id_token import IdTokenClaims
from sso.linking import email_address
from sso.state import SignInState

MAX_USERINFO_BYTES = 256_000
MAX_GROUPS = 500
_WHAT = "The UserInfo answer"
_OK = 200
_FROM_USERINFO = ("preferred_username", "name", "given_name", "family_name", "groups")


def merge_userinfo(
    claims: IdTokenClaims, *, status: int, content_type: str, body: bytes
) -> IdTokenClaims:
    """Add what UserInfo knows and the ID token doesn't say. Raises UserinfoInvalid.

    The signed token's word stands; nothing but a person's attributes is taken over, and only if
    `sub` is exactly the same (§5.3.2): else one person would carry another's name.
    """
    if status != _OK:
        raise UserinfoInvalid(f"The UserInfo endpoint answered with status {status}.")
    answer = json_answer(
        content_type, body, limit=MAX_USERINFO_BYTES, what=_WHAT, refusal=UserinfoInvalid
    )
    if answer.get("sub") != claims["sub"]:
        raise UserinfoInvalid(f"{_WHAT} is about another person.")
    added = {name: answer[name] for name in _FROM_USERINFO if name in answer}
    # "verified" belongs to the very address beside it, so the two never come from two sources.
    if "email" not in claims or claims["email"] == answer.get("email"):
        added |= {name: answer[name] for name in ("email", "email_verified") if name in answer}
    return IdTokenClaims(added | claims)


def assertion(
    connection: OidcConnection, claims: IdTokenClaims, sign_in: SignInState
) -> VerifiedAssertion:
    """What the provider says of the person. Raises TokenInvalid if the claim that the connection
    takes for the subject is missing. An attribute that can't be used counts as not said.
    """
    subject = text(claims.get(connection.subject.value))
    if subject is None:
        raise TokenInvalid(
            f"The ID token has no usable {connection.subject.value}, by which this connection"
            " knows its people."
        )
    email = email_address(claims.get("email"))
    return VerifiedAssertion(
        Assertion(
            connection_id=connection.id,
            protocol="oidc",
            issuer=connection.issuer,
            subject=subject,
            # A nonce serves one sign-in, and its state is refused after this moment.
            unique_id=sign_in.nonce,
            claim_until=sign_in.expires_at,
            authenticated_at=_authenticated_at(claims),
            session_index=text(claims.get("sid")),
            user_name=text(claims.get("preferred_username")),
            email=email,
            email_verified=_flag(claims.get("email_verified")) if email else None,
            display_name=text(claims.get("name")),
            given_name=text(claims.get("given_name")),
            family_name=text(claims.get("family_name")),
            groups=strings(claims.get("groups"), count=MAX_GROUPS),
            acr=text(claims.get("acr")),
            amr=strings(claims.get("amr"), count=MAX_GROUPS),
        )
    )


def _authenticated_at(claims: Mapping[str, object]) -> datetime:
    """`auth_time`, or else when the token was issued; verified numbers, neither in the future."""
    seconds = claims.get("auth_time", claims["iat"])
    if not isinstance(seconds, int | float) or seconds < 0:
        raise TokenInvalid("The token's auth_time is not a time.")
    return datetime.fromtimestamp(seconds, UTC)


def _flag(value: object) -> bool | None:
    """Some providers send the boolean as a text; anything unknown is no proof."""
    if value is None:
        return None
    return value is True or value == "true"
