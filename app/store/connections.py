"""Connections: one tenant's trust in one identity provider."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, insert, select, update

from app.kernel.tenant import Tenant, TenantId
from app.store.db import Read, System, Tx
from app.store.sql import cut
from app.store.tables.access import connection
from app.store.tables.tenants import tenant


@dataclass(frozen=True, slots=True)
class Connection:
    """A connection with its tenant as they are now. `settings` is the kind's own, without secrets.

    For kind oidc: `client_id`, `subject` (sub or oid), `post_logout_redirect` (whether the provider
    knows our address for coming back after a sign-out). `cut_at`: when it or its tenant was last
    switched off.
    """

    tenant: Tenant
    id: str
    kind: str
    name: str
    issuer: str
    settings: Mapping[str, Any]
    sealed_secret: str | None = field(repr=False)
    link_by: str
    jit: bool
    enabled: bool
    created_at: datetime
    cut_at: datetime | None = None


def add(tx: Tx, new: Connection) -> None:
    """Insert a connection into the handle's tenant."""
    tx.conn.execute(insert(connection).values(
        tenant_id=tx.tenant, id=new.id, kind=new.kind, name=new.name, issuer=new.issuer,
        settings=dict(new.settings), sealed_secret=new.sealed_secret, link_by=new.link_by, jit=new.jit,
        enabled=new.enabled, created_at=new.created_at,
    ))  # fmt: skip


def by_id(system: System, connection_id: str) -> Connection | None:
    """Find a connection by the id in its addresses, before a tenant is known."""
    row = system.conn.execute(_all().where(connection.c.id == connection_id)).first()
    return None if row is None else _of(row)


def get(read: Read, connection_id: str) -> Connection | None:
    """Find one of the tenant's connections."""
    row = read.conn.execute(_mine(read, connection.c.id == connection_id)).first()
    return None if row is None else _of(row)


def listed(read: Read) -> list[Connection]:
    """Return the tenant's connections, oldest first."""
    return [_of(row) for row in read.conn.execute(_mine(read).order_by(connection.c.created_at))]


def enable(tx: Tx, connection_id: str, now: datetime, *, enabled: bool) -> bool:
    """Switch a connection on or off: one row, read at every request; False when it was so already.

    Off, its epoch ends: who was cut off signs in anew, once it is on again.
    """
    mine = (
        (connection.c.tenant_id == tx.tenant)
        & (connection.c.id == connection_id)
        & (connection.c.enabled != enabled)
    )
    to = {"enabled": True} if enabled else cut(connection, now)
    return tx.conn.execute(update(connection).where(mine).values(**to)).rowcount == 1


def _all() -> Select[Any]:
    return select(
        connection, tenant.c.slug, tenant.c.name.label("tenant_name"), tenant.c.home_page,
        tenant.c.enabled.label("tenant_enabled"), tenant.c.cut_at.label("tenant_cut_at"),
    ).join(tenant, tenant.c.id == connection.c.tenant_id)  # fmt: skip


def _mine(read: Read, *conditions: ColumnElement[bool]) -> Select[Any]:
    return _all().where(connection.c.tenant_id == read.tenant, *conditions)


def _of(row: Row[*tuple[Any, ...]]) -> Connection:
    owner = Tenant(
        TenantId(row.tenant_id), row.slug, row.tenant_name, row.tenant_enabled, row.home_page
    )
    return Connection(
        owner, row.id, row.kind, row.name, row.issuer, row.settings, row.sealed_secret, row.link_by,
        row.jit, row.enabled, row.created_at,
        max(filter(None, (row.cut_at, row.tenant_cut_at)), default=None),
    )  # fmt: skip
