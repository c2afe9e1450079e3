"""Deletion for good: after its days a deleted resource can't come back; what was learned stays."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import func, select, update

from app.flows import provision_purge, upkeep
from app.flows.attempt import begin
from app.flows.provision_act import Client
from app.store import scim_retention
from app.store.tables.guard import hold
from app.store.tables.learning import attempt
from app.store.tables.scim import external_id, resource
from scim.custom import STANDARD
from scim.schemas import GROUP
from tests import learners
from tests.provisioning import ADA, Desk, arrived_by, ids, refs


def left(deps, tenant):
    with deps.db.read(tenant.id) as read:
        return [
            read.conn.execute(select(func.count()).select_from(table)).scalar_one()
            for table in (resource, external_id)
        ]


def test_who_was_deleted_comes_back_within_the_days_and_not_after(desk, deps, tenant, clock):
    key = desk.create(**ADA)["id"]
    desk.delete(key)
    clock.move(days=90)
    assert not upkeep.forget(deps)
    assert desk.create(**ADA)["id"] == key
    desk.delete(key)
    clock.move(days=90, seconds=1)
    upkeep.forget(deps)
    assert left(deps, tenant) == [0, 0]
    assert desk.create(**ADA)["id"] != key
    assert ("person.purged", {}) in desk.log(key)


def test_what_provisioning_told_goes_and_what_was_learned_and_said_by_others_stays(
    desk, deps, tenant, clock
):
    key = arrived_by("oidc", deps, tenant, "ada@x.example")
    desk.create(userName="ada@x.example", emails=[{"value": "a@x.example"}], displayName="Ada")
    learners.publish(deps, tenant)
    begin(deps, learners.signed_in(deps, tenant, desk.person(key)))
    desk.delete(key)
    clock.move(days=91)
    upkeep.forget(deps)
    person = desk.person(key)
    assert (person.user_name, person.display_name, person.email) == (None, None, None)
    assert (person.given_name, person.deleted_at is None, person.active) == ("A.", False, True)
    assert set(person.sources) == {"given_name"}
    with deps.db.read(tenant.id) as read:
        assert read.conn.execute(select(attempt.c.person_id)).scalars().all() == [key]


def test_groups_go_too_and_the_living_stay(desk, deps, tenant, clock):
    ada = desk.create(**ADA)["id"]
    kept = desk.create(GROUP, displayName="kept", externalId="g-1", members=refs(ada))["id"]
    gone = desk.create(GROUP, displayName="gone", externalId="g-2")["id"]
    desk.delete(gone, of=GROUP)
    clock.move(days=91)
    upkeep.forget(deps)
    assert left(deps, tenant) == [2, 2]
    assert ids(desk.get(kept, of=GROUP)) == {ada}


def test_who_waits_for_an_administrator_stays_until_that_is_decided(desk, deps, tenant, clock):
    keys = [desk.create(userName=f"p{n}", externalId=f"p{n}")["id"] for n in range(7)]
    group = desk.create(GROUP, displayName="all", members=refs(*keys))["id"]
    for key in keys[:6]:
        desk.delete(key)
    desk.delete(group, of=GROUP)
    clock.move(days=91)
    upkeep.forget(deps)
    assert left(deps, tenant) == [8, 7]
    with deps.db.tx(tenant.id) as tx:
        tx.conn.execute(update(hold).values(status="approved"))
    upkeep.forget(deps)
    assert left(deps, tenant) == [1, 1]


def test_who_is_restored_at_the_last_moment_is_not_dropped(desk, deps, tenant, clock):
    key = desk.create(**ADA)["id"]
    desk.delete(key)
    clock.move(days=91)
    before = deps.clock() - timedelta(days=90)
    with deps.db.system() as system:
        assert scim_retention.over(system, before, 10) == [(tenant.id, "User", key)]
    assert desk.create(**ADA)["id"] == key
    with deps.db.tx(tenant.id) as tx:
        assert scim_retention.drop(tx, [key], before) == []
    assert desk.get(key)["userName"] == ADA["userName"]


def test_many_go_in_bounded_steps_of_every_tenant(desk, deps, other_tenant, clock, monkeypatch):
    monkeypatch.setattr(provision_purge, "_MOST", 4)
    monkeypatch.setattr(provision_purge, "_STEP", 3)
    theirs = Desk(deps, Client(other_tenant.id, "default", types=STANDARD))
    for who in (desk, theirs):
        for number in range(3):
            who.delete(who.create(userName=f"u{number}")["id"])
    clock.move(days=91)
    assert provision_purge.purge(deps)
    assert not provision_purge.purge(deps)
    assert left(deps, other_tenant)[0] == 0
