"""Server processes on loopback: started, waited for, measured and stopped by their own process id."""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import socket
import subprocess
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
_START_SECONDS = 30.0
_STOP_SECONDS = 45.0
_LIBC = ctypes.CDLL(None)
_SCHEDULER_CLOCK = 2


class NotRunning(RuntimeError):  # noqa: N818 - it says what is wrong
    """A server did not start or ended early; the message holds the end of its log."""


@dataclass(frozen=True, slots=True)
class Cpu:
    """CPU time used so far, in milliseconds: by the web processes, and by the delivery worker."""

    web: float
    worker: float

    def __sub__(self, earlier: Cpu) -> Cpu:
        return Cpu(self.web - earlier.web, self.worker - earlier.worker)


class Server:
    """One server: the process that we started, and whatever it starts."""

    def __init__(
        self, name: str, command: list[str], env: dict[str, str], port: int, log: Path
    ) -> None:
        self.name = name
        self.port = port
        self._log = log
        with log.open("wb") as output:
            self._process = subprocess.Popen(
                command, env=env, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=output, stderr=output,
                start_new_session=True,
                preexec_fn=_end_with_the_bench,  # noqa: PLW1509 - one system call, no lock
            )  # fmt: skip

    def wait(self) -> None:
        """Wait until the port takes connections; raises NotRunning."""
        deadline = time.monotonic() + _START_SECONDS
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                break
            with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
                return
            time.sleep(0.05)
        raise NotRunning(f"{self.name} does not run. Its log ends:\n{self._log_end()}")

    def cpu(self) -> Cpu:
        """CPU time of the process tree, user and system together."""
        used = {True: 0.0, False: 0.0}
        for pid in _tree(self._process.pid):
            used["worker" in _command(pid)] += _cpu_ms(pid)
        return Cpu(web=used[False], worker=used[True])

    def memory(self) -> float:
        """What the largest of its web processes holds at present (resident), in MiB."""
        web = (pid for pid in _tree(self._process.pid) if "worker" not in _command(pid))
        return max(map(_resident, web)) / 2**20

    def stop(self) -> None:
        """Ask the process to end; what outlives the wait is killed."""
        tree = _tree(self._process.pid)
        self._process.terminate()
        try:
            self._process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            for pid in tree:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            self._process.wait()

    def kill(self) -> None:
        """End the whole process tree at once by SIGKILL, as a crash would, and wait until it is gone."""
        tree = _tree(self._process.pid)
        for pid in tree:  # parents first, so that none starts another
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self._process.wait()
        deadline = time.monotonic() + _STOP_SECONDS
        while not all(map(_is_gone, tree)) and time.monotonic() < deadline:
            time.sleep(0.01)

    def _log_end(self) -> str:
        return self._log.read_text(errors="replace")[-2000:]


def _end_with_the_bench() -> None:
    # Even when the bench is killed outright no server stays behind (prctl(2), Linux).
    pr_set_pdeathsig = 1
    _LIBC.prctl(pr_set_pdeathsig, signal.SIGTERM)


def _tree(root: int) -> list[int]:
    """Return a process and all that descend from it."""
    children: dict[int, list[int]] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it ended while we looked
            # The command's name, in parentheses, may hold spaces; state and parent follow it.
            parent = (folder / "stat").read_text().rpartition(")")[2].split()[1]
            children.setdefault(int(parent), []).append(int(folder.name))
    found = [root]
    for pid in found:
        found += children.get(pid, [])
    return found


def _is_gone(pid: int) -> bool:
    """Whether a process has ended and let go of its files and sockets."""
    try:
        return (Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]) in {"Z", "X"}
    except OSError:
        return True


def _cpu_ms(pid: int) -> float:
    """CPU time of one process with all its threads: what utime + stime of /proc say, without rounding."""
    # clock_getcpuclockid(3), which Python offers for threads only.
    clock = (~pid << 3) | _SCHEDULER_CLOCK
    try:
        return time.clock_gettime(clock) * 1000
    except OSError:  # it ended while we looked
        return 0.0


def _resident(pid: int) -> int:
    """Bytes of memory that a process holds."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * resource.getpagesize()
    except OSError:  # it ended while we looked
        return 0


def _command(pid: int) -> list[str]:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").split("\0")[:-1]
    except OSError:
        return []
