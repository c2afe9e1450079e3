import errno
import fcntl
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
from contextlib import contextmanager
from pathlib import Path

import pytest

from app.kernel.errors import Unavailable
from app.store.gate import WriterGate
from tests.demo import eventually

ROOT = Path(__file__).parents[4]


def count_up(path: str, counter: str, times: int) -> None:
    gate = WriterGate(path)
    for _ in range(times):
        with gate.writing():
            held = int(Path(counter).read_text())
            Path(counter).write_text(str(held + 1))


def test_processes_and_threads_exclude_each_other(tmp_path):
    counter = tmp_path / "counter"
    counter.write_text("0")
    spawn = multiprocessing.get_context("spawn")
    path = str(tmp_path / "db")
    processes = [spawn.Process(target=count_up, args=(path, str(counter), 50)) for _ in range(3)]
    threads = [threading.Thread(target=count_up, args=(path, str(counter), 50)) for _ in range(3)]
    for each in (*processes, *threads):
        each.start()
    for each in (*processes, *threads):
        each.join()
    assert counter.read_text() == "300"


def test_writers_of_one_process_are_served_in_order(tmp_path):
    gate = WriterGate(str(tmp_path / "db"))
    order: list[int] = []
    waiting = []

    def write(number: int) -> None:
        with gate.writing():
            order.append(number)

    with gate.writing():
        for number in range(8):
            thread = threading.Thread(target=write, args=(number,))
            thread.start()
            waiting.append(thread)
            while len(gate._queue._waiting) <= number:
                pass
    for thread in waiting:
        thread.join()
    assert order == list(range(8))


def test_who_waits_too_long_is_told_to_come_back_and_the_gate_still_works(tmp_path):
    gate = WriterGate(str(tmp_path / "db"), wait_seconds=0.05)
    failed = []

    def impatient() -> None:
        with pytest.raises(Unavailable) as refused, gate.writing():
            pass
        failed.append(refused.value.retry_after)

    with gate.writing():
        thread = threading.Thread(target=impatient)
        thread.start()
        thread.join()
    assert failed == [2]
    with gate.writing():
        pass


def test_a_failing_writer_leaves_the_gate_open(tmp_path):
    gate = WriterGate(str(tmp_path / "db"))
    with pytest.raises(ZeroDivisionError), gate.writing():
        raise ZeroDivisionError
    with gate.writing():
        pass


# Processes that stand still


def hold(path, pipe):
    """Write in another process: says so once inside, and leaves when told to."""
    with WriterGate(path).writing():
        pipe.send("inside")
        pipe.recv()


@contextmanager
def another(path):
    """A process that wants to write, and our end of its pipe; told to leave in the end."""
    spawn = multiprocessing.get_context("spawn")
    ours, theirs = spawn.Pipe()
    process = spawn.Process(target=hold, args=(path, theirs))
    process.start()
    theirs.close()
    try:
        yield process, ours
    finally:
        if process.is_alive():
            os.kill(process.pid, signal.SIGCONT)
            ours.send("leave")
        process.join()


def stop(process):
    os.kill(process.pid, signal.SIGSTOP)
    os.waitid(os.P_PID, process.pid, os.WSTOPPED | os.WNOWAIT)


def refusals(gate, writers):
    """What these many threads are told that want to write at once; "waits" for one that is told nothing."""
    told = ["waits"] * writers

    def write(number):
        try:
            with gate.writing():
                told[number] = "wrote"
        except Unavailable as refused:
            told[number] = refused.wire_code

    threads = [threading.Thread(target=write, args=(each,), daemon=True) for each in range(writers)]
    for each in threads:
        each.start()
    for each in threads:
        each.join(20)
    return told


def test_who_waits_for_a_process_that_stands_still_is_told_so_and_all_go_on_with_it(tmp_path):
    path = str(tmp_path / "db")
    gate, patient = WriterGate(path, wait_seconds=0.2), WriterGate(path)
    with another(path) as (process, pipe):
        assert pipe.recv() == "inside"
        stop(process)
        assert refusals(gate, 4) == ["database_busy"] * 4
        assert refusals(gate, 1) == ["database_busy"]
    # Whoever gave up has left neither the gate nor the turnstile shut, for itself or for others.
    assert refusals(patient, 2) == ["wrote"] * 2
    assert refusals(gate, 1) == ["wrote"]


def test_a_process_that_stands_still_in_the_turnstile_keeps_nobody_for_ever(tmp_path):
    path = str(tmp_path / "db")
    gate = WriterGate(path, wait_seconds=0.2)
    with another(path) as (first, leave):
        assert leave.recv() == "inside"
        with another(path) as (second, entered):
            eventually(lambda: taken(path + ".turnstile"))
            stop(second)
            leave.send("leave")
            first.join()
            assert refusals(gate, 3) == ["database_busy"] * 3
            os.kill(second.pid, signal.SIGCONT)
            assert entered.recv() == "inside"
    assert refusals(WriterGate(path), 2) == ["wrote"] * 2


def taken(path):
    """Whether somebody has locked a file."""
    with Path(path).open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        return False


def test_who_gave_up_is_followed_by_the_next_of_the_same_process(tmp_path):
    path = str(tmp_path / "db")
    gate = WriterGate(path, wait_seconds=0.05)
    with another(path) as (_, pipe):
        assert pipe.recv() == "inside"
        assert refusals(gate, 1) == ["database_busy"]
        gate._wait = 60.0
        next_one = threading.Thread(target=refusals, args=(gate, 1))
        next_one.start()
        eventually(lambda: gate._doorkeeper and gate._doorkeeper._turn)
    next_one.join()
    assert not next_one.is_alive()
    assert refusals(WriterGate(path), 1) == ["wrote"]


def test_a_file_system_that_can_not_lock_is_told_and_the_gate_still_works(tmp_path, monkeypatch):
    path = str(tmp_path / "db")
    gate, flock = WriterGate(path), fcntl.flock

    def failing(file, how):
        if how == fcntl.LOCK_EX:
            raise OSError(errno.ENOLCK, "no locks")
        flock(file, how)

    with another(path) as (_, pipe):
        assert pipe.recv() == "inside"
        monkeypatch.setattr("app.store.gate.fcntl.flock", failing)
        assert refusals(gate, 2) == ["database_read_only"] * 2
        monkeypatch.undo()
    assert refusals(gate, 2) == ["wrote"] * 2


FORKED = """
import os, sys
from app.kernel.errors import Unavailable
from app.store.gate import WriterGate

gate = WriterGate(sys.argv[1], wait_seconds=0.1)

def write():
    try:
        with gate.writing():
            return 7
    except Unavailable:
        return 8

with gate.writing():
    child = os.fork()
    if not child:
        os._exit(write())
    refused = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
child = os.fork()
if not child:
    os._exit(write())
print(refused, os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), write())
"""


def test_a_forked_process_has_no_part_in_its_parents_lock(tmp_path):
    command = [sys.executable, "-c", FORKED, str(tmp_path / "db")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["8", "7", "7"]


def test_a_thread_that_can_not_be_started_holds_nobody_up(tmp_path, monkeypatch):
    path = str(tmp_path / "db")
    gate, start = WriterGate(path, wait_seconds=0.3), threading.Thread.start

    def no_room(self):
        if self.name == "writer gate":
            raise RuntimeError("can't start new thread")
        start(self)

    with another(path) as (_, pipe):
        assert pipe.recv() == "inside"
        monkeypatch.setattr(threading.Thread, "start", no_room)
        assert refusals(gate, 2) == ["database_read_only"] * 2
        monkeypatch.undo()
        assert refusals(gate, 1) == ["database_busy"]
    assert refusals(gate, 2) == ["wrote"] * 2
    assert refusals(WriterGate(path, wait_seconds=5), 1) == ["wrote"]


def test_a_file_that_can_not_be_opened_costs_no_descriptor(tmp_path):
    path = str(tmp_path / "db")
    Path(path + ".gate").mkdir()
    gate = WriterGate(path)
    before = len(list(Path("/dev/fd").iterdir()))
    assert refusals(gate, 20) == ["database_read_only"] * 20
    assert len(list(Path("/dev/fd").iterdir())) == before


ORPHAN = """
import os, sys, time
from app.store.gate import WriterGate

gate = WriterGate(sys.argv[1])
read, write = os.pipe()
with gate.writing():
    if not os.fork():
        os.close(write)
        os.read(read, 1)  # until the parent is gone, and the test's end of the other pipe
        sys.stdin.read()
        os._exit(0)
    print("inside", flush=True)
    time.sleep(60)
"""


def test_a_child_does_not_hold_the_gate_of_a_parent_that_was_killed(tmp_path):
    path = str(tmp_path / "db")
    with subprocess.Popen(
        [sys.executable, "-c", ORPHAN, path], cwd=ROOT, stdout=subprocess.PIPE, stdin=subprocess.PIPE
    ) as parent:  # fmt: skip
        assert parent.stdout.readline() == b"inside\n"
        parent.kill()
        parent.wait()
        assert refusals(WriterGate(path, wait_seconds=10), 1) == ["wrote"]
