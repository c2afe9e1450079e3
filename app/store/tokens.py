"""Bearer tokens, stored as digests. Reading one reads its tenant's state too."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    Column,
    ColumnElement,
    FromClause,
    Label,
    bindparam,
    case,
    delete,
    func,
    insert,
    or_,
    select,
    update,
)

from app.kernel import credential
from app.kernel.credential import Credential
from app.kernel.tenant import Tenant
from app.store.db import Read, System, Tx
from app.store.people import MAY_ENTER
from app.store.prepared import Prepared
from app.store.tables.people import person
from app.store.tables.tenants import tenant, token
from app.store.types import Time

OF_PERSON = "api"
"""The kind of token that is a person's; every other is a tenant's."""

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
    idp: str
    """The kind of identity provider that provisions the tenant."""
    stale: bool
    """Its last use was noted more than a minute ago."""


def add(
    tx: Tx, token_id: str, kind: str, secret: bytes, now: datetime,
    *, client: str = "default", scope: str = "write", expires_at: datetime | None = None,
    person_id: str | None = None, name: str | None = None, created_by: str | None = None,
    oauth_client_id: str | None = None,
) -> None:  # fmt: skip
    """Insert a token; only the secret's digest is kept."""
    tx.conn.execute(_ADD, {
        "tenant_id": tx.tenant, "id": token_id, "kind": kind, "client": client, "scope": scope,
        "person_id": person_id, "digest": credential.digest(secret), "created_at": now,
        "expires_at": expires_at, "name": name, "created_by": created_by,
        "oauth_client_id": oauth_client_id,
    })  # fmt: skip


_SHOWN = token.c[
    "id", "name", "kind", "client", "scope", "person_id", "created_at", "created_by", "expires_at",
    "revoked_at", "last_used_at",
]  # fmt: skip
_creator, _whose = person.alias("creator"), person.alias("whose")
_ADD = insert(token)
_DROP = delete(token).where(token.c.tenant_id == bindparam("of"), token.c.id == bindparam("which"))
_KEPT = (
    select(
        *token.c[
            "id", "kind", "client", "scope", "person_id", "digest", "last_used_at", "expires_at"
        ],
        tenant.c.slug,
        tenant.c.name,
        tenant.c.enabled,
        tenant.c.home_page,
        tenant.c.scim_idp,
        tenant.c.scim_schemas,
    )
    .join(tenant, tenant.c.id == token.c.tenant_id)
    .where(
        token.c.tenant_id == bindparam("tenant"),
        token.c.id == bindparam("id"),
        token.c.kind == bindparam("kind"),
        token.c.revoked_at.is_(None),
        tenant.c.enabled,
    )
)
_OF_TENANT = Prepared(_KEPT.where(token.c.person_id.is_(None)))
_OF_PERSON = Prepared(_KEPT.join(
    person, (person.c.tenant_id == token.c.tenant_id) & (person.c.id == token.c.person_id)
).where(MAY_ENTER))  # fmt: skip
_REVOKED = Prepared(
    update(token).where(
        token.c.tenant_id == bindparam("of"),
        token.c.person_id == bindparam("who"),
        token.c.revoked_at.is_(None),
        or_(token.c.expires_at.is_(None), token.c.expires_at > bindparam("now", type_=Time)),
    ),
    "revoked_at",
)  # fmt: skip


def standing(read: Read, presented: Credential, kind: str, now: datetime) -> Token | None:
    """Return the token if it is known, of this kind, unexpired, unrevoked, and its tenant is enabled.

    A person's token stands only while sign-in is open to that person.
    """
    statement = _OF_PERSON if kind == OF_PERSON else _OF_TENANT
    row = statement.first(read.conn, {"tenant": read.tenant, "id": presented.id, "kind": kind})
    if row is None or not credential.matches(presented, row.digest):
        return None
    if row.expires_at is not None and row.expires_at <= now:
        return None
    owner = Tenant(read.tenant, row.slug, row.name, row.enabled, row.home_page, row.scim_schemas)
    stale = row.last_used_at is None or now - row.last_used_at > _TOUCH_AFTER
    return Token(
        row.id, row.kind, row.client, row.scope, owner, row.person_id, row.scim_idp, stale
    )  # fmt: skip


def listed(read: Read, now: datetime, most: int) -> list[dict[str, Any]]:
    """Return the tenant's tokens without secrets, those that stand first, then the newest.

    Left out are those that OAuth clients were given. `state` is standing, expired or revoked;
    `creator` and `whose` are the rows' people, as far as there are any.
    """
    over = token.c.expires_at.is_not(None) & (token.c.expires_at <= now)
    state = case((token.c.revoked_at.is_not(None), "revoked"), (over, "expired"), else_="standing")
    rows = read.conn.execute(
        select(*_SHOWN, state.label("state"), _name(_creator, "creator"), _name(_whose, "whose"))
        .outerjoin(_creator, _of_token(_creator, token.c.created_by))
        .outerjoin(_whose, _of_token(_whose, token.c.person_id))
        .where(token.c.tenant_id == read.tenant, token.c.oauth_client_id.is_(None))
        .order_by(case((state == "standing", 0), else_=1), token.c.created_at.desc())
        .limit(most)
    )
    return [dict(row._mapping) for row in rows]  # noqa: SLF001 - SQLAlchemy's public name


def _of_token(who: FromClause, key: Column[str]) -> ColumnElement[bool]:
    return (who.c.tenant_id == token.c.tenant_id) & (who.c.id == key)


def _name(who: FromClause, label: str) -> Label[str | None]:
    return func.coalesce(who.c.display_name, who.c.user_name, who.c.email).label(label)


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
    return _REVOKED.run(tx.conn, {"of": tx.tenant, "who": person_id, "now": now, "revoked_at": now})


def revoke_of(tx: Tx, kind: str, client: str, now: datetime) -> int:
    """Revoke every token of a kind that speaks for a client; returns how many stood."""
    mine = (
        (token.c.tenant_id == tx.tenant)
        & (token.c.kind == kind)
        & (token.c.client == client)
        & token.c.revoked_at.is_(None)
    )
    return tx.conn.execute(update(token).where(mine).values(revoked_at=now)).rowcount


def revoke_given(tx: Tx, oauth_client_id: str, now: datetime) -> int:
    """Revoke every token that an OAuth client was given; returns how many stood."""
    mine = (
        (token.c.tenant_id == tx.tenant)
        & (token.c.oauth_client_id == oauth_client_id)
        & token.c.revoked_at.is_(None)
        & (token.c.expires_at > now)
    )
    return tx.conn.execute(update(token).where(mine).values(revoked_at=now)).rowcount


def expired(system: System, now: datetime, most: int) -> list[tuple[str, str]]:
    """Return (tenant, id) of given tokens that have expired, the oldest first, by a mere read."""
    over = token.c.oauth_client_id.is_not(None) & (token.c.expires_at < now)
    found = (
        select(token.c.tenant_id, token.c.id).where(over).order_by(token.c.expires_at).limit(most)
    )
    return [(row.tenant_id, row.id) for row in system.conn.execute(found)]


def drop(system: System, found: Iterable[tuple[str, str]]) -> None:
    """Drop tokens that have expired."""
    for tenant_id, token_id in found:
        system.conn.execute(_DROP, {"of": tenant_id, "which": token_id})
