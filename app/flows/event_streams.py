"""Receivers of a tenant's SCIM events (RFC 9967): made here, sent to (RFC 8935), and answered (RFC 8936)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from app.deps import Deps
from app.flows import answers, bearers, rings, tenancy
from app.kernel.delivery import POLLED, PUSHED, RECORD_STORE, REMOVED, Outcome
from app.kernel.errors import Invalid, NotFound, Refused
from app.kernel.tenant import Tenant, TenantId
from app.store import audit, destinations, event_streams, lanes, tenants
from app.store.dispatch import Claimed
from app.store.event_streams import EventStream
from app.store.outbox import Fact
from keys import jwt
from keys.jwk import SigningKey
from scim import events, set_delivery
from scim.set_delivery import Poll

UNTAKEN: Final = timedelta(days=30)
"""So long an event waits for its receiver to come for it, or to be switched on again."""

_ANY_TIME: Final = datetime.max.replace(tzinfo=UTC)
_SECRET: Final = "destination"  # noqa: S105 - the name of a purpose
_LONGEST = 2000
_WHO: Final = "The receiver"
_TAKEN: Final = frozenset({200, 202, 204})


@dataclass(frozen=True, slots=True)
class Wanted:
    """A receiver as an operator wants it.

    `url`: where its events are pushed; empty where it polls · `authorization`: the Authorization header that it
    wants · `audience`: whom the tokens are for; by default a name of ours · `client`: the provisioning client
    by whose externalIds it knows people · `full`: with the data, not only the names of what changed
    """

    url: str = ""
    authorization: str = ""
    audience: str = ""
    client: str = bearers.DEFAULT_CLIENT
    full: bool = False


@dataclass(frozen=True, slots=True)
class Made:
    """A receiver that is there now, and what its administrator has to know. The token is shown once."""

    id: str
    issuer: str
    audience: str
    jwks_url: str
    poll_url: str | None = None
    token: str | None = None


def add(deps: Deps, slug: str, wanted: Wanted) -> Made:
    """Tell a receiver of what becomes of the tenant's resources, from now on. Raises Invalid, NotFound."""
    _check(deps, wanted)
    tenant, now, stream_id = tenancy.of_slug(deps, slug), deps.clock(), deps.ids.new()
    audience = wanted.audience or f"{deps.settings.base_url}/ssf/streams/{stream_id}"
    options = {
        "audience": audience, "full": wanted.full,
        "client": bearers.named(wanted.client, "A provisioning client's name"),
    }  # fmt: skip
    sealed = (
        deps.seal.seal(_SECRET, wanted.authorization.encode()) if wanted.authorization else None
    )
    kind, url = (PUSHED, wanted.url) if wanted.url else (POLLED, poll_url(deps))
    with deps.db.tx(tenant.id) as tx:
        destinations.add(tx, stream_id, kind, url, sealed, now, options=options)
        # Here, so that two changes that hold counters never wait for each other to make it.
        lanes.ensure(tx, RECORD_STORE + stream_id, now)
        audit.record(
            tx, deps.ids.new(), now, "operator", "destination.added", stream_id, kind=kind, url=url
        )
        token = None
        if kind == POLLED:
            token = bearers.issue(
                deps, tx, "operator", bearers.Wanted(kind="set", client=stream_id)
            )[1]
    jwks_url = f"{deps.settings.base_url}/lti/jwks/{tenant.slug}"
    return Made(stream_id, tenant.home_page, audience, jwks_url, url if token else None, token)


def poll_url(deps: Deps) -> str:
    """Where receivers come for their events."""
    return f"{deps.settings.base_url}/ssf/poll"


def poll(deps: Deps, tenant: Tenant, stream_id: str, asked: Poll) -> dict[str, Any]:
    """Record what a receiver took and refuses, and give it what waits first (RFC 8936 §2.3).

    What it has neither taken nor refused it is given again. Raises NotFound, Refused.
    """
    stream = _stream(deps, tenant.id, stream_id)
    if asked.acknowledged or asked.refused:
        ids = [deps.ids.new() for _ in range(len(asked.acknowledged) + len(asked.refused))]
        with deps.db.tx(tenant.id) as tx:
            event_streams.settle(tx, stream, asked.acknowledged, asked.refused, ids, deps.clock())
    with deps.db.read(tenant.id) as read:
        found = event_streams.offered(read, stream, asked.most + 1)
    given = found[: asked.most]
    key = rings.signing_key(deps, tenant.slug) if given else None
    sets = {one.id: _signed(key, tenant, stream, one.id, one.fact) for one in given if key}
    return {"sets": sets, "moreAvailable": len(found) > len(given)}


def push(deps: Deps, claimed: Claimed) -> Outcome:
    """Send one event; raises HttpFailed where no answer came."""
    with deps.db.read(claimed.tenant) as read:
        stream = event_streams.get(read, claimed.destination.removeprefix(RECORD_STORE))
        tenant = tenants.get(read)
    if stream is None or tenant is None:
        return Outcome("refused", "The receiver is gone.")
    if not stream.enabled:
        return Outcome("held", "The receiver is switched off.")
    headers = {"Content-Type": set_delivery.MEDIA_TYPE, "Accept": "application/json"}
    if stream.sealed_secret is not None:
        headers["Authorization"] = deps.seal.open(_SECRET, stream.sealed_secret).decode()
    key = rings.signing_key(deps, tenant.slug)
    token = _signed(key, tenant, stream, claimed.id, claimed.fact)
    response = deps.http.send(_Push(stream.url, headers, token.encode()))
    if response.status in _TAKEN and not answers.is_page(response):
        return Outcome("delivered", status=response.status)
    refusal = set_delivery.refusal(response.status, response.body)
    if refusal is not None:
        for_good, said = refusal
        return Outcome("refused" if for_good else "failed", said, response.status)
    return answers.trouble(response, _WHO, deps.clock())


def give_up(deps: Deps, most: int) -> bool:
    """Give up what nobody has taken in UNTAKEN, `most` of each receiver; tells whether some may be left.

    People's data does not gather without end for somebody who is gone.
    """
    now, left = deps.clock(), False
    with deps.db.system() as system:
        found = event_streams.untaken(system)
    for tenant_id, stream in found:
        before, days = now - UNTAKEN, f"{UNTAKEN.days} days"
        why = f"Nobody came for it in {days}."
        if stream.kind == REMOVED:
            before, why = _ANY_TIME, "The receiver was removed."
        elif stream.kind == PUSHED:
            why = f"It waited for {days}, and the receiver is switched off."
        with deps.db.read(TenantId(tenant_id)) as read:  # looking must not take the write lock
            if not event_streams.overdue(read, stream, before):
                continue
        with deps.db.tx(TenantId(tenant_id)) as tx:
            left = event_streams.give_up(tx, stream, before, why, most, now) == most or left
    return left


@dataclass(frozen=True, slots=True)
class _Push:
    """POST of one token (RFC 8935 §2.1)."""

    url: str
    headers: Mapping[str, str]
    body: bytes
    method: str = "POST"


def _signed(key: SigningKey, tenant: Tenant, stream: EventStream, jti: str, fact: Fact) -> str:
    """The token: as long as the key is the same, the same at each try."""
    token = events.Token(
        jti, fact.id, tenant.home_page, stream.audience, datetime.fromisoformat(fact.payload["at"])
    )
    change = events.read(fact.payload["change"])
    claims = events.claims(change, token, stream.client, full=stream.full)
    return jwt.sign(claims, key, {"typ": set_delivery.TYPE})


def _stream(deps: Deps, tenant: TenantId, stream_id: str) -> EventStream:
    with deps.db.read(tenant) as read:
        stream = event_streams.get(read, stream_id)
    if stream is None or stream.kind != POLLED:
        raise NotFound("There are no events to fetch with this token.")
    if not stream.enabled:
        raise Refused("Fetching these events is switched off.", code="destination_disabled")
    return stream


def _check(deps: Deps, wanted: Wanted) -> None:
    allowed = ("https://", "http://") if deps.settings.insecure_neighbours else ("https://",)
    if wanted.url and (not wanted.url.startswith(allowed) or len(wanted.url) > _LONGEST):
        raise Invalid("A receiver's address begins with https://.")
    for said, what in (
        (wanted.authorization, "An Authorization header"),
        (wanted.audience, "An audience"),
    ):
        if len(said) > _LONGEST or not said.isprintable() or not said.isascii():
            raise Invalid(f"{what} has {_LONGEST} characters of ASCII at most.")
    if wanted.authorization and not wanted.url:
        raise Invalid("Who comes for the events shows a token of ours; no header is sent.")
