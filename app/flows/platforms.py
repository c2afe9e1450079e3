"""Platforms as an operator sets them up: registrations, deployments, on and off."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from app.deps import Deps
from app.flows import cutoff, lti_login, rings, tenancy
from app.flows.cutoff import Trigger
from app.kernel.errors import Conflict, Invalid, NotFound
from app.kernel.tenant import OPERATOR, Tenant
from app.store import audit, platforms
from app.store.db import System
from app.store.platforms import Deployed, Platform
from keys import jwk
from lti.registration import MAX_ID_LENGTH, Registration

LINK_BY = ("none", "sourcedid", "email")


@dataclass(frozen=True, slots=True)
class Addresses:
    """What a platform's administrator enters there."""

    login_url: str
    launch_url: str
    jwks_url: str


def add(
    deps: Deps, slug: str | None, name: str, registration: Registration, deployment_id: str | None,
    link_by: str = "none", *, anonymous: bool = False,
) -> tuple[str, Addresses]:  # fmt: skip
    """Register a platform for a tenant, or for the operator without one; returns (id, addresses).

    A tenant's deployment works at once, `anonymous` also for launches that name no user; the
    operator's each wait for their approval. Raises Invalid, Conflict and lti's BadRegistration.
    """
    if link_by not in LINK_BY or not 1 <= len(name.strip()) <= MAX_ID_LENGTH:
        raise Invalid("A platform needs a name, and a rule of none, sourcedid or email.")
    registration.check(allow_http=deps.settings.insecure_neighbours)
    owner = tenancy.of_slug(deps, slug) if slug else None
    made = Platform(registration, owner, name.strip(), link_by, enabled=True)
    now, fresh = deps.clock(), None if owner else jwk.generate()
    with deps.db.system(write=True) as system:
        if not platforms.add(system, made, now):
            raise Conflict("This issuer and client_id are registered already.")
        if fresh is not None:
            rings.ensure(deps, system, OPERATOR, None, fresh)
        if owner is not None:
            _audit(deps, system, owner, "platform.added", registration.id)
        if deployment_id is not None:
            _let_in(deps, system, registration.id, deployment_id, owner, anonymous=anonymous)
    return registration.id, addresses(deps, made)


def addresses(deps: Deps, platform: Platform) -> Addresses:
    """Return our addresses for a platform; its JWKS is its owner's."""
    base = deps.settings.base_url
    return Addresses(
        f"{base}/lti/login", lti_login.launch_url(deps), f"{base}/lti/jwks/{platform.key_owner}"
    )


def enable(deps: Deps, registration_id: str, *, enabled: bool) -> None:
    """Switch a platform on or off; off, its launches end with the next request."""
    trigger = Trigger("operator", "operator", deps.clock())
    with deps.db.system(write=True) as system:
        _found(system, registration_id)
        switch(deps, system, registration_id, trigger, enabled=enabled)


def switch(
    deps: Deps, system: System, registration_id: str, trigger: Trigger, *, enabled: bool
) -> None:
    """Switch a platform on or off, on record in every tenant that it leads into."""
    if not enabled:
        cutoff.platform(deps, system, registration_id, trigger)
        return
    now = deps.clock()
    if platforms.enable(system, registration_id, now, enabled=True):
        for tenant_id in platforms.led_into(system, registration_id):
            audit.record(
                system.within(tenant_id), deps.ids.new(), now, trigger.actor, "platform.enabled",
                registration_id, by=trigger.by,
            )  # fmt: skip


def approve(
    deps: Deps, registration_id: str, deployment_id: str, slug: str | None, *, anonymous: bool = False
) -> Tenant:  # fmt: skip
    """Let a deployment's launches into a tenant; a tenant's own platform leads into no other.

    `anonymous` lets launches in that name no user; approved again without it, they stay outside.
    Raises NotFound, Invalid and Conflict (approved into another tenant).
    """
    named = tenancy.of_slug(deps, slug) if slug else None
    with deps.db.system(write=True) as system:
        platform = _found(system, registration_id)
        into = named or platform.owner
        if into is None:
            raise Invalid("Say into which tenant: this platform is the operator's.")
        if platform.owner is not None and platform.owner.id != into.id:
            raise Conflict(f"This platform belongs to the tenant {platform.owner.slug!r}.")
        known = platforms.deployed(system, registration_id, deployment_id)
        if known is not None and known.tenant_id not in {None, into.id}:
            raise Conflict("This deployment is approved into another tenant.")
        _let_in(deps, system, registration_id, deployment_id, into, anonymous=anonymous)
    return into


def listed(deps: Deps, slug: str | None) -> list[tuple[Platform, list[Deployed]]]:
    """Return the platforms, all or one tenant's, each with its deployments."""
    tenant = tenancy.of_slug(deps, slug) if slug else None
    with deps.db.system() as system:
        found = platforms.listed(system, tenant.id if tenant else None)
        return [(one, platforms.deployments(system, one.registration.id)) for one in found]


def _let_in(
    deps: Deps, system: System, registration_id: str, deployment_id: str, into: Tenant | None,
    *, anonymous: bool,
) -> None:  # fmt: skip
    if not 1 <= len(deployment_id) <= MAX_ID_LENGTH or not deployment_id.isprintable():
        raise Invalid("A deployment id has 1 to 255 characters.")
    row_id, now = deps.ids.new(), deps.clock()
    if into is None:
        platforms.wait(system, row_id, registration_id, deployment_id, now)
        return
    platforms.approve(
        system, row_id, registration_id, deployment_id, into.id, now, anonymous=anonymous
    )
    _audit(
        deps, system, into, "deployment.approved", registration_id,
        deployment=deployment_id, anonymous=anonymous,
    )  # fmt: skip


def _audit(
    deps: Deps, system: System, tenant: Tenant, action: str, subject: str, **detail: Any
) -> None:
    tx = system.within(tenant.id)
    audit.record(tx, deps.ids.new(), deps.clock(), "operator", action, subject, **detail)


def _found(system: System, registration_id: str) -> Platform:
    platform = platforms.by_id(system, registration_id)
    if platform is None:
        raise NotFound("There is no such platform.")
    return platform
