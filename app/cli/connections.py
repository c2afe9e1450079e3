"""`ostiary connection`: trust in identity providers."""

from __future__ import annotations

from typing import Any

import click

from app.cli.common import json_option, ready, show, tenant_option
from app.flows import connections
from sso.connection import LinkBy, SubjectClaim


@click.group()
def connection() -> None:
    """Identity providers that people sign in through."""


@connection.command("add")
@tenant_option
@click.option("--kind", type=click.Choice(["oidc", "saml"]), required=True)
@click.option("--name", help="What people see when they choose; by default the provider's host.")
@click.option("--issuer", help="OpenID Connect: the provider's issuer, exactly as it writes it.")
@click.option("--client-id", help="OpenID Connect: our client id there.")
@click.option("--client-secret", help="OpenID Connect: our client secret there.")
@click.option("--metadata", help="SAML: the provider's metadata, a file or an address.")
@click.option("--allow-idp-initiated", is_flag=True, help="SAML: also sign-ins we did not begin.")
@click.option("--no-jit", is_flag=True, help="Let in only people who are known already.")
@click.option(
    "--link-by",
    type=click.Choice([one.value for one in LinkBy]),
    default=LinkBy.USER_NAME.value,
    show_default=True,
    help="Which provisioned attribute tells that a sign-in is someone we know.",
)
@click.option(
    "--subject",
    type=click.Choice([one.value for one in SubjectClaim]),
    default=SubjectClaim.SUB.value,
    show_default=True,
    help="OpenID Connect: the claim that names a person; oid suits Entra ID.",
)
@click.option(
    "--post-logout-redirect",
    is_flag=True,
    help="OpenID Connect: the provider knows our address for coming back after a sign-out.",
)
@json_option
def add(kind: str, as_json: bool, **given: Any) -> None:
    """Trust an identity provider; people can sign in through it at once."""
    if kind == "saml":
        raise click.ClickException(
            "This version signs people in by OpenID Connect only; SAML 2.0 is not built yet."
        )
    if given["metadata"] or given["allow_idp_initiated"]:
        raise click.UsageError("--metadata and --allow-idp-initiated are for --kind saml.")
    for name in ("issuer", "client_id", "client_secret"):
        if not given[name]:
            raise click.UsageError(f"--kind oidc needs --{name.replace('_', '-')}.")
    deps = ready()
    made = connections.add_oidc(
        deps, given["slug"], issuer=given["issuer"], client_id=given["client_id"],
        client_secret=given["client_secret"], name=given["name"], link_by=LinkBy(given["link_by"]),
        subject=SubjectClaim(given["subject"]), jit=not given["no_jit"],
        post_logout_redirect=given["post_logout_redirect"],
    )  # fmt: skip
    ours = connections.addresses(deps, made.id)
    told = {
        "id": made.id, "redirect_uri": ours.redirect_uri, "login_url": ours.login_url,
        "backchannel_logout_uri": ours.backchannel_logout_uri,
    }  # fmt: skip
    if given["post_logout_redirect"]:
        told["post_logout_redirect_uri"] = ours.post_logout_redirect_uri
    show(told, as_json=as_json)


@connection.command("disable")
@click.argument("connection_id")
@json_option
def disable(connection_id: str, as_json: bool) -> None:
    """Close a connection: nobody gets in by it, and its sessions are refused from now on."""
    connections.enable(ready(), connection_id, enabled=False)
    show({"id": connection_id, "enabled": False}, as_json=as_json)


@connection.command("enable")
@click.argument("connection_id")
@json_option
def enable(connection_id: str, as_json: bool) -> None:
    """Open a connection again; who was cut off signs in anew."""
    connections.enable(ready(), connection_id, enabled=True)
    show({"id": connection_id, "enabled": True}, as_json=as_json)


COMMANDS = [connection]
