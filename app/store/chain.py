"""The audit log as a chain: each entry's MAC is keyed, and covers the entry before it.

Entries are appended last of all in a transaction, since every writer of a tenant wants the chain's end.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, bindparam, insert, select, update

from app.kernel.clock import instant
from app.kernel.tenant import TenantId
from app.store.prepared import Prepared
from app.store.sql import insert_once
from app.store.tables.tenants import audit, audit_head
from keys.seal import Seal

FOUNDED = "tenant.founded"
"""What the first entry of every tenant tells; older ones than it there can't be."""
_ENTRY, _END = "audit entry", "audit end"
_NEW = Prepared(
    insert(audit), "tenant_id", "id", "at", "actor", "action", "subject", "detail", "n", "mac"
)
_OF_TENANT = audit_head.c.tenant_id == bindparam("tenant")
_HEAD = select(audit_head.c.n, audit_head.c.mac, audit_head.c.seal).where(_OF_TENANT)
_HELD = Prepared(_HEAD.with_for_update())
_MOVED = Prepared(update(audit_head).where(_OF_TENANT), "n", "mac", "seal")
_CHAINED = (
    select(audit)
    .where(audit.c.tenant_id == bindparam("tenant"), audit.c.n.is_not(None))
    .order_by(audit.c.n)
)
_UNCHAINED = select(audit.c.at).where(audit.c.tenant_id == bindparam("tenant"), audit.c.n.is_(None))
_AT_ONCE = 1_000
_MOST_FAULTS = 100


@dataclass(frozen=True, slots=True)
class Entry:
    """Who did what to whom: ids, never names. `detail` holds numbers, texts and truth values."""

    id: str
    at: datetime
    actor: str
    action: str
    subject: str
    detail: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class End:
    """Where a chain ends: how many entries it has, and the last one's MAC."""

    n: int
    mac: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a verification found. `older`: entries from before there was a chain · `faults`: sentences"""

    entries: int
    older: int
    end: End
    faults: tuple[str, ...]


def append(conn: Connection, tenant: TenantId, entries: Iterable[Entry], seal: Seal) -> None:
    """Add entries to the end of a tenant's chain, and move the end behind them."""
    end, rows = _held(conn, tenant, seal), []
    for one in entries:
        end = End(end.n + 1, seal.mac(_ENTRY, _bytes(tenant, end, one)))
        rows.append({
            "tenant_id": tenant, "id": one.id, "at": one.at, "actor": one.actor, "action": one.action,
            "subject": one.subject, "detail": one.detail, "n": end.n, "mac": end.mac,
        })  # fmt: skip
    _NEW.run_each(conn, rows)
    moved = {"tenant": tenant, "n": end.n, "mac": end.mac, "seal": _sealed(tenant, end, seal)}
    _MOVED.run(conn, moved)


def end(conn: Connection, tenant: TenantId) -> End:
    """Return where a tenant's chain ends."""
    row = conn.execute(_HEAD, {"tenant": tenant}).first()
    return End(row.n, row.mac) if row else End(0, "")


def verify(
    conn: Connection, tenant: TenantId, seal: Seal, checkpoint: End | None = None
) -> Verdict:
    """Walk a tenant's chain from its first entry to its sealed end.

    A changed, inserted, removed or reordered entry is a fault, a tail that was cut off too. An end that
    was moved back together with its own old seal can only be told by a `checkpoint` kept elsewhere.
    """
    faults, last, first = list[str](), End(0, ""), None
    for row in _rows(conn, tenant):
        first = first or row
        if len(faults) < _MOST_FAULTS:  # a missing key makes a fault of every entry
            faults += _entry_faults(tenant, last, row, seal)
        last = End(row.n, row.mac)
        if checkpoint and checkpoint.n == last.n and checkpoint.mac != last.mac:
            faults.append(f"Entry {last.n} is not the one that the checkpoint saw.")
    faults += _end_faults(conn, tenant, last, seal)
    if checkpoint and checkpoint.n > last.n:
        faults.append(f"The checkpoint saw {checkpoint.n} entries; {last.n} are here.")
    older = list(conn.execute(_UNCHAINED, {"tenant": tenant}).scalars())
    faults += _beginning_faults(first, older)
    return Verdict(last.n, len(older), last, tuple(faults))


def _held(conn: Connection, tenant: TenantId, seal: Seal) -> End:
    """The chain's end, which others can't move until the transaction ends."""
    row = _HELD.first(conn, {"tenant": tenant})
    if row is None:
        start = End(0, "")
        insert_once(conn, audit_head, {
            "tenant_id": tenant, "n": start.n, "mac": start.mac, "seal": _sealed(tenant, start, seal),
        })  # fmt: skip
        row = _HELD.first(conn, {"tenant": tenant})
    return End(row.n, row.mac)


def _rows(conn: Connection, tenant: TenantId) -> Iterator[Row[Any]]:
    options = {"yield_per": _AT_ONCE}
    yield from conn.execute(_CHAINED, {"tenant": tenant}, execution_options=options)


def _entry_faults(tenant: TenantId, last: End, row: Row[Any], seal: Seal) -> list[str]:
    if row.n != last.n + 1:
        return [f"Entries {last.n + 1} to {row.n - 1} are missing."]
    said = Entry(row.id, row.at, row.actor, row.action, row.subject, row.detail)
    if not seal.mac_matches(_ENTRY, _bytes(tenant, last, said), row.mac or ""):
        return [f"Entry {row.n} is not as it was written."]
    return []


def _beginning_faults(first: Row[Any] | None, older: Sequence[datetime]) -> list[str]:
    if first is None:
        return [] if older else ["There is no entry at all, not even the one of the founding."]
    if older and first.action == FOUNDED:
        return ["There are entries outside the chain, which has been there since the founding."]
    if any(at > first.at for at in older):
        return ["There are entries outside the chain that are younger than its beginning."]
    return []


def _end_faults(conn: Connection, tenant: TenantId, last: End, seal: Seal) -> list[str]:
    row = conn.execute(_HEAD, {"tenant": tenant}).first()
    if row is None:
        return ["The end of the chain is gone."] if last.n else []
    kept = End(row.n, row.mac)
    if not seal.mac_matches(_END, _end_bytes(tenant, kept), row.seal):
        return ["The end of the chain was not written by us, or a key is missing."]
    if kept.n > last.n:
        return [f"The last {kept.n - last.n} entries are missing."]
    return [] if kept == last else ["The chain goes on behind its end."]


def _sealed(tenant: TenantId, at: End, seal: Seal) -> str:
    return seal.mac(_END, _end_bytes(tenant, at))


def _end_bytes(tenant: TenantId, at: End) -> bytes:
    return json.dumps([tenant, at.n, at.mac], separators=(",", ":")).encode()


def _bytes(tenant: TenantId, before: End, one: Entry) -> bytes:
    """An entry with its place in one spelling: its MAC is over this."""
    said = [
        tenant, before.n + 1, before.mac, one.id, instant(one.at), one.actor, one.action,
        one.subject, one.detail,
    ]  # fmt: skip
    return json.dumps(said, sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode()
