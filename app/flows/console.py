"""What administrators do in the console. Who acts is judged again inside the write transaction."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from app.deps import Deps
from app.flows import connections
from app.kernel.credential import Credential
from app.kernel.errors import NotFound, Refused, Unauthenticated
from app.store import audit, people, platforms, sessions
from app.store.db import System, Tx
from app.store.sessions import Session


@contextmanager
def acting(deps: Deps, presented: Credential) -> Iterator[tuple[Tx, Session]]:
    """Open a write transaction for an administrator; raises Unauthenticated or Refused."""
    with deps.db.tx(presented.tenant) as tx:
        yield tx, _administrator(deps, tx, presented)


def _administrator(deps: Deps, tx: Tx, presented: Credential) -> Session:
    session = sessions.standing(tx, presented, deps.clock())
    if session is None:
        raise Unauthenticated("Sign in first.", code="sign_in_first")
    if "administrator" not in people.roles(tx, session.person.id):
        raise Refused("The console is for administrators.", code="not_an_administrator")
    return session


def end_sessions(deps: Deps, presented: Credential, person_id: str) -> int:
    """End every session and launch of a person; returns how many. Raises NotFound."""
    with acting(deps, presented) as (tx, session):
        if people.get(tx, person_id) is None:
            raise NotFound("There is no such person.")
        now = deps.clock()
        ended = sessions.end_all(tx, person_id, "administrator", now)
        audit.record(
            tx, deps.ids.new(), now, session.person.id, "sessions.ended", person_id, ended=ended
        )
    return ended


def enable_connection(
    deps: Deps, presented: Credential, connection_id: str, *, enabled: bool
) -> None:
    """Switch a connection on or off; raises NotFound."""
    with acting(deps, presented) as (tx, session):
        connections.switch(deps, tx, connection_id, enabled=enabled, by=session.person.id)


def approve_deployment(
    deps: Deps, presented: Credential, registration_id: str, deployment_row: str
) -> None:
    """Let the launches of a deployment of the tenant's own platform in; raises NotFound."""
    with _own_platform(deps, presented, registration_id) as (system, session):
        waiting = [
            one
            for one in platforms.deployments(system, registration_id)
            if one.id == deployment_row and one.tenant_id in {None, session.tenant.id}
        ]
        if not waiting:
            raise NotFound("There is no such deployment.")
        name, now = waiting[0].deployment_id, deps.clock()
        platforms.approve(
            system, deployment_row, registration_id, name, session.tenant.id, now,
            anonymous=waiting[0].anonymous,
        )  # fmt: skip
        audit.record(
            system.within(session.tenant.id), deps.ids.new(), now, session.person.id,
            "deployment.approved", registration_id, deployment=name,
        )  # fmt: skip


def enable_platform(
    deps: Deps, presented: Credential, registration_id: str, *, enabled: bool
) -> None:
    """Switch one of the tenant's own platforms on or off; raises NotFound."""
    with _own_platform(deps, presented, registration_id) as (system, session):
        platforms.enable(system, registration_id, deps.clock(), enabled=enabled)
        audit.record(
            system.within(session.tenant.id), deps.ids.new(), deps.clock(), session.person.id,
            "platform.enabled" if enabled else "platform.disabled", registration_id,
        )  # fmt: skip


@contextmanager
def _own_platform(
    deps: Deps, presented: Credential, registration_id: str
) -> Iterator[tuple[System, Session]]:
    # A deployment that waits has no tenant yet, so the tenant's own handle can't see it.
    with deps.db.system(write=True) as system:
        session = _administrator(deps, system.within(presented.tenant), presented)
        platform = platforms.by_id(system, registration_id)
        if platform is None or platform.owner is None or platform.owner.id != session.tenant.id:
            raise NotFound("There is no such platform.")
        yield system, session
