"""Provisioning: looks a person up at the service provider, then pushes what changed.

Every exchange is kept with its request and response, as a provisioning log would show it.
"""

from __future__ import annotations

import json
import time
import uuid
from urllib.parse import quote

from urllib3.util import SKIP_HEADER

from sandbox import fields
from sandbox.campus import Campus
from sandbox.errors import OutsideError, Refused
from sandbox.idp import sessions
from sandbox.idp.dialects import DIALECTS, Call, Dialect
from sandbox.people import Person
from sandbox.store import Json

ACTIONS = (
    "create",
    "update",
    "deactivate",
    "reactivate",
    "delete",
    "add_to_group",
    "remove_from_group",
)
_CHECKS = {
    "url": fields.url,
    "token": fields.text,
    "dialect": fields.one_of(*DIALECTS),
}
_NAMESPACE = uuid.UUID("5b4a4f2f-7f27-4d51-8d6b-6a7f4a5f8c11")


def configure(campus: Campus, body: Json) -> Json:
    """Where to push to, with which bearer token, in whose words."""
    found = fields.read(body, _CHECKS, ("url", "token"))
    target = {"dialect": "entra", **found, "url": found["url"].rstrip("/")}
    campus.store.put("scim_target", "target", target)
    return target


def target_of(campus: Campus) -> Json:
    target = campus.store.get("scim_target", "target")
    if target is None:
        raise Refused(409, "no_target", "no SCIM service is set yet: PUT /control/idp/scim")
    return target


def push(
    campus: Campus, action: str, person: Person, *, dialect: str | None = None, group: str = "Sales"
) -> list[Json]:
    """Do one action; gives its exchanges, oldest first. The last one tells whether it worked."""
    target = target_of(campus)
    words = DIALECTS[dialect or target["dialect"]]
    if action == "delete" and not words.may_delete:
        raise Refused(409, "not_done_there", "Okta never deletes a user: it deactivates")
    return _Run(campus, target, words, action, person).do(group)


class _Run:
    """One action on one person; stops at the first exchange that fails."""

    def __init__(
        self, campus: Campus, target: Json, words: Dialect, action: str, person: Person
    ) -> None:
        self._campus = campus
        self._target = target
        self._words = words
        self._action = action
        self._person = person
        self._done: list[Json] = []

    def do(self, group: str) -> list[Json]:
        campus, people, key = self._campus, self._campus.people, self._person.key
        if self._action == "deactivate":
            self._person = people.change(key, active=False)
            sessions.end_all(campus, self._person)
        elif self._action == "reactivate":
            self._person = people.change(key, active=True)
        remote = self._find_user()
        if self._failed():
            return self._done
        if self._action in {"add_to_group", "remove_from_group"}:
            self._membership(remote, group)
        elif remote is None:
            self._create()
        else:
            self._existing(remote)
        return self._done

    def _create(self) -> None:
        """Nobody there yet. One who is to be switched off or deleted need not come first."""
        if self._action in {"create", "update", "reactivate"}:
            self._call(self._words.create_user(self._person))

    def _existing(self, remote: Json) -> None:
        if self._action in {"create", "update"}:
            self._call(self._words.update_user(self._person, remote))
        elif self._action == "delete":
            self._call(Call("DELETE", f"/Users/{quote(remote['id'])}"))
        else:
            self._call(self._words.set_active(remote, active=self._person.active))

    def _membership(self, member: Json | None, group: str) -> None:
        if member is None:
            self._call(self._words.create_user(self._person))
            member = None if self._failed() else _resource(self._done[-1])
        found = None if member is None else self._find_group(group)
        if member is None or found is None:
            return
        joins = self._action == "add_to_group"
        word = self._words.add_member if joins else self._words.remove_member
        self._call(word(found, member))
        if not self._failed():
            others = {one for one in self._person.groups if one != group}
            now = sorted(others | {group}) if joins else sorted(others)
            self._campus.people.change(self._person.key, groups=tuple(now))

    def _find_user(self) -> Json | None:
        self._call(self._words.find_user(self._person))
        return None if self._failed() else _first(self._done[-1])

    def _find_group(self, group: str) -> Json | None:
        self._call(self._words.find_group(group))
        found = None if self._failed() else _first(self._done[-1])
        if found is None and not self._failed():
            external_id = str(uuid.uuid5(_NAMESPACE, group))
            self._call(self._words.create_group(group, external_id))
            found = None if self._failed() else _resource(self._done[-1])
        return found

    def _failed(self) -> bool:
        return not 200 <= self._done[-1]["status"] < 300

    def _call(self, call: Call) -> None:
        campus = self._campus
        url = self._target["url"] + call.path
        headers = {"User-Agent": SKIP_HEADER, **self._words.headers}
        headers["Authorization"] = f"Bearer {self._target['token']}"
        body = None if call.body is None else json.dumps(call.body).encode()
        began = time.monotonic()
        try:
            answer = campus.send(call.method, url, headers, body)
            status, text = answer.status, answer.text
        except OutsideError as error:
            status, text = 0, str(error)
        exchange = {
            "at": campus.clock(),
            "dialect": self._words.name,
            "action": self._action,
            "person": self._person.key,
            "method": call.method,
            "url": url,
            "request": call.body,
            "status": status,
            "response": _parsed(text),
            "ms": round((time.monotonic() - began) * 1000),
        }
        campus.store.put(
            "exchange", uuid.uuid5(_NAMESPACE, f"{url}{time.monotonic_ns()}").hex, exchange
        )
        self._done.append(exchange)


def _parsed(text: str) -> object:
    try:
        parsed: object = json.loads(text)
    except (ValueError, RecursionError):
        return text[:2_000]
    return parsed


def _first(exchange: Json) -> Json | None:
    """The first match of a list answer."""
    answer = exchange["response"]
    rows = answer.get("Resources") if isinstance(answer, dict) else None
    return _with_id(rows[0]) if isinstance(rows, list) and rows else None


def _resource(exchange: Json) -> Json | None:
    return _with_id(exchange["response"])


def _with_id(value: object) -> Json | None:
    return value if isinstance(value, dict) and isinstance(value.get("id"), str) else None
