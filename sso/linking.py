"""Which stored value may say that a stranger's assertion is a person whom we already know."""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Literal

from sso.assertion import VerifiedAssertion
from sso.connection import LinkBy

MAX_EMAIL = 254  # RFC 5321 §4.5.3.1.3


@dataclass(frozen=True, slots=True)
class LinkCandidate:
    """Look for the person whose SCIM `attribute` equals `value`; how case counts is the
    attribute's business (RFC 7643 §7).
    """

    attribute: Literal["userName", "externalId", "email"]
    value: str


def link_candidates(
    assertion: VerifiedAssertion, link_by: LinkBy, verified_domains: AbstractSet[str]
) -> tuple[LinkCandidate, ...]:
    """What to compare, in this order; the first that finds a person decides.

    An e-mail address counts only inside a domain that the tenant has proven to be its own, and
    not if the provider itself says that it is unverified. `verified_domains` are lower case.
    """
    email = assertion.email
    if assertion.email_verified is False or not in_domains(email, verified_domains):
        email = None
    match link_by:
        case LinkBy.EXTERNAL_ID:
            return (LinkCandidate("externalId", assertion.subject),)
        case LinkBy.EMAIL:
            return (LinkCandidate("email", email),) if email else ()
        case LinkBy.USER_NAME:
            names = dict.fromkeys(name for name in (assertion.user_name, email) if name)
            return tuple(LinkCandidate("userName", name) for name in names)


def in_domains(email: str | None, domains: AbstractSet[str]) -> bool:
    """Whether the address lies in one of exactly these domains; a subdomain is another domain."""
    if email is None:
        return False
    return email.rpartition("@")[2].lower() in domains


def email_address(value: object) -> str | None:
    """`value` if it can be an address: one @, something on both sides, no white space."""
    if not isinstance(value, str) or len(value) > MAX_EMAIL or not value.isprintable():
        return None
    local, at, domain = value.partition("@")
    usable = local and at and domain and "@" not in domain and " " not in value
    return value if usable else None
