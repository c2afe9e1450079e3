"""Where log lines go: each written whole, since several processes share the stream, and none worth a request.

Where the log lies on a disk that is full, what was answered stands all the same.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from select import PIPE_BUF
from threading import Event, Lock, Thread
from typing import Final, Generic, TypeVar

import structlog

T = TypeVar("T")
_PAUSE: Final = 0.05
"""Seconds that one waits for others at most."""

_MOST: Final = 10_000
"""So many wait; where the log takes no more, whoever brings another waits with them."""


class Lines(structlog.WriteLogger):
    """Writes each line at once."""

    def msg(self, message: str) -> None:
        with suppress(OSError):
            super().msg(message)

    log = debug = info = warn = warning = fatal = failure = err = error = critical = exception = msg


class Gathered(Generic[T]):
    """Gives `tell` together what comes within a moment, on a thread of its own; `flush` gives it what waits.

    A line by itself costs a request more than reading a resource from the database does.
    """

    def __init__(self, tell: Callable[[list[T]], None]) -> None:
        self._tell, self._waiting, self._lock = tell, deque[T](), Lock()
        self._some, self._noted = Event(), False
        Thread(target=self._run, name="log lines", daemon=True).start()

    def __call__(self, one: T) -> None:
        self._waiting.append(one)
        if not self._noted:
            self._noted = True
            self._some.set()
        if len(self._waiting) > _MOST:
            self.flush()

    def flush(self) -> None:
        with self._lock:
            # Before they are taken: whoever comes after that sees to it that somebody looks again.
            self._noted = False
            if taken := [self._waiting.popleft() for _ in range(len(self._waiting))]:
                try:
                    self._tell(taken)
                except Exception as error:  # noqa: BLE001 - what comes later is told all the same
                    _report(error, len(taken))

    def _run(self) -> None:
        while self._some.wait():
            self._some.clear()
            time.sleep(_PAUSE)
            self.flush()


def _report(error: Exception, count: int) -> None:
    with suppress(Exception):
        structlog.get_logger("ostiary.log").error("lines lost", count=count, exc_info=error)


def joined(lines: Iterable[str]) -> Iterator[str]:
    """As many lines in each text as go into a pipe at one stroke, so that no other process's get between them."""
    some, size = list[str](), 0
    for line in lines:
        if some and size + len(line) >= PIPE_BUF:
            yield "\n".join(some)
            some, size = [], 0
        some.append(line)
        size += len(line) + 1
    if some:
        yield "\n".join(some)
