"""Keeps the web and worker processes running: starts them, watches, replaces and drains them.

The listening socket is the supervisor's. While web processes come and go, connections wait in its queue
and none is refused.
"""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress

import structlog

GRACE_SECONDS = 30
"""How long a process that is told to end may still finish what it has begun."""

_READY_SECONDS = 60.0
_QUICK_DEATH = 5.0
_LONGEST_PAUSE = 30.0
_MOST_DOUBLINGS = 10
_LOOK_SECONDS = 0.1


class Child:
    """One process that we started, and the pipe on which it reports.

    It writes a line `up N` for each of the N processes in it that serve, or `down` and why it can't.
    """

    def __init__(self, command: list[str], env: dict[str, str], *shared: int) -> None:
        self._pipe, report = os.pipe()
        for end in (self._pipe, report):  # who reports must not wait for us to read
            os.set_blocking(end, False)
        try:
            # A process group of its own: Ctrl-C in a terminal reaches the supervisor alone, which drains.
            self._process = subprocess.Popen(  # noqa: S603 - ourselves
                [*command, "--report", str(report)],
                env=env,
                pass_fds=(report, *shared),
                process_group=0,
                preexec_fn=_with_parent(),  # noqa: PLW1509 - one system call, no lock
            )
        except BaseException:
            os.close(self._pipe)
            raise
        finally:
            os.close(report)
        self._said = b""
        self.started = time.monotonic()
        self.told_to_end: float | None = None

    @property
    def code(self) -> int | None:
        """The exit code, or None while it runs."""
        return self._process.poll()

    @property
    def ready(self) -> bool:
        """Whether all of it serves."""
        up = [line for line in self._lines() if line.startswith("up ")]
        return bool(up) and len(up) >= int(up[-1].removeprefix("up "))

    @property
    def reason(self) -> str:
        """Why it does not serve, in its own words where it found some."""
        said = [line.removeprefix("down ") for line in self._lines() if line.startswith("down ")]
        if said:
            return said[-1]
        if self.code is not None:
            return f"it ended with code {self.code} before it was ready"
        return f"it was not ready after {_READY_SECONDS:.0f} s"

    def end(self) -> None:
        """Tell it to finish what it has and end; harmless to repeat."""
        if self.told_to_end is None:
            self.told_to_end = time.monotonic()
            self._process.terminate()

    def gone(self) -> bool:
        """Whether it has ended; one that was told to, and takes too long, is killed."""
        overdue = self.told_to_end is not None and (
            time.monotonic() - self.told_to_end > GRACE_SECONDS + 5
        )
        if overdue:
            self._process.kill()
        if self.code is None:
            return False
        if self._pipe >= 0:
            os.close(self._pipe)
            self._pipe = -1
        return True

    def _lines(self) -> list[str]:
        with suppress(BlockingIOError):
            while self._pipe >= 0 and (more := os.read(self._pipe, 4096)):
                self._said += more
        return self._said.decode(errors="replace").splitlines()


class Post:
    """One kind of process: who serves, perhaps a successor, and those who are leaving."""

    def __init__(self, name: str, start: Callable[[], Child]) -> None:
        self.name = name
        self._start = start
        self._child = start()
        self._successor: Child | None = None
        self._leaving: list[Child] = []
        self._quick_deaths = 0
        self._due: float | None = None
        self._log = structlog.get_logger("ostiary.serve")
        self._has_served = False

    @property
    def changing(self) -> bool:
        """Whether a successor is on its way."""
        return self._successor is not None

    @property
    def failed_at_once(self) -> int | None:
        """The exit code of a first process that ended without ever having served."""
        return None if self._serves() else self._child.code

    def succeed(self) -> bool:
        """Start a successor from the code and settings as they are now; False when there is no room for one."""
        try:
            self._successor = self._start()
        except OSError as error:
            self._log.error("not replaced", process=self.name, reason=str(error))
        return self.changing

    def look(self) -> bool:
        """See to the processes; False when a successor just proved unfit."""
        self._leaving = [child for child in self._leaving if not child.gone()]
        if self._successor is not None:
            return self._judge(self._successor)
        if self._child.code is not None:
            self._revive()
        else:
            self._serves()
        return True

    def _serves(self) -> bool:
        """Whether it ever has; the first time is told."""
        if not self._has_served and self._child.ready:
            self._has_served = True
            self._log.info("serving", process=self.name)
        return self._has_served

    def _judge(self, successor: Child) -> bool:
        if successor.ready and successor.code is None:
            self._child.end()
            self._leaving.append(self._child)
            self._child, self._successor = successor, None
            self._quick_deaths, self._due = 0, None
            self._log.warning("replaced", process=self.name)
            return True
        late = time.monotonic() - successor.started > _READY_SECONDS
        if successor.code is None and not late:
            return True
        self._log.error("not replaced", process=self.name, reason=successor.reason)
        successor.end()
        self._leaving.append(successor)
        self._successor = None
        return False

    def _revive(self) -> None:
        """Start a process again that has died: at once, but one that keeps dying waits longer each time."""
        now = time.monotonic()
        if self._due is None:
            quick = now - self._child.started < _QUICK_DEATH
            self._quick_deaths = self._quick_deaths + 1 if quick else 0
            doubled = 0.5 * 2 ** min(self._quick_deaths, _MOST_DOUBLINGS)
            pause = min(_LONGEST_PAUSE, doubled) if quick else 0.0
            self._due = now + pause
            why = None if self._child.ready else self._child.reason
            code = self._child.code
            self._log.error("died", process=self.name, code=code, again_in=pause, reason=why)
        if now >= self._due:
            self._child.gone()
            with suppress(OSError):  # no room for a process now; the next look tries again
                self._child, self._due = self._start(), None

    def drain(self) -> bool:
        """Tell all of them to end; whether they have."""
        every = [self._child, *self._leaving, *filter(None, [self._successor])]
        for child in every:
            child.end()
        ended = [child.gone() for child in every]
        return all(ended)


class Supervisor:
    """Runs the posts until told to stop (SIGTERM, SIGINT); SIGHUP replaces their processes one by one."""

    def __init__(self, web: Callable[[], Child], worker: Callable[[], Child]) -> None:
        # No events: a signal can come while this very thread has an event's lock, and would wait for itself.
        self._stopped = self._renewed = False
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)
        signal.signal(signal.SIGHUP, self._renew)
        self._web, self._worker = Post("web", web), Post("worker", worker)
        self._to_replace: list[Post] = []

    def run(self, stop_listening: Callable[[], None]) -> int:
        """Supervise; returns the exit code. Gives up only if the first web process never served."""
        code = None
        while self._goes_on():
            code = self._web.failed_at_once
            if code is not None:
                break
            self._replace_next()
            web_fit, worker_fit = self._web.look(), self._worker.look()
            if not (web_fit and worker_fit):
                self._stay()
        stop_listening()
        # The web first: what it still answers may give the worker something to deliver.
        for post in (self._web, self._worker):
            while not post.drain():
                time.sleep(_LOOK_SECONDS)
        return code or (0 if code is None else 1)

    def _goes_on(self) -> bool:
        time.sleep(_LOOK_SECONDS)
        return not self._stopped

    def _stop(self, *_: object) -> None:
        self._stopped = True

    def _renew(self, *_: object) -> None:
        self._renewed = True

    def _stay(self) -> None:
        """What runs goes on. Whoever would have come next stays too: one code, one settings."""
        self._to_replace.clear()

    def _replace_next(self) -> None:
        if self._web.changing or self._worker.changing:
            return
        if self._to_replace:
            if not self._to_replace.pop(0).succeed():
                self._stay()
        elif self._renewed:
            self._renewed = False
            self._to_replace = [self._web, self._worker]


def _with_parent() -> Callable[[], None] | None:
    """Let a child get SIGTERM when the supervisor is killed outright (Linux)."""
    if not sys.platform.startswith("linux"):
        return None
    libc = ctypes.CDLL(None)
    pr_set_pdeathsig = 1
    return lambda: libc.prctl(pr_set_pdeathsig, signal.SIGTERM) and None
