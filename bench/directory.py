"""One SCIM server, seen by a provisioning client: the requests that clients send all day."""

from __future__ import annotations

import itertools
import json
import random
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from urllib.parse import quote

from bench.client import Client

ENTERPRISE = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
USER_URN = "urn:ietf:params:scim:schemas:core:2.0:User"
PATCH_URN = "urn:ietf:params:scim:api:messages:2.0:PatchOp"
PAGE = 100
_NEW = itertools.count(10_000_000)
"""Numbers of people whom no server has met yet."""


@dataclass
class Directory:
    """An endpoint and a token. `people` holds the (number, id) of some who are there for good."""

    endpoint: str
    token: str
    people: list[tuple[int, str]] = field(default_factory=list)
    _turns: Iterator[int] = field(default_factory=itertools.count)

    @property
    def operations(self) -> dict[str, Callable[[Client], None]]:
        """What is measured, by name."""
        return {
            "SCIM create": self.create,
            "SCIM get": self.get,
            "SCIM userName eq": self.by_user_name,
            "SCIM externalId eq": self.by_external_id,
            "SCIM emails[…]": self.by_email,
            "SCIM list of 100": self.page,
            "SCIM PATCH active": self.patch,
        }

    def meet(self, client: Client, numbers: Iterable[int]) -> None:
        """Find people who are there already."""
        for number in numbers:
            (one,) = self._found(client, f'userName eq "{user_name(number)}"')
            self.people.append((number, one["id"]))

    def create(self, client: Client) -> None:
        """POST /Users (RFC 7644 §3.3) of somebody new."""
        self._made(client, next(_NEW))

    def get(self, client: Client) -> None:
        """GET /Users/{id} (RFC 7644 §3.4.1) of anybody."""
        _, wanted = random.choice(self.people)
        assert json.loads(self._send(client, "GET", f"/Users/{wanted}"))["id"] == wanted

    def by_user_name(self, client: Client) -> None:
        """The query that every client begins with."""
        number, wanted = random.choice(self.people)
        self._one(client, f'userName eq "{user_name(number)}"', wanted)

    def by_external_id(self, client: Client) -> None:
        """The query of clients that match by their own id."""
        number, wanted = random.choice(self.people)
        self._one(client, f'externalId eq "{external_id(number)}"', wanted)

    def by_email(self, client: Client) -> None:
        """Two conditions on one entry of a multi-valued attribute (RFC 7644 §3.4.2.2)."""
        number, wanted = random.choice(self.people)
        self._one(client, f'emails[type eq "work" and value eq "{user_name(number)}"]', wanted)

    def page(self, client: Client) -> None:
        """The first page of everybody."""
        found = json.loads(self._send(client, "GET", f"/Users?startIndex=1&count={PAGE}"))
        assert len(found["Resources"]) == PAGE

    def patch(self, client: Client) -> None:
        """Switch somebody off, or on again when their turn comes once more."""
        turn = next(self._turns)
        _, wanted = self.people[turn % len(self.people)]
        active = bool(turn // len(self.people) % 2)
        operation = {"op": "replace", "path": "active", "value": active}
        body = {"schemas": [PATCH_URN], "Operations": [operation]}
        answer = self._send(client, "PATCH", f"/Users/{wanted}", None, body)
        # 200 with the resource, or 204 without (RFC 7644 §3.5.2).
        assert not answer or json.loads(answer)["active"] is active

    def _made(self, client: Client, number: int) -> str:
        made = self._send(client, "POST", "/Users", 201, entra_user(number))
        return str(json.loads(made)["id"])

    def _one(self, client: Client, asked: str, wanted: str) -> None:
        assert [one["id"] for one in self._found(client, asked)] == [wanted]

    def _found(self, client: Client, asked: str) -> list[dict[str, str]]:
        text = self._send(client, "GET", f"/Users?filter={quote(asked)}")
        found: list[dict[str, str]] = json.loads(text)["Resources"]
        return found

    def _send(
        self, client: Client, method: str, path: str, status: int | None = 200, body: object = None
    ) -> bytes:
        headers = {"Authorization": f"Bearer {self.token}", "Accept": "application/scim+json"}
        if body is not None:
            headers["Content-Type"] = "application/scim+json"
        sent = None if body is None else json.dumps(body).encode()
        answer = client.send(method, self.endpoint + path, sent, headers)
        return answer.expect(status or (204 if answer.status == 204 else 200)).body


def user_name(number: int) -> str:
    """The userName and e-mail address of one of many people."""
    return f"person.{number:08d}@bench.example"


def external_id(number: int) -> str:
    """Their externalId."""
    return f"0a21f0f2-8d2a-4f8e-bf98-{number:012d}"


def entra_user(number: int) -> dict[str, object]:
    """Return the body of Entra's create request for one of many people."""
    name = f"{number:08d}"
    return {
        "schemas": [USER_URN, ENTERPRISE],
        "externalId": external_id(number),
        "userName": user_name(number),
        "active": True,
        "displayName": f"Robin {name}",
        "emails": [{"primary": True, "type": "work", "value": user_name(number)}],
        "meta": {"resourceType": "User"},
        "name": {"formatted": f"Robin {name}", "familyName": name, "givenName": "Robin"},
        "title": "Account Executive",
        "preferredLanguage": "en-GB",
        "phoneNumbers": [{"type": "work", "value": "+44 20 7946 0000"}],
        "roles": [],
        ENTERPRISE: {"department": "Sales", "employeeNumber": name},
    }
