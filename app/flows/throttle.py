"""Holds each tenant to its limits, over all processes together."""

from __future__ import annotations

from app.deps import Deps
from app.kernel.errors import Throttled, Unavailable
from app.kernel.rate import Limit, Share
from app.kernel.tenant import TenantId
from app.store import rate


def spend(deps: Deps, tenant: TenantId, name: str, per_second: int) -> None:
    """Count one request; raises Throttled when this second's are spent. 0 a second is no limit."""
    if per_second == 0:
        return
    limit, window = Limit(per_second), int(deps.clock().timestamp())
    share = deps.shares.of(tenant, name)
    with share.lock:
        if share.give(window, limit):
            return
        if not share.spent:
            _take(deps, tenant, name, share, limit)
            if share.give(window, limit):
                return
    raise Throttled("Too many requests for this organization. Wait a second.", retry_after=1)


def _take(deps: Deps, tenant: TenantId, name: str, share: Share, limit: Limit) -> None:
    wanted = share.wanted(limit)
    try:
        with deps.db.tx(tenant) as tx:
            share.take(rate.take(tx, name, share.window, wanted, limit))
    except Unavailable:
        # What can't be counted now is no reason to turn away who only wants to read.
        share.take(wanted)
