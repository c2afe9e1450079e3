"""SCIM resources: the JSON as it is served, beside indexed rows of (path, folded value)."""

from __future__ import annotations

from sqlalchemy import Column, Float, Index, Integer, PrimaryKeyConstraint

from app.store.types import Json, Str, Time, tenant_table

resource = tenant_table(
    "scim_resource",
    Column("type", Str, nullable=False),
    Column("client", Str),
    Column("body", Json, nullable=False),
    Column("version", Integer, nullable=False),
    Column("created_at", Time, nullable=False),
    Column("updated_at", Time, nullable=False),
    Column("deleted_at", Time),
)
"""User or Group. A User's id is its person's id. A Group's members are `membership` rows, not JSON.

`client` is the provisioning client that made it.
"""
Index(
    "ix_scim_resource_page",
    resource.c.tenant_id,
    resource.c.type,
    resource.c.id,
    sqlite_where=resource.c.deleted_at.is_(None),
    postgresql_where=resource.c.deleted_at.is_(None),
)

Index(
    "ix_scim_resource_modified",
    resource.c.tenant_id,
    resource.c.type,
    resource.c.updated_at,
    resource.c.id,
    sqlite_where=resource.c.deleted_at.is_(None),
    postgresql_where=resource.c.deleted_at.is_(None),
)
"""Clients that come for what has changed since then ask `meta.lastModified gt`, or sort by it."""

Index(
    "ix_scim_resource_deleted",
    resource.c.deleted_at,
    sqlite_where=resource.c.deleted_at.is_not(None),
    postgresql_where=resource.c.deleted_at.is_not(None),
)
"""By it those are found whose time to come back is over."""

HEAD = 200
"""How many characters of a value are indexed; PostgreSQL's index takes no longer ones."""

value = tenant_table(
    "scim_value",
    Column("resource_id", Str, primary_key=True),
    Column("path", Str, primary_key=True),
    Column("item", Integer, primary_key=True),
    Column("type", Str, nullable=False),
    Column("head", Str, nullable=False),
    Column("tail", Str, nullable=False),
    Column("number", Float),
    # Not the tenant first: SQLite would rather walk all of a tenant's rows by it than use the index.
    PrimaryKeyConstraint("resource_id", "tenant_id", "path", "item"),
    row_id=False,
    sqlite_with_rowid=False,
)
"""The rows of `scim.values` of the live resources: a text is `head`, its first HEAD characters, and `tail`."""
Index("ix_scim_value_head", value.c.tenant_id, value.c.type, value.c.path, value.c.head)

external_id = tenant_table(
    "scim_external_id",
    Column("client", Str, primary_key=True),
    Column("type", Str, primary_key=True),
    Column("resource_id", Str, primary_key=True),
    Column("external_id", Str, nullable=False),
    PrimaryKeyConstraint("resource_id", "tenant_id", "client", "type"),
    row_id=False,
)
"""externalId belongs to the provisioning client that set it (RFC 7643 §3.1)."""
Index(
    "ix_scim_external_id",
    external_id.c.tenant_id,
    external_id.c.external_id,
    external_id.c.client,
    external_id.c.type,
)
"""Unlike the key in its first columns: before it has counted the rows, PostgreSQL takes one for the other."""

trace = tenant_table(
    "scim_trace",
    Column("subject", Str, primary_key=True),
    Column("id", Str, primary_key=True),
    Column("at", Time, nullable=False),
    Column("client", Str, nullable=False),
    Column("method", Str, nullable=False),
    Column("status", Integer, nullable=False),
    Column("refusal", Str),
    Column("sent", Str),
    Column("before", Str),
    Column("after", Str),
    row_id=False,
    sqlite_with_rowid=False,
)
"""Each provisioning request, beside the others about the same (`app.store.scim_trace.Traced`)."""
Index("ix_scim_trace_at", trace.c.tenant_id, trace.c.at)

tally = tenant_table(
    "scim_tally",
    Column("type", Str, primary_key=True),
    Column("client", Str, primary_key=True),
    Column("live", Integer, nullable=False),
    Column("active", Integer, nullable=False),
    row_id=False,
)
"""How many live resources each client has made, and how many of them are active people."""

schema = tenant_table(
    "scim_schema",
    Column("urn", Str, primary_key=True),
    Column("type", Str, nullable=False),
    Column("document", Json, nullable=False),
    Column("created_at", Time, nullable=False),
    Column("updated_at", Time, nullable=False),
    row_id=False,
)
"""A tenant's own extension of User or Group, as RFC 7643 §7 writes a schema; `urn` in lower case."""
