"""Platforms' registrations and deployments, looked up through System: they say which tenant it is.

A registration belongs to one tenant, or to the operator; a deployment is approved into one tenant,
and waits until then.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, Select, func, insert, or_, select, union, update

from app.kernel.tenant import OPERATOR, Tenant, TenantId
from app.store.db import Read, System
from app.store.sql import cut, insert_once
from app.store.tables.lti import deployment, registration
from app.store.tables.tenants import tenant
from lti.registration import Registration

_MOST_WAITING = 1000


@dataclass(frozen=True, slots=True)
class Platform:
    """A registration with what the gateway decides about it; `owner` None is the operator.

    `link_by` is the rule that joins its people to those whom we know: none, sourcedid or email.
    """

    registration: Registration
    owner: Tenant | None
    name: str
    link_by: str
    enabled: bool

    @property
    def key_owner(self) -> str:
        """Whose keys sign for it."""
        return self.owner.slug if self.owner else OPERATOR


@dataclass(frozen=True, slots=True)
class Deployed:
    """A deployment as stored; without a tenant it waits for an administrator."""

    id: str
    registration_id: str
    deployment_id: str
    tenant_id: TenantId | None
    anonymous: bool
    first_seen_at: datetime
    approved_at: datetime | None


_DEPLOYED = [deployment.c[name] for name in Deployed.__slots__]


def add(system: System, platform: Platform, now: datetime) -> bool:
    """Insert a registration; False when its (issuer, client_id) is taken."""
    of = platform.registration
    return insert_once(system.conn, registration, {
        "id": of.id, "tenant_id": platform.owner.id if platform.owner else None, "name": platform.name,
        "issuer": of.issuer, "client_id": of.client_id, "auth_login_url": of.auth_login_url,
        "auth_token_url": of.auth_token_url, "auth_audience": of.token_audience, "jwks_url": of.jwks_url,
        "link_by": platform.link_by, "enabled": platform.enabled, "created_at": now,
    })  # fmt: skip


def by_id(system: System, registration_id: str) -> Platform | None:
    """Find a platform by its registration's id."""
    row = system.conn.execute(_platforms().where(registration.c.id == registration_id)).first()
    return None if row is None else _platform(row)


def matching(system: System, issuer: str, client_id: str | None) -> list[Platform]:
    """Return the platforms of this issuer: with a client_id one at most, without it perhaps two."""
    statement = _platforms().where(registration.c.issuer == issuer)
    if client_id is not None:
        statement = statement.where(registration.c.client_id == client_id)
    return [_platform(row) for row in system.conn.execute(statement.limit(2))]


def listed(system: System, tenant_id: TenantId | None = None) -> list[Platform]:
    """Return the platforms by name: all, or those of one tenant."""
    statement = _platforms().order_by(registration.c.name, registration.c.id)
    if tenant_id is not None:
        statement = statement.where(registration.c.tenant_id == tenant_id)
    return [_platform(row) for row in system.conn.execute(statement)]


def enable(system: System, registration_id: str, now: datetime, *, enabled: bool) -> bool:
    """Switch a platform on or off: one row, read at every request; False when it was so already.

    Off, its epoch ends: who was cut off opens the link anew, once it is on again.
    """
    mine = (registration.c.id == registration_id) & (registration.c.enabled != enabled)
    to = {"enabled": True} if enabled else cut(registration, now)
    return system.conn.execute(update(registration).where(mine).values(**to)).rowcount == 1


def led_into(system: System, registration_id: str) -> list[TenantId]:
    """Return the tenants that a platform's approved deployments lead into, and the one that it belongs to."""
    theirs = select(deployment.c.tenant_id).where(deployment.c.registration_id == registration_id)
    owner = select(registration.c.tenant_id).where(registration.c.id == registration_id)
    found = system.conn.execute(union(theirs, owner)).scalars()
    return [TenantId(one) for one in sorted(filter(None, found))]


def deployed(system: System, registration_id: str, deployment_id: str) -> Deployed | None:
    """Find a deployment, approved or waiting."""
    row = system.conn.execute(_of(registration_id, deployment_id)).first()
    return None if row is None else Deployed(*row)


def deployments(system: System, registration_id: str) -> list[Deployed]:
    """Return a registration's deployments, oldest first."""
    mine = deployment.c.registration_id == registration_id
    rows = system.conn.execute(select(*_DEPLOYED).where(mine).order_by(deployment.c.first_seen_at))
    return [Deployed(*row) for row in rows]


def wait(
    system: System, row_id: str, registration_id: str, deployment_id: str, now: datetime
) -> None:
    """Remember a deployment that nobody approved, so that an administrator sees it."""
    waiting = (deployment.c.registration_id == registration_id) & deployment.c.approved_at.is_(None)
    many = system.conn.execute(select(func.count()).select_from(deployment).where(waiting))
    if many.scalar_one() < _MOST_WAITING:
        insert_once(system.conn, deployment, {
            "id": row_id, "registration_id": registration_id, "deployment_id": deployment_id,
            "anonymous": False, "first_seen_at": now,
        })  # fmt: skip


def approve(
    system: System, row_id: str, registration_id: str, deployment_id: str, into: TenantId, now: datetime,
    *, anonymous: bool = False,
) -> None:  # fmt: skip
    """Let a deployment's launches into a tenant, whether it waited or is not yet known.

    `anonymous` also those that name no user.
    """
    known = system.conn.execute(_of(registration_id, deployment_id)).first()
    if known is not None:
        change = update(deployment).where(deployment.c.id == known.id)
        system.conn.execute(change.values(tenant_id=into, anonymous=anonymous, approved_at=now))
        return
    system.conn.execute(insert(deployment).values(
        id=row_id, registration_id=registration_id, deployment_id=deployment_id, tenant_id=into,
        anonymous=anonymous, first_seen_at=now, approved_at=now,
    ))  # fmt: skip


def open_for(read: Read, registration_id: str, deployment_row: str, begun_at: datetime) -> bool:
    """Tell whether tenant, registration and deployment are all enabled at this moment.

    For a login that was begun at `begun_at`: not if one of them was switched off since.
    """
    found = read.conn.execute(
        select(deployment.c.id)
        .join(registration, registration.c.id == deployment.c.registration_id)
        .join(tenant, tenant.c.id == deployment.c.tenant_id)
        .where(
            deployment.c.id == deployment_row,
            deployment.c.tenant_id == read.tenant,
            deployment.c.approved_at.is_not(None),
            registration.c.id == registration_id,
            registration.c.enabled,
            tenant.c.enabled,
            or_(registration.c.cut_at.is_(None), registration.c.cut_at <= begun_at),
            or_(tenant.c.cut_at.is_(None), tenant.c.cut_at <= begun_at),
        )
    ).first()
    return found is not None


def _of(registration_id: str, deployment_id: str) -> Select[Any]:
    return select(*_DEPLOYED).where(
        deployment.c.registration_id == registration_id, deployment.c.deployment_id == deployment_id
    )


def _platforms() -> Select[Any]:
    return select(
        registration, tenant.c.slug, tenant.c.name.label("tenant_name"),
        tenant.c.enabled.label("tenant_enabled"), tenant.c.home_page,
    ).outerjoin(tenant, tenant.c.id == registration.c.tenant_id)  # fmt: skip


def _platform(row: Row[*tuple[Any, ...]]) -> Platform:
    owner = None
    if row.tenant_id is not None:
        owner = Tenant(
            TenantId(row.tenant_id), row.slug, row.tenant_name, row.tenant_enabled, row.home_page
        )
    of = Registration(
        row.id, row.issuer, row.client_id, row.auth_login_url, row.auth_token_url, row.jwks_url,
        row.auth_audience,
    )  # fmt: skip
    return Platform(of, owner, row.name, row.link_by, row.enabled)
