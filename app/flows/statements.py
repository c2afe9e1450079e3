"""Statements on their way to a record store: the request, and what its answers mean."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from typing import Any

from app.deps import Deps
from app.flows import answers
from app.http import HttpFailed, Response
from app.kernel.delivery import RECORD_STORE, Outcome
from app.store import destinations, outbox
from app.store.db import Tx
from app.store.destinations import Stream
from app.store.dispatch import Claimed
from app.store.outbox import Fact
from app.store.statements import Stored

SECRET = "destination"  # noqa: S105 - the name of a purpose
_VERSION = "1.0.3"
_WHO = "The record store"
_LATER = {401, 403, 404, 405, 408, 425, 429}
"""Refusals that a person mends at the other side: the statements are not at fault, so they wait."""


@dataclass(frozen=True, slots=True)
class StatementsRequest:
    """POST /statements (xAPI 1.0.3 Communication §2.1.2)."""

    url: str
    headers: Mapping[str, str]
    body: bytes
    method: str = "POST"


def send(deps: Deps, stream: Stream, batch: Sequence[Stored]) -> Outcome:
    """Send a batch in order; ids are fixed, so a batch that came twice is stored once."""
    bodies = "[" + ",".join(one.body for one in batch) + "]"
    return _send(deps, stream.url, stream.sealed_secret, bodies)


def send_again(deps: Deps, claimed: Claimed) -> Outcome:
    """Send one statement that had been set aside and was replayed."""
    with deps.db.read(claimed.tenant) as read:
        row = destinations.get(read, claimed.destination.removeprefix(RECORD_STORE))
    if row is None:
        return Outcome("refused", "The record store is gone.")
    if not row["enabled"]:
        return Outcome("held", "The record store is switched off.")
    return _send(
        deps, row["url"], row["sealed_secret"], json.dumps([claimed.fact.payload["statement"]])
    )


def set_aside(
    deps: Deps, tx: Tx, stream: Stream, statement: dict[str, Any], outcome: Outcome, now: datetime
) -> None:
    """Keep one refused statement as a dead delivery that an administrator can see and replay."""
    fact = Fact(deps.ids.new(), "statement.refused", statement["id"], {"statement": statement})
    outbox.add_dead(
        tx, deps.ids.new(), fact, now,
        kind="xapi", destination=RECORD_STORE + stream.id, error=outcome.message or "refused",
    )  # fmt: skip


def seal_credentials(deps: Deps, key: str, secret: str) -> str:
    """Seal a record store's Basic credentials for its row."""
    return deps.seal.seal(SECRET, f"{key}:{secret}".encode())


def _send(deps: Deps, url: str, sealed: str, body: str) -> Outcome:
    basic = base64.b64encode(deps.seal.open(SECRET, sealed)).decode()
    headers = {
        "Authorization": f"Basic {basic}",
        "Content-Type": "application/json",
        "X-Experience-API-Version": _VERSION,
    }
    address = url.rstrip("/")
    address = address if address.endswith("/statements") else address + "/statements"
    try:
        answer = deps.http.send(StatementsRequest(address, headers, body.encode()))
    except HttpFailed as error:
        return Outcome("failed", error.reason)
    return _meaning(answer, deps.clock())


def _meaning(response: Response, now: datetime) -> Outcome:
    status = response.status
    # A list of ids is the answer (xAPI 1.0.3 Communication §2.1.2). Anything else with a 200 is a
    # proxy's or a login's page: the store itself has said nothing.
    if status == 204 or (status == 200 and _are_ids(response.body)):  # noqa: PLR2004 - HTTP's own numbers
        return Outcome("delivered", status=status)
    mended = status in _LATER or status == HTTPStatus.GONE or answers.is_page(response)
    if 400 <= status < 500 and not mended:  # noqa: PLR2004 - HTTP's own ranges
        return Outcome("refused", answers.said(response, _WHO), status)
    return answers.trouble(response, _WHO, now)


def _are_ids(body: bytes) -> bool:
    try:
        said = json.loads(body)
    except (ValueError, RecursionError):
        return False
    return isinstance(said, list) and bool(said) and all(isinstance(one, str) for one in said)
