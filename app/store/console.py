"""What the console shows: people found by name, and all that belongs to one of them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, or_, select

from app.kernel.person import Person
from app.store import launches, people, sessions
from app.store.db import Read
from app.store.tables.access import connection, session
from app.store.tables.learning import activity, attempt
from app.store.tables.lti import deployment, launch, registration
from app.store.tables.outbox import delivery
from app.store.tables.people import identity, person
from app.store.tables.tenants import tenant

_NAMES = (person.c.display_name, person.c.given_name, person.c.family_name)
Rows = list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Belongings:
    """A person's identities, sessions, launches and attempts, newest first, each list bounded."""

    identities: Rows
    sessions: Rows
    launches: Rows
    attempts: Rows
    roles: frozenset[str]


def found(read: Read, words: str, limit: int, after: str = "") -> list[Person]:
    """Return a page of people by id; each of the words occurs in a name or in the e-mail address."""
    statement = (
        select(*people.COLUMNS)
        .where(person.c.tenant_id == read.tenant, person.c.deleted_at.is_(None), person.c.id > after)
        .order_by(person.c.id)
        .limit(limit)
    )  # fmt: skip
    for word in words.split():
        folded = word.casefold()
        statement = statement.where(or_(
            person.c.user_name_folded.contains(folded, autoescape=True),
            person.c.email_folded.contains(folded, autoescape=True),
            # Names are not kept folded; the database lowers ASCII alone, the second form does the rest.
            *(func.lower(name).contains(_lower(form), autoescape=True)
              for name in _NAMES for form in {word, word.title()}),
        ))  # fmt: skip
    return [people.of_row(row) for row in read.conn.execute(statement)]


def belongings(read: Read, person_id: str, now: datetime, limit: int = 50) -> Belongings:
    """Return what belongs to one person."""
    return Belongings(
        _identities(read, person_id, limit),
        _sessions(read, person_id, now, limit),
        _launches(read, person_id, now, limit),
        _attempts(read, person_id, limit),
        people.roles(read, person_id),
    )


def tally(read: Read) -> dict[str, int]:
    """Count what a person may have to look at: deliveries that wait and that were given up."""
    rows = read.conn.execute(
        select(delivery.c.status, func.count())
        .where(delivery.c.tenant_id == read.tenant, delivery.c.status.in_(("waiting", "dead")))
        .group_by(delivery.c.status)
    )
    return {"waiting": 0, "dead": 0} | {row[0]: row[1] for row in rows}


def shared_platforms(read: Read) -> Rows:
    """Return the operator's platforms that launch into this tenant, by approved deployment."""
    statement = (
        select(registration.c.name, registration.c.issuer, registration.c.enabled, deployment.c.deployment_id)
        .join(deployment, deployment.c.registration_id == registration.c.id)
        .where(registration.c.tenant_id.is_(None), deployment.c.tenant_id == read.tenant)
        .order_by(registration.c.name, deployment.c.deployment_id)
    )  # fmt: skip
    return _rows(read, statement)


def _identities(read: Read, person_id: str, limit: int) -> Rows:
    named = func.coalesce(connection.c.name, registration.c.name)
    statement = (
        select(identity.c.source, identity.c.issuer, identity.c.subject, identity.c.joined_by, identity.c.created_at, named.label("name"))
        .outerjoin(connection, (connection.c.tenant_id == identity.c.tenant_id) & (connection.c.id == identity.c.issuer))
        .outerjoin(registration, registration.c.id == identity.c.issuer)
        .where(identity.c.tenant_id == read.tenant, identity.c.person_id == person_id)
        .order_by(identity.c.created_at.desc())
        .limit(limit)
    )  # fmt: skip
    return _rows(read, statement)


def _sessions(read: Read, person_id: str, now: datetime, limit: int) -> Rows:
    in_time = session.c.expires_at > now
    statement = (
        select(
            session.c.via, session.c.created_at, session.c.seen_at, session.c.ended_at,
            session.c.ended_by, connection.c.name, in_time.label("in_time"),
            (in_time & sessions.STANDS).label("standing"),
        )
        .select_from(sessions.RESTS_ON)
        .where(session.c.tenant_id == read.tenant, session.c.person_id == person_id)
        .order_by(session.c.created_at.desc())
        .limit(limit)
    )  # fmt: skip
    return _rows(read, statement)


def _launches(read: Read, person_id: str, now: datetime, limit: int) -> Rows:
    in_time = launch.c.expires_at > now
    statement = (
        select(
            launch.c.created_at, launch.c.ended_at, launch.c.ended_by, launch.c.instructor,
            registration.c.name, activity.c.title, in_time.label("in_time"),
            (in_time & launches.STANDS).label("standing"),
        )
        .join(tenant, tenant.c.id == launch.c.tenant_id)
        .outerjoin(registration, registration.c.id == launch.c.registration_id)
        .outerjoin(activity, (activity.c.tenant_id == launch.c.tenant_id) & (activity.c.id == launch.c.activity_id))
        .where(launch.c.tenant_id == read.tenant, launch.c.person_id == person_id)
        .order_by(launch.c.created_at.desc())
        .limit(limit)
    )  # fmt: skip
    return _rows(read, statement)


def _attempts(read: Read, person_id: str, limit: int) -> Rows:
    statement = (
        select(
            activity.c.title, attempt.c.version, attempt.c.status, attempt.c.score, attempt.c.answers,
            attempt.c.practice, attempt.c.started_at, attempt.c.updated_at, attempt.c.completed_at,
        )
        .join(activity, (activity.c.tenant_id == attempt.c.tenant_id) & (activity.c.id == attempt.c.activity_id))
        .where(attempt.c.tenant_id == read.tenant, attempt.c.person_id == person_id)
        .order_by(attempt.c.started_at.desc())
        .limit(limit)
    )  # fmt: skip
    return _rows(read, statement)


def _rows(read: Read, statement: Any) -> Rows:
    return [dict(row._mapping) for row in read.conn.execute(statement)]  # noqa: SLF001 - SQLAlchemy's public name


def _lower(text: str) -> str:
    return "".join(char.lower() if char.isascii() else char for char in text)
