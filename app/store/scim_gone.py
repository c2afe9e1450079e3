"""Deleted SCIM resources whom their client may bring back under the same externalId."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import select

from app.store.db import Read
from app.store.sql import among
from app.store.tables.scim import external_id, resource
from scim.attributes import ResourceType


def bearing(read: Read, client: str, of: ResourceType, externals: Collection[str]) -> set[str]:
    """Return which of these externalIds a deleted resource bears."""
    if not externals:
        return set()
    statement = (
        select(external_id.c.external_id)
        .join(
            resource,
            (resource.c.tenant_id == external_id.c.tenant_id)
            & (resource.c.id == external_id.c.resource_id),
        )
        .where(
            external_id.c.tenant_id == read.tenant,
            external_id.c.client == client,
            external_id.c.type == of.name,
            among(read.conn, external_id.c.external_id, externals),
            resource.c.deleted_at.is_not(None),
        )
    )
    return set(read.conn.execute(statement).scalars())
