"""Groups: what a client does to one of a hundred thousand, beside the same to one of ten in the same gateway.

Both groups give an activity, so that whoever joins or leaves has it assigned or dropped, and a receiver is told.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

from app.deps import Deps
from app.flows import activities, event_streams, groups, provision
from app.flows.event_streams import Wanted
from app.flows.provision_act import Client as Provider
from app.kernel.tenant import TenantId
from app.store import people
from bench import scim
from bench.client import Client
from bench.directory import PATCH_URN
from bench.gateway import TENANT
from bench.launch import ACTIVITY
from bench.rounds import Case, Operation, Subject
from bench.scim import Loaded
from scim.custom import STANDARD
from scim.represent import parse_projection
from scim.schemas import GROUP

MEMBERS = 100_000
"""How many the large group has, if nothing else is said."""

SMALL = 10
MANY = 1_000
"""So many join and leave with one PATCH."""

_SETTINGS = {"OSTIARY_GUARD_PERCENT": "0"}
"""People leave by the thousand, over and over."""

_SLICES = 8
"""So many clients can each have others join and leave at once."""


@dataclass
class Group:
    """One group, and those outside of it who join and leave: each slice of them for one client at a time."""

    token: str
    id: str
    spare: Sequence[str]
    _turns: Iterator[int] = field(default_factory=itertools.count)
    _cursors: dict[Client, str] = field(default_factory=dict)

    @property
    def operations(self) -> dict[str, Operation]:
        """What is measured, by name."""
        return {
            "group: one joins, leaves": lambda client: self._pass_through(client, 1),
            f"group: {MANY:,} join, leave": lambda client: self._pass_through(client, MANY),
            "group: get, no members": self.get,
            "group: page of members": self.page,
        }

    def get(self, client: Client) -> None:
        """GET /Groups/{id} without its members (RFC 7644 §3.9)."""
        target = f"/Groups/{self.id}?excludedAttributes=members"
        assert "members" not in self._send(client, "GET", target)

    def page(self, client: Client) -> None:
        """The next page of its members by cursor (RFC 9865), from the first again after the last."""
        mine = quote(f'groups.value eq "{self.id}"')
        cursor = self._cursors.get(client, "")
        asked = f"filter={mine}&attributes=userName&count={SMALL}&cursor={cursor}"
        found = self._send(client, "GET", f"/Users?{asked}")
        assert found["Resources"]
        self._cursors[client] = found.get("nextCursor", "")

    def _pass_through(self, client: Client, count: int) -> None:
        start = next(self._turns) % _SLICES * MANY
        value = [{"value": one} for one in self.spare[start : start + count]]
        for op in ("add", "remove"):
            body = {
                "schemas": [PATCH_URN],
                "Operations": [{"op": op, "path": "members", "value": value}],
            }
            self._send(client, "PATCH", f"/Groups/{self.id}", body)

    def _send(
        self, client: Client, method: str, target: str, body: object = None
    ) -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/scim+json"}
        sent = None if body is None else json.dumps(body).encode()
        answer = client.send(method, f"/scim/v2{target}", sent, headers)
        read: dict[str, Any] = json.loads(answer.expect(200).body) if method == "GET" else {}
        answer.expect(200 if method == "GET" else 204)
        return read


@dataclass(frozen=True, slots=True)
class Both:
    """A gateway with a small and a large group, and those who join and leave."""

    loaded: Loaded
    groups: Sequence[tuple[str, str]]
    spare: Sequence[str]


def load(home: Path, members: int = MEMBERS) -> Both:
    """Make it; a receiver of SCIM events is told of each change."""
    found: list[tuple[str, str]] = []
    spare: list[str] = []

    def fill(deps: Deps, tenant: TenantId) -> None:
        event_streams.add(deps, TENANT, Wanted(full=True))
        with deps.db.read(tenant) as read:
            ids = [one.id for one in people.listed(read, members + MANY * _SLICES)]
        spare.extend(ids[members:])
        found.extend((f"of {size:,}", _made(deps, tenant, ids[:size])) for size in (SMALL, members))

    loaded = scim.load(home, members + MANY * _SLICES, fill, _SETTINGS)
    return Both(loaded, found, spare)


@contextmanager
def cases(both: Both, processes: int) -> Iterator[list[Case]]:
    """Serve it; stop it afterwards."""
    with ExitStack() as stack:
        server = both.loaded.serve(stack, processes)
        subjects = [
            (role, name, Group(both.loaded.token, key, both.spare))
            for role, (name, key) in zip(("gateway", "larger"), both.groups, strict=True)
        ]
        yield [
            Case(name, "pairs" if "join" in name else "requests", tuple(
                Subject(role, server, group.operations[name], label) for role, label, group in subjects
            ))
            for name in Group("", "", ()).operations
        ]  # fmt: skip


def _made(deps: Deps, tenant: TenantId, ids: Sequence[str]) -> str:
    body = {"displayName": f"Of {len(ids)}", "members": [{"value": one} for one in ids]}
    nothing = parse_projection("id", None, GROUP)
    key = provision.create(
        deps, Provider(tenant, "default", types=STANDARD), GROUP, body, nothing
    ).id
    slug = activities.publish(deps, TENANT, ACTIVITY.read_bytes()).slug
    with deps.db.tx(tenant) as tx:
        groups.give(deps, tx, key, groups.activity(tx, slug), "bench")
    return key
