"""`python -m bench [scim] [groups] [launch] [gate] [memory]`: run the benchmarks and print a table."""

from __future__ import annotations

import argparse
import json
import signal
import sys
import tempfile
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import asdict
from pathlib import Path

from bench import gate, groups, launch, memory, report, scim
from bench.client import Wrong
from bench.procs import NotRunning
from bench.rounds import Bounds, Case, measure

NAMES = ("scim", "groups", "launch", "gate")
BY_NAME = ("memory",)
"""Those that run only where they are named: they take minutes."""


def main() -> None:
    """Read the arguments, run, print."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument(
        "benches",
        nargs="*",
        metavar="BENCH",
        help=f"{', '.join(NAMES)}; by default all; {', '.join(BY_NAME)}",
    )
    parser.add_argument(
        "--seconds", type=float, default=1.5, help="the longest a round lasts (1.5)"
    )
    parser.add_argument(
        "--count", type=int, default=2000, help="the most operations of a round (2000)"
    )
    parser.add_argument("--rounds", type=int, default=5, help="rounds of each subject and case (5)")
    parser.add_argument(
        "--clients", type=int, nargs="+", default=[1, 8], help="how many clients (1 8)"
    )
    parser.add_argument(
        "--sizes", type=int, nargs="+", default=[scim.USERS],
        help=f"how many people a gateway holds, one gateway for each ({scim.USERS})",
    )  # fmt: skip
    parser.add_argument(
        "--members", type=int, default=groups.MEMBERS,
        help=f"how many the large group has ({groups.MEMBERS:,})",
    )  # fmt: skip
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write every figure to FILE")
    given = parser.parse_args()
    unknown = set(given.benches) - {*NAMES, *BY_NAME}
    if unknown:
        parser.error(f"there is no bench {', '.join(sorted(unknown))}")
    if min(given.seconds, given.count, given.rounds, *given.clients, *given.sizes) <= 0:
        parser.error("numbers must be above zero")
    if given.members < groups.SMALL:
        parser.error(f"the large group has {groups.SMALL} members at least")
    # So that the servers are stopped then, too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        run(given)
    except (NotRunning, Wrong) as error:
        sys.exit(f"bench: {error}")


def run(given: argparse.Namespace) -> None:
    """Run the benches that were asked for, one after the other."""
    bounds = Bounds(given.seconds, given.count, given.rounds)
    results, gates, held, laps = [], [], {}, []
    with tempfile.TemporaryDirectory(prefix="ostiary-bench-") as folder:
        machine = report.machine(Path(folder))
        print("{cores} cores, Python {python}, {system}, {filesystem}\n".format(**machine))
        for name in given.benches or NAMES:
            home = Path(folder, name)
            home.mkdir()
            if name == "gate":
                gates.append(gate.run(home, bounds))
                print(gate.table(gates[-1]), flush=True)
                continue
            if name == "memory":
                laps.append(memory.run(home))
                print(memory.table(laps[-1]), flush=True)
                continue
            serve = _loaded(name, home, given)
            for clients in given.clients:
                # More clients than one meet two processes: a core each, on the smallest of machines.
                with serve(min(2, clients)) as cases:
                    servers = {
                        one.server.name: one.server for case in cases for one in case.subjects
                    }
                    before = {name: server.memory() for name, server in servers.items()}
                    for case in cases:
                        results.append(
                            report.figures(case, clients, measure(case, clients, bounds))
                        )
                        print(report.table(results[-1]), flush=True)
                    after = {name: server.memory() for name, server in servers.items()}
                    held[f"{name}, {clients}"] = {"before": before, "after": after}
                    print(report.memory(before, after), flush=True)
    if given.json:
        found = {
            "machine": machine, "bounds": asdict(bounds), "results": results, "gate": gates,
            "memory_mib": held, "memory_laps": laps,
        }  # fmt: skip
        given.json.write_text(json.dumps(found, indent=1) + "\n")


def _loaded(
    name: str, home: Path, given: argparse.Namespace
) -> Callable[[int], AbstractContextManager[list[Case]]]:
    """Load what a bench needs; returns what serves it by so many processes."""
    match name:
        case "scim":
            loaded = [scim.load(home / str(size), size) for size in given.sizes]
            return lambda processes: scim.cases(home, loaded, processes)
        case "groups":
            both = groups.load(home / "groups", given.members)
            return lambda processes: groups.cases(both, processes)
        case _:
            return lambda _: launch.cases(Path(tempfile.mkdtemp(dir=home)))


main()
