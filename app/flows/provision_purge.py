"""Deletion for good: what provisioning has told of those it deleted goes when its time is over.

Until then whoever was deleted comes back as the same person (`provision_people.arrive`). What a person
learned stays under their id, without the names and addresses that the client had given.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from itertools import groupby
from operator import itemgetter
from typing import Any

from app.deps import Deps
from app.kernel.person import Person
from app.kernel.tenant import TenantId
from app.store import audit, event_streams, people, scim_retention
from app.store.db import Tx

_STEP = 100
"""In one transaction: others wait at the write gate meanwhile."""

_EVENTS = 200
_MOST = 1_000
_SOURCE = "upkeep"


def purge(deps: Deps) -> bool:
    """Drop a bounded number of those whose time is over; tells whether some may be left."""
    before = deps.clock() - timedelta(days=deps.settings.deleted_days)
    with deps.db.system() as system:
        found = scim_retention.over(system, before, _MOST)
    # Users and Groups apart: who changes a Group holds that, and then its people.
    for (tenant, _), theirs in groupby(sorted(found), key=itemgetter(0, 1)):
        keys = [key for *_, key in theirs]
        for start in range(0, len(keys), _STEP):
            _drop(deps, tenant, keys[start : start + _STEP])
    return len(found) == _MOST


def _drop(deps: Deps, tenant: TenantId, keys: list[str]) -> None:
    # First, since who is dropped is not found again. Of somebody who comes back in this moment it is only told less.
    while _take_from_events(deps, tenant, keys):
        pass
    now = deps.clock()
    with deps.db.tx(tenant) as tx:
        # In this order everywhere: a person, and then the resource that they are.
        everyone = {key: people.lock(tx, key) for key in sorted(keys)}
        before = now - timedelta(days=deps.settings.deleted_days)
        for one in scim_retention.drop(tx, keys, before):
            person = everyone[one.id] if one.type == "User" else None
            if person is not None:
                _forget(deps, tx, person)
            kind = "person" if one.type == "User" else "group"
            audit.record(tx, deps.ids.new(), now, _SOURCE, f"{kind}.purged", one.id)


def _take_from_events(deps: Deps, tenant: TenantId, keys: list[str]) -> bool:
    with deps.db.tx(tenant) as tx:
        return event_streams.forget(tx, keys, _EVENTS) > 0


def _forget(deps: Deps, tx: Tx, person: Person) -> None:
    """Take back what provisioning has said of a person."""
    sources = person.sources or {}
    theirs = {name for name, said in sources.items() if said["source"].startswith("scim")}
    nothing: dict[str, Any] = dict.fromkeys(theirs)
    if "email" in theirs or "email_verified" in theirs:
        nothing["email_verified"] = False
    rest = {name: said for name, said in sources.items() if name not in theirs}
    if theirs:
        people.save(tx, replace(person, sources=rest, **nothing), deps.clock())
