"""The worker: delivers the outbox and forwards statements, until told to stop."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import timedelta

import structlog

from app.deps import Deps
from app.flows import deliver, forward, guard, upkeep
from app.kernel.delivery import Outcome
from app.kernel.errors import OstiaryError
from app.store.destinations import Stream
from app.store.dispatch import Claimed, Sent
from app.store.migrate import require_current

_SENDERS = 32
"""They wait for others nearly all of the time; a destination has four of them at most."""

_STREAMS = 16
"""Of their own, so that record stores that are slow take nothing from the deliveries."""

_PROBES, _STREAM_PROBES = _SENDERS // 2, _STREAMS // 2
"""What fails may hang, until a request's time is up: half of each is kept for what works."""

_PAUSE_SECONDS = 0.25
_SHORT_PAUSE_SECONDS = 0.05
_ATTENTION_SECONDS = 2.0
"""So long after a failure the pauses are short ones: its destination may be tried again in a moment."""

_LAST_TRIES = 3
_RESTORE_SECONDS = 1.0
_SWEEP_EVERY, _SWEEP_AGAIN = timedelta(minutes=10), timedelta(seconds=5)
"""Again where a sweep has left some."""

_FIRST_REST_SECONDS, _LONGEST_REST_SECONDS = 0.25, 30.0
"""After a fault of ours; doubled with each in a row."""


@dataclass(slots=True)
class _Rest:
    """Until when a step of the worker's is left alone that failed by a fault of ours."""

    until: float = 0.0
    seconds: float = 0.0

    def begin(self) -> None:
        self.seconds = min(self.seconds * 2 or _FIRST_REST_SECONDS, _LONGEST_REST_SECONDS)
        self.until = time.monotonic() + self.seconds


class Worker:
    """Rounds of claiming and sending. Several workers share one database without knowing each other."""

    def __init__(self, deps: Deps) -> None:
        self._deps = deps
        self._stopped = False
        self._wake = threading.Event()
        self._lock = threading.Lock()
        self._under_way: Counter[str] = Counter()
        self._done: list[Sent] = []
        self._probes = self._streams = self._stream_probes = 0
        self._look_at = 0.0
        self._attentive_until = 0.0
        self._restore_at = 0.0
        self._sweep_at = deps.clock() + _SWEEP_EVERY
        self._rests: defaultdict[str, _Rest] = defaultdict(_Rest)
        self._log = structlog.get_logger("ostiary.worker")

    def stop(self, *_: object) -> None:
        """Finish what is under way, then return from `run`. It serves as a signal's handler."""
        # No event: its lock may be this very thread's at the moment of the signal.
        self._stopped = True

    def run(self, parent: int | None = None) -> None:
        """Work until stopped, or until `parent` (a process id) is no longer our parent."""
        with (
            ThreadPoolExecutor(_SENDERS, thread_name_prefix="send") as senders,
            ThreadPoolExecutor(_STREAMS, thread_name_prefix="forward") as streams,
        ):
            while not self._stopped and parent in {None, os.getppid()}:
                if not self._tried(senders, streams):
                    attentive = time.monotonic() < self._attentive_until
                    self._wake.wait(_SHORT_PAUSE_SECONDS if attentive else _PAUSE_SECONDS)
                    self._wake.clear()
            self._finish()
        for _ in range(_LAST_TRIES):
            if self._done and not self._recorded():
                time.sleep(_PAUSE_SECONDS)

    def run_until_idle(self) -> None:
        """Send everything that is due now, in this thread."""
        done: list[Sent] = []
        while True:
            claimed = deliver.turn(self._deps, done, _SENDERS)
            done = [deliver.send(self._deps, one) for one in claimed]
            streams = forward.claim(self._deps, _STREAMS)
            for stream in streams:
                forward.forward(self._deps, stream)
            if not claimed and not streams:
                return

    def _finish(self) -> None:
        """Record what comes back as it does: who waits for the slowest may be killed before that is done."""
        while self._under_way:
            if self._done:
                self._recorded()
            self._wake.wait(_PAUSE_SECONDS)
            self._wake.clear()

    def _tried(self, senders: ThreadPoolExecutor, streams: ThreadPoolExecutor) -> bool:
        """Do what each step has to do; tells whether any did something. A step that fails stops no other."""
        steps: dict[str, Callable[[], bool]] = {
            "sweep": self._sweep,
            "delivery": lambda: self._deliver(senders),
            "forwarding": lambda: self._forward(streams),
            "restoration": self._restore,
        }
        did = [self._step(name, step) for name, step in steps.items()]
        return any(did)

    def _step(self, name: str, step: Callable[[], bool]) -> bool:
        rest = self._rests[name]
        if time.monotonic() < rest.until:
            # What came back is recorded meanwhile: its leases would be over.
            return name == "delivery" and bool(self._done) and self._recorded()
        try:
            found = step()
        except OstiaryError as error:
            # The database is away or busy: say so, and come back.
            self._log.warning("database", error=error.message)
            return False
        except Exception as error:  # noqa: BLE001 - a fault of ours, a bad row say, must not stop the rest
            rest.begin()
            self._log.error(name, exc_info=error, again_in=rest.seconds)
            return False
        rest.seconds = 0.0
        return found

    def _deliver(self, pool: ThreadPoolExecutor) -> bool:
        """Record what came back and claim what may go, in one transaction: fewer waits for the write lock."""
        claimed = self._turn(_SENDERS)
        for one in claimed:
            with self._lock:
                self._under_way[one.destination] += 1
                self._probes += one.probe
            pool.submit(deliver.send, self._deps, one).add_done_callback(self._sent(one))
        return bool(claimed)

    def _turn(self, senders: int) -> list[Claimed]:
        with self._lock:
            done, self._done = self._done, []
            busy, probes = dict(self._under_way), _PROBES - self._probes
        try:
            return deliver.turn(self._deps, done, senders - sum(busy.values()), busy, probes)
        except OstiaryError:
            self._keep(done)
            raise
        except BaseException:
            self._keep(done)
            self._record_singly()
            raise

    def _keep(self, done: list[Sent]) -> None:
        with self._lock:
            self._done = done + self._done  # not recorded yet

    def _record_singly(self) -> None:
        """Record each outcome alone, and let one go that can't be: its lease runs out, and it is sent again."""
        with self._lock:
            done, self._done = self._done, []
        while done:
            try:
                deliver.turn(self._deps, done[:1], 0)
            except OstiaryError:
                self._keep(done)
                return
            except Exception as error:  # noqa: BLE001 - see above
                self._log.error("not recorded", delivery=done[0].claimed.id, exc_info=error)
                plain = Outcome("later", "What came of a try could not be recorded; see the log.")
                if done[0].outcome != plain:
                    # So that it keeps to the schedule of tries, and shows a reason.
                    done = [replace(done[0], outcome=plain), *done[1:]]
                    continue
            done = done[1:]

    def _forward(self, pool: ThreadPoolExecutor) -> bool:
        with self._lock:
            free, probes = _STREAMS - self._streams, _STREAM_PROBES - self._stream_probes
        if free < 1 or time.monotonic() < self._look_at:
            return False
        claimed = forward.claim(self._deps, free, probes)
        if not claimed:
            # Deliveries make many rounds; streams need no look in each.
            self._look_at = time.monotonic() + _PAUSE_SECONDS
        for stream in claimed:
            with self._lock:
                self._streams += 1
                self._stream_probes += stream.attempts > 0
            pool.submit(forward.forward, self._deps, stream).add_done_callback(
                self._forwarded(stream)
            )
        return bool(claimed)

    def _restore(self) -> bool:
        """Bring the next people back whom an administrator wants back."""
        if time.monotonic() < self._restore_at:
            return False
        self._restore_at = time.monotonic() + _RESTORE_SECONDS
        found = guard.go_on(self._deps)
        if found:
            self._restore_at = 0.0
        return found

    def _sent(self, claimed: Claimed) -> Callable[[Future[Sent]], None]:
        def done(future: Future[Sent]) -> None:
            error = future.exception()
            with self._lock:
                self._under_way[claimed.destination] -= 1
                self._under_way += Counter()  # drops the zeros
                self._probes -= claimed.probe
                if error is None:
                    self._done.append(future.result())
            if error is None and future.result().outcome.kind == "failed":
                self._attentive_until = time.monotonic() + _ATTENTION_SECONDS
            self._report(error)

        return done

    def _forwarded(self, stream: Stream) -> Callable[[Future[int]], None]:
        def done(future: Future[int]) -> None:
            with self._lock:
                self._streams -= 1
                self._stream_probes -= stream.attempts > 0
                self._look_at = 0.0
            self._report(future.exception())

        return done

    def _report(self, error: BaseException | None) -> None:
        if error is not None:
            # The lease runs out and the delivery is claimed again; nothing is lost.
            self._log.error("delivery", exc_info=error)
        self._wake.set()

    def _recorded(self) -> bool:
        try:
            self._turn(0)
        except OstiaryError as error:
            self._log.warning("database", error=error.message)
            return False
        except Exception as error:  # noqa: BLE001 - each was tried by itself then
            self._log.error("delivery", exc_info=error)
            return False
        return True

    def _sweep(self) -> bool:
        now = self._deps.clock()
        if now >= self._sweep_at:
            self._sweep_at = now + _SWEEP_EVERY
            # First, lest what can't be forgotten keep a checkpoint from being written.
            upkeep.checkpoints(self._deps)
            if upkeep.forget(self._deps):
                self._sweep_at = now + _SWEEP_AGAIN
        return False


def main(deps: Deps, parent: int | None = None) -> None:
    """Run a worker in this process until SIGTERM or SIGINT."""
    require_current(deps.db)
    worker = Worker(deps)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, worker.stop)
    worker.run(parent)
