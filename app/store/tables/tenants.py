"""Tenants, their verified domains, keys and tokens, and what is remembered once."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Index,
    Integer,
    LargeBinary,
    PrimaryKeyConstraint,
    Table,
)

from app.store.types import Json, Str, Time, metadata, tenant_table

tenant = Table(
    "tenant",
    metadata,
    Column("id", Str, primary_key=True),
    Column("slug", Str, nullable=False, unique=True),
    Column("name", Str, nullable=False),
    Column("enabled", Boolean, nullable=False),
    Column("home_page", Str, nullable=False),
    Column("epoch", Integer, nullable=False, server_default="0"),
    Column("cut_at", Time),
    Column("created_at", Time, nullable=False),
    Column("scim_idp", Str, nullable=False, server_default="auto"),
    Column("scim_schemas", Integer, nullable=False, server_default="0"),
)
"""`home_page` is the xAPI account home page of its people; it never changes.

`scim_idp` names the identity provider that provisions, `scim_schemas` counts how often its own SCIM
schemas were changed.

`epoch` counts how often it was closed; sessions and launches of an earlier epoch are over for good.
`cut_at` is when; a login that was begun before leads nowhere.
"""

domain = tenant_table(
    "domain",
    Column("domain", Str, primary_key=True),
    Column("verified_at", Time),
    row_id=False,
)
Index(
    "uq_domain_verified",
    domain.c.domain,
    unique=True,
    sqlite_where=domain.c.verified_at.is_not(None),
    postgresql_where=domain.c.verified_at.is_not(None),
)

token = tenant_table(
    "token",
    Column("kind", Str, nullable=False),
    Column("client", Str, nullable=False),
    Column("digest", Str, nullable=False),
    Column("scope", Str, nullable=False),
    Column("person_id", Str),
    Column("created_at", Time, nullable=False),
    Column("expires_at", Time),
    Column("revoked_at", Time),
    Column("last_used_at", Time),
    Column("name", Str),
    Column("created_by", Str),
    Column("oauth_client_id", Str),
)
"""Bearer tokens, by kind: scim or api. `client` names the provisioning client, which outlives its tokens.

With a `person_id` it speaks for that person and ends with their access; without one, for the tenant.
With an `oauth_client_id` that client was given it for an hour, and it ends with the client. `created_by`:
a person's id, or `operator`.
"""
Index("ix_token_person", token.c.tenant_id, token.c.person_id)
Index("ix_token_oauth_client", token.c.tenant_id, token.c.oauth_client_id)
Index(
    "ix_token_given",
    token.c.expires_at,
    sqlite_where=token.c.oauth_client_id.is_not(None),
    postgresql_where=token.c.oauth_client_id.is_not(None),
)

oauth_client = tenant_table(
    "oauth_client",
    Column("name", Str, nullable=False),
    Column("client", Str, nullable=False),
    Column("scope", Str, nullable=False),
    Column("digest", Str),
    Column("jwks", Str),
    Column("jwks_url", Str),
    Column("enabled", Boolean, nullable=False),
    Column("cut_at", Time),
    Column("created_at", Time, nullable=False),
    Column("created_by", Str, nullable=False),
    Column("last_used_at", Time),
)
"""Who may ask for access tokens (OAuth 2.0 client credentials); `scope` is the most that they get.

It has either the `digest` of a secret, or a key set of its own: the document, or where it is published.
`cut_at`: when it was last switched off; what it signed before leads nowhere.
"""

signing_key = Table(
    "signing_key",
    metadata,
    Column("owner", Str, primary_key=True),
    Column("kid", Str, primary_key=True),
    Column("tenant_id", Str),
    Column("public_jwk", Json, nullable=False),
    Column("sealed_private", Str, nullable=False),
    Column("published_at", Time, nullable=False),
    Column("signs_from", Time, nullable=False),
    Column("retires_at", Time),
    Column("gone_at", Time),
)
"""Our RSA keys. The owner is a tenant's slug or `_operator`, whose rows have no tenant."""

once = Table(
    "once",
    metadata,
    Column("tenant_id", Str, nullable=False),
    Column("kind", Str, nullable=False),
    Column("key", Str, nullable=False),
    Column("expires_at", Time, nullable=False),
    PrimaryKeyConstraint("tenant_id", "kind", "key"),
    Index("ix_once_expires_at", "expires_at"),
)
"""One-time claims: a nonce, a state, an assertion's id. The insert is the claim."""

audit = tenant_table(
    "audit",
    Column("at", Time, nullable=False),
    Column("actor", Str, nullable=False),
    Column("action", Str, nullable=False),
    Column("subject", Str, nullable=False),
    Column("detail", Json, nullable=False),
    Column("n", BigInteger),
    Column("mac", Str),
)
"""Who did what to whom; actor and subject are ids, never names. Triggers refuse changes and deletions.

`n` counts a tenant's entries without gaps; `mac` is keyed, over the one before and this entry.
"""
Index("uq_audit_n", audit.c.tenant_id, audit.c.n, unique=True)
Index("ix_audit_subject", audit.c.tenant_id, audit.c.subject, audit.c.at)

audit_head = tenant_table(
    "audit_head",
    Column("n", BigInteger, nullable=False),
    Column("mac", Str, nullable=False),
    Column("seal", Str, nullable=False),
    row_id=False,
)
"""The end of each tenant's audit chain; `seal` is a MAC over both, so that the end can't be moved back."""

cached_document = Table(
    "cached_document",
    metadata,
    Column("url", Str, primary_key=True),
    Column("body", LargeBinary, nullable=False),
    Column("fetched_at", Time, nullable=False),
    Column("tried_at", Time, nullable=False),
)
"""Public documents of others (JWKS, discovery), shared by all processes and tenants."""

access_token = tenant_table(
    "access_token",
    Column("registration_id", Str, primary_key=True),
    Column("scope", Str, primary_key=True),
    Column("sealed_token", Str, nullable=False),
    Column("expires_at", Time, nullable=False),
    row_id=False,
)
"""Access tokens that platforms gave us, sealed, by registration and scope."""

lease = tenant_table(
    "lease",
    Column("name", Str, primary_key=True),
    Column("holder", Str, nullable=False),
    Column("until", Time, nullable=False),
    row_id=False,
)
"""Work that one process at a time does, until it is done or its time is up."""

rate = tenant_table(
    "rate",
    Column("name", Str, primary_key=True),
    Column("window", BigInteger, nullable=False),
    Column("taken", Integer, nullable=False),
    row_id=False,
)
"""How much of a limit is given out in a window (its number since 1970), in blocks, to the processes."""
