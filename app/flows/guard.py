"""The guard against catastrophe: when one client makes too many people leave, what can't be undone waits.

Access ends at once whatever happens: that is safe, and can be given back. What follows from a departure
(assignments are dropped) happens with it, unless more than the allowed share of the client's people
left within an hour. Then it waits for an administrator, who lets it happen
or brings everyone back.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import structlog

from app.deps import Deps
from app.flows import bring_back
from app.flows.provision_act import Act
from app.kernel.errors import Conflict, NotFound
from app.kernel.tenant import TenantId
from app.store import audit, groups, guard, learning, scim, scim_schemas
from app.store.db import Tx
from app.store.guard import Departure, Hold
from app.store.sql import exclusive

WINDOW = timedelta(hours=1)
_CHUNK = 100


@dataclass(frozen=True, slots=True)
class Left:
    """One who leaves by a client's doing; `kind` and `before` as in `app.store.guard.Departure`."""

    person_id: str
    kind: str
    group_id: str | None = None
    before: dict[str, Any] = field(default_factory=dict)


def note(act: Act, left: Sequence[Left]) -> None:
    """Take down who leaves, and let what follows happen or wait. Access has ended already."""
    if not left:
        return
    # One at a time, so that two requests at once can't both stay below the bound.
    _one_at_a_time(act.tx, act.client)
    held = guard.hold_of(act.tx, act.client)
    gone = [
        Departure(act.deps.ids.new(), one.person_id, one.kind, one.group_id, one.before, act.now)
        for one in left
    ]
    guard.add(act.tx, act.client, gone, held.id if held else None)
    if held is None and not _open_if_too_many(act):
        wholly = [one.person_id for one in gone if one.kind != "left_group"]
        leavers = [(one.group_id, one.person_id) for one in gone if one.group_id is not None]
        _follow(act.tx, wholly, leavers, act.now)
        guard.settle(act.tx, act.now, ids=[one.id for one in gone])


def approve(deps: Deps, tx: Tx, hold_id: str, by: str, *, and_next_hour: bool = False) -> Hold:
    """Let everything that a hold kept back happen; raises NotFound or Conflict.

    With `and_next_hour` the client may go on for an hour without being held again.
    """
    held, now = _open_one(tx, hold_id), deps.clock()
    _follow(tx, guard.unsettled(tx, hold_id), guard.unsettled_leavers(tx, hold_id), now)
    guard.settle(tx, now, hold_id=hold_id)
    until = now + WINDOW if and_next_hour else None
    guard.close(tx, hold_id, "approved", by, now, admits_until=until)
    audit.record(
        tx, deps.ids.new(), now, by, "hold.approved", hold_id, client=held.client,
        and_next_hour=and_next_hour,
    )  # fmt: skip
    return held


def restore(deps: Deps, tx: Tx, hold_id: str, by: str) -> None:
    """Begin to bring back everyone whom a hold holds; `go_on` does it. Raises NotFound or Conflict."""
    held, now = _open_one(tx, hold_id), deps.clock()
    guard.close(tx, hold_id, "restoring", by, now)
    audit.record(tx, deps.ids.new(), now, by, "hold.restoring", hold_id, client=held.client)


def go_on(deps: Deps) -> bool:
    """Bring the next people of a restoration back, one transaction; False when there is none."""
    with deps.db.system() as system:
        found = guard.restoring(system)
    if found is None:
        return False
    tenant_id, hold_id = found
    with deps.db.tx(TenantId(tenant_id)) as tx:
        held = guard.lock(tx, hold_id)
        if held is None or held.status != "restoring":
            return True
        by, now = held.closed_by or "operator", deps.clock()
        todo = guard.to_restore(tx, hold_id, _CHUNK)
        back = bring_back.Back(deps, tx, held.client, scim_schemas.held(tx), by, hold_id, now)
        bring_back.all_of(back, todo)
        if len(todo) < _CHUNK:
            guard.close(tx, hold_id, "restored", by, now)
            audit.record(tx, deps.ids.new(), now, by, "hold.restored", hold_id)
    return True


def _open_one(tx: Tx, hold_id: str) -> Hold:
    found = guard.get(tx, hold_id)
    if found is not None:
        # A departure that is just being noted belongs to the hold before it is decided, or to none.
        _one_at_a_time(tx, found.client)
    held = guard.lock(tx, hold_id)
    if held is None:
        raise NotFound("There is no such hold.")
    if held.status != "open":
        raise Conflict("This was decided already.", code="hold_closed")
    return held


def _one_at_a_time(tx: Tx, client: str) -> None:
    exclusive(tx.conn, tx.tenant, "guard", client)


def _open_if_too_many(act: Act) -> bool:
    """Whether this client has now made more people leave within the hour than it may."""
    settings, since = act.deps.settings, act.now - WINDOW
    if settings.guard_percent == 0:
        return False
    share = settings.guard_percent / 100
    active = scim.active_people(act.tx, act.client)
    least = max(settings.guard_minimum, int(share * active))
    if not guard.more_noted(act.tx, act.client, since, least):
        return False  # the cheap answer, nearly always
    if guard.admitted(act.tx, act.client, act.now):
        return False
    left, gone = guard.departed(act.tx, act.client, since)
    allowed = max(settings.guard_minimum, int(share * (active + gone)))
    if left <= allowed:
        return False
    new = Hold(
        act.deps.ids.new(), act.client, "open", active + gone, allowed, act.now, None, None, None
    )
    guard.open_hold(act.tx, new, since)
    act.note("hold.opened", new.id, left=left, allowed=allowed, active=new.active)
    structlog.get_logger("ostiary.guard").warning(
        "too many people left at once; what can't be undone waits for an administrator",
        tenant=act.tx.tenant, client=act.client, left=left, allowed=allowed, hold=new.id,
    )  # fmt: skip
    return True


def _follow(
    tx: Tx, wholly: Sequence[str], leavers: Sequence[tuple[str, str]], now: datetime
) -> None:
    """What departures entail, beyond the end of access: for who left wholly, and for (group, person)."""
    learning.drop_assignments(tx, wholly, now)
    left: dict[str, list[str]] = {}
    for group_id, person_id in leavers:
        left.setdefault(group_id, []).append(person_id)
    for group_id, person_ids in left.items():
        groups.drop(tx, group_id, now, person_ids=person_ids)
