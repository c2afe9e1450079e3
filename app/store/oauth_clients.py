"""OAuth clients: who may ask for a tenant's access tokens, and how they prove who they are."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row, bindparam, insert, select, update

from app.kernel.tenant import TenantId
from app.store.db import Read, Tx
from app.store.sql import locked
from app.store.tables.tenants import oauth_client, tenant

_TOUCH_AFTER = timedelta(minutes=1)
_ONE = select(oauth_client).where(
    oauth_client.c.tenant_id == bindparam("of"), oauth_client.c.id == bindparam("which")
)
_STANDING = _ONE.join(tenant, tenant.c.id == oauth_client.c.tenant_id).where(
    oauth_client.c.enabled, tenant.c.enabled
)


@dataclass(frozen=True, slots=True)
class OAuthClient:
    """A client as it is now. It has the digest of a secret, or a key set: `jwks` itself or its address.

    `client` is the provisioning client that it acts as, `scope` the most that it may have: read or write.
    """

    tenant_id: TenantId
    id: str
    name: str
    client: str
    scope: str
    digest: str | None = field(repr=False)
    jwks: str | None = field(repr=False)
    jwks_url: str | None
    enabled: bool
    cut_at: datetime | None
    created_at: datetime
    created_by: str
    last_used_at: datetime | None


def add(tx: Tx, new: OAuthClient) -> None:
    """Insert a client into the handle's tenant."""
    tx.conn.execute(insert(oauth_client).values(
        tenant_id=tx.tenant, id=new.id, name=new.name, client=new.client, scope=new.scope,
        digest=new.digest, jwks=new.jwks, jwks_url=new.jwks_url, enabled=new.enabled,
        created_at=new.created_at, created_by=new.created_by,
    ))  # fmt: skip


def get(read: Read, client_id: str) -> OAuthClient | None:
    """Find one of the tenant's clients by its row's id."""
    row = read.conn.execute(_ONE, {"of": read.tenant, "which": client_id}).first()
    return None if row is None else _of(row)


def standing(read: Read, client_id: str) -> OAuthClient | None:
    """The same, if it and its tenant are enabled."""
    row = read.conn.execute(_STANDING, {"of": read.tenant, "which": client_id}).first()
    return None if row is None else _of(row)


def keep_standing(tx: Tx, client_id: str) -> OAuthClient | None:
    """The same; whoever switches it off or changes its secret waits until this transaction ends."""
    tx.conn.execute(locked(tx.conn, _ONE), {"of": tx.tenant, "which": client_id})
    return standing(tx, client_id)


def listed(read: Read) -> list[OAuthClient]:
    """Return the tenant's clients, oldest first."""
    mine = select(oauth_client).where(oauth_client.c.tenant_id == read.tenant)
    return [_of(row) for row in read.conn.execute(mine.order_by(oauth_client.c.created_at))]


def enable(tx: Tx, client_id: str, now: datetime, *, enabled: bool) -> bool:
    """Switch a client on or off; False when it was so already, or is not there."""
    mine = (
        (oauth_client.c.tenant_id == tx.tenant)
        & (oauth_client.c.id == client_id)
        & (oauth_client.c.enabled != enabled)
    )
    to: dict[str, Any] = {"enabled": True} if enabled else {"enabled": False, "cut_at": now}
    return tx.conn.execute(update(oauth_client).where(mine).values(**to)).rowcount == 1


def set_digest(tx: Tx, client_id: str, digest: str) -> None:
    """Give a client another secret."""
    mine = (oauth_client.c.tenant_id == tx.tenant) & (oauth_client.c.id == client_id)
    tx.conn.execute(update(oauth_client).where(mine).values(digest=digest))


def touch(tx: Tx, found: OAuthClient, now: datetime) -> None:
    """Note a use, unless one was noted within the last minute."""
    if found.last_used_at is None or now - found.last_used_at > _TOUCH_AFTER:
        mine = (oauth_client.c.tenant_id == tx.tenant) & (oauth_client.c.id == found.id)
        tx.conn.execute(update(oauth_client).where(mine).values(last_used_at=now))


def _of(row: Row[*tuple[Any, ...]]) -> OAuthClient:
    return OAuthClient(**row._mapping)  # noqa: SLF001 - SQLAlchemy's public name
