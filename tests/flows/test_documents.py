"""Other people's documents: fetched when needed, and never more often than that."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest

from app.flows import documents
from app.http import Response
from app.kernel.errors import Unavailable
from tests.lti_platform import Neighbours, with_http

URL = "https://lms.example/jwks"


@pytest.fixture
def http():
    return Neighbours()


@pytest.fixture
def fetch(deps, http):
    ready = with_http(deps, http)

    def fetch(**options):
        return documents.fetch(ready, URL, **options)

    return fetch


def says(http, body):
    http.answers[URL] = Response(200, {}, body)


def test_a_document_is_kept_for_an_hour(fetch, http, clock):
    says(http, b"one")
    assert fetch() == b"one"
    says(http, b"two")
    clock.move(minutes=59)
    assert fetch() == b"one"
    clock.move(minutes=2)
    assert fetch() == b"two"
    assert len(http.calls) == 2


def test_a_change_right_after_the_last_look_is_seen_at_once(fetch, http, clock):
    says(http, b"one")
    fetch()
    for body in (b"two", b"three", b"four"):
        clock.move(seconds=1)
        says(http, body)
        assert fetch(newer=True) == body
    assert len(http.calls) == 4


def test_looks_that_find_nothing_new_are_ten_seconds_apart(fetch, http, clock):
    says(http, b"one")
    for _ in range(40):
        assert fetch(newer=True) == b"one"
        clock.move(seconds=0.5)
    assert len(http.calls) == 3


def test_a_body_that_is_never_twice_the_same_lifts_no_bound(fetch, http, clock):
    counted = iter(range(100))
    http.answers[URL] = lambda _: Response(200, {}, str(next(counted)).encode())
    for _ in range(40):
        fetch(newer=True)
        clock.move(seconds=0.5)
    assert len(http.calls) <= 6


def test_many_who_ask_at_once_make_one_call(fetch, http):
    says(http, b"one")
    together = Barrier(8)

    def ask(number):
        together.wait()
        return fetch(newer=number % 2 == 1)

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(ask, range(8))) == {b"one"}
    # Those who wanted it newer than what they had may have made one call more.
    assert len(http.calls) <= 2


def test_while_the_other_side_is_away_it_is_not_asked_at_every_request(
    fetch, http, clock, monkeypatch
):
    monkeypatch.setattr(documents, "_WAIT_SECONDS", 0)
    for _ in range(20):
        with pytest.raises(Unavailable):
            fetch()
        clock.move(seconds=0.5)
    assert len(http.calls) == 1
    says(http, b"one")
    clock.move(seconds=1)
    assert fetch() == b"one"
