import multiprocessing
import threading
from pathlib import Path

import pytest

from app.kernel.errors import Unavailable
from app.store.gate import WriterGate


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
