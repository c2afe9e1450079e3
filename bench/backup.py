"""`python -m bench.backup [--users N]`: backup and restore of a tenth of N people, and of N.

Each line is a command as an operator runs it, start of the program included, with its peak of memory.
PostgreSQL is the one that the tests start, or `OSTIARY_TEST_POSTGRES_URL`.
"""

from __future__ import annotations

import argparse
import json
import os
import secrets
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from app import config
from app.deps import assemble
from app.flows import provision, tenancy
from bench import report
from bench.directory import entra_user
from bench.procs import ROOT
from tests.postgres import Server

_AT_ONCE = 5_000
_COLUMNS = "{:<22} {:>9} {:>11} {:>9} {:>9} {:>9}"
_SECRETS = {
    "OSTIARY_BASE_URL": "http://127.0.0.1:8000",
    "OSTIARY_SECRET_KEYS": secrets.token_urlsafe(48),
}


@dataclass(frozen=True, slots=True)
class Place:
    """A database by its settings."""

    kind: str
    environ: dict[str, str]

    def ostiary(self, *arguments: str) -> tuple[dict[str, int], float, float]:
        """Run a command; returns what it printed, seconds and MB at the peak."""
        carried = {name: one for name, one in os.environ.items() if not name.startswith("OSTIARY_")}
        begun = time.monotonic()
        running = subprocess.Popen(
            [sys.executable, "-m", "app", *arguments, "--json"],
            env=carried | _SECRETS | self.environ, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
        said, wrong = running.stdout.read(), running.stderr.read()
        _, status, used = os.wait4(running.pid, 0)
        running.returncode = os.waitstatus_to_exitcode(status)
        running.stdout.close()
        running.stderr.close()
        if running.returncode:
            sys.exit(f"bench: ostiary {' '.join(arguments)}: {wrong.decode()[-2000:]}")
        return json.loads(said), time.monotonic() - begun, used.ru_maxrss / 1024


def main() -> None:
    """Read the arguments, run, print."""
    parser = argparse.ArgumentParser(prog="python -m bench.backup", description=__doc__)
    parser.add_argument("--users", type=int, default=100_000, help="how many people (100000)")
    users = parser.parse_args().users
    if users < 10:
        parser.error("there must be ten people at least")
    server = Server()
    try:
        with tempfile.TemporaryDirectory(prefix="ostiary-bench-") as folder:
            print("{cores} cores, Python {python}, {system}, {filesystem}\n".format(**report.machine(Path(folder))))  # fmt: skip
            print(_COLUMNS.format("", "people", "rows", "file MB", "seconds", "peak MB"))
            for count in (users // 10, users):
                home = Path(folder, str(count))
                home.mkdir()
                _measure(home, server, count)
    finally:
        server.stop()


def _measure(home: Path, server: Server, users: int) -> None:
    """Back SQLite up and restore that into PostgreSQL, and the other way round."""
    here = _empty(home, server, "SQLite")
    _fill(here, users)
    for kind in ("PostgreSQL", "SQLite"):
        file = home / f"{here.kind}.ostiary"
        made, seconds, peak = here.ostiary("backup", str(file))
        _line(f"backup of {here.kind}", users, made["rows"], made["bytes"], seconds, peak)
        here = _empty(home, server, kind)
        done, seconds, peak = here.ostiary("restore", str(file))
        _line(f"restore into {kind}", users, done["rows"], made["bytes"], seconds, peak)


def _line(what: str, users: int, rows: int, size: int, seconds: float, peak: float) -> None:
    figures = f"{size / 1e6:.1f}", f"{seconds:.1f}", f"{peak:.0f}"
    print(_COLUMNS.format(what, users, rows, *figures), flush=True)


def _empty(home: Path, server: Server, kind: str) -> Place:
    if kind == "PostgreSQL":
        place = Place(kind, server.database().environ())
    else:
        path = home / f"{len(list(home.iterdir()))}.db"
        place = Place(kind, {"OSTIARY_DATABASE_URL": f"sqlite:///{path}"})
    place.ostiary("db", "upgrade")
    return place


def _fill(place: Place, users: int) -> None:
    deps = assemble(config.load(_SECRETS | place.environ))
    tenant = tenancy.found(deps, "bench", "Benchmark")
    for first in range(0, users, _AT_ONCE):
        some = range(first, min(users, first + _AT_ONCE))
        provision.create_many(deps, tenant.id, "default", map(entra_user, some))
    deps.db.close()


if __name__ == "__main__":
    main()
