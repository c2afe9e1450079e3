"""People, the identities that point to them, their groups, roles and local passwords."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, Index, Integer, PrimaryKeyConstraint

from app.store.types import Json, Str, Time, tenant_table, to

person = tenant_table(
    "person",
    Column("user_name", Str),
    Column("user_name_folded", Str),
    Column("display_name", Str),
    Column("given_name", Str),
    Column("family_name", Str),
    Column("email", Str),
    Column("email_folded", Str),
    Column("email_verified", Boolean, nullable=False, default=False),
    Column("locale", Str),
    Column("active", Boolean, nullable=False),
    Column("sources", Json, nullable=False),
    Column("version", Integer, nullable=False, default=1),
    Column("created_at", Time, nullable=False),
    Column("updated_at", Time, nullable=False),
    Column("deleted_at", Time),
    Column("cut_at", Time),
    Column("blocked_at", Time),
)
"""`sources` says for each attribute who said it last: {attribute: {source, at}}.

`cut_at` is when access last ended: a sign-in or launch that was begun before it leads nowhere.
`blocked_at`: an administrator keeps them out, whatever provisioning says.
"""
Index(
    "uq_person_user_name",
    person.c.tenant_id,
    person.c.user_name_folded,
    unique=True,
    sqlite_where=person.c.deleted_at.is_(None),
    postgresql_where=person.c.deleted_at.is_(None),
)
Index("ix_person_email", person.c.tenant_id, person.c.email_folded)

identity = tenant_table(
    "identity",
    Column("person_id", Str, nullable=False),
    Column("source", Str, nullable=False),
    Column("issuer", Str, nullable=False),
    Column("subject", Str, nullable=False),
    Column("joined_by", Str, nullable=False),
    Column("created_at", Time, nullable=False),
    to("person", "person_id"),
)
"""(source, issuer, subject) points to one person. Sources: scim, oidc, saml, lti, local.

The issuer is the connection's or registration's id, so that it stays inside the trust it came by.
`joined_by` names the rule, or `new` where the identity made its person.
"""
Index(
    "uq_identity",
    identity.c.tenant_id,
    identity.c.source,
    identity.c.issuer,
    identity.c.subject,
    unique=True,
)
Index("ix_identity_person", identity.c.tenant_id, identity.c.person_id)

membership = tenant_table(
    "membership",
    Column("group_id", Str, primary_key=True),
    Column("person_id", Str, primary_key=True),
    Column("kind", Str, nullable=False),
    Column("since", Time, nullable=False),
    # Not the tenant first: SQLite would rather walk all of a tenant's rows by it than use the index.
    PrimaryKeyConstraint("group_id", "tenant_id", "person_id"),
    row_id=False,
    sqlite_with_rowid=False,
)
"""A group's members as rows. `kind` is User or Group; then person_id is the member group's id."""
Index("ix_membership_person", membership.c.tenant_id, membership.c.person_id)

role_grant = tenant_table(
    "role_grant",
    Column("person_id", Str, primary_key=True),
    Column("role", Str, primary_key=True),
    Column("granted_by", Str, nullable=False),
    Column("granted_at", Time, nullable=False),
    to("person", "person_id"),
    row_id=False,
)
"""Roles in the console: administrator."""

group_grant = tenant_table(
    "group_grant",
    Column("group_id", Str, primary_key=True),
    Column("gives", Str, primary_key=True),
    Column("what", Str, primary_key=True),
    Column("granted_by", Str, nullable=False),
    Column("granted_at", Time, nullable=False),
    row_id=False,
)
"""What belonging to a group gives: `role` and a role in the console, or `activity` and its id.

A role is had as long as the membership stands; an activity is assigned, and its rows are `assignment`s.
"""

local_password = tenant_table(
    "local_password",
    Column("person_id", Str, primary_key=True),
    Column("hash", Str, nullable=False),
    Column("changed_at", Time, nullable=False),
    to("person", "person_id"),
    row_id=False,
)
