"""A tenant's limit over several processes that share a database."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace

import pytest
from sqlalchemy import select

from app.flows import tenancy, throttle
from app.kernel.errors import Throttled, Unavailable
from app.kernel.rate import Limit, Shares
from app.store.tables.tenants import rate as rate_table
from tests.provisioning import Idp, refused

RATE = 40


def count(deps, tenant):
    with deps.db.read(tenant.id) as read:
        return read.conn.execute(select(rate_table.c.window, rate_table.c.taken)).first()


def spent(deps, tenant, tries, per_second=RATE):
    """How many of so many tries pass."""
    passed = 0
    for _ in range(tries):
        with suppress(Throttled):
            throttle.spend(deps, tenant.id, "scim", per_second)
            passed += 1
    return passed


def test_processes_and_threads_together_stay_within_the_limit(deps, tenant):
    processes = [replace(deps, shares=Shares()) for _ in range(3)]
    start = threading.Barrier(6, timeout=30)

    def ask(number):
        start.wait()
        return spent(processes[number % 3], tenant, 50)

    with ThreadPoolExecutor(6) as pool:
        passed = sum(pool.map(ask, range(6)))
    assert RATE <= passed <= RATE + 3 * Limit(RATE).block
    assert count(deps, tenant).taken == RATE


def test_the_next_second_is_a_new_one(deps, tenant, clock):
    assert spent(deps, tenant, 2 * RATE) == RATE
    with pytest.raises(Throttled) as refusal:
        throttle.spend(deps, tenant.id, "scim", RATE)
    assert refusal.value.retry_after == 1
    clock.move(seconds=1)
    assert spent(deps, tenant, 2 * RATE) == RATE


def test_who_asks_seldom_writes_nothing(deps, tenant, clock):
    for _ in range(5):
        assert spent(deps, tenant, Limit(RATE).block) == Limit(RATE).block
        clock.move(seconds=1)
    assert count(deps, tenant) is None


def test_tenants_and_purposes_are_counted_apart(deps, tenant, other_tenant):
    assert spent(deps, tenant, 2 * RATE) == RATE
    assert spent(deps, other_tenant, 2 * RATE) == RATE
    throttle.spend(deps, tenant.id, "xapi", RATE)


def test_without_a_limit_nobody_is_counted(deps, tenant):
    assert spent(deps, tenant, 500, per_second=0) == 500
    assert count(deps, tenant) is None


def test_while_nothing_can_be_counted_nobody_is_turned_away(deps, tenant, monkeypatch):
    def away(*_):
        raise Unavailable("The database can't be written to at present.")

    monkeypatch.setattr(throttle.rate, "take", away)
    assert spent(deps, tenant, 2 * RATE) == 2 * RATE


def test_too_many_scim_requests_are_refused_in_scims_words(deps, gateway, tenant):
    token = tenancy.issue_token(deps, tenant.slug, "scim")[1]
    limited = replace(deps, settings=deps.settings.model_copy(update={"scim_rate": 3}))
    from app.factory import create_app

    idp = Idp(create_app(limited), token)
    for _ in range(3):
        assert idp.send("GET", "/Users").status_code == 200
    answer = idp.send("GET", "/Users")
    refused(answer, 429)
    assert answer.headers["Retry-After"] == "1"
    assert idp.send("GET", "/ServiceProviderConfig").status_code == 429
