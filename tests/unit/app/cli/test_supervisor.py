"""The supervisor with processes that do nothing but live, die and report."""

import signal
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest

from app.cli.supervisor import Child, Post, Supervisor
from tests.demo import eventually

MAIN = """
import sys
from app.cli.supervisor import Child, Supervisor
web, worker = ([sys.executable, "-c", text, sys.argv[3]] for text in sys.argv[1:3])
supervisor = Supervisor(web=lambda: Child(web, {}), worker=lambda: Child(worker, {}))
sys.exit(supervisor.run(stop_listening=lambda: print("closed", flush=True)))
"""
BEGIN = """
import os, sys, time
from pathlib import Path
notes, report = Path(sys.argv[1]), int(sys.argv[3])
def note(text):
    with notes.open("a") as file:
        file.write(text + "\\n")
def say(line):
    os.write(report, line.encode() + b"\\n")
"""
SERVE = BEGIN + "say('up 1'); note(NAME); time.sleep(600)"


class Supervised:
    def __init__(self, directory: Path) -> None:
        self.notes = directory / "notes"
        self.notes.touch()

    def start(self, web: str, worker: str = SERVE.replace("NAME", "'worker'")) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", MAIN, web, worker, str(self.notes)],
            cwd=Path(__file__).parents[4], stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip

    def seen(self, note: str) -> int:
        return self.notes.read_text().split("\n").count(note)

    def end(self, number: int = signal.SIGTERM) -> tuple[int, str]:
        self.process.send_signal(number)
        said, faults = self.process.communicate(timeout=60)
        assert "closed\n" in said
        assert not faults
        return self.process.returncode, said


@pytest.fixture
def supervised(tmp_path: Path):
    made = Supervised(tmp_path)
    yield made
    if made.process.poll() is None:
        made.process.kill()
        made.process.communicate()


def test_it_gives_up_when_the_first_web_process_ends_without_having_served(supervised):
    supervised.start(BEGIN + "sys.exit(7)")
    supervised.process.communicate(timeout=60)
    assert supervised.process.returncode == 7


def test_it_gives_up_also_when_that_one_ended_as_if_all_were_well(supervised):
    supervised.start(BEGIN + "sys.exit(0)")
    supervised.process.communicate(timeout=60)
    assert supervised.process.returncode == 1


def test_a_web_process_that_has_served_is_started_again_however_quickly_it_dies(supervised):
    supervised.start(BEGIN + "say('up 1'); note('web'); sys.exit(7)")
    eventually(lambda: supervised.seen("web") >= 2)
    assert supervised.end()[0] == 0


def test_a_worker_that_never_comes_up_is_tried_again(supervised):
    supervised.start(SERVE.replace("NAME", "'web'"), BEGIN + "note('worker'); sys.exit(7)")
    eventually(lambda: supervised.seen("worker") >= 2)
    assert supervised.end()[0] == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_all_are_told_to_end_and_the_web_first(supervised, number):
    last = (
        BEGIN
        + """
import signal
signal.signal(signal.SIGTERM, lambda *_: (note(NAME + ' ends'), sys.exit(0)))
say('up 1'); note(NAME); time.sleep(600)
"""
    )
    supervised.start(last.replace("NAME", "'web'"), last.replace("NAME", "'worker'"))
    eventually(lambda: supervised.seen("web") and supervised.seen("worker"))
    assert supervised.end(number)[0] == 0
    assert supervised.notes.read_text().splitlines()[-2:] == ["web ends", "worker ends"]


def test_a_successor_takes_over_once_all_its_processes_serve(supervised):
    supervised.start(
        BEGIN
        + """
note('web'); say('up 2')
if notes.read_text().count('web') > 1:
    while 'go on' not in notes.read_text():
        time.sleep(0.01)
say('up 2'); note('serves'); time.sleep(600)
"""
    )
    eventually(lambda: supervised.seen("serves") == 1)
    supervised.process.send_signal(signal.SIGHUP)
    eventually(lambda: supervised.seen("web") == 2)
    assert supervised.seen("worker") == 1
    with supervised.notes.open("a") as notes:
        notes.write("go on\n")
    eventually(lambda: supervised.seen("worker") == 2)
    code, said = supervised.end()
    assert code == 0
    assert said.count("replaced") >= 1


def test_a_successor_that_says_what_it_lacks_is_quoted_and_nobody_is_replaced(supervised):
    supervised.start(
        BEGIN
        + """
if notes.read_text().count('web'):
    say('down the moon is full'); sys.exit(1)
say('up 1'); note('web'); time.sleep(600)
"""
    )
    eventually(lambda: supervised.seen("web") == 1 and supervised.seen("worker") == 1)
    supervised.process.send_signal(signal.SIGHUP)
    line = next(line for line in supervised.process.stdout or () if "not replaced" in line)
    assert "the moon is full" in line
    assert (supervised.seen("web"), supervised.seen("worker")) == (1, 1)
    supervised.process.terminate()
    supervised.process.communicate(timeout=60)
    assert supervised.process.returncode == 0


def test_a_process_that_dies_for_days_is_still_tried_every_half_minute(monkeypatch):
    class Dying:
        started, code, ready, reason = 0.0, 1, False, "no disk"

        def gone(self):
            return True

    now, starts = [0.0], []

    def start():
        starts.append(now[0])
        Dying.started = now[0]
        return Dying()

    monkeypatch.setattr("app.cli.supervisor.time.monotonic", lambda: now[0])
    post = Post("worker", start)
    for _ in range(35_000):
        post.look()
        now[0] += 1
    assert len(starts) > 1100
    assert {later - earlier for earlier, later in pairwise(starts[10:])} == {31}


def test_a_process_that_cant_be_started_leaves_no_descriptor_behind():
    before = len(list(Path("/dev/fd").iterdir()))
    for _ in range(3):
        with pytest.raises(OSError, match="no-such-program"):
            Child(["/no-such-program"], {})
    assert len(list(Path("/dev/fd").iterdir())) == before


def test_a_process_that_reports_more_than_anybody_reads_does_not_wait(supervised):
    supervised.start(
        BEGIN
        + """
say('up 1')
try:
    while True:
        say('up 1')
except BlockingIOError:
    note('goes on')
time.sleep(600)
"""
    )
    eventually(lambda: supervised.seen("goes on"))
    assert supervised.end()[0] == 0


def test_where_there_is_no_room_for_a_successor_nobody_is_replaced(monkeypatch):
    class Serving:
        started, code, ready = 0.0, None, True

    rooms, workers = [Serving()], []

    def web():
        if not rooms:
            raise BlockingIOError("no room")
        return rooms.pop()

    def worker():
        workers.append(Serving())
        return workers[-1]

    monkeypatch.setattr("app.cli.supervisor.signal.signal", lambda *_: None)
    supervisor = Supervisor(web=web, worker=worker)
    supervisor._renew()
    for _ in range(3):
        supervisor._replace_next()
    assert len(workers) == 1
