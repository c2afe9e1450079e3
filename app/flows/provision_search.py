"""Pages of what a provisioning client asks for (RFC 7644 §3.4.2, RFC 9865)."""

from __future__ import annotations

from functools import partial

from app.deps import Deps
from app.flows import provision_cursor
from app.flows.provision_act import Client
from app.flows.provision_cursor import Mark
from app.flows.provision_view import base_url, documents
from app.store import scim, scim_list
from app.store.db import Read
from app.store.scim import Stored
from app.store.scim_filter import condition
from app.store.scim_page import Listing, Start, is_walked, matching, part
from app.store.scim_shape import shape_of
from scim.attributes import ResourceType
from scim.errors import InvalidPath
from scim.listing import Query, list_text


def answer(deps: Deps, client: Client, read: Read, of: ResourceType | None, query: Query) -> str:
    """A ListResponse as JSON: a page of one type, or of every type, one after the other."""
    if of is None and query.sort is not None:
        raise InvalidPath("Only one type can be sorted: ask at /Users or at /Groups.")
    if query.page.cursor is not None:
        return _by_cursor(deps, client, read, of, query)
    if of is not None and query.sort is not None:
        page, start = query.page, Start(offset=query.page.offset)
        sorted_ = part(read, _listing(deps, client, of, query), start, page.count)
        shown = documents(deps, read, of, sorted_.found, query.projection)
        return list_text(shown, sorted_.total, page)
    return _by_id(deps, client, read, of, query)


def _by_id(deps: Deps, client: Client, read: Read, of: ResourceType | None, query: Query) -> str:
    page = query.page
    total, shown = 0, list[str]()
    for each, asked in _types(client, of, query):
        offset, count = max(page.offset - total, 0), page.count - len(shown)
        listing = _listing(deps, client, each, asked)
        found, there_are = _found(read, listing, offset, count)
        shown += documents(deps, read, each, found, asked.projection)
        total += there_are
    return list_text(shown, total, page)


def _found(read: Read, asked: Listing, offset: int, count: int) -> tuple[list[Stored], int]:
    """The resources of a page, and how many there are on all pages."""
    of, client, node = asked.of, asked.client, asked.filter
    if node is None and not offset:
        found = scim_list.first_page(read, client, of, None, asked.base_url, count) if count else []
        return found, scim.counted(read, of)
    if node is None:
        return scim_list.page(read, client, of, None, offset, count)
    if is_walked(asked):
        walked = part(read, asked, Start(offset=offset), count)
        return walked.found, walked.total
    shape = None if offset or not count else shape_of(node)
    if shape is None:
        wanted = condition(node, read, of, client, asked.base_url)
        return scim_list.page(
            read, client, of, wanted, offset, count, partial(matching, read, asked)
        )
    found = scim_list.first_page(read, client, of, shape, asked.base_url, count)
    return found, len(found) if len(found) < count else matching(read, asked)


def _by_cursor(
    deps: Deps, client: Client, read: Read, of: ResourceType | None, query: Query
) -> str:
    mark = provision_cursor.opened(deps, client, of, query)
    shown, totals, ahead = list[str](), list(mark.totals[: mark.number]), None
    for number, (each, asked) in enumerate(_types(client, of, query)):
        if number < mark.number:
            continue
        known = mark.totals[number] if mark.totals else None
        start = Start(mark.after if number == mark.number else None, total=known)
        room = query.page.count - len(shown)
        found = part(read, _listing(deps, client, each, asked), start, room)
        shown += documents(deps, read, each, found.found, asked.projection)
        totals.append(found.total)
        if ahead is None and query.page.count:
            if found.last is not None:
                ahead = Mark(number, found.last, ())
            elif not room and found.total:
                ahead = Mark(number, None, ())
    following = None
    if ahead is not None:
        ahead = Mark(ahead.number, ahead.after, tuple(totals))
        following = provision_cursor.sealed(deps, client, of, query, ahead)
    return list_text(shown, sum(totals), query.page, following)


def _types(
    client: Client, of: ResourceType | None, query: Query
) -> list[tuple[ResourceType, Query]]:
    """The types that are asked, each with the query as it means that one."""
    if of is not None:
        return [(of, query)]
    return [(each, query.within(each)) for each in client.types.both]


def _listing(deps: Deps, client: Client, of: ResourceType, query: Query) -> Listing:
    return Listing(of, client.name, base_url(deps), query.filter, query.sort)
