"""Work that one process at a time does: a named lease, held until it is given back or its time is up."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import bindparam, delete, select, update

from app.store.db import Read, Tx
from app.store.sql import insert_once
from app.store.tables.tenants import lease
from app.store.types import Time

_MINE = (lease.c.tenant_id == bindparam("of_tenant")) & (lease.c.name == bindparam("of_name"))
_TAKE_OVER = (
    update(lease)
    .where(_MINE, lease.c.until <= bindparam("now", type_=Time))
    .values(holder=bindparam("by"), until=bindparam("till"))
)
_GIVE_BACK = delete(lease).where(_MINE, lease.c.holder == bindparam("by"))
_HELD = select(lease.c.holder).where(_MINE, lease.c.until > bindparam("now", type_=Time))


def take(tx: Tx, name: str, holder: str, now: datetime, until: datetime) -> bool:
    """Take a lease that nobody has, or whose time is up; False while another holds it."""
    row = {"tenant_id": tx.tenant, "name": name, "holder": holder, "until": until}
    if insert_once(tx.conn, lease, row):
        return True
    given = {"of_tenant": tx.tenant, "of_name": name, "by": holder, "till": until, "now": now}
    return tx.conn.execute(_TAKE_OVER, given).rowcount == 1


def release(tx: Tx, name: str, holder: str) -> bool:
    """Give a lease back; False when it was another's by then."""
    given = {"of_tenant": tx.tenant, "of_name": name, "by": holder}
    return tx.conn.execute(_GIVE_BACK, given).rowcount == 1


def held(read: Read, name: str, now: datetime) -> bool:
    """Tell whether somebody holds a lease at this moment."""
    given = {"of_tenant": read.tenant, "of_name": name, "now": now}
    return read.conn.execute(_HELD, given).first() is not None
