"""Every table of the gateway. Importing this package fills `metadata`."""

from __future__ import annotations

from app.store.tables import access, guard, learning, lti, outbox, people, scim, tenants
from app.store.types import metadata

__all__ = ["access", "guard", "learning", "lti", "metadata", "outbox", "people", "scim", "tenants"]
