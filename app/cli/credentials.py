"""`ostiary token`, `client`: credentials of provisioning clients, and of people."""

from __future__ import annotations

from dataclasses import asdict
from datetime import timedelta
from pathlib import Path

import click

from app.cli.common import (
    client_option,
    json_option,
    ready,
    scope_option,
    show,
    tenant_option,
    written,
)
from app.flows import acting, clients, tenancy
from app.flows.clients import Made
from app.store import oauth_clients, tokens

_MOST = 500


@click.group()
def token() -> None:
    """Bearer tokens, of provisioning clients and of people."""


@token.command("issue")
@tenant_option
@click.option("--kind", type=click.Choice(["scim", "api", "set"]), required=True)
@click.option("--name", default="", help="What you call it; by default the client's name.")
@client_option
@scope_option
@click.option("--person", "person_id", help="Whose token it is, by id; for kind api.")
@click.option(
    "--expires-days",
    "days",
    type=click.IntRange(1, 3650),
    help="It ends after so many; else never.",
)
@json_option
def issue(
    slug: str, kind: str, name: str, client: str, scope: str, person_id: str | None,
    days: int | None, as_json: bool,
) -> None:  # fmt: skip
    """Issue a token. It is shown this once. A person's token ends with that person's access.

    Kind set is for the receiver of SCIM events that --client names by its id.
    """
    token_id, text = tenancy.issue_token(
        ready(), slug, kind, client, name=name, scope=scope, person_id=person_id,
        life=timedelta(days=days) if days else None,
    )  # fmt: skip
    show({"id": token_id, "token": text}, as_json=as_json)


@token.command("list")
@tenant_option
@json_option
def list_tokens(slug: str, as_json: bool) -> None:
    """List tokens, those that stand first; never what they are. Not those that clients ask for."""
    deps = ready()
    with deps.db.read(tenancy.of_slug(deps, slug).id) as read:
        rows = tokens.listed(read, deps.clock(), _MOST)
    told = [
        {
            "id": row["id"], "name": row["name"], "kind": row["kind"], "client": row["client"],
            "scope": row["scope"], "person": row["person_id"], "state": row["state"],
            "created_at": written(row["created_at"]), "created_by": row["created_by"],
            "last_used_at": written(row["last_used_at"]), "expires_at": written(row["expires_at"]),
            "revoked_at": written(row["revoked_at"]),
        }
        for row in rows
    ]  # fmt: skip
    show(told, as_json=as_json)


@token.command("revoke")
@click.argument("token_id")
@tenant_option
@json_option
def revoke(token_id: str, slug: str, as_json: bool) -> None:
    """Revoke a token at once."""
    tenancy.revoke_token(ready(), slug, token_id)
    show({"id": token_id, "revoked": True}, as_json=as_json)


@click.group()
def client() -> None:
    """OAuth clients: who may ask for access tokens by themselves."""


@client.command("add")
@tenant_option
@click.option("--name", required=True, help="What you call it.")
@client_option
@scope_option
@click.option(
    "--jwks", help="Its public keys, a file or an address: then it signs and has no secret."
)
@json_option
def add(slug: str, name: str, client: str, scope: str, jwks: str | None, as_json: bool) -> None:
    """Make a client. Its secret is shown this once."""
    deps = ready()
    wanted = clients.Wanted(name, client, scope, _read(jwks) if jwks else "")
    _tell(clients.add(deps, acting.operator(deps, slug), wanted), as_json=as_json)


@client.command("list")
@tenant_option
@json_option
def list_clients(slug: str, as_json: bool) -> None:
    """List clients; never their secrets."""
    deps = ready()
    with deps.db.read(tenancy.of_slug(deps, slug).id) as read:
        rows = oauth_clients.listed(read)
    told = [
        {
            "id": one.id, "client_id": clients.client_id(one), "name": one.name, "client": one.client,
            "scope": one.scope, "enabled": one.enabled, "signs": one.digest is None,
            "jwks_url": one.jwks_url, "created_at": written(one.created_at),
            "created_by": one.created_by, "last_used_at": written(one.last_used_at),
        }
        for one in rows
    ]  # fmt: skip
    show(told, as_json=as_json)


@client.command("disable")
@click.argument("row", metavar="ID")
@tenant_option
@json_option
def disable(row: str, slug: str, as_json: bool) -> None:
    """Switch a client off: it gets no token, and those that it has end at once."""
    deps = ready()
    clients.switch(deps, acting.operator(deps, slug), row, enabled=False)
    show({"id": row, "enabled": False}, as_json=as_json)


@client.command("enable")
@click.argument("row", metavar="ID")
@tenant_option
@json_option
def enable(row: str, slug: str, as_json: bool) -> None:
    """Switch a client on again; it asks for a new token."""
    deps = ready()
    clients.switch(deps, acting.operator(deps, slug), row, enabled=True)
    show({"id": row, "enabled": True}, as_json=as_json)


@client.command("rotate-secret")
@click.argument("row", metavar="ID")
@tenant_option
@json_option
def rotate_secret(row: str, slug: str, as_json: bool) -> None:
    """Give a client a new secret; the old one and the tokens that it opened end at once."""
    deps = ready()
    _tell(clients.rotate_secret(deps, acting.operator(deps, slug), row), as_json=as_json)


def _read(jwks: str) -> str:
    if jwks.startswith(("https://", "http://")):
        return jwks
    try:
        return Path(jwks).read_text()
    except (OSError, ValueError) as error:
        raise click.ClickException(f"{jwks} can't be read: {error}.") from error


def _tell(made: Made, *, as_json: bool) -> None:
    show(
        {name: value for name, value in asdict(made).items() if value is not None}, as_json=as_json
    )


COMMANDS = [token, client]
