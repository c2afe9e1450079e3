"""The count of a limit that all processes share (`app/kernel/rate.py`)."""

from __future__ import annotations

from sqlalchemy import bindparam, select, update

from app.kernel.rate import Count, Limit, grant
from app.store.db import Tx
from app.store.sql import insert_once, locked
from app.store.tables.tenants import rate

_MINE = (rate.c.tenant_id == bindparam("of")) & (rate.c.name == bindparam("key"))
_COUNT = select(rate.c.window, rate.c.taken).where(_MINE)
_TAKEN = (
    update(rate).where(_MINE).values(window=bindparam("window_now"), taken=bindparam("taken_now"))
)


def take(tx: Tx, name: str, window: int, wanted: int, limit: Limit) -> int:
    """Take from the tenant's count of this name in this window; returns how much was granted."""
    row = {"tenant_id": tx.tenant, "name": name, "window": window, "taken": 0}
    insert_once(tx.conn, rate, row)
    mine = {"of": tx.tenant, "key": name}
    found = tx.conn.execute(locked(tx.conn, _COUNT), mine).one()
    count, granted = grant(Count(found.window, found.taken), window, wanted, limit)
    tx.conn.execute(_TAKEN, mine | {"window_now": count.window, "taken_now": count.taken})
    return granted
