"""A tenant's own SCIM schemas: added, replaced, removed; never under values that they would make unreadable."""

from __future__ import annotations

from typing import Any, Final

from app.deps import Deps
from app.kernel.errors import Conflict, Invalid, NotFound
from app.kernel.tenant import TenantId
from app.store import audit, scim_schemas
from app.store.db import Tx
from app.store.scim_schemas import Own
from scim import custom
from scim.attributes import Schema
from scim.errors import ScimError

MOST: Final = 20


def add(deps: Deps, tenant: TenantId, of: str, document: Any, by: str) -> Schema:
    """Add an extension of User or Group (`of`), or replace the one of its URN.

    While resources have values of it, only new attributes may come. Raises Invalid and Conflict.
    """
    try:
        schema = custom.read(document)
    except ScimError as why:
        raise Invalid(why.message) from why
    with deps.db.tx(tenant) as tx:
        scim_schemas.count_up(tx)
        own = {one.schema.id.lower(): one for one in scim_schemas.listed(tx)}
        before, now = own.get(schema.id.lower()), deps.clock()
        if before is None:
            _check_new(schema, own)
        else:
            _check_change(tx, before, of, schema)
        scim_schemas.put(tx, of, schema, before.created_at if before else now, now)
        action = "schema.added" if before is None else "schema.changed"
        _note(deps, tx, by, action, schema, of)
    return schema


def remove(deps: Deps, tenant: TenantId, urn: str, by: str) -> Schema:
    """Remove a schema that no resource has values of. Raises NotFound and Conflict."""
    with deps.db.tx(tenant) as tx:
        scim_schemas.count_up(tx)
        own = {one.schema.id.lower(): one for one in scim_schemas.listed(tx)}
        gone = own.get(urn.lower())
        if gone is None:
            raise NotFound(f"There is no schema {urn[: custom.MAX_URN]!r}.")
        if count := scim_schemas.holders(tx, gone.schema):
            raise Conflict(f"{_holding(count, gone.schema)}, so it can't be removed.")
        scim_schemas.remove(tx, urn)
        _note(deps, tx, by, "schema.removed", gone.schema, gone.type)
    return gone.schema


def _check_new(schema: Schema, own: dict[str, Own]) -> None:
    if len(own) >= MOST:
        raise Conflict(f"There may be {MOST} schemas at most.")
    if "," in schema.id:
        raise Invalid(
            "A schema's id can't hold a comma: clients name several attributes with commas between."
        )
    urn = f"{schema.id.lower()}:"
    for other in own:
        # A path within the one could be read as a path within the other.
        if urn.startswith(f"{other}:") or other.startswith(urn):
            raise Conflict(f"One of {schema.id} and {other} begins with the other.")


def _check_change(tx: Tx, before: Own, of: str, schema: Schema) -> None:
    why = custom.hindrance(before.schema, schema)
    if before.type != of:
        why = f"it must stay an extension of {before.type}"
    if why is not None and (count := scim_schemas.holders(tx, before.schema)):
        raise Conflict(f"{_holding(count, before.schema)}: {why}.")


def _holding(count: int, schema: Schema) -> str:
    whose = "1 resource has" if count == 1 else f"{count} resources have"
    return f"{whose} values of {schema.id} (deleted ones count until they are purged)"


def _note(deps: Deps, tx: Tx, by: str, action: str, schema: Schema, of: str) -> None:
    audit.record(
        tx, deps.ids.new(), deps.clock(), by, action, schema.id,
        resource=of, attributes=len(schema.attributes),
    )  # fmt: skip
