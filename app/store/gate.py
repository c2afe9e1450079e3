"""A fair gate for SQLite's single writer, across threads and processes.

SQLite lets one connection write; the others poll, and the unlucky ones starve. Here writers queue:
first come, first served inside a process, and between processes a turnstile of two file locks. Who
waits for the gate holds the turnstile, so a process that has just left can't slip in ahead.

Every wait ends: where a process stands still inside the gate or the turnstile (stopped, swapped out),
the others are told so after their time, and go on as soon as it does.
"""

from __future__ import annotations

import errno
import fcntl
import os
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from queue import SimpleQueue
from weakref import WeakSet

from app.kernel.errors import Unavailable


class _Queue:
    """A first-in first-out lock with a time-out."""

    def __init__(self) -> None:
        self._mutex = threading.Lock()
        self._waiting: deque[threading.Event] = deque()
        self._held = False

    def acquire(self, timeout: float) -> bool:
        with self._mutex:
            if not self._held:
                self._held = True
                return True
            turn = threading.Event()
            self._waiting.append(turn)
        if turn.wait(timeout):
            return True
        with self._mutex:
            if turn.is_set():  # the lock was handed over just now
                return True
            self._waiting.remove(turn)
            return False

    def release(self) -> None:
        with self._mutex:
            if self._waiting:
                self._waiting.popleft().set()
            else:
                self._held = False


class _Doorkeeper:
    """A process's way through the two file locks, for one of its threads at a time.

    `flock` knows no time-out, so what can't be had at once is waited for in a thread of its own. Who
    gives up leaves it waiting there, in the turnstile: the next to ask takes that place over.
    """

    def __init__(self, path: str) -> None:
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC
        self._turnstile = os.open(path + ".turnstile", flags, 0o600)
        try:
            self._gate = os.open(path + ".gate", flags, 0o600)
        except OSError:
            os.close(self._turnstile)
            raise
        self._mutex = threading.Lock()
        self._asked: SimpleQueue[None] = SimpleQueue()
        self._thread: threading.Thread | None = None
        self._outside = False
        self._turn: threading.Event | None = None
        self._error: OSError | None = None

    def acquire(self, timeout: float) -> bool:
        """Whether the gate is ours; raises OSError where the system can't lock."""
        turn = threading.Event()
        with self._mutex:
            if not self._outside:
                if self._at_once():
                    return True
                self._send()
            self._turn = turn
        try:
            turn.wait(timeout)
        finally:  # also where a signal's handler raises
            with self._mutex:
                self._turn = None
                error, self._error = self._error, None
        if error is not None:
            raise error
        return turn.is_set()

    def release(self) -> None:
        fcntl.flock(self._gate, fcntl.LOCK_UN)

    def close(self) -> None:
        """Let go of the files alone; a parent that shares them keeps its locks."""
        os.close(self._turnstile)
        os.close(self._gate)

    def _at_once(self) -> bool:
        if not _locked(self._turnstile):
            return False
        entered = None
        try:
            entered = _locked(self._gate)
        finally:
            if (
                entered is not False
            ):  # else the turnstile stays ours until the thread has been through
                fcntl.flock(self._turnstile, fcntl.LOCK_UN)
        return entered

    def _send(self) -> None:
        if self._thread is None:
            thread = threading.Thread(target=self._wait, name="writer gate", daemon=True)
            try:
                thread.start()
            except RuntimeError as error:  # the system has no room for one
                fcntl.flock(self._turnstile, fcntl.LOCK_UN)
                raise OSError(errno.EAGAIN, str(error)) from error
            self._thread = thread
        self._outside = True
        self._asked.put(None)

    def _wait(self) -> None:
        while True:
            self._asked.get()
            error = self._passed()
            with self._mutex:
                self._outside = False
                if self._turn is not None:
                    self._error = error
                    self._turn.set()
                elif error is None:  # nobody wants it any more
                    self.release()

    def _passed(self) -> OSError | None:
        try:
            fcntl.flock(self._turnstile, fcntl.LOCK_EX)
            try:
                fcntl.flock(self._gate, fcntl.LOCK_EX)
            finally:
                fcntl.flock(self._turnstile, fcntl.LOCK_UN)
        except OSError as error:
            return error
        return None


def _locked(file: int) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


class WriterGate:
    """One gate per database file; safe to use before and after a fork."""

    def __init__(self, path: str, wait_seconds: float = 15.0) -> None:
        self._path = path
        self._wait = wait_seconds
        self._doorkeeper: _Doorkeeper | None = None
        self.begin_anew()
        _GATES.add(self)

    def begin_anew(self) -> None:
        """Forget a parent's locks: an inherited descriptor shares them, and would hold them after its end."""
        if self._doorkeeper is not None:
            self._doorkeeper.close()
        self._queue = _Queue()
        self._doorkeeper = None

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Hold the gate; raises Unavailable when that can't be had within the wait."""
        until = time.monotonic() + self._wait
        if not self._queue.acquire(self._wait):
            raise _busy()
        try:
            door = self._enter(until)
            try:
                yield
            finally:
                if door is self._doorkeeper:  # else this is a child, and the gate is its parent's
                    door.release()
        finally:
            self._queue.release()

    def _enter(self, until: float) -> _Doorkeeper:
        try:
            if self._doorkeeper is None:
                self._doorkeeper = _Doorkeeper(self._path)
            entered = self._doorkeeper.acquire(max(0.0, until - time.monotonic()))
        except OSError as error:
            raise Unavailable(
                "The database can't be written to at present. Nothing was changed; try again in a moment.",
                code="database_read_only",
                retry_after=30,
            ) from error
        if not entered:
            raise _busy()
        return self._doorkeeper


def _busy() -> Unavailable:
    return Unavailable(
        "The database is busy. Nothing was changed; try again in a moment.",
        code="database_busy",
        retry_after=2,
    )


_GATES: WeakSet[WriterGate] = WeakSet()


def _after_fork() -> None:
    for each in _GATES:
        each.begin_anew()


os.register_at_fork(after_in_child=_after_fork)
