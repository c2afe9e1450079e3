"""Launch sessions: one person, one resource link, one browser. Ended ones never revive."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, Select, and_, bindparam, func, insert, or_, select, update

from app.kernel import credential
from app.kernel.person import Person
from app.kernel.tenant import Tenant, TenantId
from app.store import people
from app.store.db import Read, System, Tx
from app.store.sql import ending, epoch_of, hold
from app.store.tables.lti import deployment, launch, registration
from app.store.tables.people import person
from app.store.tables.tenants import tenant
from lti import roles as lti_roles

_ENDED = ending(launch)


@dataclass(frozen=True, slots=True)
class Launch:
    """A launch that stands, with the person and the tenant as they are now.

    `user_id` is the platform's `sub`; `roles` as it sent them. The ids of context, resource link
    and line item are those of our rows. `issuer`, `auth_login_url` and `return_url` are the
    platform's addresses, the last one as this launch named it.
    """

    id: str
    person: Person
    tenant: Tenant
    identity_id: str
    registration_id: str
    context_id: str | None
    resource_link_id: str | None
    line_item_id: str | None
    activity_id: str | None
    user_id: str | None
    roles: tuple[str, ...]
    instructor: bool
    return_url: str | None
    issuer: str
    auth_login_url: str
    created_at: datetime
    expires_at: datetime

    @property
    def public_id(self) -> str:
        """The launch's name in addresses and forms: it says which tenant to look in."""
        return credential.scoped(self.tenant.id, self.id)

    @property
    def graded(self) -> bool:
        """Tell whether this person can have a grade there: a learner, and not a student preview."""
        return lti_roles.is_learner(self.roles) and not lti_roles.is_test_user(self.roles)


_OWN = [launch.c[name] for name in (
    "identity_id", "registration_id", "context_id", "resource_link_id", "line_item_id", "activity_id",
    "user_id", "roles", "instructor", "return_url", "created_at", "expires_at",
)]  # fmt: skip

_MOST_TO_GRADE = 200
_NEW = insert(launch).values(
    tenant_epoch=epoch_of(tenant, tenant.c.id == bindparam("of")),
    registration_epoch=epoch_of(registration, registration.c.id == bindparam("by")),
)
_OF_THIS_EPOCH = and_(
    launch.c.ended_at.is_(None),
    launch.c.tenant_epoch == tenant.c.epoch,
    launch.c.registration_epoch == registration.c.epoch,
)
STANDS = and_(_OF_THIS_EPOCH, tenant.c.enabled, registration.c.enabled)
"""Whether a launch, joined with its tenant and registration, is neither over nor cut off."""

_WHOSE = (
    select(person.c.id)
    .join(launch, (launch.c.tenant_id == person.c.tenant_id) & (launch.c.person_id == person.c.id))
    .where(launch.c.tenant_id == bindparam("tenant"), launch.c.id == bindparam("id"))
)
_COUNTED = (
    select(func.count())
    .select_from(launch)
    .join(tenant, tenant.c.id == launch.c.tenant_id)
    .join(registration, registration.c.id == launch.c.registration_id)
    .where(
        launch.c.tenant_id == bindparam("tenant"),
        launch.c.expires_at > bindparam("now"),
        _OF_THIS_EPOCH,
    )
)


def add(
    tx: Tx, launch_id: str, now: datetime, expires_at: datetime,
    *, registration_id: str, deployment_id: str, person_id: str, identity_id: str,
    context_id: str | None, resource_link_id: str, line_item_id: str | None, activity_id: str | None,
    user_id: str | None, roles: Sequence[str], browser_digest: str, return_url: str | None,
    begun_at: datetime | None = None,
) -> None:  # fmt: skip
    """Insert a launch, by a login that was begun at `begun_at`; of the browser's secret only the digest.

    It never stands if its tenant or platform was switched off since then.
    """
    tx.conn.execute(_NEW, {
        "tenant_id": tx.tenant, "id": launch_id, "registration_id": registration_id,
        "deployment_id": deployment_id, "person_id": person_id, "identity_id": identity_id,
        "context_id": context_id, "resource_link_id": resource_link_id, "line_item_id": line_item_id,
        "activity_id": activity_id, "user_id": user_id, "roles": list(roles),
        "instructor": lti_roles.is_instructor(roles), "browser_digest": browser_digest,
        "return_url": return_url, "created_at": now, "expires_at": expires_at,
        "of": tx.tenant, "by": registration_id, "begun_at": begun_at or now,
    })  # fmt: skip


def standing(
    read: Read, launch_id: str, browser_digest: str | None, now: datetime
) -> Launch | None:
    """Return the launch if everything that it rests on is enabled at this moment.

    That is: the launch itself in this browser, the person, the tenant, the platform's registration
    and its deployment. `browser_digest` None is for a caller who has checked a launch token. Inside
    a write transaction the person's row is held, so that a cut-off comes wholly before or after.
    """
    statement = _enabled(read).where(
        launch.c.id == launch_id, launch.c.expires_at > now, _OF_THIS_EPOCH
    )
    if browser_digest is not None:
        statement = statement.where(launch.c.browser_digest == browser_digest)
    if isinstance(read, Tx):
        hold(read.conn, _WHOSE, person, {"tenant": read.tenant, "id": launch_id})
    row = read.conn.execute(statement).first()
    return None if row is None else _launch(read, row)


def to_grade(read: Read, person_id: str, activity_id: str) -> list[Launch]:
    """Return the launches, over or not, whose line items a person's grade in an activity goes to.

    That is the newest one of each line item: whoever goes on learning outside the course expects
    the gradebook to follow.
    """
    rows = read.conn.execute(
        _enabled(read)
        .where(
            launch.c.person_id == person_id,
            launch.c.activity_id == activity_id,
            launch.c.line_item_id.is_not(None),
        )
        .order_by(launch.c.created_at.desc(), launch.c.id.desc())
        .limit(_MOST_TO_GRADE)
    )
    found: dict[tuple[str | None, str | None], Launch] = {}
    for row in rows:
        found.setdefault((row.line_item_id, row.user_id), _launch(read, row))
    return list(found.values())


def end_all(tx: Tx, person_id: str, by: str, now: datetime) -> int:
    """End every launch of a person; returns how many stood. Ended ones never revive."""
    return _ENDED.run(
        tx.conn, {"of": tx.tenant, "who": person_id, "now": now, "ended_at": now, "ended_by": by}
    )


def count(read: Read, now: datetime, registration_id: str | None = None) -> int:
    """Count the launches that have not ended: the tenant's, or those of a platform."""
    statement, asked = _COUNTED, {"tenant": read.tenant, "now": now}
    if registration_id is not None:
        statement = statement.where(launch.c.registration_id == registration_id)
    return int(read.conn.execute(statement, asked).scalar_one())


def platform_urls(read: Read, launch_id: str) -> tuple[str | None, ...]:
    """Return the addresses of a launch's platform, also of one that no longer stands."""
    row = read.conn.execute(
        select(registration.c.issuer, registration.c.auth_login_url, launch.c.return_url)
        .join(registration, registration.c.id == launch.c.registration_id)
        .where(launch.c.tenant_id == read.tenant, launch.c.id == launch_id)
    ).first()
    return () if row is None else tuple(row)


def newest(system: System, browser_digest: str) -> tuple[TenantId, str] | None:
    """Find the latest launch of a browser, whether or not it still stands."""
    row = system.conn.execute(
        select(launch.c.tenant_id, launch.c.id)
        .where(launch.c.browser_digest == browser_digest)
        .order_by(launch.c.created_at.desc(), launch.c.id.desc())
        .limit(1)
    ).first()
    return None if row is None else (TenantId(row.tenant_id), row.id)


def last_by_user(read: Read, registration_id: str, context_row: str) -> dict[str, datetime]:
    """Return when each of a course's users last launched, by the platform's user id."""
    rows = read.conn.execute(
        select(launch.c.user_id, func.max(launch.c.created_at))
        .where(
            launch.c.tenant_id == read.tenant,
            launch.c.registration_id == registration_id,
            launch.c.context_id == context_row,
            launch.c.user_id.is_not(None),
        )
        .group_by(launch.c.user_id)
    )
    return {user_id: at for user_id, at in rows}  # noqa: C416 - rows are not pairs to mypy


def open_activity(tx: Tx, launch_id: str, activity_id: str) -> None:
    """Give a launch the activity that was picked for its link."""
    mine = (launch.c.tenant_id == tx.tenant) & (launch.c.id == launch_id)
    tx.conn.execute(update(launch).where(mine).values(activity_id=activity_id))


def _enabled(read: Read) -> Select[Any]:
    """Select this tenant's launches whose person, tenant, registration and deployment are enabled."""
    return (
        select(
            launch.c.id.label("launch_id"), *_OWN, launch.c.person_id, registration.c.issuer,
            registration.c.auth_login_url, tenant.c.slug, tenant.c.name.label("tenant_name"),
            tenant.c.home_page, *people.COLUMNS[1:],
        )
        .join(person, (person.c.tenant_id == launch.c.tenant_id) & (person.c.id == launch.c.person_id))
        .join(tenant, tenant.c.id == launch.c.tenant_id)
        .join(registration, registration.c.id == launch.c.registration_id)
        .join(deployment, deployment.c.id == launch.c.deployment_id)
        .where(
            launch.c.tenant_id == read.tenant,
            people.MAY_ENTER,
            tenant.c.enabled,
            registration.c.enabled,
            or_(registration.c.tenant_id.is_(None), registration.c.tenant_id == launch.c.tenant_id),
            deployment.c.tenant_id == launch.c.tenant_id,
            deployment.c.approved_at.is_not(None),
        )
    )  # fmt: skip


def _launch(read: Read, row: Row[*tuple[Any, ...]]) -> Launch:
    own: dict[str, Any] = {column.name: getattr(row, column.name) for column in _OWN}
    return Launch(
        id=row.launch_id, person=people.of_row(row, row.person_id),
        tenant=Tenant(read.tenant, row.slug, row.tenant_name, enabled=True, home_page=row.home_page),
        issuer=row.issuer, auth_login_url=row.auth_login_url, **{**own, "roles": tuple(row.roles)},
    )  # fmt: skip
