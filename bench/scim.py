"""SCIM: what provisioning clients send, to a gateway of one, a hundred thousand or a million people."""

from __future__ import annotations

import itertools
import random
import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from app import config
from app.deps import Deps, assemble
from app.flows import provision, tenancy
from app.kernel.tenant import TenantId
from bench.client import Client
from bench.directory import Directory, entra_user
from bench.gateway import TENANT, Gateway, serve_beside
from bench.procs import Server
from bench.rounds import Case, Subject

USERS = 1000
"""How many users each server holds before the first round, if nothing else is said."""

KNOWN = 5_000
"""So many of them, at most, are asked for."""

_ROLES = ("gateway", *itertools.repeat("larger", 9))
_SETTINGS = {"OSTIARY_GUARD_PERCENT": "100", "OSTIARY_GUARD_MINIMUM": "100000"}
"""The PATCHes switch people off by the hundred; the guard counts them all the same."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """A gateway with so many people in it, which is not serving yet."""

    gateway: Gateway
    token: str
    size: int

    def serve(self, stack: ExitStack, processes: int) -> Server:
        """Serve it until the stack ends."""
        server = self.gateway.serve(f"ostiary {self.size:,}", processes)
        stack.callback(server.stop)
        return server


def load(
    home: Path, size: int, fill: Callable[[Deps, TenantId], None] = lambda *_: None,
    settings: Mapping[str, str] = _SETTINGS,
) -> Loaded:  # fmt: skip
    """Make a gateway with so many people, and what else `fill` puts there."""
    home.mkdir()
    gateway = Gateway(home, **settings)
    token = gateway.ostiary("token", "issue", "--tenant", TENANT, "--kind", "scim")["token"]
    deps = assemble(config.load(gateway.environ))
    tenant = tenancy.of_slug(deps, TENANT)
    provision.create_many(deps, tenant.id, "default", map(entra_user, range(size)))
    fill(deps, tenant.id)
    deps.db.close()
    return Loaded(gateway, token, size)


@contextmanager
def cases(home: Path, loaded: Sequence[Loaded], processes: int) -> Iterator[list[Case]]:
    """Serve the gateways, and the other two servers with USERS; stop them afterwards."""
    with ExitStack() as stack:
        every = [
            (role, one.serve(stack, processes), one.token, "/scim/v2", one.size)
            for role, one in zip(_ROLES, loaded, strict=False)
        ]
        token = secrets.token_urlsafe(32)
        settings = {
            "BENCH_TOKEN": token, "BENCH_USERS": str(USERS), "BENCH_DATABASE": str(home / "floor.db"),
        }  # fmt: skip
        for role, name, module, endpoint in (
            ("peer", "scim2-server", "bench.peers.scim2", "/v2"),
            ("floor", "bare Flask", "bench.peers.floor_scim", "/scim/v2"),
        ):
            server = serve_beside(loaded[0].gateway, name, module, home, settings, processes)
            stack.callback(server.stop)
            every.append((role, server, token, endpoint, USERS))
        met = [
            (role, server, _met(server, Directory(endpoint, token), size))
            for role, server, token, endpoint, size in every
        ]
        yield [
            Case(name, "requests", tuple(
                Subject(role, server, directory.operations[name]) for role, server, directory in met
            ), tuple(one.gateway.file for one in loaded))
            for name in Directory("", "").operations
        ]  # fmt: skip


def _met(server: Server, directory: Directory, size: int) -> Directory:
    client = Client(server.port)
    directory.meet(client, random.sample(range(size), min(size, KNOWN)))
    client.close()
    return directory
