"""Access tokens: one of all processes asks for a new one, and nobody waits for another's platform."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from app.flows import services
from app.http import Response
from app.store import leases
from app.store.db import Database
from lti import ags
from lti.service import bearer_request
from tests.flows.test_grades import SCORES, with_activity
from tests.lti_platform import ISSUER, Lms, Neighbours, json_answer, with_http

PATIENCE = 30
TOKEN = f"{ISSUER}/token"


def build(token):
    return bearer_request("POST", SCORES, token)


@pytest.fixture
def http():
    made = Neighbours()
    made.answers[SCORES] = Response(200, {}, b"")
    return made


@pytest.fixture
def deps(deps, http):
    return with_http(deps, http)


@pytest.fixture
def tenant(deps):
    return with_activity(deps)


@pytest.fixture
def lms(deps, tenant, http):
    return Lms(deps, http).register("acme")


@pytest.fixture
def processes(deps, settings):
    """Two of them: each has its own connections, and they share nothing but the database."""
    other = Database(settings.database_url, system_url=settings.database_system_url, seal=deps.seal)
    yield deps, replace(deps, db=other)
    other.close()


def call(deps, tenant, lms):
    return services.call(deps, tenant.id, lms.id, ags.SCOPE_SCORE, build)


def test_two_processes_with_many_threads_ask_once(processes, tenant, lms, http):
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda n: call(processes[n % 2], tenant, lms), range(8)))
    assert {one.status for one in answers} == {200}
    assert len(http.to(TOKEN)) == 1


def test_a_token_refused_by_the_platform_is_replaced_once_for_all(processes, tenant, lms, http):
    fresh = iter(("stale", "fresh"))
    http.answers[TOKEN] = lambda _: json_answer(
        {"access_token": next(fresh), "token_type": "bearer", "expires_in": 3600}
    )
    http.answers[SCORES] = lambda request: Response(
        401 if request.headers["Authorization"] == "Bearer stale" else 200, {}, b""
    )
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda n: call(processes[n % 2], tenant, lms), range(8)))
    assert {one.status for one in answers} == {200}
    assert len(http.to(TOKEN)) == 2


def test_who_waits_for_a_slow_platform_waits_a_moment_and_another_platform_not_at_all(
    processes, tenant, lms, http, deps, monkeypatch
):
    monkeypatch.setattr(services, "_WAITS", 3)
    asked, let_go = threading.Event(), threading.Event()

    def slow(_):
        asked.set()
        assert let_go.wait(PATIENCE)
        return json_answer({"access_token": "t", "token_type": "bearer", "expires_in": 3600})

    http.answers[TOKEN] = slow
    quick = Lms(deps, http, client_id="client-2", issuer="https://quick.example").register("acme")
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(call, processes[0], tenant, lms)
        assert asked.wait(PATIENCE)
        for process in processes:
            with pytest.raises(services.TokenAwaited):
                call(process, tenant, lms)
            assert call(process, tenant, quick).status == 200
        let_go.set()
        assert first.result(PATIENCE).status == 200
    assert call(processes[1], tenant, lms).status == 200
    assert len(http.to(TOKEN)) == 1


def test_a_process_that_died_while_asking_is_followed(processes, tenant, lms, http, clock, monkeypatch):  # fmt: skip
    monkeypatch.setattr(services, "_WAITS", 2)
    with processes[0].db.tx(tenant.id) as tx:
        name = f"token {lms.id} {ags.SCOPE_SCORE}"
        assert leases.take(tx, name, "killed", clock(), clock() + services._ASKING)
    with pytest.raises(services.TokenAwaited):
        call(processes[1], tenant, lms)
    assert http.to(TOKEN) == []
    clock.move(seconds=31)
    assert call(processes[1], tenant, lms).status == 200


def test_who_got_none_gives_the_asking_back(processes, tenant, lms, http):
    from lti.errors import ServiceError

    good, http.answers[TOKEN] = http.answers[TOKEN], Response(500, {}, b"")
    with pytest.raises(ServiceError):
        call(processes[0], tenant, lms)
    http.answers[TOKEN] = good
    assert call(processes[1], tenant, lms).status == 200


def test_who_waits_for_one_that_got_the_refused_token_asks_itself(processes, tenant, lms, http):
    http.answers[TOKEN] = json_answer(
        {"access_token": "stale", "token_type": "bearer", "expires_in": 3600}
    )
    assert call(processes[0], tenant, lms).status == 200
    name, clock = f"token {lms.id} {ags.SCOPE_SCORE}", processes[0].clock
    with processes[0].db.tx(tenant.id) as tx:
        assert leases.take(tx, name, "who got it", clock(), clock() + services._ASKING)
    refused = threading.Event()

    def scores(request):
        if request.headers["Authorization"] == "Bearer fresh":
            return Response(200, {}, b"")
        refused.set()
        return Response(401, {}, b"")

    http.answers[SCORES] = scores
    http.answers[TOKEN] = json_answer(
        {"access_token": "fresh", "token_type": "bearer", "expires_in": 3600}
    )
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(call, processes[1], tenant, lms)
        assert refused.wait(PATIENCE)
        with processes[0].db.tx(tenant.id) as tx:
            assert leases.release(tx, name, "who got it")
        assert waiting.result(PATIENCE).status == 200
    assert len(http.to(TOKEN)) == 2
