"""The log's lines of requests: gathered for a moment, none lost, each whole."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from select import PIPE_BUF

from hypothesis import given
from hypothesis import strategies as st

from app.web import lines
from app.web.lines import Gathered, joined
from tests.demo import eventually


def test_what_comes_within_a_moment_is_told_together_and_in_order(monkeypatch):
    monkeypatch.setattr(lines, "_PAUSE", 0.2)
    told: list[list[int]] = []
    gathered = Gathered(told.append)
    for number in range(100):
        gathered(number)
    eventually(lambda: sum(map(len, told)) == 100)
    assert [one for some in told for one in some] == list(range(100))
    assert len(told) <= 2


def test_of_many_at_once_none_is_lost_or_told_twice():
    told: list[int] = []
    gathered = Gathered(told.extend)
    with ThreadPoolExecutor(8) as pool:
        list(
            pool.map(
                lambda start: [gathered(start + n) for n in range(2000)], range(0, 16_000, 2000)
            )
        )
    gathered.flush()
    assert sorted(told) == list(range(16_000))


def test_what_comes_after_others_were_told_is_told_as_well():
    """Also in the moment in which they are being told."""
    told: list[int] = []
    gathered = Gathered(told.extend)
    for number in range(30):
        gathered(number)
        eventually(lambda number=number: number in told)


def test_where_the_log_takes_no_more_whoever_brings_another_waits(monkeypatch):
    monkeypatch.setattr(lines, "_MOST", 3)
    free, told = threading.Event(), []

    def tell(some):
        free.wait(10)
        told.extend(some)

    gathered = Gathered(tell)
    bringing = threading.Thread(target=lambda: [gathered(number) for number in range(20)])
    bringing.start()
    bringing.join(0.5)
    assert bringing.is_alive()
    free.set()
    bringing.join()
    gathered.flush()
    assert sorted(told) == list(range(20))


@given(st.lists(st.integers(0, 2 * PIPE_BUF).map("x".__mul__), max_size=12))
def test_lines_are_joined_as_far_as_a_pipe_takes_them_at_one_stroke(some):
    texts = list(joined(some))
    assert [line for text in texts for line in text.split("\n")] == some
    assert all(len(text) < PIPE_BUF or "\n" not in text for text in texts)


def test_a_fault_in_telling_ends_nothing():
    told: list[int] = []

    def tell(some):
        if 0 in some:
            raise ValueError("torn")
        told.extend(some)

    gathered = Gathered(tell)
    gathered(0)
    gathered.flush()
    gathered(1)
    eventually(lambda: told == [1])
