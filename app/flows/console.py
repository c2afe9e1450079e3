"""What administrators do in the console. Who acts is judged again inside the write transaction."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from app.deps import Deps
from app.flows import connections
from app.kernel.credential import Credential
from app.kernel.errors import NotFound, Refused, Unauthenticated
from app.store import audit, outbox, people, sessions
from app.store.db import Tx
from app.store.sessions import Session


@contextmanager
def acting(deps: Deps, presented: Credential) -> Iterator[tuple[Tx, Session]]:
    """Open a write transaction for an administrator; raises Unauthenticated or Refused."""
    with deps.db.tx(presented.tenant) as tx:
        session = sessions.standing(tx, presented, deps.clock())
        if session is None:
            raise Unauthenticated("Sign in first.", code="sign_in_first")
        if "administrator" not in people.roles(tx, session.person.id):
            raise Refused("The console is for administrators.", code="not_an_administrator")
        yield tx, session


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


def replay(deps: Deps, presented: Credential, delivery_ids: Sequence[str]) -> int:
    """Let dead deliveries wait again from the start; returns how many."""
    with acting(deps, presented) as (tx, session):
        now = deps.clock()
        count = outbox.replay(tx, delivery_ids, now)
        audit.record(
            tx,
            deps.ids.new(),
            now,
            session.person.id,
            "deliveries.replayed",
            tx.tenant,
            count=count,
        )
    return count


def enable_connection(
    deps: Deps, presented: Credential, connection_id: str, *, enabled: bool
) -> None:
    """Switch a connection on or off; raises NotFound."""
    with acting(deps, presented) as (tx, session):
        connections.switch(deps, tx, connection_id, enabled=enabled, by=session.person.id)
