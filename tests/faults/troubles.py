"""The plan carried out: signals to processes of ours, faults at the campus, a database that goes away."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from tests.faults.base import lapsed, let_leases_run_out
from tests.faults.plan import Trouble
from tests.faults.world import Process, World, age

_MASTER_AGE = 6.0
"""`serve` gives up on a web child that dies within five seconds of its start."""

_STOPPED_AT_MOST = 8.0
_MOMENTS = 200
_OVERTAKING_SECONDS = 7.0


class Troubles:
    """Carries out one trouble after the other."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._ways: dict[str, Callable[..., None]] = {
            "web": self._web, "master": self._master, "worker": self._worker, "stall": self._stall,
            "supervisor": self._supervisor, "overtaken": self._overtaken,
            "lms": lambda **what: self._ill("lms", **what),
            "lrs": lambda **what: self._ill("lrs", **what),
            "keys": lambda: self._control("POST", "lms/keys", {"keep_old": False}),
            "campus stop": lambda **what: self._campus(signal.SIGTERM, **what),
            "campus kill": lambda **what: self._campus(signal.SIGKILL, **what),
            "connections": self._connections, "server": self._server,
        }  # fmt: skip

    def make(self, one: Trouble) -> None:
        """Let it go wrong; returns when it is over, but for an illness."""
        self._world.say(f"{one.kind} {one.detail or ''}".rstrip())
        self._ways[one.kind](**one.detail)

    def heal(self) -> None:
        """Everything runs and is well."""
        self._world.until(self._world.campus.answers)
        for service in ("lms", "lrs"):
            self._control("PUT", f"faults/{service}", {})
        self._world.until(self._world.serve.answers)
        self._world.say("all is well")

    def _web(self, which: float) -> None:
        self._world.until(lambda: self._parts("web"))
        found = self._parts("web")
        self._kill(found[int(which * len(found)) :][:1])

    def _master(self) -> None:
        self._world.until(lambda: any(age(pid) > _MASTER_AGE for pid in self._parts("master")))
        self._kill(self._parts("master"))

    def _worker(self) -> None:
        self._kill(self._parts("worker"))

    def _supervisor(self) -> None:
        self._world.serve.end(signal.SIGKILL)
        self._world.start_serve()

    def _stall(self, seconds: float) -> None:
        with self._stopped(self._parts("worker")):
            self._wait(seconds)

    def _overtaken(self) -> None:
        world = self._world
        other = Process("worker", ["app", "worker"], world.environ, world.log)
        with self._stopped(self._parts("worker"), writing=False):
            other.start()
            world.database(let_leases_run_out)
            self._world.wait(_OVERTAKING_SECONDS, lambda: not world.database(lapsed))
        code = other.end(signal.SIGTERM)
        world.say(f"the other worker has ended with {code}")

    def _campus(self, number: signal.Signals, seconds: float) -> None:
        self._world.campus.end(number)
        self._wait(seconds)
        self._world.campus.start()
        self._world.until(self._world.campus.answers)

    def _ill(self, service: str, fault: dict[str, Any]) -> None:
        self._control("PUT", f"faults/{service}", fault)

    def _connections(self, share: float, seed: int) -> None:
        struck = self._world.base.break_connections(share, seed)
        self._world.say(f"{struck} connections broken")

    def _server(self) -> None:
        self._world.base.restart()

    def _control(self, method: str, path: str, body: Any) -> None:
        self._world.control(method, path, body)

    def _parts(self, kind: str) -> list[int]:
        return self._world.parts()[kind]

    def _kill(self, pids: list[int]) -> None:
        self._world.say(f"kill -9 {pids}")
        _signal(pids, signal.SIGKILL)

    @contextmanager
    def _stopped(self, pids: list[int], *, writing: bool = True) -> Iterator[None]:
        """Stop processes for as long as the block lasts, and never for longer than a bound.

        On SQLite who is stopped while it writes, or waits to, lets nobody write until it goes on;
        without `writing` another moment is found.
        """

        def go_on() -> None:
            _signal(pids, signal.SIGCONT)

        _signal(pids, signal.SIGSTOP)
        for _ in range(_MOMENTS):
            if writing or not _at_the_gate(pids):
                break
            go_on()
            self._wait(0.02)
            _signal(pids, signal.SIGSTOP)
        bound = threading.Timer(_STOPPED_AT_MOST, go_on)
        bound.start()
        try:
            yield
        finally:
            bound.cancel()
            go_on()

    def _wait(self, seconds: float) -> None:
        self._world.wait(seconds)


def _signal(pids: list[int], number: signal.Signals) -> None:
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, number)


def _at_the_gate(pids: list[int]) -> bool:
    """Tell whether one of the processes holds, or waits for, a lock of the writers' gate."""
    lines = Path("/proc/locks").read_text().splitlines()
    return any("FLOCK" in line and str(pid) in line.split() for line in lines for pid in pids)
