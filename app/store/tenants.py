"""Tenants and their domains. Looking one up by slug happens before a tenant is known."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Row, insert, select, update

from app.kernel.tenant import Tenant, TenantId
from app.store.db import Read, System
from app.store.sql import cut, upsert
from app.store.tables.tenants import domain, tenant

_COLUMNS = [tenant.c.id, tenant.c.slug, tenant.c.name, tenant.c.enabled, tenant.c.home_page]


def get(read: Read) -> Tenant | None:
    """Return the handle's own tenant."""
    row = read.conn.execute(select(*_COLUMNS).where(tenant.c.id == read.tenant)).first()
    return None if row is None else _tenant(row)


def by_slug(system: System, slug: str) -> Tenant | None:
    """Find a tenant by its slug."""
    return _found(system, tenant.c.slug == slug)


def by_id(system: System, tenant_id: str) -> Tenant | None:
    """Find a tenant by its id."""
    return _found(system, tenant.c.id == tenant_id)


def by_domain(system: System, name: str) -> Tenant | None:
    """Find the tenant that has verified an e-mail domain."""
    row = system.conn.execute(
        select(*_COLUMNS)
        .join(domain, domain.c.tenant_id == tenant.c.id)
        .where(domain.c.domain == name.casefold(), domain.c.verified_at.is_not(None))
    ).first()
    return None if row is None else _tenant(row)


def listed(system: System) -> list[Tenant]:
    """Return every tenant by slug."""
    return [_tenant(row) for row in system.conn.execute(select(*_COLUMNS).order_by(tenant.c.slug))]


def add(system: System, new: Tenant, now: datetime) -> None:
    """Insert a tenant; raises an integrity error when the slug is taken."""
    system.conn.execute(
        insert(tenant).values(
            id=new.id,
            slug=new.slug,
            name=new.name,
            enabled=new.enabled,
            home_page=new.home_page,
            created_at=now,
        )
    )


def enable(system: System, tenant_id: TenantId, now: datetime, *, enabled: bool) -> bool:
    """Switch a tenant on or off: one row, read at every request; False when it was so already.

    Off, its epoch ends: no session or launch from before ever stands again.
    """
    mine = (tenant.c.id == tenant_id) & (tenant.c.enabled != enabled)
    to = {"enabled": True} if enabled else cut(tenant, now)
    return system.conn.execute(update(tenant).where(mine).values(**to)).rowcount == 1


def idp(read: Read) -> str:
    """Return the kind of identity provider that provisions the handle's own tenant."""
    mine = tenant.c.id == read.tenant
    return str(read.conn.execute(select(tenant.c.scim_idp).where(mine)).scalar_one())


def set_idp(system: System, tenant_id: TenantId, kind: str) -> bool:
    """Name the kind of identity provider that provisions; False when it was so already."""
    mine = (tenant.c.id == tenant_id) & (tenant.c.scim_idp != kind)
    return system.conn.execute(update(tenant).where(mine).values(scim_idp=kind)).rowcount == 1


def verify_domain(
    system: System, tenant_id: TenantId, name: str, verified_at: datetime | None
) -> None:
    """Give a tenant an e-mail domain; raises an integrity error when another has verified it."""
    row = {"tenant_id": tenant_id, "domain": name.casefold(), "verified_at": verified_at}
    upsert(system.conn, domain, row, ("tenant_id", "domain"))


def verified_domains(read: Read) -> frozenset[str]:
    """Return the e-mail domains inside which an address identifies a person."""
    mine = (domain.c.tenant_id == read.tenant) & domain.c.verified_at.is_not(None)
    return frozenset(read.conn.execute(select(domain.c.domain).where(mine)).scalars())


def _found(system: System, condition: ColumnElement[bool]) -> Tenant | None:
    row = system.conn.execute(select(*_COLUMNS).where(condition)).first()
    return None if row is None else _tenant(row)


def _tenant(row: Row[*tuple[Any, ...]]) -> Tenant:
    return Tenant(TenantId(row.id), row.slug, row.name, row.enabled, row.home_page)
