"""Memory: what a web process holds while clients ask it for more and more."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from bench import scim
from bench.client import Client
from bench.rounds import Operation, Subject, drive

LAPS = 12
REQUESTS = 10_000
"""So many a lap."""

CLIENTS = 8


def run(home: Path) -> dict[str, Any]:
    """Ask one web process for everything that the SCIM bench asks for, in turn, lap after lap."""
    held: list[float] = []
    with ExitStack() as stack:
        cases = stack.enter_context(scim.cases(home, [scim.load(home / "gateway", scim.USERS)], 1))
        every = [one.operation for case in cases for one in case.subjects if one.role == "gateway"]
        server = next(one.server for one in cases[0].subjects if one.role == "gateway")
        mixed = Subject("gateway", server, _in_turn(every))
        held.append(server.memory())
        for _ in range(LAPS):
            drive(mixed, CLIENTS, 3600, REQUESTS)
            held.append(server.memory())
    return {"requests": REQUESTS, "resident_mib": held}


def table(found: dict[str, Any]) -> str:
    """Return it as lines of text."""
    laps = enumerate(found["resident_mib"])
    rows = [f"{number * found['requests']:>9,} {held:>12.1f}" for number, held in laps]
    return "\n".join(["memory of a web process", " requests resident MiB", *rows]) + "\n"


def _in_turn(operations: list[Operation]) -> Operation:
    # A page of a hundred takes as long as ten others, and is a hundredth of what is asked.
    weighed = [one for one in operations for _ in range(1 if one.__name__ == "page" else 16)]
    turns: Iterator[Operation] = itertools.cycle(weighed)

    def one(client: Client) -> None:
        next(turns)(client)

    return one
