"""SCIM: create a user with the body that Microsoft Entra ID sends, and get one by id."""

from __future__ import annotations

import itertools
import json
import random
import secrets
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from bench.client import Client
from bench.gateway import TENANT, Gateway, serve_beside
from bench.procs import Server
from bench.rounds import Case, Operation, Subject

USERS = 1000
"""How many users each server holds before the first round."""

_ENTERPRISE = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"


@dataclass
class Directory:
    """One SCIM server's endpoint, seen by a provisioning client that holds a token."""

    endpoint: str
    token: str
    ids: list[str] = field(default_factory=list)
    _numbers: Iterator[int] = field(default_factory=itertools.count)

    def create(self, client: Client) -> None:
        """POST /Users (RFC 7644 §3.3) of somebody new."""
        body = entra_user(next(self._numbers))
        made = json.loads(self._send(client, "POST", "/Users", 201, json.dumps(body)))
        self.ids.append(made["id"])

    def get(self, client: Client) -> None:
        """GET /Users/{id} (RFC 7644 §3.4.1) of anybody."""
        wanted = random.choice(self.ids)
        assert json.loads(self._send(client, "GET", f"/Users/{wanted}", 200))["id"] == wanted

    def _send(
        self, client: Client, method: str, path: str, status: int, body: str | None = None
    ) -> bytes:
        headers = {"Authorization": f"Bearer {self.token}", "Accept": "application/scim+json"}
        if body:
            headers["Content-Type"] = "application/scim+json"
        sent = body.encode() if body else None
        return client.send(method, self.endpoint + path, sent, headers).expect(status).body


def entra_user(number: int) -> dict[str, object]:
    """Return the body of Entra's create request for one of many people."""
    name = f"{number:07d}"
    return {
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User", _ENTERPRISE],
        "externalId": f"0a21f0f2-8d2a-4f8e-bf98-{number:012d}",
        "userName": f"person.{name}@bench.example",
        "active": True,
        "displayName": f"Robin {name}",
        "emails": [{"primary": True, "type": "work", "value": f"person.{name}@bench.example"}],
        "meta": {"resourceType": "User"},
        "name": {"formatted": f"Robin {name}", "familyName": name, "givenName": "Robin"},
        "title": "Account Executive",
        "preferredLanguage": "en-GB",
        "phoneNumbers": [{"type": "work", "value": "+44 20 7946 0000"}],
        "roles": [],
        _ENTERPRISE: {"department": "Sales", "employeeNumber": name},
    }


@contextmanager
def cases(home: Path) -> Iterator[list[Case]]:
    """Start the three servers, fill each with the same users, and stop them afterwards."""
    with ExitStack() as stack:
        gateway = Gateway(home)
        token = gateway.ostiary("token", "issue", "--tenant", TENANT, "--kind", "scim")["token"]
        ostiary = gateway.serve()
        stack.callback(ostiary.stop)
        settings = {
            "BENCH_TOKEN": secrets.token_urlsafe(32),
            "BENCH_DATABASE": str(home / "floor.db"),
        }
        peer = serve_beside(gateway, "scim2-server", "bench.peers.scim2", home, settings)
        stack.callback(peer.stop)
        floor = serve_beside(gateway, "bare Flask", "bench.peers.floor_scim", home, settings)
        stack.callback(floor.stop)
        directories = [
            ("gateway", ostiary, Directory("/scim/v2", token)),
            ("peer", peer, Directory("/v2", settings["BENCH_TOKEN"])),
            ("floor", floor, Directory("/scim/v2", settings["BENCH_TOKEN"])),
        ]
        for _, server, directory in directories:
            _fill(server, directory)
        yield [
            Case(name, "requests", tuple(
                Subject(role, server, _operation(directory, name))
                for role, server, directory in directories
            ))
            for name in ("SCIM create", "SCIM get")
        ]  # fmt: skip


def _operation(directory: Directory, name: str) -> Operation:
    return directory.create if name == "SCIM create" else directory.get


def _fill(server: Server, directory: Directory) -> None:
    client = Client(server.port)
    for _ in range(USERS):
        directory.create(client)
    client.close()
