"""A connection: one tenant's trust in one OpenID provider."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from sso.bounds import endpoint, text
from sso.errors import ConnectionInvalid

MAX_SECRET = 1_000


class LinkBy(StrEnum):
    """What an assertion is compared with to find a person that SCIM already brought."""

    USER_NAME = "userName"
    EXTERNAL_ID = "externalId"
    EMAIL = "email"


class SubjectClaim(StrEnum):
    """Which claim names the person. Entra ID's `sub` differs per application; its `oid` is the
    one that its provisioning knows too.
    """

    SUB = "sub"
    OID = "oid"


@dataclass(frozen=True, slots=True)
class OidcConnection:
    """The registration at one OpenID provider.

    `issuer` is compared character by character and never normalised (OpenID Connect Discovery
    1.0 §4.3). `jit`: whether a stranger becomes a new person. Values from outside
    go through `check_connection` once, before they are kept.
    """

    id: str
    issuer: str
    client_id: str
    client_secret: str = field(repr=False)
    link_by: LinkBy = LinkBy.USER_NAME
    jit: bool = True
    subject: SubjectClaim = SubjectClaim.SUB
    enabled: bool = True


def check_connection(connection: OidcConnection, *, allow_http_loopback: bool) -> OidcConnection:
    """The connection itself, if its values can be used; raises ConnectionInvalid otherwise."""
    issuer = endpoint(connection.issuer, allow_http_loopback=allow_http_loopback)
    if issuer is None or "?" in issuer:
        raise ConnectionInvalid("The issuer must be an https URL without query or fragment.")
    if issuer.endswith("/.well-known/openid-configuration"):
        raise ConnectionInvalid(
            "Give the issuer itself, without /.well-known/openid-configuration."
        )
    if text(connection.client_id) is None:
        raise ConnectionInvalid("The client id must have 1 to 255 printable characters.")
    if text(connection.client_secret, MAX_SECRET) is None:
        raise ConnectionInvalid(f"The client secret must have 1 to {MAX_SECRET} characters.")
    return connection
