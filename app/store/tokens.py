"""Bearer tokens, stored as digests. Reading one reads its tenant's state too."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import bindparam, insert, or_, select, update

from app.kernel import credential
from app.kernel.credential import Credential
from app.kernel.tenant import Tenant
from app.store.db import Read, Tx
from app.store.people import MAY_ENTER
from app.store.prepared import Prepared
from app.store.tables.people import person
from app.store.tables.tenants import tenant, token
from app.store.types import Time

_TOUCH_AFTER = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Token:
    """A token that stands: what it may do, and for which provisioning client."""

    id: str
    kind: str
    client: str
    scope: str
    tenant: Tenant
    person_id: str | None
    stale: bool
    """Its last use was noted more than a minute ago."""


def add(
    tx: Tx, token_id: str, kind: str, secret: bytes, now: datetime,
    *, client: str = "default", scope: str = "write", expires_at: datetime | None = None,
    person_id: str | None = None,
) -> None:  # fmt: skip
    """Insert a token; only the secret's digest is kept."""
    tx.conn.execute(insert(token).values(
        tenant_id=tx.tenant, id=token_id, kind=kind, client=client, scope=scope, person_id=person_id,
        digest=credential.digest(secret), created_at=now, expires_at=expires_at,
    ))  # fmt: skip


_STANDING = Prepared(
    select(token, tenant.c.slug, tenant.c.name, tenant.c.enabled, tenant.c.home_page)
    .join(tenant, tenant.c.id == token.c.tenant_id)
    .outerjoin(
        person, (person.c.tenant_id == token.c.tenant_id) & (person.c.id == token.c.person_id)
    )
    .where(
        token.c.tenant_id == bindparam("tenant"),
        token.c.id == bindparam("id"),
        token.c.kind == bindparam("kind"),
        token.c.revoked_at.is_(None),
        or_(token.c.expires_at.is_(None), token.c.expires_at > bindparam("now", type_=Time)),
        tenant.c.enabled,
        or_(token.c.person_id.is_(None), MAY_ENTER),
    )
)


def standing(read: Read, presented: Credential, kind: str, now: datetime) -> Token | None:
    """Return the token if it is known, of this kind, unexpired, unrevoked, and its tenant is enabled.

    A person's token stands only while sign-in is open to that person.
    """
    row = _STANDING.first(
        read.conn, {"tenant": read.tenant, "id": presented.id, "kind": kind, "now": now}
    )
    if row is None or not credential.matches(presented, row.digest):
        return None
    owner = Tenant(read.tenant, row.slug, row.name, row.enabled, row.home_page)
    stale = row.last_used_at is None or now - row.last_used_at > _TOUCH_AFTER
    return Token(row.id, row.kind, row.client, row.scope, owner, row.person_id, stale)


def touch(tx: Tx, token_id: str, now: datetime) -> None:
    """Note a use; called once a minute at most."""
    mine = (token.c.tenant_id == tx.tenant) & (token.c.id == token_id)
    tx.conn.execute(update(token).where(mine).values(last_used_at=now))


def clients(read: Read, kind: str) -> list[str]:
    """Return the provisioning clients for whom there ever was a token, sorted."""
    mine = (token.c.tenant_id == read.tenant) & (token.c.kind == kind)
    return sorted(read.conn.execute(select(token.c.client).where(mine).distinct()).scalars())


def revoke(tx: Tx, token_id: str, now: datetime) -> bool:
    """Revoke a token; False when there is none, or it is revoked already."""
    mine = (
        (token.c.tenant_id == tx.tenant) & (token.c.id == token_id) & token.c.revoked_at.is_(None)
    )
    return tx.conn.execute(update(token).where(mine).values(revoked_at=now)).rowcount == 1


def revoke_all(tx: Tx, person_id: str, now: datetime) -> int:
    """Revoke every token of a person; returns how many stood."""
    mine = (
        (token.c.tenant_id == tx.tenant)
        & (token.c.person_id == person_id)
        & token.c.revoked_at.is_(None)
        & or_(token.c.expires_at.is_(None), token.c.expires_at > now)
    )
    return tx.conn.execute(update(token).where(mine).values(revoked_at=now)).rowcount
