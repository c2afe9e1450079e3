"""Putting deliveries into the outbox, claiming them and recording what came of them, in tests."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import select

from app.kernel.delivery import Outcome
from app.store import dispatch, outbox
from app.store.dispatch import Sent
from app.store.outbox import Fact
from app.store.tables.outbox import lane

LEASE = timedelta(seconds=60)
HERE = "registration:a"


def put(deps, tenant, *, key="k", destination=HERE, newest_only=False, kind="ags_score", **payload):
    fact = Fact(deps.ids.new(), "score", "someone", payload)
    delivery_id = deps.ids.new()
    with deps.db.tx(tenant.id) as tx:
        outbox.enqueue(
            tx, delivery_id, fact, deps.clock(),
            kind=kind, destination=destination, key=key, newest_only=newest_only,
        )  # fmt: skip
    return delivery_id


def claim(deps, lease="mine", limit=10, probes=10, **under_way):
    busy = {name.replace("_", ":"): many for name, many in under_way.items()}
    with deps.db.system(write=True) as system:
        until = deps.clock() + LEASE
        return dispatch.claim(system, deps.clock(), lease, until, limit, busy, probes)


def record(deps, claimed, kind, message="said", *, status=None, retry_after=None, random=0.5):
    outcome = Outcome(kind, message, status, retry_after)
    with deps.db.system(write=True) as system:
        return dispatch.record(
            system, Sent(claimed, outcome, deps.clock(), 5), deps.ids.new(), deps.clock(), random
        )


def delivered(deps, claimed):
    return record(deps, claimed, "delivered", status=200)


def rows(deps, tenant):
    with deps.db.read(tenant.id) as read:
        return {row["id"]: row for row in outbox.listed(read, 10_000)}


def lane_of(deps, tenant, destination=HERE):
    with deps.db.read(tenant.id) as read:
        mine = (lane.c.tenant_id == tenant.id) & (lane.c.destination == destination)
        return read.conn.execute(select(lane).where(mine)).first()
