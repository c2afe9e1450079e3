"""SCIM: what provisioning clients send, to a gateway of one, a hundred thousand or a million people."""

from __future__ import annotations

import itertools
import random
import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import MappingProxyType

from app.config import load
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

_SETTINGS = {"OSTIARY_GUARD_PERCENT": "100", "OSTIARY_GUARD_MINIMUM": "100000"}
"""The PATCHes switch people off by the hundred; the guard counts them all the same."""


@contextmanager
def cases(home: Path, sizes: Sequence[int] = (USERS,)) -> Iterator[list[Case]]:
    """Start a gateway for each size, and the other two servers with USERS; stop them afterwards."""
    with ExitStack() as stack:
        gateways = [_gateway(home / str(size), size, stack) for size in sizes]
        settings = {
            "BENCH_TOKEN": secrets.token_urlsafe(32),
            "BENCH_DATABASE": str(home / "floor.db"),
        }
        (home / "options").mkdir()
        first = Gateway(home / "options")
        peer = serve_beside(first, "scim2-server", "bench.peers.scim2", home, settings)
        stack.callback(peer.stop)
        floor = serve_beside(first, "bare Flask", "bench.peers.floor_scim", home, settings)
        stack.callback(floor.stop)
        others = [
            ("peer", peer, Directory("/v2", settings["BENCH_TOKEN"])),
            ("floor", floor, Directory("/scim/v2", settings["BENCH_TOKEN"])),
        ]
        for _, server, directory in others:
            client = Client(server.port)
            directory.fill(client, USERS)
            client.close()
        roles = itertools.chain(["gateway"], itertools.repeat("larger"))
        every = [(role, *one) for role, one in zip(roles, gateways, strict=False)] + others
        yield [
            Case(name, "requests", tuple(
                Subject(role, server, directory.operations[name]) for role, server, directory in every
            ))
            for name in Directory("", "").operations
        ]  # fmt: skip


def _gateway(home: Path, size: int, stack: ExitStack) -> tuple[Server, Directory]:
    """A gateway with so many people in it, of whom some are known."""
    server, token = serve(home, size, stack, settings=_SETTINGS)
    directory, client = Directory("/scim/v2", token), Client(server.port)
    directory.meet(client, random.sample(range(size), min(size, KNOWN)))
    client.close()
    return server, directory


def serve(
    home: Path, size: int, stack: ExitStack, fill: Callable[[Deps, TenantId], None] = lambda *_: None,
    settings: Mapping[str, str] = MappingProxyType({}),
) -> tuple[Server, str]:  # fmt: skip
    """Start a gateway with so many people, loaded before it serves, and what else `fill` puts there."""
    home.mkdir(exist_ok=True)
    gateway = Gateway(home, **settings)
    token = gateway.ostiary("token", "issue", "--tenant", TENANT, "--kind", "scim")["token"]
    deps = assemble(load(gateway.environ))
    tenant = tenancy.of_slug(deps, TENANT)
    provision.create_many(deps, tenant.id, "default", map(entra_user, range(size)))
    fill(deps, tenant.id)
    deps.db.close()
    server = gateway.serve(f"ostiary {size:,}")
    stack.callback(server.stop)
    return server, token
