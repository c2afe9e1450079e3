"""Founding tenants, and the credentials that an operator hands out."""

from __future__ import annotations

import re
from datetime import timedelta

from app.deps import Deps
from app.flows import bearers, cutoff, rings, statements
from app.flows.cutoff import Trigger
from app.kernel.errors import Conflict, Invalid, NotFound
from app.kernel.tenant import Tenant, TenantId
from app.store import audit, destinations, tenants
from app.store import statements as stored
from app.store.chain import FOUNDED
from keys import jwk
from scim.quirks import KINDS

_SLUG = re.compile(r"[a-z][a-z0-9-]{1,38}[a-z0-9]")
_DOMAIN = re.compile(r"(?=.{3,253}\Z)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z0-9-]{2,63}")


def found(deps: Deps, slug: str, name: str) -> Tenant:
    """Create a tenant with its own key ring; raises Invalid or Conflict."""
    if not _SLUG.fullmatch(slug):
        raise Invalid(
            "A slug is 3 to 40 lower-case letters, digits and hyphens, and begins with a letter."
        )
    if not 1 <= len(name.strip()) <= 200:  # noqa: PLR2004 - a name's bounds
        raise Invalid("A tenant's name has 1 to 200 characters.")
    tenant_id = TenantId(deps.ids.new())
    tenant = Tenant(
        tenant_id,
        slug,
        name.strip(),
        enabled=True,
        home_page=f"{deps.settings.base_url}/t/{tenant_id}",
    )
    now, fresh = deps.clock(), jwk.generate()
    with deps.db.system(write=True) as system:
        if tenants.by_slug(system, slug):
            raise Conflict(f"There is a tenant {slug!r} already.")
        tenants.add(system, tenant, now)
        rings.ensure(deps, system, slug, tenant_id, fresh)
        audit.record(system.within(tenant_id), deps.ids.new(), now, "operator", FOUNDED, tenant_id)
    return tenant


def of_slug(deps: Deps, slug: str) -> Tenant:
    """Find a tenant by slug; raises NotFound."""
    with deps.db.system() as system:
        tenant = tenants.by_slug(system, slug)
    if tenant is None:
        raise NotFound(f"There is no tenant {slug!r}.")
    return tenant


def enable(deps: Deps, slug: str, *, enabled: bool) -> Tenant:
    """Switch a tenant on or off. Off, nobody of it gets in; one row, read at every request."""
    trigger = Trigger("operator", "operator", deps.clock())
    tenant = of_slug(deps, slug)
    with deps.db.system(write=True) as system:
        if not enabled:
            cutoff.tenant(deps, system, tenant.id, trigger)
        elif tenants.enable(system, tenant.id, deps.clock(), enabled=True):
            tx = system.within(tenant.id)
            audit.record(tx, deps.ids.new(), deps.clock(), "operator", "tenant.enabled", tenant.id)
    return tenant


def name_idp(deps: Deps, slug: str, kind: str) -> None:
    """Name the kind of identity provider that provisions a tenant; raises Invalid or NotFound."""
    if kind not in KINDS:
        raise Invalid(f"An identity provider is one of {', '.join(KINDS)}.")
    tenant = of_slug(deps, slug)
    with deps.db.system(write=True) as system:
        if tenants.set_idp(system, tenant.id, kind):
            audit.record(
                system.within(tenant.id), deps.ids.new(), deps.clock(), "operator", "tenant.idp",
                tenant.id, idp=kind,
            )  # fmt: skip


def vouch_for_domain(deps: Deps, slug: str, domain: str, *, verified: bool) -> None:
    """Give a tenant an e-mail domain; raises Conflict when another tenant has verified it."""
    name = domain.strip().lower()
    if not _DOMAIN.fullmatch(name):
        raise Invalid(f"{domain!r} is not a domain name.")
    tenant = of_slug(deps, slug)
    with deps.db.system(write=True) as system:
        holder = tenants.by_domain(system, name)
        if holder is not None and holder.id != tenant.id:
            raise Conflict(f"{name} is verified for another tenant.")
        tenants.verify_domain(system, tenant.id, name, deps.clock() if verified else None)


def issue_token(
    deps: Deps, slug: str, kind: str, client: str = bearers.DEFAULT_CLIENT,
    *, name: str = "", scope: str = "write", life: timedelta | None = None,
    person_id: str | None = None,
) -> tuple[str, str]:  # fmt: skip
    """Issue a bearer token; returns (id, the token, shown once). No `life`, no end.

    Raises NotFound, Invalid or Refused (the person may not enter).
    """
    tenant = of_slug(deps, slug)
    wanted = bearers.Wanted(name, kind, client, scope, life, person_id)
    with deps.db.tx(tenant.id) as tx:
        return bearers.issue(deps, tx, "operator", wanted)


def revoke_token(deps: Deps, slug: str, token_id: str) -> None:
    """Revoke a token; raises NotFound when there is none that stands."""
    tenant = of_slug(deps, slug)
    with deps.db.tx(tenant.id) as tx:
        bearers.revoke(deps, tx, "operator", token_id)


def add_record_store(deps: Deps, slug: str, url: str, key: str, secret: str) -> str:
    """Forward the tenant's statements, from now on, to a record store; returns the destination's id."""
    allowed = ("https://", "http://") if deps.settings.insecure_neighbours else ("https://",)
    if not url.startswith(allowed) or len(url) > 2000:  # noqa: PLR2004 - an address's bound
        raise Invalid("A record store's address begins with https://.")
    if ":" in key:
        raise Invalid("A key can't hold a colon (RFC 7617 §2).")
    tenant = of_slug(deps, slug)
    destination_id, now = deps.ids.new(), deps.clock()
    sealed = statements.seal_credentials(deps, key, secret)
    with deps.db.tx(tenant.id) as tx:
        destinations.add(tx, destination_id, "xapi", url, sealed, now, stored.end_of(tx))
        audit.record(
            tx, deps.ids.new(), now, "operator", "destination.added", destination_id, url=url
        )
    return destination_id
