"""Setting up trust in an identity provider, and opening it for a sign-in."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

from app.deps import Deps
from app.flows import cutoff, tenancy
from app.flows.cutoff import Trigger
from app.kernel.errors import Invalid, NotFound
from app.store import audit, connections
from app.store.connections import Connection
from app.store.db import Tx
from keys.errors import SealBroken
from sso.connection import LinkBy, OidcConnection, SubjectClaim, check_connection
from sso.errors import ConnectionInvalid

_SEAL = "connection"
_LONGEST_NAME = 200


@dataclass(frozen=True, slots=True)
class Addresses:
    """What an administrator of the provider needs to know of us."""

    redirect_uri: str
    login_url: str
    backchannel_logout_uri: str
    post_logout_redirect_uri: str


def addresses(deps: Deps, connection_id: str) -> Addresses:
    """Return the addresses of a connection; every one has its own, so that none answers for another."""
    base = f"{deps.settings.base_url}/sso"
    return Addresses(
        redirect_uri=f"{base}/{connection_id}/callback",
        login_url=f"{base}/{connection_id}/login",
        backchannel_logout_uri=f"{base}/{connection_id}/backchannel-logout",
        post_logout_redirect_uri=f"{base}/signed-out",
    )


def add_oidc(
    deps: Deps, slug: str, *, issuer: str, client_id: str, client_secret: str, name: str | None = None,
    link_by: LinkBy = LinkBy.USER_NAME, subject: SubjectClaim = SubjectClaim.SUB, jit: bool = True,
    post_logout_redirect: bool = False, by: str = "operator",
) -> Connection:  # fmt: skip
    """Trust an OpenID provider, from now on. Raises NotFound, Invalid or sso's ConnectionInvalid."""
    tenant = tenancy.of_slug(deps, slug)
    connection_id = deps.ids.new()
    check_connection(
        OidcConnection(connection_id, issuer, client_id, client_secret, link_by, jit, subject),
        allow_http_loopback=deps.settings.insecure_neighbours,
    )
    label = (name or urlsplit(issuer).hostname or issuer).strip()
    if not label.isprintable() or not 1 <= len(label) <= _LONGEST_NAME:
        raise Invalid("A connection's name has 1 to 200 printable characters.")
    now = deps.clock()
    made = Connection(
        tenant, connection_id, "oidc", label, issuer,
        {"client_id": client_id, "subject": subject.value, "post_logout_redirect": post_logout_redirect},
        deps.seal.seal(_SEAL, client_secret.encode()), link_by.value, jit, enabled=True, created_at=now,
    )  # fmt: skip
    with deps.db.tx(tenant.id) as tx:
        connections.add(tx, made)
        audit.record(
            tx, deps.ids.new(), now, by, "connection.added", connection_id, issuer=issuer, kind="oidc"
        )  # fmt: skip
    return made


def find(deps: Deps, connection_id: str) -> Connection:
    """Find a connection by the id in its addresses; raises NotFound."""
    with deps.db.system() as system:
        found = connections.by_id(system, connection_id)
    if found is None:
        raise NotFound("There is no way of signing in at this address.")
    return found


def enable(deps: Deps, connection_id: str, *, enabled: bool) -> None:
    """Switch a connection on or off for the operator; raises NotFound."""
    trigger = Trigger("operator", "operator", deps.clock())
    found = find(deps, connection_id)
    with deps.db.tx(found.tenant.id) as tx:
        switch(deps, tx, connection_id, trigger, enabled=enabled)


def switch(deps: Deps, tx: Tx, connection_id: str, trigger: Trigger, *, enabled: bool) -> None:
    """Switch one of the tenant's connections on or off; raises NotFound.

    Off, its sessions are over for good: who was cut off signs in anew, once it is on again.
    """
    if connections.get(tx, connection_id) is None:
        raise NotFound("There is no such connection.")
    if not enabled:
        cutoff.connection(deps, tx, connection_id, trigger)
    elif connections.enable(tx, connection_id, deps.clock(), enabled=True):
        audit.record(
            tx, deps.ids.new(), deps.clock(), trigger.actor, "connection.enabled", connection_id,
            by=trigger.by,
        )  # fmt: skip


def opened(deps: Deps, kept: Connection) -> OidcConnection:
    """Return the connection with its secret open; raises ConnectionInvalid when that can't be."""
    if kept.kind != "oidc" or kept.sealed_secret is None:
        raise ConnectionInvalid("This connection does not sign people in by OpenID Connect.")
    try:
        secret = deps.seal.open(_SEAL, kept.sealed_secret).decode()
    except SealBroken:
        raise ConnectionInvalid(
            "The secret of this connection can't be opened: is a key missing from OSTIARY_SECRET_KEYS?"
        ) from None
    return OidcConnection(
        kept.id, kept.issuer, kept.settings["client_id"], secret, LinkBy(kept.link_by), kept.jit,
        SubjectClaim(kept.settings["subject"]), kept.enabled and kept.tenant.enabled,
    )  # fmt: skip
