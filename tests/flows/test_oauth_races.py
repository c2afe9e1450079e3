"""At once in many processes: an assertion counts once, and nothing outlives a client that is switched off."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from threading import Barrier

import pytest
from sqlalchemy import func, select

from app.factory import create_app
from app.kernel.rate import Shares
from app.store.tables.tenants import token as token_table
from tests import oauth

TOGETHER = 6


def standing(deps, tenant):
    with deps.db.read(tenant.id) as read:
        return read.conn.execute(
            select(func.count()).where(
                token_table.c.tenant_id == tenant.id, token_table.c.revoked_at.is_(None)
            )
        ).scalar_one()


def together(*acts):
    start = Barrier(len(acts), timeout=30)

    def act(one):
        start.wait()
        return one()

    with ThreadPoolExecutor(len(acts)) as pool:
        return list(pool.map(act, acts))


@pytest.fixture
def processes(deps, tenant):
    """Sites that share nothing but the database."""
    return [create_app(replace(deps, shares=Shares())) for _ in range(TOGETHER)]


def test_one_assertion_sent_at_once_counts_once(deps, tenant, processes):
    of = oauth.made(deps, keys=oauth.key_set(oauth.key()))
    askers = [
        oauth.Asking(site, deps, of, address=f"192.0.2.{number}")
        for number, site in enumerate(processes)
    ]
    assertion = askers[0].assertion()
    answers = together(*(lambda one=one: one.signed(assertion) for one in askers))
    assert sorted(answer.status_code for answer in answers) == [200] + [401] * (TOGETHER - 1)
    assert standing(deps, tenant) == 1


@pytest.mark.parametrize("what", ["disable", "rotate"])
def test_no_token_outlives_the_end_of_its_client(deps, tenant, processes, what):
    from app.flows import acting, clients

    of = oauth.made(deps)

    def end():
        if what == "disable":
            oauth.switched(deps, of.id, enabled=False)
        else:
            clients.rotate_secret(deps, acting.operator(deps, "acme"), of.id)

    def ask(site):
        return oauth.Asking(site, deps, of).basic().status_code

    for round_ in range(5):
        results = together(end, *(lambda site=site: ask(site) for site in processes))
        assert set(results[1:]) <= {200, 401}
        assert standing(deps, tenant) == 0
        if what == "rotate":
            of = clients.rotate_secret(deps, acting.operator(deps, "acme"), of.id)
        else:
            oauth.switched(deps, of.id, enabled=True)
        deps.clock.move(seconds=61 + round_)
