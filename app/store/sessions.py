"""Signed-in sessions: rows that are read at every request, with all that they rest on.

A session bears the epochs of its tenant and connection as they were; once one of these was switched
off, its epoch is another, and what came before is over for good without a row being written.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import and_, bindparam, func, insert, or_, select, update

from app.kernel import credential
from app.kernel.credential import Credential
from app.kernel.person import Person
from app.kernel.tenant import Tenant
from app.store import people
from app.store.db import Read, Tx
from app.store.sql import ending, epoch_of, hold
from app.store.tables.access import connection, session
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


_NEW = insert(session).values(
    tenant_epoch=epoch_of(tenant, tenant.c.id == bindparam("of")),
    connection_epoch=epoch_of(
        connection, connection.c.tenant_id == bindparam("of"), connection.c.id == bindparam("by")
    ),
)
RESTS_ON = session.join(tenant, tenant.c.id == session.c.tenant_id).outerjoin(
    connection,
    (connection.c.tenant_id == session.c.tenant_id) & (connection.c.id == session.c.connection_id),
)
"""Sessions with their tenant and connection."""

_ENDED = ending(session)
_OF_THIS_EPOCH = and_(
    session.c.ended_at.is_(None),
    session.c.tenant_epoch == tenant.c.epoch,
    or_(session.c.connection_id.is_(None), session.c.connection_epoch == connection.c.epoch),
)
STANDS = and_(
    _OF_THIS_EPOCH, tenant.c.enabled, or_(session.c.connection_id.is_(None), connection.c.enabled)
)
"""Whether a session, joined with its tenant and connection, is neither over nor cut off."""

_STANDING = (
    select(
        session.c.digest, session.c.person_id, session.c.via, session.c.identity_id,
        session.c.connection_id, session.c.created_at, session.c.seen_at, session.c.sealed_id_token,
        tenant.c.slug, tenant.c.name.label("tenant_name"), tenant.c.home_page, *people.COLUMNS[1:],
    )
    .select_from(RESTS_ON.join(
        person, (person.c.tenant_id == session.c.tenant_id) & (person.c.id == session.c.person_id)
    ))
    .where(
        session.c.tenant_id == bindparam("tenant"),
        session.c.id == bindparam("id"),
        session.c.expires_at > bindparam("now"),
        STANDS,
        people.MAY_ENTER,
    )
)  # fmt: skip
_WHOSE = (
    select(person.c.id)
    .join(
        session, (session.c.tenant_id == person.c.tenant_id) & (session.c.person_id == person.c.id)
    )
    .where(session.c.tenant_id == bindparam("tenant"), session.c.id == bindparam("id"))
)
_COUNTED = (
    select(func.count())
    .select_from(RESTS_ON)
    .where(
        session.c.tenant_id == bindparam("tenant"),
        session.c.expires_at > bindparam("now"),
        _OF_THIS_EPOCH,
    )
)


def add(
    tx: Tx, session_id: str, person_id: str, secret: bytes, via: str, now: datetime, expires_at: datetime,
    *, identity_id: str | None = None, connection_id: str | None = None,
    idp_session: str | None = None, sealed_id_token: str | None = None, begun_at: datetime | None = None,
) -> None:  # fmt: skip
    """Insert a signed-in session (via oidc, saml or local), by a sign-in that was begun at `begun_at`.

    It never stands if its tenant or connection was switched off since then.
    """
    tx.conn.execute(_NEW, {
        "tenant_id": tx.tenant, "id": session_id, "person_id": person_id, "identity_id": identity_id,
        "connection_id": connection_id, "via": via, "digest": credential.digest(secret),
        "idp_session": idp_session, "sealed_id_token": sealed_id_token, "created_at": now,
        "expires_at": expires_at, "seen_at": now, "of": tx.tenant, "by": connection_id,
        "begun_at": begun_at or now,
    })  # fmt: skip


def standing(read: Read, presented: Credential, now: datetime) -> Session | None:
    """Return the session if everything that it rests on is enabled at this moment.

    That is: the session itself, the person, the tenant, and the connection it came by. Inside a
    write transaction the person's row is locked, so that a cut-off comes wholly before or after.
    """
    asked = {"tenant": read.tenant, "id": presented.id, "now": now}
    if isinstance(read, Tx):
        hold(read.conn, _WHOSE, person, asked)
    row = read.conn.execute(_STANDING, asked).first()
    if row is None or not credential.matches(presented, row.digest):
        return None
    return Session(
        presented.id, people.of_row(row, row.person_id),
        Tenant(read.tenant, row.slug, row.tenant_name, enabled=True, home_page=row.home_page),
        row.via, row.identity_id, row.connection_id, row.created_at, row.sealed_id_token,
        now - row.seen_at > _TOUCH_AFTER,
    )  # fmt: skip


def whose(read: Read, presented: Credential) -> str | None:
    """Return the id of the person of a session; whether it stands is not said."""
    asked = {"tenant": read.tenant, "id": presented.id}
    found: str | None = read.conn.execute(_WHOSE, asked).scalar()
    return found


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


def end_presented(tx: Tx, presented: Credential, by: str, now: datetime) -> bool:
    """End the session that a cookie proves to be its browser's; False when there is none.

    The person is not held: two sign-ins that end each other's old sessions would wait for each other.
    """
    mine = (
        (session.c.tenant_id == tx.tenant)
        & (session.c.id == presented.id)
        & (session.c.digest == presented.digest)
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
    """End every session of a person; returns how many stood. Ended ones never revive."""
    return _ENDED.run(
        tx.conn, {"of": tx.tenant, "who": person_id, "now": now, "ended_at": now, "ended_by": by}
    )


def count(read: Read, now: datetime, connection_id: str | None = None) -> int:
    """Count the sessions that have not ended: the tenant's, or those that came by a connection."""
    statement, asked = _COUNTED, {"tenant": read.tenant, "now": now}
    if connection_id is not None:
        statement = statement.where(session.c.connection_id == connection_id)
    return int(read.conn.execute(statement, asked).scalar_one())
