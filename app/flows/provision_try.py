"""What a provisioning request would do: done for an administrator to see, and undone before anybody else can."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Final

from app.deps import Deps
from app.flows import provision
from app.flows.provision_act import Client
from app.flows.provision_view import Shown
from app.kernel.errors import Invalid, OstiaryError
from app.kernel.tenant import TenantId
from app.store import scim_schemas, tenants
from scim import resource
from scim.errors import ScimError
from scim.represent import EVERYTHING

METHODS: Final = ("POST", "PUT", "PATCH", "DELETE")
LONGEST: Final = 256 * 1024
_STATUS: Final = {"POST": 201, "PUT": 200, "PATCH": 200, "DELETE": 204}


@dataclass(frozen=True, slots=True)
class Tried:
    """The answer that a client would get, and the resource before and after, as JSON."""

    status: int
    refusal: str | None
    before: str | None
    after: str | None


def attempt(
    deps: Deps, tenant: TenantId, client: str, method: str, path: str, body: str
) -> Tried:  # fmt: skip
    """Try a request of a client's; raises Invalid for what is no provisioning request at all."""
    endpoint, _, resource_id = path.strip().removeprefix("/scim/v2").strip("/").partition("/")
    with deps.db.read(tenant) as read:
        types, idp = scim_schemas.current(read), tenants.idp(read)
    of = types.at(endpoint)
    if method not in METHODS or of is None or (method == "POST") == bool(resource_id):
        raise Invalid(
            "Write POST with /Users or /Groups, or PUT, PATCH or DELETE with /Users/{id}."
        )
    if len(body) > LONGEST:
        raise Invalid(f"A request to try may have {LONGEST} characters at most.")
    who = Client(tenant, client, dry=True, types=types, idp=idp)
    before: str | None = None
    try:
        if resource_id:
            before = provision.get(deps, replace(who, dry=False), of, resource_id, EVERYTHING).text
        data = None if method == "DELETE" else resource.decode(body.encode())
        after = _done(deps, who, method, of, resource_id, data)
    except ScimError as why:
        return Tried(why.status, why.message, before, None)
    except OstiaryError as why:
        return Tried(why.status, why.message, before, None)
    return Tried(_STATUS[method], None, before, after)


def _done(
    deps: Deps, who: Client, method: str, of: Any, resource_id: str, data: Any
) -> str | None:  # fmt: skip
    shown: Shown | None = None
    match method:
        case "POST":
            shown = provision.create(deps, who, of, data, EVERYTHING)
        case "PUT":
            shown = provision.replace(deps, who, of, resource_id, data, None, EVERYTHING)
        case "PATCH":
            shown = provision.patch(deps, who, of, resource_id, data, None, EVERYTHING)
        case _:
            provision.delete(deps, who, of, resource_id, None)
    return None if shown is None else shown.text
