"""What a provisioning client does over SCIM: each verb one transaction (RFC 7644 §3).

Errors are `scim.errors`, as the client is to see them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from typing import Any, Final

from app.deps import Deps
from app.flows import provision_groups, provision_people, provision_search
from app.flows.provision_act import Act, Client, acting, check_known
from app.flows.provision_trace import watched
from app.flows.provision_view import Shown, shown
from app.kernel.person import Person
from app.kernel.tenant import TenantId
from app.store import people, scim, scim_schemas
from app.store.bounded import TooLong, within
from app.store.scim import Stored
from scim import patch as patching
from scim import resource
from scim.attributes import ResourceType
from scim.errors import NotFound, TooMany
from scim.etag import check_if_match
from scim.listing import parse_query
from scim.members import MAX_ID, MemberChanges
from scim.represent import Projection
from scim.schemas import GROUP, USER
from scim.text import fold, storable

PAGE_SIZE: Final = 200
_CHUNK: Final = 250


def create(
    deps: Deps, client: Client, of: ResourceType, body: Any, projection: Projection | None
) -> Shown:
    """POST (RFC 7644 §3.3); raises Uniqueness and what `scim.resource.parse` raises."""
    with watched(deps, client, "POST", None, body) as watch:
        said = resource.parse(body, of)
        with acting(deps, client, "POST", body) as act:
            if of.name == GROUP.name:
                stored = provision_groups.arrive(act, said.resource, said.members or ())
            else:
                stored = provision_people.arrive(act, said.resource)
            watch.done(act, None, stored)
            return shown(deps, act.tx, of, stored, projection)


def get(
    deps: Deps, client: Client, of: ResourceType, resource_id: str, projection: Projection
) -> Shown:
    """GET (RFC 7644 §3.4.1); raises NotFound."""
    with client.reading(deps) as read:
        stored = scim.get(read, client.name, of, _id(of, resource_id))
        if stored is None:
            raise _not_found(of, resource_id)
        return shown(deps, read, of, stored, projection)


def replace(
    deps: Deps, client: Client, of: ResourceType, resource_id: str, body: Any,
    if_match: str | None, projection: Projection | None,
) -> Shown:  # fmt: skip
    """PUT (RFC 7644 §3.5.1). A Group's members stay where the body does not speak of them."""
    with (
        watched(deps, client, "PUT", resource_id, body) as watch,
        acting(deps, client, "PUT", body) as act,
    ):
        person, before = _locked(act, of, resource_id, if_match)
        said = resource.replace(before.body, body, of)
        kept = MemberChanges(reset=said.members is not None, add=said.members or ())
        stored = _changed(act, person, before, said.resource, kept)
        watch.done(act, before, stored)
        return shown(deps, act.tx, of, stored, projection)


def patch(
    deps: Deps, client: Client, of: ResourceType, resource_id: str, body: Any,
    if_match: str | None, projection: Projection | None,
) -> Shown:  # fmt: skip
    """PATCH (RFC 7644 §3.5.2), all of it or nothing."""
    with watched(deps, client, "PATCH", resource_id, body) as watch:
        operations = patching.parse_operations(body, client.idp)
        with acting(deps, client, "PATCH", body) as act:
            person, before = _locked(act, of, resource_id, if_match)
            result = patching.apply(before.body, operations, of)
            stored = _changed(act, person, before, result.resource, result.members)
            watch.done(act, before, stored)
            return shown(deps, act.tx, of, stored, projection)


def delete(
    deps: Deps, client: Client, of: ResourceType, resource_id: str, if_match: str | None
) -> None:
    """DELETE (RFC 7644 §3.6), softly: a User's sessions end, what they learned stays."""
    with (
        watched(deps, client, "DELETE", resource_id, None) as watch,
        acting(deps, client, "DELETE") as act,
    ):
        held = provision_groups.hold_around(act, of, _id(of, resource_id))
        person, gone = _locked(act, of, resource_id, if_match)
        provision_groups.check_held(act, gone.id, held)
        if person is None:
            left = provision_groups.leave(act, gone)
        else:
            left = provision_people.leave(act, person, gone)
        provision_groups.lose(act, left)
        watch.done(act, gone, None)


def search(
    deps: Deps, client: Client, of: ResourceType | None, parameters: Mapping[str, Any]
) -> str:
    """A query (RFC 7644 §3.4.2, §3.4.3), a page of it; of every type where none is said.

    An attribute that a type does not have has no value there (RFC 7644 §3.4.2.1). Raises TooMany where it
    takes longer than the settings allow.
    """
    query = parse_query(parameters, of or client.types.every, page_size=PAGE_SIZE)
    seconds = deps.settings.scim_query_seconds
    try:
        with client.reading(deps) as read, within(read, seconds):
            return provision_search.answer(deps, client, read, of, query)
    except TooLong:
        raise TooMany(
            f"This query takes longer than {seconds} seconds. Ask for less with a filter that says "
            "what is wanted exactly (eq, sw), or go through all pages by cursor."
        ) from None


def create_many(deps: Deps, tenant: TenantId, client: str, bodies: Iterable[Any]) -> int:
    """Load Users in bulk; returns how many are new. Whose userName is borne already is left out.

    Each few hundred are one transaction, so that a load that broke off can be repeated. Raises Unavailable
    where the tenant's schemas change meanwhile.
    """
    with deps.db.read(tenant) as read:
        who = Client(tenant, client, types=scim_schemas.current(read))
    made, rest = 0, iter(bodies)
    while chunk := list(islice(rest, _CHUNK)):
        made += _load(deps, who, chunk)
    return made


def _load(deps: Deps, client: Client, chunk: Sequence[Any]) -> int:
    read = (resource.parse(body, client.types.user).resource for body in chunk)
    named = {fold(body["userName"]): body for body in read}
    with acting(deps, client, "load", *chunk) as act:
        taken = people.bearing(act.tx, named)
        new = {deps.ids.new(): body for name, body in named.items() if name not in taken}
        if not new:
            return 0
        provision_people.arrive_all(act, new)
        act.note("people.loaded", client.tenant, count=len(new))
        return len(new)


def _locked(
    act: Act, of: ResourceType, resource_id: str, if_match: str | None
) -> tuple[Person | None, Stored]:
    """The resource, and a User's person, which others can't change until the transaction ends."""
    key = _id(of, resource_id)
    person = None
    if of.name == USER.name:
        person = people.lock(act.tx, key)
    else:
        scim.lock(act.tx, key)
    stored = scim.get(act.tx, act.client, of, key)
    if stored is None:
        raise _not_found(of, resource_id)
    check_if_match(if_match, stored.version)
    check_known(of, stored)
    return person, stored


def _changed(
    act: Act, person: Person | None, before: Stored, body: Mapping[str, Any], members: MemberChanges
) -> Stored:
    if person is None:
        return provision_groups.change(act, before, body, members)
    return provision_people.change(act, person, before, body)


def _id(of: ResourceType, resource_id: str) -> str:
    if len(resource_id) > MAX_ID or not storable(resource_id):
        raise _not_found(of, resource_id)
    return resource_id


def _not_found(of: ResourceType, resource_id: str) -> NotFound:
    return NotFound(f"There is no {of.name} {resource_id[:MAX_ID]!r}.")
