"""SCIM 2.0 at /scim/v2 (RFC 7644). The bearer token names the tenant and the provisioning client."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace as changed
from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast

from flask import Blueprint, Response, request
from structlog.contextvars import bound_contextvars
from werkzeug.datastructures import Headers

from app.flows import provision, provision_bulk, provision_cursor, throttle
from app.flows.provision_act import ITSELF, Client
from app.flows.provision_view import Shown, base_url
from app.kernel.errors import Refused, Unauthenticated
from app.kernel.tenant import Tenant, TenantId
from app.store import event_streams, scim_schemas
from app.store.db import Read
from app.store.tokens import Token
from app.web import bodies, guard, here
from scim import bulk, discovery, events
from scim.attributes import ResourceType
from scim.custom import Types
from scim.discovery import Features
from scim.errors import Forbidden, InvalidSyntax, NotFound
from scim.etag import not_modified
from scim.listing import Page, list_response
from scim.represent import EVERYTHING, Projection, parse_projection
from scim.schemas import GROUP
from scim.text import to_json

if TYPE_CHECKING:
    from wsgiref.types import WSGIEnvironment

blueprint = Blueprint("scim", __name__, url_prefix="/scim/v2")

MEDIA_TYPE: Final = "application/scim+json"
LARGEST_BODY: Final = 8 * 1024 * 1024
_FEATURES: Final = Features(
    filter_max_results=provision.PAGE_SIZE,
    sort=True,
    etag=True,
    bulk_max_operations=bulk.MAX_OPERATIONS,
    bulk_max_payload=LARGEST_BODY,
    cursor_timeout=int(provision_cursor.LIFE.total_seconds()),
)
_BULK_PRICE: Final = 20
"""So many operations of a bulk count as one request: not free, and a first load may go at full speed."""
_ONE: Final = "/<resource_id>"
Handler = TypeVar("Handler", bound=Callable[..., Response])


def _of_both(method: str, path: str = "") -> Callable[[Handler], Handler]:
    """Let a handler serve Users and Groups; it is told which. One rule for both would be matched more slowly."""

    def register(handler: Handler) -> Handler:
        for endpoint in ("Users", "Groups"):
            blueprint.add_url_rule(
                f"/{endpoint}{path}", f"{handler.__name__}_{endpoint}", partial(handler, endpoint),
                methods=[method],
            )  # fmt: skip
        return handler

    return register


@_of_both("POST")
def create(endpoint: str) -> Response:
    """Make a resource: 201 and where it is (RFC 7644 §3.3)."""
    client, of = _changing(endpoint)
    made = provision.create(here.deps(), client, of, _body(), _projection(of))
    return _resource(made, 201)


@_of_both("GET", _ONE)
def get(endpoint: str, resource_id: str) -> Response:
    """Show a resource, or 304 to whoever has this version (RFC 7644 §3.4.1, §3.14)."""
    # A User is one row: of a Group, the members and the version are to be of one moment.
    with guard.reading("scim", glance=endpoint == "Users") as (token, read):
        client = _client(token, read)
        of = _of(client, endpoint)
        found = provision.get(here.deps(), client, of, resource_id, _projection(of))
    return _unless_known(found)


@_of_both("PUT", _ONE)
def replace(endpoint: str, resource_id: str) -> Response:
    """Replace a resource (RFC 7644 §3.5.1)."""
    client, of = _changing(endpoint)
    deps, if_match = here.deps(), request.headers.get("If-Match")
    return _resource(
        provision.replace(deps, client, of, resource_id, _body(), if_match, _projection(of))
    )


@_of_both("PATCH", _ONE)
def patch(endpoint: str, resource_id: str) -> Response:
    """Change a resource: 200 with it, or 204 for a Group unless `attributes` asks for more.

    A Group may have a hundred thousand members, and one was added (RFC 7644 §3.5.2).
    """
    client, of = _changing(endpoint)
    projection = None if of.name == GROUP.name and not _asked_for() else _projection(of)
    deps, if_match = here.deps(), request.headers.get("If-Match")
    return _resource(provision.patch(deps, client, of, resource_id, _body(), if_match, projection))


@_of_both("DELETE", _ONE)
def delete(endpoint: str, resource_id: str) -> Response:
    """Delete a resource (RFC 7644 §3.6)."""
    client, of = _changing(endpoint)
    if_match = request.headers.get("If-Match")
    provision.delete(here.deps(), client, of, resource_id, if_match)
    return Response(status=204)


@blueprint.get("")
@blueprint.get("/")
@_of_both("GET")
def listed(endpoint: str | None = None) -> Response:
    """Answer a query in the address, at the root of every type (RFC 7644 §3.4.2)."""
    with _reading() as client:
        of = None if endpoint is None else _of(client, endpoint)
        return _answer(provision.search(here.deps(), client, of, request.args))


@blueprint.post("/.search")
@_of_both("POST", "/.search")
def search(endpoint: str | None = None) -> Response:
    """Answer a query in the body, which keeps personal data out of addresses (RFC 7644 §3.4.3)."""
    with _reading() as client:
        body = _body()
        if not isinstance(body, dict):
            raise InvalidSyntax("The body must be a JSON object.")
        of = None if endpoint is None else _of(client, endpoint)
        return _answer(provision.search(here.deps(), client, of, body))


@blueprint.post("/Bulk")
def many() -> Response:
    """Do many requests in one: 200, whatever becomes of each (RFC 7644 §3.7)."""
    client = _writing()
    asked = bulk.parse(_body())
    # Never more than a second holds, or it would be refused for ever.
    more = min(len(asked.operations) // _BULK_PRICE, here.deps().settings.scim_rate - 1)
    _spend(client.tenant, more)
    with bound_contextvars(request_id=here.request_id()):
        results = provision_bulk.run(here.deps(), client, asked)
    return _json(bulk.response(results))


@blueprint.get("/Me")
def me() -> Response:
    """Show whose token it is their own User (RFC 7644 §3.11), without what clients call it."""
    someone, tenant = _oneself()
    deps = here.deps()
    with deps.db.read(tenant.id) as read:
        types = scim_schemas.types(read, tenant.schemas)
        client = Client(tenant.id, ITSELF, read, types=types)
        found = provision.get(deps, client, types.user, someone, _projection(types.user))
    return _unless_known(found)


@blueprint.route("/Me", methods=["POST", "PUT", "PATCH", "DELETE"])
def change_me() -> Response:
    """Refuse: who a person is, the organization says."""
    _oneself()
    raise Forbidden("Here you can read what is known of you. Your organization changes it.")


@blueprint.get("/ServiceProviderConfig")
def service_provider_config() -> Response:
    """Say what this server does (RFC 7643 §5)."""
    _discovering()
    with _reading() as client:
        # Said only where somebody is told (RFC 9967 §4): some clients refuse whatever they don't know here.
        told = client.read is not None and bool(event_streams.every(client.read))
    features = changed(_FEATURES, event_uris=events.URIS) if told else _FEATURES
    return _json(discovery.service_provider_config(features, _root()))


@blueprint.get("/ResourceTypes")
@blueprint.get("/ResourceTypes/<name>")
def resource_types(name: str | None = None) -> Response:
    """Say which resources there are (RFC 7643 §6)."""
    types = _discovering()
    found = {of.name: discovery.resource_type(of, _root()) for of in types.both}
    return _described(found, name)


@blueprint.get("/Schemas")
@blueprint.get("/Schemas/<name>")
def schemas(name: str | None = None) -> Response:
    """Say what the resources are made of (RFC 7643 §7)."""
    types = _discovering()
    every = discovery.schemas_of(types.both)
    return _described({of.id: discovery.schema(of, _root()) for of in every}, name)


@contextmanager
def _reading() -> Iterator[Client]:
    """Who asks, in one snapshot with what is asked."""
    with guard.reading("scim") as (token, read):
        yield _client(token, read)


def _client(token: Token, read: Read) -> Client:
    _spend(token.tenant.id)
    return Client(token.tenant.id, token.client, read, types=_types(token, read))


def _writing() -> Client:
    with guard.reading("scim") as (token, read):
        types = _types(token, read)
    _spend(token.tenant.id)
    if token.scope != "write":
        raise Refused("This token may read only.", code="insufficient_scope")
    return Client(token.tenant.id, token.client, types=types, idp=token.idp)


def _changing(endpoint: str) -> tuple[Client, ResourceType]:
    client = _writing()
    return client, _of(client, endpoint)


def _types(token: Token, read: Read) -> Types:
    return scim_schemas.types(read, token.tenant.schemas)


def _of(client: Client, endpoint: str) -> ResourceType:
    return client.types.group if endpoint == "Groups" else client.types.user


def _oneself() -> tuple[str, Tenant]:
    """Whose token it is, and of which tenant; a tenant's own speaks for nobody."""
    try:
        person, tenant = guard.token_of_person()
    except Unauthenticated:
        with _reading():
            raise Forbidden("This token belongs to an organization, not to a person.") from None
    _spend(tenant.id, name="scim me")
    return person.id, tenant


def _spend(tenant: TenantId, requests: int = 1, name: str = "scim") -> None:
    deps = here.deps()
    for _ in range(requests):
        throttle.spend(deps, tenant, name, deps.settings.scim_rate)


def _discovering() -> Types:
    with _reading() as client:
        types = client.types
    if "filter" in request.args:
        raise Forbidden("What this server describes of itself can't be filtered.")
    return types


def _described(found: dict[str, dict[str, object]], name: str | None) -> Response:
    if name is None:
        return _json(list_response(list(found.values()), len(found), Page(1, len(found))))
    if name not in found:
        raise NotFound(f"There is nothing called {name[:200]!r}.")
    return _json(found[name])


def _body() -> Any:
    """Clients differ in how they call JSON; none may send anything else."""
    return bodies.json_of((MEDIA_TYPE, "application/json"), LARGEST_BODY)


def _asked_for() -> bool:
    return bool(request.args.get("attributes"))


def _projection(of: ResourceType) -> Projection:
    if not request.query_string:
        return EVERYTHING
    return parse_projection(
        request.args.get("attributes"), request.args.get("excludedAttributes"), of
    )


def _resource(found: Shown, status: int = 200) -> Response:
    said = {"ETag": found.etag, "Location": found.location}
    if found.text is None:
        return Response(status=204, headers=said)
    return _answer(found.text, status, **said)


def _unless_known(found: Shown) -> Response:
    if not_modified(request.headers.get("If-None-Match"), found.version):
        return Response(status=304, headers={"ETag": found.etag})
    return _resource(found)


def _json(document: dict[str, Any], status: int = 200) -> Response:
    return _answer(to_json(document), status)


class _Answer(Response):
    """An answer that stands as it is: of one piece, as long as it says, its addresses absolute and ASCII."""

    automatically_set_content_length = False

    def get_wsgi_headers(self, environ: WSGIEnvironment) -> Headers:  # noqa: ARG002
        return self.headers

    def get_app_iter(self, environ: WSGIEnvironment) -> Iterable[bytes]:
        return () if environ["REQUEST_METHOD"] == "HEAD" else cast("list[bytes]", self.response)


def _answer(text: str, status: int = 200, **more: str) -> Response:
    body = text.encode()
    said = {"Content-Type": MEDIA_TYPE, "Content-Length": str(len(body)), **more}
    return _Answer(body, status, said)


def _root() -> str:
    return base_url(here.deps())
