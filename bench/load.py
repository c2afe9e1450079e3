"""`python -m bench.load`: a first load, by Bulk and by single POSTs, while the gateway is killed and started again.

Eight clients push people whom nobody knows to a gateway with two web processes. In the middle all of its
processes are killed (SIGKILL) and it is started again; the clients repeat what was not answered. Afterwards
everybody must be there exactly once, with the id that was acknowledged and the values that were sent, and
groups with all of them must be whole.
"""

from __future__ import annotations

import argparse
import itertools
import json
import sys
import tempfile
import time
from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from bench import report
from bench.client import Wrong
from bench.gateway import DATABASES, TENANT, Gateway, database
from bench.procs import NotRunning, Server
from bench.pusher import Asker, Load, Pusher, differences, group

WAYS = ("bulk", "posts")
_SHOWN = 5
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Size:
    """How many people, by how many clients. `kills`: after which parts of them; `group`: the most members of one.

    `operations`: the most in one bulk, where the gateway takes so many
    """

    people: int
    clients: int = 8
    operations: int = 1_000
    kills: tuple[float, ...] = (0.5,)
    group: int = 1_000


class Site:
    """A gateway that is killed and started again; counts the CPU of all its lives, in milliseconds."""

    def __init__(self, home: Path, settings: Mapping[str, str]) -> None:
        self._gateway = Gateway(home, OSTIARY_WEB_PROCESSES="2", **settings)
        self.token = self._gateway.ostiary("token", "issue", "--tenant", TENANT, "--kind", "scim")["token"]  # fmt: skip
        self._before = 0.0
        self.server = self._gateway.serve()

    def kill(self) -> float:
        """Returns how many seconds it was away."""
        self._before += self.server.cpu().web
        since = time.monotonic()
        self.server.kill()
        self.server: Server = self._gateway.serve()
        return time.monotonic() - since

    def cpu(self) -> float:
        return self._before + self.server.cpu().web

    def stop(self) -> None:
        self.server.stop()

    def asker(self, load: Load) -> Asker:
        return Asker(self.server.port, self.token, load)


def measure(home: Path, settings: Mapping[str, str], size: Size, way: str) -> dict[str, Any]:
    """Load once and return the figures, with what is `wrong` afterwards; raises Wrong for any other refusal."""
    site = Site(home, settings)
    with ExitStack() as stack:
        stack.callback(site.stop)
        load = Load(deque())
        reader = site.asker(load)
        stack.callback(reader.close)
        most = reader.json("/ServiceProviderConfig")["bulk"]["maxOperations"]
        each = min(most, size.operations) if way == "bulk" else 1
        load.work.extend(_pieces(range(size.people), each))
        cpu, started = site.cpu(), time.monotonic()
        away = _push(site, load, size, way)
        took, used = time.monotonic() - started, site.cpu() - cpu
        wrong = differences(reader, load) + _groups(reader, load, size.group)
    return {
        "way": way, "people": size.people, "clients": size.clients, "kills": len(size.kills),
        "seconds": took, "away_seconds": away, "rate": size.people / (took - away),
        "cpu_ms": used / size.people, "unanswered": load.unanswered, "met": load.met, "wrong": wrong,
    }  # fmt: skip


def _push(site: Site, load: Load, size: Size, way: str) -> float:
    """Push everybody, with the gateway killed in between; returns how many seconds it was away."""
    pushers = [Pusher(site.asker(load), load, way) for _ in range(size.clients)]
    for one in pushers:
        one.start()
    away = 0.0
    for part in size.kills:
        _wait(pushers, load, round(part * size.people))
        away += site.kill()
    _wait(pushers, load, size.people)
    for one in pushers:
        one.join()
    return away


def _wait(pushers: Sequence[Pusher], load: Load, count: int) -> None:
    while len(load.acknowledged) < count:
        for one in pushers:
            if one.fault is not None:
                raise one.fault
        time.sleep(0.005)


def _groups(asker: Asker, load: Load, most: int) -> list[str]:
    """Push groups with everybody; returns what is not whole of them."""
    wrong, meant = [], {}
    for number, ids in enumerate(_pieces(list(load.acknowledged.values()), most)):
        reply, _ = asker.answered("POST", "/Groups", group(f"Group {number}", ids))
        meant[json.loads(reply.expect(201).body)["id"]] = set(ids)
    for one in list(asker.every("Groups")):
        members = [each["value"] for each in asker.json(f"/Groups/{one['id']}")["members"]]
        if len(members) != len(set(members)) or set(members) != meant.pop(one["id"], None):
            wrong.append(f"{one['displayName']}: {len(members)} members")
    return wrong + [f"group {one}: missing" for one in meant]


def _pieces(all_of: Sequence[T], most: int) -> list[Sequence[T]]:
    return [all_of[at : at + most] for at in range(0, len(all_of), most)]


def table(name: str, found: Mapping[str, Any]) -> str:
    """Return one load as lines of text."""
    lines = (
        f"{name}, {found['way']}: {found['people']:,} people by {found['clients']} clients",
        f"  {found['rate']:.0f} users/s, {found['cpu_ms']:.2f} ms of the web processes' CPU each",
        f"  {found['seconds']:.1f} s in all, {found['away_seconds']:.1f} s of them away after {found['kills']} kill -9",
        f"  requests repeated: {found['unanswered']}; people who were there already: {found['met']}",
        f"  wrong: {len(found['wrong'])} {found['wrong'][:_SHOWN] or ''}",
    )
    return "\n".join(lines)


def main() -> None:
    """Read the arguments, run on each database, print; exit code 1 when anything is wrong."""
    parser = argparse.ArgumentParser(prog="python -m bench.load", description=__doc__)
    parser.add_argument("--people", type=int, default=100_000)
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=WAYS)
    parser.add_argument("--database", nargs="+", choices=DATABASES, default=["sqlite"])
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write every figure to FILE")
    given = parser.parse_args()
    size = Size(given.people, given.clients)
    found = []
    with tempfile.TemporaryDirectory(prefix="ostiary-bench-") as folder, ExitStack() as stack:
        print("{cores} cores, Python {python}, {system}, {filesystem}\n".format(**report.machine(Path(folder))))  # fmt: skip
        for name, way in itertools.product(given.database, given.ways):
            home = Path(folder, f"{name}-{way}")
            home.mkdir()
            try:
                one = measure(home, database(name, stack), size, way)
            except (NotRunning, Wrong) as error:
                sys.exit(f"bench: {error}")
            found.append({"database": name} | one)
            print(table(name, one), flush=True)
    if given.json:
        given.json.write_text(json.dumps(found, indent=1) + "\n")
    if any(one["wrong"] for one in found):
        sys.exit(1)


if __name__ == "__main__":
    main()
