"""Provisioning clients that load people for the first time, and repeat whatever was not answered.

What was not answered may have been done: a repeated POST is then refused as a duplicate (409), and the
client looks by userName and externalId for who is there. Nothing else is taken for a success.
"""

from __future__ import annotations

import json
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from http.client import HTTPException
from typing import Any
from urllib.parse import quote

from bench.client import Client, Reply, Wrong
from bench.directory import entra_user, external_id, user_name

BULK_URN = "urn:ietf:params:scim:api:messages:2.0:BulkRequest"
GROUP_URN = "urn:ietf:params:scim:schemas:core:2.0:Group"
PAGE = 200
PATIENCE = 120.0
"""Seconds for which a request is repeated, while the server starts again."""
_PAUSE = 0.05


@dataclass
class Load:
    """What is to be pushed, in pieces, and what was acknowledged: ids by the people's numbers.

    `unanswered`: requests without an answer, or told to try again · `met`: people who were there already when
    they were sent once more
    """

    work: deque[Sequence[int]]
    acknowledged: dict[int, str] = field(default_factory=dict)
    unanswered: int = 0
    met: int = 0


class Asker:
    """One client of a SCIM service that may be gone at times."""

    def __init__(self, port: int, token: str, load: Load) -> None:
        self._client, self._load = Client(port), load
        self._headers = {
            "Authorization": f"Bearer {token}",
            "Content-Type": "application/scim+json",
        }

    def answered(self, method: str, target: str, body: object = None) -> tuple[Reply, bool]:
        """Ask until there is an answer; returns it and whether an earlier try may have been done."""
        until, again = time.monotonic() + PATIENCE, False
        while (reply := self._ask(method, target, body)) is None:
            again = True
            if time.monotonic() > until:
                raise Wrong(f"{method} {target} was not answered in {PATIENCE:.0f} s")
            time.sleep(_PAUSE)
        return reply, again

    def json(self, target: str) -> Any:
        """Return what is there."""
        return json.loads(self.answered("GET", target)[0].expect(200).body)

    def found(self, kind: str, text: str) -> list[dict[str, Any]]:
        """Return the resources that a filter selects."""
        found: list[dict[str, Any]] = self.json(f"/{kind}?filter={quote(text)}")["Resources"]
        return found

    def every(self, kind: str) -> Iterator[dict[str, Any]]:
        """All resources of a kind, page by page (RFC 9865)."""
        cursor: str | None = ""
        while cursor is not None:
            page = self.json(f"/{kind}?count={PAGE}&cursor={quote(cursor)}")
            yield from page.get("Resources", ())
            cursor = page.get("nextCursor")

    def close(self) -> None:
        self._client.close()

    def _ask(self, method: str, target: str, body: object) -> Reply | None:
        sent = None if body is None else json.dumps(body).encode()
        try:
            reply = self._client.send(method, f"/scim/v2{target}", sent, self._headers)
        except (OSError, HTTPException):
            self._client.close()
            reply = None
        if reply is None or reply.status == 503:
            self._load.unanswered += 1
            return None
        return reply


class Pusher(threading.Thread):
    """Takes pieces of the work until there are none, with one request after the other."""

    def __init__(self, asker: Asker, load: Load, way: str) -> None:
        super().__init__(daemon=True)
        self._asker, self._load = asker, load
        self._push: Callable[[Sequence[int]], None] = {"posts": self._posts, "bulk": self._bulk}[
            way
        ]
        self.fault: BaseException | None = None

    def run(self) -> None:
        try:
            while self._load.work:
                try:
                    numbers = self._load.work.popleft()
                except IndexError:
                    break
                self._push(numbers)
        except BaseException as fault:  # noqa: BLE001 - told to whoever waits
            self.fault = fault
        finally:
            self._asker.close()

    def _posts(self, numbers: Sequence[int]) -> None:
        for number in numbers:
            reply, again = self._asker.answered("POST", "/Users", entra_user(number))
            if reply.status == 409 and again:
                self._meet(number)
            else:
                self._load.acknowledged[number] = json.loads(reply.expect(201).body)["id"]

    def _bulk(self, numbers: Sequence[int]) -> None:
        left, unsure = list(numbers), False
        while left:
            body = {"schemas": [BULK_URN], "Operations": [_operation(number) for number in left]}
            reply, again = self._asker.answered("POST", "/Bulk", body)
            unsure |= again
            for result in json.loads(reply.expect(200).body)["Operations"]:
                # What broke off may have been done, too.
                unsure |= self._result(result, unsure=unsure)
            left = [number for number in left if number not in self._load.acknowledged]

    def _result(self, result: dict[str, Any], *, unsure: bool) -> bool:
        """Note what became of one; tells whether it is to be tried again."""
        number = int(result["bulkId"])
        if result["status"] == "201":
            self._load.acknowledged[number] = result["location"].rpartition("/")[2]
        elif result["status"] == "409" and unsure:
            self._meet(number)
        elif result["status"] != "503":
            raise Wrong(f"{number}: {result}")
        return bool(result["status"] == "503")

    def _meet(self, number: int) -> None:
        """Find whom a lost answer told of: the one with this userName and this externalId."""
        named = self._asker.found("Users", f'userName eq "{user_name(number)}"')
        known = self._asker.found("Users", f'externalId eq "{external_id(number)}"')
        ids = {one["id"] for one in named + known}
        if not len(named) == len(known) == len(ids) == 1:
            raise Wrong(f"{user_name(number)}: {ids}")
        self._load.acknowledged[number] = ids.pop()
        self._load.met += 1


def _operation(number: int) -> dict[str, object]:
    return {"method": "POST", "path": "/Users", "bulkId": str(number), "data": entra_user(number)}


def group(name: str, ids: Sequence[str]) -> dict[str, object]:
    """Return a Group with members."""
    members = [{"value": one} for one in ids]
    return {"schemas": [GROUP_URN], "displayName": name, "externalId": name, "members": members}


def differences(asker: Asker, load: Load) -> list[str]:
    """What is not as it was acknowledged: people missing, there twice, with another id or other values."""
    wrong, seen = [], set()
    for one in asker.every("Users"):
        name = one["userName"]
        number = int(name.split(".")[1].partition("@")[0])
        if number in seen:
            wrong.append(f"{name}: there twice")
        seen.add(number)
        if one["id"] != load.acknowledged.get(number):
            wrong.append(f"{name}: {one['id']}, not {load.acknowledged.get(number)}")
        asked = entra_user(number)
        kept = (key for key in asked if key not in {"schemas", "meta", "roles"})
        wrong += [f"{name}: {key} is {one.get(key)}" for key in kept if one.get(key) != asked[key]]
    wrong += [f"{user_name(number)}: missing" for number in load.acknowledged.keys() - seen]
    total = asker.json("/Users?count=0")["totalResults"]
    if total != len(load.acknowledged):
        wrong.append(f"{total} are counted")
    return wrong
