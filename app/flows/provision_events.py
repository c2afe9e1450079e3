"""Telling the receivers of a tenant's SCIM events what becomes of its resources (RFC 9967).

Written in the transaction of the change, and only where there is a receiver; one change of a resource is
one event, however many members it moves.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, Protocol

from app.deps import Deps
from app.flows.provision_view import base_url
from app.kernel.clock import iso
from app.store import event_streams, outbox
from app.store.db import Tx
from app.store.event_streams import KIND, EventStream
from app.store.outbox import Fact
from app.store.scim import Stored
from scim import events
from scim.attributes import ResourceType
from scim.etag import etag
from scim.events import Change
from scim.represent import Meta, represent

_MOST_MEMBERS: Final = 500
"""With more of them a change is only noticed: its data would not fit."""


class Doing(Protocol):
    """Who changes resources: a provisioning client's request, or an administrator who undoes a departure."""

    @property
    def deps(self) -> Deps: ...
    @property
    def tx(self) -> Tx: ...
    @property
    def client(self) -> str: ...
    @property
    def now(self) -> datetime: ...


def created(
    by: Doing, of: ResourceType, made: Sequence[Stored], members: Sequence[str] = ()
) -> None:
    """Tell of resources that are new, or are there again."""
    streams, told = event_streams.every(by.tx), []
    for one in made if streams else ():
        whole = _shown(by, of, one)
        names = ("id", *events.differences({}, one.body), *(("members",) if members else ()))
        data = _with_members(whole, members) if _wants_data(streams, members) else None
        told.append(Change(
            "create", of.endpoint, one.id, attributes=names, data=data and events.fitting(data),
            version=etag(one.version),
        ))  # fmt: skip
    _tell(by, streams, told)


def changed(
    by: Doing, of: ResourceType, before: Stored, after: Stored, *, request: str = "PATCH",
    members: Sequence[str] = (), added: Sequence[str] = (), removed: Sequence[str] = (),
    turned: str | None = None,
) -> None:  # fmt: skip
    """Tell of a resource that was changed by a PUT or PATCH, and of the members that came and went.

    `members`: all that a Group has; a PUT of which they are not known is to be told as a PATCH.
    """
    streams = event_streams.every(by.tx)
    if not streams:
        return
    whole = _shown(by, of, after)
    different = events.differences(_shown(by, of, before), whole)
    # Also what is returned on request alone (RFC 7643 §7) is said to have changed, without its value.
    names, data = tuple(events.differences(before.body, after.body)), None
    if added or removed:
        names += ("members",)
    if request == "PUT" and _wants_data(streams, members):
        data = _with_members(whole, members)
    elif request != "PUT" and _wants_data(streams, [*added, *removed]):
        data = events.patch_op(different, added, removed)
    verb = "put" if request == "PUT" else "patch"
    _tell(by, streams, [Change(
        verb, of.endpoint, after.id, turned, names, data and events.fitting(data), etag(after.version),
        renamed=by.client if before.external_id != after.external_id else None,
    )])  # fmt: skip


def lost(
    by: Doing, of: ResourceType, versions: Mapping[str, int], members: Mapping[str, str]
) -> None:
    """Tell of Groups that have these versions now, since the member of each was deleted."""
    streams = event_streams.every(by.tx)
    full = any(stream.full for stream in streams)
    told = [
        Change(
            "patch", of.endpoint, key, None, ("members",),
            events.patch_op({}, removed=[members[key]]) if full else None, etag(versions[key]),
        )
        for key in (sorted(versions) if streams else ())
    ]  # fmt: skip
    _tell(by, streams, told)


def deleted(by: Doing, of: ResourceType, gone: Stored) -> None:
    """Tell of a resource that was deleted."""
    if streams := event_streams.every(by.tx):
        _tell(by, streams, [Change("delete", of.endpoint, gone.id)])


def _tell(by: Doing, streams: Sequence[EventStream], told: Sequence[Change]) -> None:
    """Write down all at once: a load makes some hundreds in one transaction, and others wait meanwhile."""
    concerned = {
        change.id: [stream for stream in streams if change.concerns(stream.client)]
        for change in told
    }
    clients = {stream.client for found in concerned.values() for stream in found}
    if not clients:
        return
    names, facts = event_streams.external_ids(by.tx, list(concerned), clients), []
    for change in told:
        if not concerned[change.id]:
            continue
        document = {
            "change": change.written() | {"external_ids": names[change.id]},
            "at": iso(by.now),
        }
        fact = Fact(by.deps.ids.new(), f"scim.{change.verb}", change.id, document)
        facts.append((
            fact, [(one.name, by.deps.ids.new(), one.due(by.now)) for one in concerned[change.id]],
        ))  # fmt: skip
    outbox.spread(by.tx, facts, by.now, kind=KIND)


def _wants_data(streams: Sequence[EventStream], members: Collection[str]) -> bool:
    return len(members) <= _MOST_MEMBERS and any(stream.full for stream in streams)


def _shown(by: Doing, of: ResourceType, one: Stored) -> dict[str, Any]:
    meta = Meta(one.id, one.created_at, one.updated_at, one.version, base_url(by.deps))
    shown = represent(one.body, of, meta)
    shown.pop("externalId", None)
    return shown


def _with_members(whole: Mapping[str, Any], members: Sequence[str]) -> dict[str, Any]:
    said = [{"value": member} for member in members]
    return dict(whole) | ({"members": said} if said else {})
