"""Ways in, for tests: sessions, tokens and consoles of people, and whether they still open anything."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from app.deps import Deps
from app.flows import local, tenancy
from app.flows.learner import Door, enter
from app.kernel import credential
from app.kernel.credential import Credential
from app.kernel.errors import Unauthenticated
from app.kernel.person import Person
from app.kernel.tenant import Tenant
from app.store import audit, connections, people, sessions, tokens
from app.store.connections import Connection

PASSWORD = "a password that is long enough"


def trusted(deps: Deps, tenant: Tenant) -> str:
    """A connection that is enabled; gives its id."""
    made = deps.ids.new()
    with deps.db.tx(tenant.id) as tx:
        connections.add(tx, Connection(
            tenant, made, "oidc", "IdP", "https://idp.example", {}, None, "userName", True, True, deps.clock(),
        ))  # fmt: skip
    return made


def signed_in(
    deps: Deps, tenant: Tenant, who: Person, trust: str | None = None, begun_at: datetime | None = None
) -> Credential:  # fmt: skip
    """A session, by a connection if one is named; gives what its cookie presents."""
    session_id, secret, now = deps.ids.new(), deps.ids.secret(), deps.clock()
    with deps.db.tx(tenant.id) as tx:
        sessions.add(
            tx, session_id, who.id, secret, "oidc" if trust else "local", now,
            now + timedelta(hours=12), connection_id=trust, begun_at=begun_at,
        )  # fmt: skip
    return Credential(tenant.id, session_id, secret)


def administrator(deps: Deps, tenant: Tenant) -> tuple[Person, Credential]:
    """A local administrator, signed in."""
    made = local.create_administrator(deps, tenant.slug, "root@acme.example", PASSWORD)
    return made, signed_in(deps, tenant, made)


def appointed(deps: Deps, tenant: Tenant, who: Person) -> Credential:
    """Make someone an administrator; gives their session."""
    with deps.db.tx(tenant.id) as tx:
        people.grant(tx, who.id, "administrator", "operator", deps.clock())
    return signed_in(deps, tenant, who)


def token_of(deps: Deps, tenant: Tenant, who: Person) -> Credential | None:
    """A personal API token."""
    text = tenancy.issue_token(deps, tenant.slug, "api", person_id=who.id)[1]
    return credential.parse("ost_api_", text)


def holds(deps: Deps, presented: Credential) -> bool:
    """Whether an API token stands."""
    with deps.db.read(presented.tenant) as read:
        return tokens.standing(read, presented, "api", deps.clock()) is not None


def opens(deps: Deps, door: Door) -> bool:
    """Whether a learner gets in by a door."""
    try:
        with deps.db.read(door.tenant_id) as read:
            enter(read, door, deps.clock())
    except Unauthenticated:
        return False
    return True


def last(deps: Deps, tenant: Tenant, action: str) -> dict[str, Any]:
    """The newest audit entry of an action."""
    with deps.db.read(tenant.id) as read:
        return next(one for one in audit.page(read, None, 100) if one["action"] == action)
