"""The worker: delivers the outbox and forwards statements, until told to stop."""

from __future__ import annotations

import os
import signal
import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import timedelta

import structlog

from app.deps import Deps
from app.flows import deliver
from app.kernel.delivery import Outcome
from app.kernel.errors import OstiaryError
from app.store import once
from app.store.migrate import require_current
from app.store.outbox import Claimed

_SENDERS = 8
_PER_DESTINATION = 4
"""So that one slow destination leaves half of the senders to the others."""

_PAUSE_SECONDS = 0.25
_SWEEP_EVERY = timedelta(minutes=10)


class Worker:
    """Rounds of claiming and sending. Several workers share one database without knowing each other."""

    def __init__(self, deps: Deps) -> None:
        self._deps = deps
        self._stop = threading.Event()
        self._wake = threading.Event()
        self._lock = threading.Lock()
        self._under_way: Counter[str] = Counter()
        self._streams = 0
        self._swept = deps.clock()
        self._log = structlog.get_logger("ostiary.worker")

    def stop(self) -> None:
        """Finish what is under way, then return from `run`."""
        self._stop.set()
        self._wake.set()

    def run(self, parent: int | None = None) -> None:
        """Work until stopped, or until `parent` (a process id) is no longer our parent."""
        with ThreadPoolExecutor(_SENDERS, thread_name_prefix="send") as pool:
            while not self._stop.is_set() and parent in {None, os.getppid()}:
                try:
                    busy = self._round(pool)
                except OstiaryError as error:
                    # The database is away or busy: say so, and come back.
                    self._log.warning("database", error=error.message)
                    busy = False
                if not busy:
                    self._wake.wait(_PAUSE_SECONDS)
                    self._wake.clear()

    def run_until_idle(self) -> None:
        """Send everything that is due now, in this thread."""
        while True:
            claimed = deliver.claim(self._deps, _SENDERS)
            for one in claimed:
                deliver.send(self._deps, one)
            stream = deliver.claim_stream(self._deps)
            if stream:
                deliver.forward(self._deps, stream)
            if not claimed and not stream:
                return

    def _round(self, pool: ThreadPoolExecutor) -> bool:
        self._sweep()
        with self._lock:
            free = _SENDERS - sum(self._under_way.values()) - self._streams
            full = [name for name, count in self._under_way.items() if count >= _PER_DESTINATION]
        claimed = deliver.claim(self._deps, free, full) if free > 0 else []
        for one in claimed:
            with self._lock:
                self._under_way[one.destination] += 1
            pool.submit(deliver.send, self._deps, one).add_done_callback(self._sent(one))
        stream = deliver.claim_stream(self._deps) if free > len(claimed) else None
        if stream:
            with self._lock:
                self._streams += 1
            pool.submit(deliver.forward, self._deps, stream).add_done_callback(self._forwarded)
        return bool(claimed or stream)

    def _sent(self, claimed: Claimed) -> Callable[[Future[Outcome]], None]:
        def done(future: Future[Outcome]) -> None:
            with self._lock:
                self._under_way[claimed.destination] -= 1
                self._under_way += Counter()  # drops the zeros
            self._report(future)

        return done

    def _forwarded(self, future: Future[int]) -> None:
        with self._lock:
            self._streams -= 1
        self._report(future)

    def _report(self, future: Future[Outcome] | Future[int]) -> None:
        error = future.exception()
        if error is not None:
            # The lease runs out and the delivery is claimed again; nothing is lost.
            self._log.error("delivery", exc_info=error)
        self._wake.set()

    def _sweep(self) -> None:
        now = self._deps.clock()
        if now - self._swept > _SWEEP_EVERY:
            self._swept = now
            with self._deps.db.system(write=True) as system:
                once.forget_expired(system, now)


def main(deps: Deps, parent: int | None = None) -> None:
    """Run a worker in this process until SIGTERM or SIGINT."""
    require_current(deps.db)
    worker = Worker(deps)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: worker.stop())
    worker.run(parent)
