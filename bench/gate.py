"""SQLite's single writer: how long eight writers wait for it, with the fair gate and without."""

from __future__ import annotations

import multiprocessing
import secrets
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from statistics import quantiles
from typing import Any

from sqlalchemy import text

from app.kernel.errors import Unavailable
from app.store.db import Database
from bench.procs import NotRunning
from bench.rounds import Bounds
from keys.seal import Seal

PROCESSES, THREADS = 2, 4
"""As `ostiary serve` has them, with OSTIARY_WEB_PROCESSES=2 and OSTIARY_WEB_THREADS=4."""

WAYS = {"with the gate": True, "busy_timeout only": False}
_TABLE = text("CREATE TABLE entry (id INTEGER PRIMARY KEY, said TEXT NOT NULL)")
_ENTRY = text("INSERT INTO entry (said) VALUES (:said)")
_SAID = "x" * 500
_STARTING_SECONDS = 30.0
_COLUMNS = "{:<17} {:>10} {:>11} {:>11} {:>11} {:>9}"


@dataclass(frozen=True, slots=True)
class Written:
    """What the writers of one process did: how long each try took in ms, and how many were refused."""

    waits: list[float]
    refused: int


def run(home: Path, bounds: Bounds) -> dict[str, Any]:
    """Let the writers write in rounds, in both ways by turns; returns the figures of each way."""
    found: dict[str, list[list[Written]]] = {name: [] for name in WAYS}
    ways = list(WAYS)
    for number in range(bounds.rounds):
        for name in ways[number % 2 :] + ways[: number % 2]:
            path = home / f"{number}-{name.replace(' ', '-')}.db"
            found[name].append(_round(path, bounds, gated=WAYS[name]))
    return {
        "case": "SQLite writers", "processes": PROCESSES, "threads": THREADS,
        "ways": [_figures(name, rounds) for name, rounds in found.items()],
    }  # fmt: skip


def table(found: dict[str, Any]) -> str:
    """Return the figures as lines of text."""
    lines = [
        f"SQLite, {PROCESSES} processes x {THREADS} threads, each write a durable commit",
        _COLUMNS.format("", "writes/s", "p50 ms", "p99 ms", "longest ms", "refused"),
    ]
    for way in found["ways"]:
        times = [f"{way[name]:.1f}" for name in ("p50_ms", "p99_ms", "longest_ms")]
        lines.append(_COLUMNS.format(way["name"], f"{way['rate']:.0f}", *times, way["refused"]))
    return "\n".join(lines) + "\n"


def _figures(name: str, rounds: list[list[Written]]) -> dict[str, Any]:
    done = [one for each in rounds for one in each]
    waits = sorted(wait for one in done for wait in one.waits)
    cut, refused = quantiles(waits, n=100, method="inclusive"), sum(one.refused for one in done)
    return {
        "name": name,
        "writes": len(waits) - refused,
        # Each thread does nothing but write, one write at a time.
        "rate": (len(waits) - refused) * PROCESSES * THREADS / (sum(waits) / 1000),
        "p50_ms": cut[49],
        "p99_ms": cut[98],
        "longest_ms": waits[-1],
        "refused": refused,
    }


def _seal() -> Seal:
    return Seal([secrets.token_urlsafe(48)])


def _round(path: Path, bounds: Bounds, *, gated: bool) -> list[Written]:
    database = Database(f"sqlite:///{path}", _seal())
    with database.system(write=True) as system:
        system.conn.execute(_TABLE)
    database.close()
    spawn = multiprocessing.get_context("spawn")
    together, results = spawn.Barrier(PROCESSES), spawn.Queue()
    writers = [
        spawn.Process(target=_process, args=(str(path), gated, bounds, together, results), daemon=True)
        for _ in range(PROCESSES)
    ]  # fmt: skip
    for each in writers:
        each.start()
    try:
        return [results.get(timeout=_STARTING_SECONDS + 2 * bounds.seconds) for _ in writers]
    except Exception as error:
        raise NotRunning(f"a writer did not finish: {error!r}") from error
    finally:
        for each in writers:
            each.join(_STARTING_SECONDS)
            each.kill()


def _process(path: str, gated: bool, bounds: Bounds, together: Any, results: Any) -> None:  # noqa: FBT001
    database = Database(f"sqlite:///{path}", _seal(), pool_size=THREADS + 2)
    if not gated:
        database._gate = None  # noqa: SLF001 - what the gate is good for shows only without it
    ready = threading.Barrier(THREADS, action=lambda: together.wait(_STARTING_SECONDS))
    count = bounds.count // (PROCESSES * THREADS)
    with ThreadPoolExecutor(THREADS) as pool:
        each = [
            pool.submit(_writer, database, ready, bounds.seconds, count) for _ in range(THREADS)
        ]
        done = [one.result() for one in each]
    database.close()
    results.put(Written([w for one in done for w in one.waits], sum(one.refused for one in done)))


def _writer(database: Database, ready: threading.Barrier, seconds: float, count: int) -> Written:
    with database.system() as system:  # the connection's own start is not a wait for the writer
        system.conn.execute(text("SELECT 1"))
    ready.wait()
    waits, refused, until = [], 0, time.perf_counter() + seconds
    while len(waits) < max(1, count) and time.perf_counter() < until:
        began = time.perf_counter()
        try:
            with database.system(write=True) as system:
                system.conn.execute(_ENTRY, {"said": _SAID})
        except Unavailable:
            refused += 1
        waits.append((time.perf_counter() - began) * 1000)
    return Written(waits, refused)
