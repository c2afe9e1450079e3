"""Public documents of others (JWKS, OIDC discovery), cached for every process."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import or_, select, update

from app.store.db import System
from app.store.sql import insert_once, upsert
from app.store.tables.tenants import cached_document


@dataclass(frozen=True, slots=True)
class Document:
    """A body as fetched, when it was fetched, and from when on the last try counts against another."""

    url: str
    body: bytes
    fetched_at: datetime
    tried_at: datetime


def get(system: System, url: str) -> Document | None:
    """Return the cached document."""
    row = system.conn.execute(select(cached_document).where(cached_document.c.url == url)).first()
    return None if row is None else Document(row.url, row.body, row.fetched_at, row.tried_at)


def put(system: System, url: str, body: bytes, now: datetime, tried_at: datetime) -> None:
    """Store what was just fetched; a `tried_at` before `now` lets the next try come sooner."""
    row = {"url": url, "body": body, "fetched_at": now, "tried_at": tried_at}
    upsert(system.conn, cached_document, row, ("url",))


def may_try(
    system: System, url: str, now: datetime, not_since: datetime, seen: datetime | None
) -> bool:
    """Claim the next fetch of a document for this caller.

    Not if one was tried since `not_since`, nor if one came that the caller, whose copy was fetched at
    `seen`, does not know yet.
    """
    never = datetime.min.replace(tzinfo=now.tzinfo, year=1970)
    row = {"url": url, "body": b"", "fetched_at": never, "tried_at": now}
    if insert_once(system.conn, cached_document, row):
        return True
    due = update(cached_document).where(
        cached_document.c.url == url,
        cached_document.c.fetched_at <= (seen or never),
        or_(cached_document.c.tried_at <= not_since, cached_document.c.tried_at > now),
    )
    return system.conn.execute(due.values(tried_at=now)).rowcount == 1
