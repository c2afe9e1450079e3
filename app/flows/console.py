"""What administrators do in the console. Who acts is judged again inside the write transaction."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from app.deps import Deps
from app.flows import bearers, connections, cutoff, guard
from app.flows import platforms as tools
from app.flows.cutoff import Trigger
from app.kernel.credential import Credential
from app.kernel.errors import Invalid, NotFound, Refused, Unauthenticated
from app.kernel.person import Person
from app.store import audit, people, platforms, sessions
from app.store.db import System, Tx
from app.store.sessions import Session


@contextmanager
def acting(
    deps: Deps, presented: Credential, upon: str | None = None
) -> Iterator[tuple[Tx, Session]]:
    """Open a write transaction for an administrator; raises Unauthenticated or Refused.

    `upon` is a person whom they act upon, and who is held until it ends.
    """
    with deps.db.tx(presented.tenant) as tx:
        if upon is not None:
            # Both in one order, so that two who act upon each other don't wait for each other.
            for person_id in sorted({upon, sessions.whose(tx, presented) or upon}):
                people.lock(tx, person_id)
        yield tx, _administrator(deps, tx, presented)


def _administrator(deps: Deps, tx: Tx, presented: Credential) -> Session:
    session = sessions.standing(tx, presented, deps.clock())
    if session is None:
        raise Unauthenticated("Sign in first.", code="sign_in_first")
    if "administrator" not in people.roles(tx, session.person.id):
        raise Refused("The console is for administrators.", code="not_an_administrator")
    return session


def end_sessions(deps: Deps, presented: Credential, person_id: str) -> int:
    """End every session, launch and token of a person, who may come back; returns how many.

    Raises NotFound.
    """
    received = deps.clock()
    with acting(deps, presented, person_id) as (tx, session):
        _person(tx, person_id)
        trigger = Trigger(session.person.id, "administrator", received)
        return cutoff.person(deps, tx, person_id, trigger, "sessions.ended").total


def block(deps: Deps, presented: Credential, person_id: str) -> int:
    """Cut a person off and keep them out, whatever provisioning says; returns how many ended.

    Raises NotFound, and Invalid where administrators would shut themselves out.
    """
    received = deps.clock()
    with acting(deps, presented, person_id) as (tx, session):
        someone = _person(tx, person_id)
        if person_id == session.person.id:
            raise Invalid("You can't shut yourself out; another administrator can.")
        people.save(tx, replace(someone, blocked_at=deps.clock()), deps.clock())
        trigger = Trigger(session.person.id, "administrator", received)
        return cutoff.person(deps, tx, person_id, trigger, "person.blocked").total


def unblock(deps: Deps, presented: Credential, person_id: str) -> None:
    """Let a person in again, as far as provisioning does; raises NotFound."""
    with acting(deps, presented, person_id) as (tx, session):
        someone = _person(tx, person_id)
        if someone.blocked_at is not None:
            now = deps.clock()
            people.save(tx, replace(someone, blocked_at=None), now)
            audit.record(tx, deps.ids.new(), now, session.person.id, "person.unblocked", person_id)


def _person(tx: Tx, person_id: str) -> Person:
    someone = people.get(tx, person_id)
    if someone is None:
        raise NotFound("There is no such person.")
    return someone


def decide_departures(
    deps: Deps, presented: Credential, hold_id: str, what: str, *, and_next_hour: bool = False
) -> None:
    """Let a hold's departures have their consequences (`approve`), or bring everyone back (`restore`).

    Raises NotFound, or Conflict where it was decided already.
    """
    with acting(deps, presented) as (tx, session):
        if what == "approve":
            guard.approve(deps, tx, hold_id, session.person.id, and_next_hour=and_next_hour)
        else:
            guard.restore(deps, tx, hold_id, session.person.id)
    if what == "restore":
        guard.go_on(deps)  # a small one is done before the page shows; the worker does the rest


def enable_connection(
    deps: Deps, presented: Credential, connection_id: str, *, enabled: bool
) -> None:
    """Switch a connection on or off; raises NotFound."""
    received = deps.clock()
    with acting(deps, presented) as (tx, session):
        connections.switch(
            deps, tx, connection_id, Trigger(session.person.id, "administrator", received),
            enabled=enabled,
        )  # fmt: skip


def issue_token(deps: Deps, presented: Credential, wanted: bearers.Wanted) -> str:
    """Issue a token that speaks for the organization; returns it, shown once. Raises Invalid.

    One that speaks for a person is not an administrator's to make: it would let them act as somebody else.
    """
    if wanted.kind != "scim":
        raise Invalid("Only a token of the organization can be issued here.")
    with acting(deps, presented) as (tx, session):
        return bearers.issue(deps, tx, session.person.id, wanted)[1]


def revoke_token(deps: Deps, presented: Credential, token_id: str) -> None:
    """Revoke a token; raises NotFound when there is none that stands."""
    with acting(deps, presented) as (tx, session):
        bearers.revoke(deps, tx, session.person.id, token_id)


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
    received = deps.clock()
    with _own_platform(deps, presented, registration_id) as (system, session):
        tools.switch(
            deps, system, registration_id, Trigger(session.person.id, "administrator", received),
            enabled=enabled,
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
