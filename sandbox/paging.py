"""Pages by an opaque bookmark, case and all, that a client follows and never builds."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import TypeVar
from urllib.parse import urlencode

from sandbox.errors import Refused

T = TypeVar("T")


def page_of(
    rows: list[T], asked: Mapping[str, str], size: int, *, past_the_end: bool
) -> tuple[list[T], str | None]:
    """(the rows of this page, the query of the next page or None).

    The client's `limit` may ask for less than `size`, never for more. With `past_the_end` a full
    last page still offers a next one.
    """
    limit = asked.get("limit", "")
    if limit and not (limit.isascii() and limit.isdigit() and int(limit[:9]) > 0):
        raise Refused(400, "invalid_request", "limit must be a whole number above 0")
    size = min(size, int(limit[:9])) if limit else size
    start = _offset(asked["bookmark"]) if "bookmark" in asked else 0
    page = rows[start : start + size]
    end = start + size
    more = end < len(rows) or (past_the_end and end == len(rows))
    if not more:
        return page, None
    kept = {name: held for name, held in asked.items() if name != "bookmark"}
    return page, urlencode({**kept, "bookmark": _bookmark(end)})


def _bookmark(offset: int) -> str:
    return base64.urlsafe_b64encode(f"Row:{offset}".encode()).decode().rstrip("=")


def _offset(bookmark: str) -> int:
    try:
        text = base64.urlsafe_b64decode(bookmark + "=" * (-len(bookmark) % 4)).decode()
    except ValueError:
        text = ""
    kind, _, number = text.partition(":")
    if kind != "Row" or not (number.isascii() and number.isdigit()) or len(number) > 9:
        raise Refused(400, "invalid_request", "that bookmark is none of ours")
    return int(number)
