"""`ostiary tenant`, `key`: what an operator sets up for a tenant."""

from __future__ import annotations

import click

from app.cli.common import json_option, ready, show, tenant_option
from app.flows import rings, tenancy
from app.kernel.clock import iso
from app.kernel.tenant import OPERATOR


@click.group()
def tenant() -> None:
    """Organizations that use this gateway."""


@tenant.command("create")
@click.argument("slug")
@click.option("--name", required=True)
@json_option
def create(slug: str, name: str, as_json: bool) -> None:
    """Create a tenant with its own signing keys."""
    made = tenancy.found(ready(), slug, name)
    show({"id": made.id, "slug": made.slug}, as_json=as_json)


@tenant.command("domain")
@click.argument("domain")
@tenant_option
@click.option("--verified", is_flag=True, help="You vouch that the domain is the tenant's.")
@json_option
def domain(domain: str, slug: str, verified: bool, as_json: bool) -> None:
    """Give a tenant an e-mail domain."""
    tenancy.vouch_for_domain(ready(), slug, domain, verified=verified)
    show({"tenant": slug, "domain": domain.lower(), "verified": verified}, as_json=as_json)


@tenant.command("idp")
@click.argument("slug")
@click.argument("kind")
@json_option
def idp(slug: str, kind: str, as_json: bool) -> None:
    """Say whose SCIM dialect a tenant's provisioning is in: auto takes every one, standard none."""
    tenancy.name_idp(ready(), slug, kind)
    show({"tenant": slug, "idp": kind}, as_json=as_json)


@tenant.command("disable")
@click.argument("slug")
@json_option
def disable(slug: str, as_json: bool) -> None:
    """Close a tenant: nobody of it gets in, from the next request on."""
    made = tenancy.enable(ready(), slug, enabled=False)
    show({"id": made.id, "enabled": False}, as_json=as_json)


@tenant.command("enable")
@click.argument("slug")
@json_option
def enable(slug: str, as_json: bool) -> None:
    """Open a tenant again."""
    made = tenancy.enable(ready(), slug, enabled=True)
    show({"id": made.id, "enabled": True}, as_json=as_json)


@click.group()
def key() -> None:
    """Signing keys."""


@key.command("rotate")
@click.option("--owner", required=True, help=f"A tenant's slug, or {OPERATOR}.")
@json_option
def rotate(owner: str, as_json: bool) -> None:
    """Publish a new key; it signs once every platform must have seen it, then the old one retires."""
    record = rings.rotate(ready(), owner)
    show({"kid": record.kid, "signs_from": iso(record.signs_from)}, as_json=as_json)


COMMANDS = [tenant, key]
