"""Signed-in sessions, and the one revocation that ends a person's sessions and launches."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import insert, or_, select, update

from app.kernel import credential
from app.kernel.credential import Credential
from app.kernel.person import Person
from app.kernel.tenant import Tenant
from app.store import people
from app.store.db import Read, Tx
from app.store.sql import held
from app.store.tables.access import connection, session
from app.store.tables.lti import launch
from app.store.tables.people import identity, person
from app.store.tables.tenants import tenant

_TOUCH_AFTER = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Session:
    """A session that stands, with the person and the tenant as they are now."""

    id: str
    person: Person
    tenant: Tenant
    via: str
    identity_id: str | None
    connection_id: str | None
    created_at: datetime
    sealed_id_token: str | None
    stale: bool
    """It was last seen more than a minute ago."""


def add(
    tx: Tx, session_id: str, person_id: str, secret: bytes, via: str, now: datetime, expires_at: datetime,
    *, identity_id: str | None = None, connection_id: str | None = None,
    idp_session: str | None = None, sealed_id_token: str | None = None,
) -> None:  # fmt: skip
    """Insert a signed-in session (via oidc, saml or local)."""
    tx.conn.execute(insert(session).values(
        tenant_id=tx.tenant, id=session_id, person_id=person_id, identity_id=identity_id,
        connection_id=connection_id, via=via, digest=credential.digest(secret), idp_session=idp_session,
        sealed_id_token=sealed_id_token, created_at=now, expires_at=expires_at, seen_at=now,
    ))  # fmt: skip


def standing(read: Read, presented: Credential, now: datetime) -> Session | None:
    """Return the session if everything that it rests on is enabled at this moment.

    That is: the session itself, the person, the tenant, and the connection it came by. Inside a
    write transaction the person's row is locked, so that a cut-off comes wholly before or after.
    """
    statement = (
        select(
            session.c.digest, session.c.person_id, session.c.via, session.c.identity_id,
            session.c.connection_id, session.c.created_at, session.c.seen_at, session.c.sealed_id_token,
            tenant.c.slug, tenant.c.name.label("tenant_name"), tenant.c.home_page, *people.COLUMNS[1:],
        )
        .join(person, (person.c.tenant_id == session.c.tenant_id) & (person.c.id == session.c.person_id))
        .join(tenant, tenant.c.id == session.c.tenant_id)
        .outerjoin(
            connection,
            (connection.c.tenant_id == session.c.tenant_id) & (connection.c.id == session.c.connection_id),
        )
        .where(
            session.c.tenant_id == read.tenant,
            session.c.id == presented.id,
            session.c.ended_at.is_(None),
            session.c.expires_at > now,
            person.c.active,
            person.c.deleted_at.is_(None),
            tenant.c.enabled,
            or_(session.c.connection_id.is_(None), connection.c.enabled),
        )
    )  # fmt: skip
    if isinstance(read, Tx):
        statement = held(read.conn, statement, person)
    row = read.conn.execute(statement).first()
    if row is None or not credential.matches(presented, row.digest):
        return None
    return Session(
        presented.id, people.of_row(row, row.person_id),
        Tenant(read.tenant, row.slug, row.tenant_name, enabled=True, home_page=row.home_page),
        row.via, row.identity_id, row.connection_id, row.created_at, row.sealed_id_token,
        now - row.seen_at > _TOUCH_AFTER,
    )  # fmt: skip


def touch(tx: Tx, session_id: str, now: datetime) -> None:
    """Note that the session is in use; called once a minute at most."""
    mine = (session.c.tenant_id == tx.tenant) & (session.c.id == session_id)
    tx.conn.execute(update(session).where(mine).values(seen_at=now))


def end(tx: Tx, session_id: str, by: str, now: datetime) -> bool:
    """End one session; False when it had ended."""
    mine = (
        (session.c.tenant_id == tx.tenant)
        & (session.c.id == session_id)
        & session.c.ended_at.is_(None)
    )
    return (
        tx.conn.execute(update(session).where(mine).values(ended_at=now, ended_by=by)).rowcount == 1
    )


def end_by_provider(
    tx: Tx, connection_id: str, by: str, now: datetime,
    *, idp_session: str | None = None, subject: str | None = None,
) -> int:  # fmt: skip
    """End the sessions that came by a connection; returns how many.

    Where given, only those of one session or of one subject at the provider.
    """
    mine = (
        (session.c.tenant_id == tx.tenant)
        & (session.c.connection_id == connection_id)
        & session.c.ended_at.is_(None)
    )
    if idp_session is not None:
        mine &= session.c.idp_session == idp_session
    if subject is not None:
        mine &= session.c.identity_id.in_(
            select(identity.c.id).where(
                identity.c.tenant_id == tx.tenant,
                identity.c.issuer == connection_id,
                identity.c.subject == subject,
            )
        )
    return tx.conn.execute(update(session).where(mine).values(ended_at=now, ended_by=by)).rowcount


def end_all(tx: Tx, person_id: str, by: str, now: datetime) -> int:
    """End every session and launch of a person; returns how many. Ended ones never revive."""
    ended = 0
    for table in (session, launch):
        mine = (
            (table.c.tenant_id == tx.tenant)
            & (table.c.person_id == person_id)
            & table.c.ended_at.is_(None)
        )
        ended += tx.conn.execute(
            update(table).where(mine).values(ended_at=now, ended_by=by)
        ).rowcount
    return ended
