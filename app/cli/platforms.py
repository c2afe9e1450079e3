"""`ostiary platform`: learning platforms that launch into this gateway (LTI 1.3)."""

from __future__ import annotations

from typing import Any

import click

from app.cli.common import json_option, ready, show
from app.flows import platforms
from app.kernel.clock import iso
from app.store.platforms import Deployed, Platform
from lti.registration import Registration

anonymous_option = click.option(
    "--allow-anonymous", "anonymous", is_flag=True,
    help="Also launches of this deployment that name no user; each is a person of its own.",
)  # fmt: skip


@click.group()
def platform() -> None:
    """Learning platforms: registrations and deployments."""


@platform.command("add")
@click.option("--tenant", "slug", help="The tenant's slug; without it the platform is yours.")
@click.option("--name", required=True)
@click.option("--issuer", required=True, help="The platform's `iss`, exactly as it writes it.")
@click.option("--client-id", required=True)
@click.option("--deployment-id", help="A deployment to approve at once.")
@click.option("--auth-url", required=True, help="Its OIDC authorization endpoint.")
@click.option("--token-url", required=True, help="Its OAuth 2 token endpoint.")
@click.option("--jwks-url", required=True, help="Its public keys.")
@click.option("--token-audience", help="The assertion's audience, where it is not the token URL.")
@click.option(
    "--link-by", type=click.Choice(platforms.LINK_BY), default="none",
    help="How its people are joined to those known here: by nothing, by lis.person_sourcedid and "
    "SCIM's externalId, or by e-mail inside a verified domain.",
)  # fmt: skip
@anonymous_option
@json_option
def add(
    *, slug: str | None, name: str, issuer: str, client_id: str, deployment_id: str | None,
    auth_url: str, token_url: str, jwks_url: str, token_audience: str | None, link_by: str,
    anonymous: bool, as_json: bool,
) -> None:  # fmt: skip
    """Register a platform. It works at once, for a tenant's deployment given here."""
    if anonymous and not (slug and deployment_id):
        raise click.UsageError("--allow-anonymous needs --tenant and --deployment-id.")
    deps = ready()
    registration = Registration(
        deps.ids.new(), issuer, client_id, auth_url, token_url, jwks_url, token_audience
    )
    made, ours = platforms.add(
        deps, slug, name, registration, deployment_id, link_by, anonymous=anonymous
    )
    show({
        "id": made, "login_url": ours.login_url, "launch_url": ours.launch_url,
        "jwks_url": ours.jwks_url,
    }, as_json=as_json)  # fmt: skip


@platform.command("disable")
@click.argument("platform_id")
@json_option
def disable(platform_id: str, as_json: bool) -> None:
    """Switch a platform off: its launches end with their next request."""
    platforms.enable(ready(), platform_id, enabled=False)
    show({"id": platform_id, "enabled": False}, as_json=as_json)


@platform.command("enable")
@click.argument("platform_id")
@json_option
def enable(platform_id: str, as_json: bool) -> None:
    """Switch a platform on again."""
    platforms.enable(ready(), platform_id, enabled=True)
    show({"id": platform_id, "enabled": True}, as_json=as_json)


@platform.command("approve")
@click.argument("platform_id")
@click.option("--deployment-id", required=True)
@click.option("--tenant", "slug", help="Into which tenant; a tenant's own platform needs none.")
@anonymous_option
@json_option
def approve(
    platform_id: str, deployment_id: str, slug: str | None, anonymous: bool, as_json: bool
) -> None:
    """Let a deployment's launches into a tenant, whether it waits or is still to come."""
    into = platforms.approve(ready(), platform_id, deployment_id, slug, anonymous=anonymous)
    show({
        "id": platform_id, "deployment_id": deployment_id, "tenant": into.slug, "anonymous": anonymous,
    }, as_json=as_json)  # fmt: skip


@platform.command("list")
@click.option("--tenant", "slug", help="Only this tenant's own platforms.")
@click.option("--waiting", is_flag=True, help="Only those with a deployment that waits.")
@json_option
def listed(slug: str | None, waiting: bool, as_json: bool) -> None:
    """List the platforms with their deployments."""
    rows = [_row(one, deployments) for one, deployments in platforms.listed(ready(), slug)]
    if waiting:
        rows = [row for row in rows if not all(one["approved"] for one in row["deployments"])]
    show(rows, as_json=as_json)


def _row(one: Platform, deployments: list[Deployed]) -> dict[str, Any]:
    return {
        "id": one.registration.id, "name": one.name, "issuer": one.registration.issuer,
        "client_id": one.registration.client_id, "tenant": one.owner.slug if one.owner else None,
        "link_by": one.link_by, "enabled": one.enabled,
        "deployments": [
            {
                "deployment_id": of.deployment_id, "approved": of.approved_at is not None,
                "anonymous": of.anonymous, "first_seen": iso(of.first_seen_at),
            }
            for of in deployments
        ],
    }  # fmt: skip


COMMANDS = [platform]
