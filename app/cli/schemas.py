"""`ostiary schema`: a tenant's own extensions of SCIM's User and Group."""

from __future__ import annotations

from pathlib import Path

import click

from app.cli.common import json_option, ready, show, tenant_option
from app.flows import schemas as flow
from app.flows import tenancy
from app.kernel.errors import Invalid
from app.store import scim_schemas
from scim import resource
from scim.attributes import Schema
from scim.errors import ScimError

_BY = "operator"


@click.group()
def schema() -> None:
    """A tenant's own extensions of SCIM's User and Group."""


@schema.command("add")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@tenant_option
@click.option(
    "--resource", "of", type=click.Choice(["User", "Group"]), required=True, help="What it extends."
)
@json_option
def add(file: Path, slug: str, of: str, as_json: bool) -> None:
    """Add the schema in FILE (RFC 7643, section 7), or replace the one of its URN."""
    try:
        document = resource.decode(file.read_bytes())
    except ScimError as why:
        raise Invalid("The file is not JSON.") from why
    deps = ready()
    made = flow.add(deps, tenancy.of_slug(deps, slug).id, of, document, _BY)
    show(_told(made), as_json=as_json)


@schema.command("list")
@tenant_option
@json_option
def listed(slug: str, as_json: bool) -> None:
    """List the tenant's schemas."""
    deps = ready()
    with deps.db.read(tenancy.of_slug(deps, slug).id) as read:
        found = scim_schemas.listed(read)
    show([{**_told(one.schema), "resource": one.type} for one in found], as_json=as_json)


@schema.command("remove")
@click.argument("urn")
@tenant_option
@json_option
def remove(urn: str, slug: str, as_json: bool) -> None:
    """Remove a schema that no resource has values of."""
    deps = ready()
    gone = flow.remove(deps, tenancy.of_slug(deps, slug).id, urn, _BY)
    show(_told(gone), as_json=as_json)


def _told(of: Schema) -> dict[str, object]:
    return {"urn": of.id, "attributes": [one.name for one in of.attributes]}


COMMANDS = [schema]
