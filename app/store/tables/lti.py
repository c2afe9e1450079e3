"""Platforms as LTI 1.3 names them: registrations, deployments, contexts, resource links, line items."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, Index, Integer, Table

from app.store.types import Json, Str, Time, metadata, tenant_table, to

registration = Table(
    "registration",
    metadata,
    Column("id", Str, primary_key=True),
    Column("tenant_id", Str),
    Column("name", Str, nullable=False),
    Column("issuer", Str, nullable=False),
    Column("client_id", Str, nullable=False),
    Column("auth_login_url", Str, nullable=False),
    Column("auth_token_url", Str, nullable=False),
    Column("auth_audience", Str),
    Column("jwks_url", Str, nullable=False),
    Column("link_by", Str, nullable=False),
    Column("enabled", Boolean, nullable=False),
    Column("epoch", Integer, nullable=False, server_default="0"),
    Column("cut_at", Time),
    Column("created_at", Time, nullable=False),
)
"""(issuer, client_id) is unique. Without a tenant it is the operator's, for many tenants' deployments.

`epoch` counts how often it was switched off; launches of an earlier epoch are over for good.
`cut_at` is when; a launch whose login was begun before leads nowhere.
"""
Index("uq_registration", registration.c.issuer, registration.c.client_id, unique=True)

deployment = Table(
    "deployment",
    metadata,
    Column("id", Str, primary_key=True),
    Column("registration_id", Str, nullable=False),
    Column("deployment_id", Str, nullable=False),
    Column("tenant_id", Str),
    Column("anonymous", Boolean, nullable=False, default=False),
    Column("first_seen_at", Time, nullable=False),
    Column("approved_at", Time),
)
"""Without a tenant and an approval it waits for an administrator."""
Index("uq_deployment", deployment.c.registration_id, deployment.c.deployment_id, unique=True)

context = tenant_table(
    "context",
    Column("registration_id", Str, nullable=False),
    Column("deployment_id", Str, nullable=False),
    Column("context_id", Str, nullable=False),
    Column("label", Str),
    Column("title", Str),
    Column("memberships_url", Str),
    Column("updated_at", Time, nullable=False),
)
Index("uq_context", context.c.tenant_id, context.c.deployment_id, context.c.context_id, unique=True)

resource_link = tenant_table(
    "resource_link",
    Column("deployment_id", Str, nullable=False),
    Column("context_id", Str),
    Column("resource_link_id", Str, nullable=False),
    Column("title", Str),
    Column("activity_id", Str),
    Column("updated_at", Time, nullable=False),
)
"""`context_id` is our context row. `activity_id` is what a teacher picked; a link that names its own wins."""
Index(
    "uq_resource_link",
    resource_link.c.tenant_id,
    resource_link.c.deployment_id,
    resource_link.c.resource_link_id,
    unique=True,
)

line_item = tenant_table(
    "line_item",
    Column("registration_id", Str, nullable=False),
    Column("resource_link_id", Str),
    Column("url", Str, nullable=False),
    Column("lineitems_url", Str),
    Column("scopes", Json, nullable=False),
    Column("created_at", Time, nullable=False),
)
Index(
    "uq_line_item", line_item.c.tenant_id, line_item.c.registration_id, line_item.c.url, unique=True
)

line_item_score = tenant_table(
    "line_item_score",
    Column("line_item_id", Str, primary_key=True),
    Column("user_id", Str, primary_key=True),
    Column("timestamp", Time, nullable=False),
    to("line_item", "line_item_id"),
    row_id=False,
)
"""The last AGS timestamp used for a user, since platforms want strictly increasing ones."""

launch = tenant_table(
    "launch",
    Column("registration_id", Str, nullable=False),
    Column("deployment_id", Str, nullable=False),
    Column("person_id", Str, nullable=False),
    Column("identity_id", Str, nullable=False),
    Column("context_id", Str),
    Column("resource_link_id", Str),
    Column("line_item_id", Str),
    Column("activity_id", Str),
    Column("user_id", Str),
    Column("roles", Json, nullable=False),
    Column("instructor", Boolean, nullable=False),
    Column("browser_digest", Str, nullable=False),
    Column("return_url", Str),
    Column("created_at", Time, nullable=False),
    Column("expires_at", Time, nullable=False),
    Column("ended_at", Time),
    Column("ended_by", Str),
    Column("tenant_epoch", Integer, nullable=False, server_default="0"),
    Column("registration_epoch", Integer, nullable=False, server_default="0"),
    to("person", "person_id"),
)
"""A launch session: one activity, one person, one browser. `user_id` is the platform's `sub`."""
Index("ix_launch_browser", launch.c.browser_digest, launch.c.created_at)
Index("ix_launch_person", launch.c.tenant_id, launch.c.person_id, launch.c.ended_at)
Index(
    "ix_launch_standing",
    launch.c.tenant_id,
    launch.c.registration_id,
    launch.c.tenant_epoch,
    launch.c.registration_epoch,
    launch.c.expires_at,
    sqlite_where=launch.c.ended_at.is_(None),
    postgresql_where=launch.c.ended_at.is_(None),
)
"""Holds all that counting the standing launches of a tenant or a platform needs."""
