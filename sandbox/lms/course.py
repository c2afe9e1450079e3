"""The course: its resource links, and the line items of its gradebook."""

from __future__ import annotations

import secrets
from typing import Any

from sandbox.campus import Campus
from sandbox.errors import Refused
from sandbox.lms.flavour import FLAVOURS, STANDARD, Flavour
from sandbox.store import Json

COURSE = "sales-onboarding"
TITLE = "Sales onboarding"
LABEL = "SALES-1"


def flavour(campus: Campus) -> Flavour:
    """The manners in force."""
    chosen = campus.store.get("setting", "lms") or {}
    return FLAVOURS.get(chosen.get("flavour", ""), STANDARD)


def page_size(campus: Campus) -> int:
    """How many members or line items one answer holds at most."""
    chosen = campus.store.get("setting", "lms") or {}
    return int(chosen.get("page_size", 3))


def put_link(campus: Campus, key: str, fields: Json) -> Json:
    """Place or change a resource link; a new one gets its column in the gradebook."""
    with campus.store.change():
        link = campus.store.get("link", key)
        if link is None:
            link = {"id": key, "title": key, "description": "", "custom": {}}
            maximum = fields.get("score_maximum", 100)
            link["line_item"] = new_line_item(
                campus, {"label": fields.get("title", key), "scoreMaximum": maximum}, link=key
            )["id"]
        link |= {name: held for name, held in fields.items() if name != "score_maximum"}
        campus.store.put("link", key, link)
    return link


def find_link(campus: Campus, key: str) -> Json:
    link = campus.store.get("link", key)
    if link is None:
        raise Refused(404, "not_found", f"there is no activity {key} in this course")
    return link


def new_line_item(campus: Campus, fields: dict[str, Any], link: str | None = None) -> Json:
    item = {"id": secrets.token_hex(6), **fields}
    if link is not None:
        item["resourceLinkId"] = link
    campus.store.put("line_item", item["id"], item)
    return item


def find_line_item(campus: Campus, key: str) -> Json:
    item = campus.store.get("line_item", key)
    if item is None:
        raise Refused(404, "not_found", "there is no such line item")
    return item


def api(campus: Campus) -> str:
    """Where the course's services live."""
    return f"{campus.base_url}/lms/api/courses/{COURSE}"


def line_item_url(campus: Campus, key: str) -> str:
    query = "?type_id=1" if flavour(campus).query_in_line_item else ""
    return f"{api(campus)}/lineitems/{key}/lineitem{query}"


def gradebook(campus: Campus) -> list[Json]:
    """Every cell: {line_item, user, result or null, history: [score as received, ...]}."""
    return campus.store.all("cell")
