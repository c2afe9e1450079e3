"""Adjacent rounds: each subject in turn, again and again, so that the machine's moods hit all alike."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from bench.client import Client
from bench.procs import Cpu, Server

WARM_UP = 100

Operation = Callable[[Client], None]
"""One operation of a case on one connection; raises client.Wrong on another answer than expected."""


@dataclass(frozen=True, slots=True)
class Subject:
    """A server under measurement. `role` is gateway, larger, peer or floor.

    `label` is its name where one server is several subjects.
    """

    role: str
    server: Server
    operation: Operation
    label: str = ""

    @property
    def name(self) -> str:
        """What it is called in the report."""
        return self.label or self.server.name


@dataclass(frozen=True, slots=True)
class Case:
    """One operation on every subject. `unit` is what a rate counts: requests or launches.

    `files` are read through before it, so that the system has them in memory as a server's machine would.
    """

    name: str
    unit: str
    subjects: tuple[Subject, ...]
    files: tuple[Path, ...] = ()


@dataclass(frozen=True, slots=True)
class Bounds:
    """How long a round may last, how many operations it may do, and how many rounds there are."""

    seconds: float
    count: int
    rounds: int


@dataclass(frozen=True, slots=True)
class Round:
    """What one round of one subject took. CPU in milliseconds for each operation."""

    operations: int
    seconds: float
    server_cpu: float
    worker_cpu: float
    client_cpu: float

    @property
    def rate(self) -> float:
        """Operations a second."""
        return self.operations / self.seconds


def measure(case: Case, clients: int, bounds: Bounds) -> dict[Subject, list[Round]]:
    """Warm each subject up, then measure them in turn; who goes first changes from round to round."""
    rounds: dict[Subject, list[Round]] = {subject: [] for subject in case.subjects}
    for path in case.files:
        _read(path)
    for subject in case.subjects:
        drive(subject, clients, bounds.seconds, WARM_UP)
    for number in range(bounds.rounds):
        first = number % len(case.subjects)
        for subject in case.subjects[first:] + case.subjects[:first]:
            rounds[subject].append(_round(subject, clients, bounds))
    return rounds


def _read(path: Path) -> None:
    with path.open("rb") as file:
        while file.read(1 << 20):
            pass


def _round(subject: Subject, clients: int, bounds: Bounds) -> Round:
    cpu, own = subject.server.cpu(), time.process_time()
    operations, seconds = drive(subject, clients, bounds.seconds, bounds.count)
    own = (time.process_time() - own) * 1000
    used: Cpu = subject.server.cpu() - cpu
    return Round(
        operations,
        seconds,
        used.web / operations,
        used.worker / operations,
        own / operations,
    )


def drive(subject: Subject, clients: int, seconds: float, count: int) -> tuple[int, float]:
    """Operate until the time or the count is up, whichever comes first."""
    todo = iter(range(count))  # shared: taking one is atomic
    started = time.perf_counter()
    with ThreadPoolExecutor(clients) as pool:
        done = pool.map(
            lambda _: _one_client(subject, todo, started + seconds), itertools.repeat(0, clients)
        )
        return sum(done), time.perf_counter() - started


def _one_client(subject: Subject, todo: Iterator[int], deadline: float) -> int:
    client = Client(subject.server.port)
    done = 0
    try:
        while time.perf_counter() < deadline and next(todo, None) is not None:
            subject.operation(client)
            done += 1
    finally:
        client.close()
    return done
