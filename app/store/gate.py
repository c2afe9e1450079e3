"""A fair gate for SQLite's single writer, across threads and processes.

SQLite lets one connection write; the others poll, and the unlucky ones starve. Here writers queue:
first come, first served inside a process, and between processes a turnstile of two file locks. Who
waits for the gate holds the turnstile, so a process that has just left can't slip in ahead.
"""

from __future__ import annotations

import fcntl
import os
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

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


class WriterGate:
    """One gate per database file; safe to use before and after a fork."""

    def __init__(self, path: str, wait_seconds: float = 15.0) -> None:
        self._path = path
        self._wait = wait_seconds
        self._queue = _Queue()
        self._files: tuple[int, int] | None = None
        self._pid = 0

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Hold the gate; raises Unavailable when the queue in front is longer than the wait allows."""
        self._after_fork()
        if not self._queue.acquire(self._wait):
            raise Unavailable(
                "The database is busy. Nothing was changed; try again in a moment.",
                code="database_busy",
                retry_after=2,
            )
        try:
            try:
                turnstile, gate = self._open()
            except OSError as error:
                raise Unavailable(
                    "The database can't be written to at present. Nothing was changed; try again in a moment.",
                    code="database_read_only",
                    retry_after=30,
                ) from error
            fcntl.flock(turnstile, fcntl.LOCK_EX)
            try:
                fcntl.flock(gate, fcntl.LOCK_EX)
            finally:
                fcntl.flock(turnstile, fcntl.LOCK_UN)
            try:
                yield
            finally:
                fcntl.flock(gate, fcntl.LOCK_UN)
        finally:
            self._queue.release()

    def _after_fork(self) -> None:
        # An inherited descriptor shares its parent's lock, which would let both in.
        if self._pid != os.getpid():
            self._pid, self._files, self._queue = os.getpid(), None, _Queue()

    def _open(self) -> tuple[int, int]:
        if self._files is None:
            flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC
            self._files = (
                os.open(self._path + ".turnstile", flags, 0o600),
                os.open(self._path + ".gate", flags, 0o600),
            )
        return self._files
