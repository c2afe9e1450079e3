"""People and the identities that point to them."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Select,
    and_,
    bindparam,
    delete,
    insert,
    or_,
    select,
    update,
)
from sqlalchemy.exc import IntegrityError

from app.kernel.errors import Conflict
from app.kernel.person import Person
from app.store.db import Read, Tx
from app.store.prepared import Prepared
from app.store.sql import insert_once
from app.store.tables.access import connection
from app.store.tables.people import group_grant, identity, membership, person, role_grant
from app.store.tables.scim import external_id
from scim.text import fold

COLUMNS = [person.c[name] for name in (
    "id", "user_name", "display_name", "given_name", "family_name", "email", "email_verified",
    "locale", "active", "deleted_at", "blocked_at", "cut_at", "version", "sources",
)]  # fmt: skip
"""What makes a Person of a row; other queries join them in."""

MAY_ENTER = and_(person.c.active, person.c.deleted_at.is_(None), person.c.blocked_at.is_(None))
"""Whether sign-in and launch are open to a person; `Person.may_enter` in SQL."""

_AT_ONCE = 500
_OF_TENANT = select(*COLUMNS).where(person.c.tenant_id == bindparam("tenant"))
_BY_ID = Prepared(_OF_TENANT.where(person.c.id == bindparam("id")))
_LOCKED = Prepared(_OF_TENANT.where(person.c.id == bindparam("id")).with_for_update())
_BY_USER_NAME = Prepared(
    _OF_TENANT.where(
        person.c.user_name_folded == bindparam("folded"), person.c.deleted_at.is_(None)
    )
)
_ROLES = Prepared(
    select(role_grant.c.role)
    .where(role_grant.c.tenant_id == bindparam("tenant"), role_grant.c.person_id == bindparam("id"))
    .union(
        select(group_grant.c.what)
        .join(
            membership,
            (membership.c.tenant_id == group_grant.c.tenant_id)
            & (membership.c.group_id == group_grant.c.group_id),
        )
        .where(
            membership.c.tenant_id == bindparam("tenant"),
            membership.c.person_id == bindparam("id"),
            membership.c.kind == "User",
            group_grant.c.gives == "role",
        )
    )
)
_TOLD = (
    "user_name", "user_name_folded", "display_name", "given_name", "family_name", "email", "email_folded",
    "email_verified", "locale", "active", "deleted_at", "blocked_at", "cut_at", "sources", "updated_at",
)  # fmt: skip
_NEW = Prepared(insert(person), "tenant_id", "id", "version", "created_at", *_TOLD)
_THIS = update(person).where(person.c.tenant_id == bindparam("of"), person.c.id == bindparam("key"))
_SAVED = Prepared(_THIS, "version", *_TOLD)
_CUT = Prepared(_THIS, "cut_at")


@dataclass(frozen=True, slots=True)
class Identity:
    """(source, issuer, subject) and the person it points to. The issuer is the trust's own id."""

    id: str
    person_id: str
    source: str
    issuer: str
    subject: str


def get(read: Read, person_id: str) -> Person | None:
    """Find a person by id, also an inactive or deleted one."""
    return _one(read, _BY_ID, {"id": person_id})


def lock(tx: Tx, person_id: str) -> Person | None:
    """Find a person and keep others from changing them until the transaction ends."""
    return _one(tx, _LOCKED, {"id": person_id})


def by_user_name(read: Read, user_name: str) -> Person | None:
    """Find the person who bears a user name, in any case; deleted ones bear none."""
    return _one(read, _BY_USER_NAME, {"folded": fold(user_name)})


def by_email(read: Read, email: str) -> Person | None:
    """Find the one person with this address; None when there are several."""
    folded = person.c.email_folded == fold(email)
    rows = read.conn.execute(_where(read, folded, person.c.deleted_at.is_(None)).limit(2)).all()
    return of_row(rows[0]) if len(rows) == 1 else None


def matching(read: Read, attribute: str, value: str) -> list[Person]:
    """Return whom a SCIM attribute's value means: userName, externalId or email.

    An address that only a launch has told counts for nobody: a course lets people write what they like,
    and whoever wrote another's would be joined by them.
    Live people where there are any, else deleted ones, so that a caller can refuse to make someone anew.
    """
    statement = _where(read)
    match attribute:
        case "userName":
            statement = statement.where(person.c.user_name_folded == fold(value))
        case "email":
            said_by = person.c.sources[("email", "source")].as_string()
            statement = statement.where(
                person.c.email_folded == fold(value), said_by.is_distinct_from("lti")
            )
        case "externalId":
            statement = statement.join(
                external_id,
                (external_id.c.tenant_id == person.c.tenant_id)
                & (external_id.c.resource_id == person.c.id)
                & (external_id.c.type == "User"),
            ).where(external_id.c.external_id == value)
        case _:
            raise ValueError(attribute)
    found = [of_row(row) for row in read.conn.execute(statement.limit(10))]
    once = list({one.id: one for one in found}.values())
    return [one for one in once if one.deleted_at is None] or once


def listed(read: Read, limit: int, after: str = "") -> list[Person]:
    """Return a page of people by id."""
    rows = read.conn.execute(
        _where(read, person.c.id > after, person.c.deleted_at.is_(None))
        .order_by(person.c.id)
        .limit(limit)
    )
    return [of_row(row) for row in rows]


def bearing(read: Read, user_names: Collection[str]) -> set[str]:
    """Return which of these user names, folded, somebody bears."""
    folded = {fold(name) for name in user_names}
    mine = (person.c.tenant_id == read.tenant) & person.c.deleted_at.is_(None)
    taken = select(person.c.user_name_folded).where(mine, person.c.user_name_folded.in_(folded))
    return set(read.conn.execute(taken).scalars())


def add(tx: Tx, someone: Person, now: datetime) -> None:
    """Insert a person; raises Conflict when the user name is taken."""
    add_all(tx, [someone], now)


def add_all(tx: Tx, everyone: Sequence[Person], now: datetime) -> None:
    """Insert people; raises Conflict when a user name is taken."""
    rows = [
        _row(one)
        | {"tenant_id": tx.tenant, "id": one.id, "version": 1, "created_at": now, "updated_at": now}
        for one in everyone
    ]
    with _unique():
        _NEW.run_each(tx.conn, rows)


def save(tx: Tx, someone: Person, now: datetime) -> None:
    """Write a person back, with the version counted up; raises Conflict when the user name is taken."""
    row = _row(someone) | {"updated_at": now, "version": someone.version + 1}
    with _unique():
        _SAVED.run(tx.conn, row | {"of": tx.tenant, "key": someone.id})


def cut(tx: Tx, person_id: str, now: datetime) -> None:
    """Note when a person's access ended: what was begun before it leads nowhere."""
    _CUT.run(tx.conn, {"of": tx.tenant, "key": person_id, "cut_at": now})


@contextmanager
def _unique() -> Iterator[None]:
    try:
        yield
    except IntegrityError as error:
        raise Conflict("Someone else bears this user name.", code="user_name_taken") from error


def identified(
    read: Read, source: str, issuer: str, subject: str
) -> tuple[Identity, Person] | None:
    """Find the identity and its person."""
    row = read.conn.execute(
        select(identity.c.id.label("identity_id"), *COLUMNS)
        .join(
            person,
            (person.c.tenant_id == identity.c.tenant_id) & (person.c.id == identity.c.person_id),
        )
        .where(
            identity.c.tenant_id == read.tenant,
            identity.c.source == source,
            identity.c.issuer == issuer,
            identity.c.subject == subject,
        )
    ).first()
    if row is None:
        return None
    found = of_row(row)
    return Identity(row.identity_id, found.id, source, issuer, subject), found


def of_subjects(
    read: Read, source: str, issuer: str, subjects: Collection[str]
) -> dict[str, Person]:
    """Return whom the subjects of one issuer are, as far as they are known."""
    wanted = sorted(subjects)
    found: dict[str, Person] = {}
    for start in range(0, len(wanted), _AT_ONCE):
        rows = read.conn.execute(
            select(identity.c.subject, *COLUMNS)
            .join(
                person,
                (person.c.tenant_id == identity.c.tenant_id)
                & (person.c.id == identity.c.person_id),
            )
            .where(
                identity.c.tenant_id == read.tenant,
                identity.c.source == source,
                identity.c.issuer == issuer,
                identity.c.subject.in_(wanted[start : start + _AT_ONCE]),
            )
        )
        found |= {row.subject: of_row(row) for row in rows}
    return found


def identify(tx: Tx, known: Identity, joined_by: str, now: datetime) -> bool:
    """Let an identity point to its person; False when it already points somewhere."""
    return insert_once(tx.conn, identity, {
        "tenant_id": tx.tenant, "id": known.id, "person_id": known.person_id, "source": known.source,
        "issuer": known.issuer, "subject": known.subject, "joined_by": joined_by, "created_at": now,
    })  # fmt: skip


def named_by_rule(read: Read, person_id: str) -> bool:
    """Tell whether a connection whose rule is the userName vouches for this person's, or we ourselves do."""
    by_rule = (
        select(identity.c.id)
        .outerjoin(
            connection,
            (connection.c.tenant_id == identity.c.tenant_id)
            & (connection.c.id == identity.c.issuer),
        )
        .where(
            identity.c.tenant_id == read.tenant,
            identity.c.person_id == person_id,
            or_(identity.c.source == "local", connection.c.link_by == "userName"),
        )
    )
    return read.conn.execute(by_rule.limit(1)).first() is not None


def grant(tx: Tx, person_id: str, role: str, granted_by: str, now: datetime) -> None:
    """Give a role in the console."""
    insert_once(tx.conn, role_grant, {
        "tenant_id": tx.tenant, "person_id": person_id, "role": role,
        "granted_by": granted_by, "granted_at": now,
    })  # fmt: skip


def revoke_roles(tx: Tx, person_id: str) -> int:
    """Take every role in the console back; returns how many there were."""
    mine = (role_grant.c.tenant_id == tx.tenant) & (role_grant.c.person_id == person_id)
    return tx.conn.execute(delete(role_grant).where(mine)).rowcount


def roles(read: Read, person_id: str) -> frozenset[str]:
    """Return the person's roles in the console, own ones and those that a group gives."""
    found = _ROLES.all(read.conn, {"tenant": read.tenant, "id": person_id})
    return frozenset(row.role for row in found)


def own_roles(read: Read, person_id: str) -> frozenset[str]:
    """Return the roles that were given to the person alone."""
    mine = (role_grant.c.tenant_id == read.tenant) & (role_grant.c.person_id == person_id)
    return frozenset(read.conn.execute(select(role_grant.c.role).where(mine)).scalars())


def _where(read: Read, *conditions: ColumnElement[bool]) -> Select[Any]:
    return select(*COLUMNS).where(person.c.tenant_id == read.tenant, *conditions)


def _one(read: Read, statement: Prepared, key: dict[str, str]) -> Person | None:
    row = statement.first(read.conn, {"tenant": read.tenant, **key})
    return None if row is None else of_row(row)


def of_row(row: Any, person_id: str | None = None) -> Person:
    """Make a Person of a row that holds COLUMNS; `person_id` where the row's `id` is another's."""
    values = {column.name: getattr(row, column.name) for column in COLUMNS[1:]}
    return Person(id=person_id or row.id, **values)


def _row(someone: Person) -> dict[str, Any]:
    return {
        "user_name": someone.user_name,
        "user_name_folded": someone.user_name and fold(someone.user_name),
        "display_name": someone.display_name,
        "given_name": someone.given_name,
        "family_name": someone.family_name,
        "email": someone.email,
        "email_folded": someone.email and fold(someone.email),
        "email_verified": someone.email_verified,
        "locale": someone.locale,
        "active": someone.active,
        "deleted_at": someone.deleted_at,
        "blocked_at": someone.blocked_at,
        "cut_at": someone.cut_at,
        "sources": someone.sources or {},
    }
