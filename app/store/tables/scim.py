"""SCIM resources: the JSON as it is served, beside indexed rows of (path, folded value)."""

from sqlalchemy import Column, Float, Index, Integer

from app.store.types import Json, Str, Time, tenant_table

resource = tenant_table(
    "scim_resource",
    Column("type", Str, nullable=False),
    Column("body", Json, nullable=False),
    Column("version", Integer, nullable=False),
    Column("created_at", Time, nullable=False),
    Column("updated_at", Time, nullable=False),
    Column("deleted_at", Time),
)
"""User or Group. A User's id is its person's id. A Group's members are `membership` rows, not JSON."""
Index(
    "ix_scim_resource_page",
    resource.c.tenant_id,
    resource.c.type,
    resource.c.deleted_at,
    resource.c.id,
)

value = tenant_table(
    "scim_value",
    Column("type", Str, primary_key=True),
    Column("path", Str, primary_key=True),
    Column("resource_id", Str, primary_key=True),
    Column("item", Integer, primary_key=True),
    Column("folded", Str, nullable=False),
    Column("exact", Str, nullable=False),
    Column("number", Float),
    row_id=False,
)
"""One searchable value: canonical path, element number in its multi-valued attribute, forms to compare."""
Index("ix_scim_value_folded", value.c.tenant_id, value.c.type, value.c.path, value.c.folded)
Index("ix_scim_value_exact", value.c.tenant_id, value.c.type, value.c.path, value.c.exact)
Index("ix_scim_value_resource", value.c.tenant_id, value.c.resource_id)

external_id = tenant_table(
    "scim_external_id",
    Column("client", Str, primary_key=True),
    Column("type", Str, primary_key=True),
    Column("resource_id", Str, primary_key=True),
    Column("external_id", Str, nullable=False),
    row_id=False,
)
"""externalId belongs to the provisioning client that set it (RFC 7643 §3.1)."""
Index(
    "ix_scim_external_id",
    external_id.c.tenant_id,
    external_id.c.client,
    external_id.c.type,
    external_id.c.external_id,
)

resource_count = tenant_table(
    "scim_count",
    Column("type", Str, primary_key=True),
    Column("live", Integer, nullable=False),
    row_id=False,
)
"""How many resources a tenant has, so that totalResults is not counted each time."""
