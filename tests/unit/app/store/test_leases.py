"""A lease has one holder, across processes, until it is given back or its time is up."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

from app.store import leases

MINUTE = timedelta(minutes=1)


def take(deps, tenant, holder, name="work"):
    with deps.db.tx(tenant.id) as tx:
        return leases.take(tx, name, holder, deps.clock(), deps.clock() + MINUTE)


def release(deps, tenant, holder, name="work"):
    with deps.db.tx(tenant.id) as tx:
        return leases.release(tx, name, holder)


def held(deps, tenant, name="work"):
    with deps.db.read(tenant.id) as read:
        return leases.held(read, name, deps.clock())


def test_one_holds_it_until_it_is_given_back(deps, tenant, other_tenant):
    assert take(deps, tenant, "a")
    assert held(deps, tenant)
    assert not take(deps, tenant, "b")
    assert not take(deps, tenant, "a")
    assert take(deps, tenant, "b", "other work")
    assert take(deps, other_tenant, "b")
    assert not release(deps, tenant, "b")
    assert release(deps, tenant, "a")
    assert not held(deps, tenant)
    assert take(deps, tenant, "b")


def test_a_holder_that_died_is_followed_when_its_time_is_up(deps, tenant, clock):
    take(deps, tenant, "dead")
    clock.move(seconds=59)
    assert not take(deps, tenant, "b")
    clock.move(seconds=1)
    assert not held(deps, tenant)
    assert take(deps, tenant, "b")
    assert not release(deps, tenant, "dead")
    assert held(deps, tenant)


def test_of_many_at_once_one_gets_it(deps, tenant, clock):
    for _ in range(5):
        with ThreadPoolExecutor(8) as pool:
            got = list(pool.map(lambda number: take(deps, tenant, str(number)), range(8)))
        assert sum(got) == 1
        clock.move(minutes=2)
