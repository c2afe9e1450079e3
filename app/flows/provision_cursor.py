"""Cursors (RFC 9865 §2): sealed, and good only for the tenant, client and query that they were made for.

They hold all that the next page needs; nothing of them is kept here.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Final

from app.deps import Deps
from app.flows.provision_act import Client
from app.store.scim_order import Value
from app.store.scim_page import Place
from keys.errors import SealBroken
from scim.attributes import ResourceType
from scim.errors import ExpiredCursor, InvalidCount, InvalidCursor
from scim.listing import Query

LIFE: Final = timedelta(hours=1)
_PURPOSE: Final = "scim cursor"


@dataclass(frozen=True, slots=True)
class Mark:
    """How far the pages have come: into the type of this `number`, after this place, its begin where None.

    `totals`: how many of each type match, as the first page counted them, or the last one
    """

    number: int
    after: Place | None
    totals: tuple[int, ...]


BEGIN: Final = Mark(0, None, ())


def sealed(deps: Deps, client: Client, of: ResourceType | None, query: Query, mark: Mark) -> str:
    """Write the next page's cursor, in characters that need no escape in an address."""
    after = None if mark.after is None else [_written(mark.after.value), mark.after.id]
    said = [
        _bound(client, of, query), query.page.count, int(deps.clock().timestamp()),
        mark.number, after, mark.totals,
    ]  # fmt: skip
    return deps.seal.seal(_PURPOSE, json.dumps(said).encode()).rstrip("=")


def opened(deps: Deps, client: Client, of: ResourceType | None, query: Query) -> Mark:
    """Read the query's cursor, an empty one as the first page's.

    Raises InvalidCursor for one of another query, InvalidCount for another count, and ExpiredCursor.
    """
    cursor = query.page.cursor
    if not cursor:
        return BEGIN
    try:
        text = deps.seal.open(_PURPOSE, cursor + "=" * (-len(cursor) % 4))
    except SealBroken:
        raise InvalidCursor("This cursor is not one of ours. An empty one begins anew.") from None
    bound, count, made, number, after, totals = json.loads(text)
    if bound != _bound(client, of, query):
        raise InvalidCursor("This cursor belongs to another query. An empty one begins anew.")
    if deps.clock().timestamp() - made > LIFE.total_seconds():
        raise ExpiredCursor("This cursor is too old. An empty one begins anew.")
    if count != query.page.count:
        raise InvalidCount(f"The pages of this cursor are of {count}; count must stay the same.")
    place = None if after is None else Place(_read(after[0]), after[1])
    return Mark(number, place, tuple(totals))


def _bound(client: Client, of: ResourceType | None, query: Query) -> str:
    sort = query.sort
    order = None if sort is None else [sort.path.text, sort.descending]
    asked = [client.tenant, client.name, "" if of is None else of.name, query.text, order]
    return sha256(json.dumps(asked).encode()).hexdigest()


def _written(value: Value | None) -> object:
    return {"at": value.isoformat()} if isinstance(value, datetime) else value


def _read(written: object) -> Value | None:
    return datetime.fromisoformat(written["at"]) if isinstance(written, dict) else written  # type: ignore[return-value]
