from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from app.kernel.rate import Count, Limit, Share, Shares, grant


class Process:
    """One process: asks its share first, and the shared count when that has no more."""

    def __init__(self):
        self.share, self.asked = Share(), 0

    def request(self, window, limit, count):
        if self.share.give(window, limit):
            return True, count
        if not self.share.spent:
            self.asked += 1
            count, granted = grant(count, window, self.share.wanted(limit), limit)
            self.share.take(granted)
        return self.share.give(window, limit), count


MOST = st.integers(1, 60)
WALK = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 1)), max_size=400)
"""Requests: which process is asked, and how far time has moved on before."""


@given(MOST, WALK)
def test_in_no_window_more_is_given_than_the_limit_and_a_block_for_each_process(most, walk):
    limit, count, window, given_out = Limit(most), Count(0, 0), 0, Counter()
    processes = [Process() for _ in range(5)]
    for which, step in walk:
        window += step
        passed, count = processes[which].request(window, limit, count)
        given_out[window] += passed
    assert all(given <= most + len(processes) * limit.block for given in given_out.values())
    assert count.taken <= most


@given(MOST, st.integers(1, 5))
def test_what_is_allowed_is_given_out_whole_before_anybody_is_refused(most, number):
    limit, count, passed = Limit(most), Count(0, 0), 0
    processes = [Process() for _ in range(number)]
    for turn in range((most + number) * number):
        one, count = processes[turn % number].request(7, limit, count)
        passed += one
    assert most <= passed <= most + number * limit.block


@given(MOST)
def test_one_process_alone_gives_exactly_the_limit(most):
    limit, count, alone, passed = Limit(most), Count(0, 0), Process(), 0
    for _ in range(2 * most + 5):
        one, count = alone.request(7, limit, count)
        passed += one
    assert passed == most


def test_who_asks_seldom_never_asks_the_shared_count():
    limit, seldom = Limit(200), Process()
    for window in range(100):
        for _ in range(limit.block):
            passed, _ = seldom.request(window, limit, Count(0, 0))
            assert passed
    assert seldom.asked == 0


def test_who_is_refused_does_not_ask_again_in_that_window():
    limit, count, greedy = Limit(20), Count(5, 20), Process()
    for _ in range(50):
        _, count = greedy.request(5, limit, count)
    assert greedy.asked == 1
    passed, _ = greedy.request(6, limit, count)
    assert passed


def test_a_block_is_a_tenth_and_at_least_one():
    assert [Limit(most).block for most in (1, 9, 10, 200)] == [1, 1, 1, 20]


def test_a_process_whose_clock_is_behind_takes_from_the_window_of_the_others():
    assert grant(Count(8, 15), 7, 10, Limit(20)) == (Count(8, 20), 5)
    assert grant(Count(8, 15), 9, 10, Limit(20)) == (Count(9, 10), 10)


def test_a_clock_that_was_far_ahead_and_is_put_right_keeps_nobody_waiting():
    assert grant(Count(3607, 20), 7, 10, Limit(20)) == (Count(7, 10), 10)


def test_a_process_has_one_share_of_each_limit():
    shares = Shares()
    assert shares.of("t", "scim") is shares.of("t", "scim")
    assert shares.of("t", "scim") is not shares.of("u", "scim")
    assert shares.of("t", "scim") is not shares.of("t", "xapi")
