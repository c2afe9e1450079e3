"""Receivers of SCIM events: what they are told of each change, sent to them or fetched (RFC 9967, 8935, 8936)."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import Engine, func, insert, select
from sqlalchemy.event import listen, remove

from app.flows import (
    deliver,
    event_streams,
    provision,
    provision_bulk,
    provision_purge,
    redeliver,
    rings,
    schemas,
    tenancy,
    upkeep,
)
from app.flows.event_streams import Wanted
from app.kernel.errors import Invalid, NotFound, Refused, Unavailable
from app.store import deliveries, destinations, dispatch, outbox, scim_schemas, tokens
from app.store.dispatch import Sent
from app.store.tables.outbox import delivery, event
from scim import bulk, patch
from scim.events import PREFIX
from scim.schemas import GROUP, USER
from scim.set_delivery import Poll
from tests.flows.test_guard import bring_back, everyone, holds
from tests.flows.test_upkeep import counting, explained
from tests.provisioning import ADA, Desk, off, refs
from tests.receiver import opened, receiving

FULL = {"full": True}


@pytest.fixture
def tenant(deps):
    return tenancy.found(deps, "acme", "Acme")


@pytest.fixture
def stream(deps, tenant):
    """Makes a receiver that polls."""
    return lambda **wanted: event_streams.add(deps, "acme", Wanted(**wanted))


@pytest.fixture
def fetch(deps, tenant):
    """Polls for a receiver: the claims of what is given, in order."""

    def poll(made, *, most=100, ack=(), refuse=None):
        answer = event_streams.poll(
            deps, tenant, made.id, Poll(most, True, tuple(ack), refuse or {})
        )
        jwks = rings.jwks(deps, "acme")
        claims = [opened(token, jwks) for token in answer["sets"].values()]
        assert [one["jti"] for one in claims] == list(answer["sets"])
        return claims

    return poll


@pytest.fixture
def receiver():
    with receiving() as server:
        yield server


def work(deps, rounds=20):
    """What the worker does until nothing is due."""
    done = []
    for _ in range(rounds):
        claimed = deliver.turn(deps, done, 8)
        done = [deliver.send(deps, one) for one in claimed]
        if not done:
            return


def verbs(claims):
    return [sorted(name.removeprefix(PREFIX) for name in one["events"]) for one in claims]


def payloads(claims):
    return [payload for one in claims for payload in one["events"].values()]


def kept(deps, table):
    with deps.db.system() as system:
        return system.conn.execute(select(func.count()).select_from(table)).scalar_one()


def test_each_verb_is_told_in_order(desk, stream, fetch, tenant):
    made = stream()
    key = desk.create(**ADA, active=True)["id"]
    desk.patch(key, {"op": "replace", "path": "title", "value": "Dr"})
    desk.patch(key, off())
    desk.put(key, userName="ada@x.example", active=True)
    desk.delete(key)
    claims = fetch(made)
    assert verbs(claims) == [
        ["create:notice"], ["patch:notice"], ["deactivate", "patch:notice"], ["activate", "put:notice"], ["delete"],
    ]  # fmt: skip
    assert {one["iss"] for one in claims} == {tenant.home_page} == {made.issuer}
    assert {one["aud"] for one in claims} == {made.audience}
    assert {one["sub_id"]["uri"] for one in claims} == {f"/Users/{key}"}
    assert len({one["jti"] for one in claims}) == len({one["txn"] for one in claims}) == 5
    assert payloads(claims)[0] == {
        "attributes": ["id", "active", "name", "userName", "externalId"], "version": 'W/"1"',
    }  # fmt: skip
    assert payloads(claims)[1] == {"attributes": ["title"], "version": 'W/"2"'}


def test_what_changes_nothing_is_no_event(desk, stream, fetch):
    made = stream()
    key = desk.create(**ADA)["id"]
    desk.patch(key, {"op": "replace", "path": "userName", "value": "ada@x.example"})
    assert len(fetch(made)) == 1


def test_without_a_receiver_nothing_is_written(desk, deps):
    key = desk.create(**ADA)["id"]
    desk.patch(key, off())
    desk.delete(key)
    assert kept(deps, event) == 0


def test_full_mode_gives_the_data_as_the_client_of_the_stream_sees_it(desk, stream, fetch):
    mine, hrs = stream(**FULL), stream(client="hr", **FULL)
    key = desk.create(**ADA)["id"]
    desk.as_client("hr").patch(key, {"op": "add", "path": "externalId", "value": "7"})
    desk.patch(key, {"op": "replace", "path": "name.familyName", "value": "Lovelace"})
    made, patched = fetch(mine)
    (data,) = (one["data"] for one in payloads([made]))
    assert data == desk.get(key) | {"name": {"givenName": "Ada"}, "meta": data["meta"]}
    assert data["meta"]["version"] == 'W/"1"'
    assert payloads([patched])[0]["data"]["Operations"] == [
        {"op": "replace", "path": "name.familyName", "value": "Lovelace"}
    ]
    new, renamed, again = fetch(hrs)
    assert "externalId" not in payloads([new])[0]["data"]
    assert payloads([renamed])[0]["data"]["Operations"] == [
        {"op": "replace", "path": "externalId", "value": "7"}
    ]
    assert (patched["sub_id"]["externalId"], again["sub_id"]["externalId"]) == ("e-1", "7")


def test_a_receiver_that_keeps_a_copy_has_what_we_have(desk, stream, fetch):
    made = stream(**FULL)
    key = desk.create(**ADA)["id"]
    desk.patch(
        key, {"op": "add", "path": "emails", "value": [{"value": "a@x.example", "type": "work"}]}
    )
    desk.patch(key, {"op": "remove", "path": "name.givenName"}, off("True"))
    copy = {}
    for payload in payloads(fetch(made)):
        data = payload.get("data", {})
        if "Operations" in data:
            copy = patch.apply(copy, patch.parse_operations(data), USER).resource
        else:
            copy |= data
    said = desk.get(key)
    for name in ("meta", "schemas", "groups", "id"):
        copy.pop(name, None)
        said.pop(name, None)
    assert copy == said


def test_a_thousand_members_are_one_event(desk, stream, fetch, deps, tenant):
    people = {f"p{n}@x.example": None for n in range(1000)}
    provision.create_many(deps, tenant.id, "default", ({"userName": name} for name in people))
    ids = []
    for start in range(1, 1001, 200):
        ids += [one["id"] for one in desk.found(startIndex=start, count=200)["Resources"]]
    group = desk.create(GROUP, displayName="All")["id"]
    made = stream(**FULL)
    desk.patch(group, {"op": "add", "path": "members", "value": refs(*ids)}, of=GROUP)
    desk.patch(group, {"op": "remove", "path": "members", "value": refs(ids[0])}, of=GROUP)
    added, removed = fetch(made)
    assert payloads([added]) == [{"attributes": ["members"], "version": 'W/"2"'}]
    assert payloads([removed])[0]["data"]["Operations"] == [
        {"op": "remove", "path": f'members[value eq "{ids[0]}"]'}
    ]


def test_a_group_tells_of_a_member_who_was_deleted(desk, stream, fetch):
    made = stream(**FULL)
    key = desk.create(**ADA)["id"]
    group = desk.create(GROUP, displayName="G", members=refs(key))["id"]
    fetch(made)
    desk.delete(key)
    of_person, of_group = [(one["sub_id"]["uri"], one["events"]) for one in fetch(made)[2:]]
    assert of_person[0] == f"/Users/{key}"
    uri, events = of_group
    assert uri == f"/Groups/{group}"
    (said,) = events.values()
    assert said["data"]["Operations"] == [{"op": "remove", "path": f'members[value eq "{key}"]'}]
    assert said["version"] == desk.get(group, GROUP)["meta"]["version"]


def test_a_put_of_a_group_is_told_with_its_members(desk, stream, fetch):
    made = stream(**FULL)
    one, two = (desk.create(userName=f"{name}@x.example")["id"] for name in "ab")
    group = desk.create(GROUP, displayName="G", members=refs(one))["id"]
    desk.put(group, GROUP, displayName="G", members=refs(one, two))
    desk.put(group, GROUP, displayName="G", members=refs(two))
    new, put, less = fetch(made)[2:]
    assert payloads([new])[0]["data"]["members"] == refs(one)
    assert verbs([put, less]) == [["put:full"], ["patch:full"]]
    assert payloads([put])[0]["data"]["members"] == refs(one, two)
    assert payloads([less])[0]["data"]["Operations"][0]["path"] == f'members[value eq "{one}"]'


def test_a_put_of_a_group_takes_no_members_from_a_copy(desk, stream, fetch):
    """Members that stay are members that a PUT is told with; where it did not say them it is no PUT."""
    made = stream(**FULL)
    one = desk.create(userName="a@x.example")["id"]
    group = desk.create(GROUP, displayName="G", members=refs(one))["id"]
    desk.put(group, GROUP, displayName="H", members=refs(one))
    desk.put(group, GROUP, displayName="I")
    named, silent = fetch(made)[2:]
    assert verbs([named, silent]) == [["put:full"], ["patch:full"]]
    assert payloads([named])[0]["data"]["members"] == refs(one)
    assert payloads([silent])[0]["data"]["Operations"] == [
        {"op": "replace", "path": "displayName", "value": "I"}
    ]


def test_what_is_returned_on_request_alone_is_said_to_have_changed(
    desk, stream, fetch, deps, tenant
):
    badge = {"name": "code", "returned": "request"}
    schemas.add(deps, tenant.id, "User", {"id": "urn:x:badge", "attributes": [badge]}, "operator")
    with deps.db.read(tenant.id) as read:
        own = scim_schemas.current(read)
    desk = Desk(deps, replace(desk.client, types=own))
    mine, others = stream(**FULL), stream()
    key = desk.create(own.user, **ADA)["id"]
    desk.patch(key, {"op": "add", "path": "urn:x:badge:code", "value": "hush"}, of=own.user)
    told = [fetch(made)[1:] for made in (mine, others)]
    assert payloads(told[0]) == payloads(told[1])
    assert payloads(told[0]) == [{"attributes": ["urn:x:badge:code"], "version": 'W/"2"'}]


def test_a_bulk_tells_of_each(desk, stream, fetch, deps):
    made = stream()
    asked = bulk.parse({
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:BulkRequest"],
        "Operations": [
            {"method": "POST", "path": "/Users", "bulkId": f"b{n}", "data": {"userName": f"b{n}@x.example"}}
            for n in range(3)
        ] + [{"method": "POST", "path": "/Groups", "bulkId": "g", "data": {
            "displayName": "G", "members": [{"value": "bulkId:b0"}]}}],
    })  # fmt: skip
    provision_bulk.run(deps, desk.client, asked)
    assert verbs(fetch(made)) == [["create:notice"]] * 4


def test_many_that_come_together_are_told_of_together(desk, stream, deps, tenant):
    """So many statements as for a few: others wait at the write gate while a load goes in."""
    for client in ("default", "hr"):
        stream(client=client, **FULL)

    def loaded(*names):
        bodies = [{"userName": f"{name}@x.example", "externalId": name} for name in names]
        said = []

        def note(_conn, _cursor, statement, *_):
            said.append(statement)

        listen(Engine, "before_cursor_execute", note)
        try:
            provision.create_many(deps, tenant.id, "default", bodies)
        finally:
            remove(Engine, "before_cursor_execute", note)
        return len(said)

    assert loaded("a", "b") == loaded(*(f"c{number}" for number in range(100)))
    assert kept(deps, event) == 102
    assert kept(deps, delivery) == 204


def test_a_request_that_is_only_tried_is_no_event(desk, stream, fetch, deps, tenant):
    made = stream()
    Desk(deps, replace(desk.client, dry=True)).create(**ADA)
    assert fetch(made) == []


def test_who_comes_back_is_created_again(desk, stream, fetch):
    key = desk.create(**ADA)["id"]
    desk.delete(key)
    made = stream()
    assert desk.create(**ADA)["id"] == key
    assert verbs(fetch(made)) == [["create:notice"]]


def test_what_is_not_acknowledged_is_given_again_in_order(desk, stream, fetch, clock):
    made = stream()
    for name in "abc":
        clock.move(seconds=1)
        desk.create(userName=f"{name}@x.example")
    first = fetch(made, most=2)
    assert fetch(made, most=2) == first
    assert len(first) == 2
    (last,) = fetch(made, ack=[one["jti"] for one in first])
    assert fetch(made, most=0) == []
    assert fetch(made, ack=[last["jti"]]) == []


def test_there_may_be_more(desk, stream, deps, tenant):
    made = stream()
    for name in "abc":
        desk.create(userName=f"{name}@x.example")
    more = [
        event_streams.poll(deps, tenant, made.id, Poll(most, True, (), {}))["moreAvailable"]
        for most in (0, 2, 3)
    ]
    assert more == [True, True, False]


def test_the_token_is_the_same_at_each_poll(desk, stream, deps, tenant, clock):
    made = stream()
    desk.create(**ADA)
    asked = Poll(1, True, (), {})
    once = event_streams.poll(deps, tenant, made.id, asked)
    clock.move(seconds=60)
    assert event_streams.poll(deps, tenant, made.id, asked) == once


def test_what_a_receiver_refuses_is_kept_for_an_administrator(desk, stream, fetch, deps, tenant):
    made = stream()
    desk.create(**ADA)
    (one,) = fetch(made)
    assert fetch(made, refuse={one["jti"]: "The receiver refuses it: invalid_request"}) == []
    with deps.db.read(tenant.id) as read:
        (row,) = outbox.listed(read)
    assert (row["status"], row["last_error"], row["attempts"]) == (
        "dead", "The receiver refuses it: invalid_request", 1,
    )  # fmt: skip
    redeliver.replay(deps, redeliver.operator(deps, "acme"), [one["jti"]])
    assert fetch(made) == [one]


def test_what_is_sent_again_is_not_overtaken_by_what_came_after_it(
    desk, stream, fetch, deps, clock
):
    made = stream()
    key = desk.create(**ADA)["id"]
    for title in "AB":
        clock.move(seconds=1)
        desk.patch(key, {"op": "replace", "path": "title", "value": title})
    new, older, newer = (one["jti"] for one in fetch(made))
    fetch(made, ack=[new], refuse={older: "The receiver refuses it."})
    redeliver.replay(deps, redeliver.operator(deps, "acme"), [older])
    assert [one["jti"] for one in fetch(made)] == [older]
    assert [one["jti"] for one in fetch(made, ack=[older])] == [newer]


def test_verdicts_count_once_and_for_ones_own_alone(desk, stream, fetch, deps, tenant):
    mine, others = stream(), stream()
    desk.create(**ADA)
    (one,), (theirs,) = fetch(mine), fetch(others)
    assert one["txn"] == theirs["txn"]
    assert one["jti"] != theirs["jti"]
    fetch(mine, ack=[theirs["jti"], one["jti"], "unknown", one["txn"]])
    fetch(mine, ack=[one["jti"]])
    assert fetch(mine) == []
    assert len(fetch(others)) == 1
    with deps.db.read(tenant.id) as read:
        assert [row["attempts"] for row in outbox.listed(read) if row["status"] == "delivered"] == [
            1
        ]


def test_the_worker_leaves_to_the_receiver_what_it_fetches(desk, stream, fetch, deps):
    made = stream()
    desk.create(**ADA)
    work(deps)
    redeliver.try_now(deps, redeliver.operator(deps, "acme"), f"destination:{made.id}")
    work(deps)
    assert len(fetch(made)) == 1
    assert kept(deps, delivery) == 1


def test_what_nobody_comes_for_is_given_up_and_can_be_sent_again(desk, stream, fetch, deps, clock):
    made = stream()
    desk.create(**ADA)
    clock.move(seconds=(event_streams.UNTAKEN - timedelta(minutes=1)).total_seconds())
    desk.create(userName="b@x.example")
    upkeep.forget(deps)
    assert len(fetch(made)) == 2
    clock.move(seconds=120)
    upkeep.forget(deps)
    assert len(fetch(made)) == 1
    redeliver.replay(deps, redeliver.operator(deps, "acme"), destination=f"destination:{made.id}")
    upkeep.forget(deps)
    assert len(fetch(made)) == 2


def test_what_waits_long_for_a_receiver_that_is_switched_off_is_given_up(
    desk, stream, deps, tenant, clock, receiver
):
    """It may be gone for good, and each change of a person would be kept for it."""
    made, by = stream(url=receiver.url), redeliver.operator(deps, "acme")
    redeliver.switch(deps, by, made.id, enabled=False)
    desk.create(**ADA)
    clock.move(days=event_streams.UNTAKEN.days, seconds=1)
    desk.create(userName="b@x.example")
    upkeep.forget(deps)
    with deps.db.read(tenant.id) as read:
        rows = outbox.listed(read)
    assert [row["status"] for row in rows] == ["waiting", "dead"]
    assert rows[1]["last_error"] == "It waited for 30 days, and the receiver is switched off."
    redeliver.switch(deps, redeliver.operator(deps, "acme"), made.id, enabled=True)
    redeliver.replay(deps, redeliver.operator(deps, "acme"), destination=f"destination:{made.id}")
    work(deps)
    assert len(receiver.taken) == 2


def test_what_waits_for_a_receiver_that_is_switched_on_is_not_given_up_here(
    desk, stream, deps, tenant, clock
):
    stream(url="https://there.example")
    desk.create(**ADA)
    clock.move(days=event_streams.UNTAKEN.days, seconds=1)
    upkeep.forget(deps)
    with deps.db.read(tenant.id) as read:
        assert [row["status"] for row in outbox.listed(read)] == ["waiting"]


def test_a_receiver_that_is_switched_off_is_told_nothing_and_loses_nothing(
    desk, stream, fetch, deps
):
    made = stream()
    redeliver.switch(deps, redeliver.operator(deps, "acme"), made.id, enabled=False)
    desk.create(**ADA)
    with pytest.raises(Refused, match="switched off"):
        fetch(made)
    redeliver.switch(deps, redeliver.operator(deps, "acme"), made.id, enabled=True)
    assert len(fetch(made)) == 1


def test_events_are_their_tenants_alone(desk, stream, deps, other_tenant):
    made = stream()
    desk.create(**ADA)
    with pytest.raises(NotFound):
        event_streams.poll(deps, other_tenant, made.id, Poll(9, True, (), {}))
    Desk(deps, replace(desk.client, tenant=other_tenant.id)).create(**ADA)
    with deps.db.read(other_tenant.id) as read:
        assert outbox.listed(read) == []


def test_events_are_pushed_with_what_the_receiver_wants_to_see(desk, stream, deps, receiver):
    made = stream(url=receiver.url, authorization="Bearer hush", audience="https://there.example")
    key = desk.create(**ADA)["id"]
    desk.patch(key, off())
    work(deps)
    claims = [opened(token, rings.jwks(deps, "acme")) for token in receiver.taken]
    assert verbs(claims) == [["create:notice"], ["deactivate", "patch:notice"]]
    assert {one["aud"] for one in claims} == {"https://there.example"}
    sent = receiver.headers[0]
    assert sent["Content-Type"] == "application/secevent+jwt"
    assert sent["Accept"] == "application/json"
    assert sent["Authorization"] == "Bearer hush"
    assert made.token is None


def test_the_next_of_a_resource_waits_for_the_one_before(desk, stream, deps, receiver, clock):
    stream(url=receiver.url)
    key = desk.create(**ADA)["id"]
    desk.patch(key, {"op": "replace", "path": "title", "value": "Dr"})
    receiver.answers = [(503, None)]
    work(deps, 1)
    assert receiver.taken == []
    clock.move(minutes=10)
    work(deps)
    claims = [opened(token, rings.jwks(deps, "acme")) for token in receiver.taken]
    assert verbs(claims) == [["create:notice"], ["patch:notice"]]


@pytest.mark.parametrize(
    ("status", "said", "kind"),
    [
        (202, None, "delivered"),
        (200, None, "delivered"),
        (204, None, "delivered"),
        (400, {"err": "invalid_request", "description": "No SET."}, "refused"),
        (400, {"err": "authentication_failed"}, "failed"),
        (400, {"err": "invalid_key"}, "failed"),
        (400, {"err": 7}, "failed"),
        (400, None, "failed"),
        (401, None, "failed"),
        (404, None, "failed"),
        (410, None, "gone"),
        (429, None, "throttled"),
        (500, None, "failed"),
    ],
)
def test_what_a_receiver_answers_to_a_push(desk, stream, deps, receiver, status, said, kind):
    stream(url=receiver.url)
    desk.create(**ADA)
    receiver.answers = [(status, said)]
    (claimed,) = deliver.turn(deps, [], 8)
    assert deliver.send(deps, claimed).outcome.kind == kind


def test_a_receiver_that_is_gone_is_switched_off_and_loses_nothing(desk, stream, deps, receiver):
    made = stream(url=receiver.url)
    desk.create(**ADA)
    receiver.answers = [(410, None)]
    work(deps)
    assert receiver.taken == []
    redeliver.switch(deps, redeliver.operator(deps, "acme"), made.id, enabled=True)
    work(deps)
    assert len(receiver.taken) == 1


def test_a_push_that_is_under_way_when_it_is_switched_off_is_held(desk, stream, deps, receiver):
    made = stream(url=receiver.url)
    desk.create(**ADA)
    (claimed,) = deliver.turn(deps, [], 8)
    redeliver.switch(deps, redeliver.operator(deps, "acme"), made.id, enabled=False)
    sent = deliver.send(deps, claimed)
    assert isinstance(sent, Sent)
    assert sent.outcome.kind == "held"
    assert receiver.taken == []


def test_who_records_and_who_switches_on_do_not_wait_for_each_other_in_a_circle(
    desk, stream, deps, receiver, monkeypatch
):
    made, told, on = stream(url=receiver.url), [], threading.Event()
    for name in "ab":
        desk.create(userName=f"{name}@x.example")
    claimed = deliver.turn(deps, [], 8)
    first, second = sorted(claimed, key=lambda one: one.seq)

    def switch_on():
        try:
            redeliver.switch(deps, redeliver.operator(deps, "acme"), made.id, enabled=True)
        except Unavailable as error:
            told.append(error.code)
        on.set()

    switching, record = threading.Thread(target=switch_on), dispatch.record

    def slowly(system, sent, *rest):
        done = record(system, sent, *rest)
        if not switching.ident:
            switching.start()
            on.wait(1)
        return done

    monkeypatch.setattr(dispatch, "record", slowly)
    try:
        deliver.turn(deps, [deliver.send(deps, one) for one in (second, first)], 0)
    except Unavailable as error:
        told.append(error.code)
    switching.join()
    assert told == []


@pytest.mark.parametrize("counted", [True, False])
@pytest.mark.parametrize("pushed", [True, False])
def test_what_waits_is_found_without_what_has_arrived(
    desk, stream, fetch, deps, tenant, clock, database_environ, counted, pushed
):
    """A group that changes often has had many events within the days for which they are kept."""
    made = stream(url="https://there.example" if pushed else "")
    key = desk.create(GROUP, displayName="G")["id"]
    arrived = {
        "tenant_id": tenant.id, "event_id": "x", "kind": "set", "destination": f"destination:{made.id}",
        "ordering_key": key, "status": "delivered", "attempts": 1, "next_at": clock(), "created_at": clock(),
        "finished_at": clock(),
    }  # fmt: skip
    with deps.db.tx(tenant.id) as tx:
        tx.conn.execute(insert(delivery), [
            arrived | {"id": f"d{number}", "seq": number - 3000} for number in range(3000)
        ])  # fmt: skip
    if not pushed:
        desk.patch(key, {"op": "replace", "path": "displayName", "value": "H"}, of=GROUP)
        # While nothing is sent again nobody asks for older ones at all.
        asked = [what for what, _ in explained(deps, lambda: fetch(made), ["delivery"])]
        assert not any("older" in what for what in asked)
        first, _ = (one["jti"] for one in fetch(made))
        fetch(made, refuse={first: "The receiver refuses it."})
        clock.move(seconds=1)
        redeliver.replay(deps, redeliver.operator(deps, "acme"), [first])
    if counted and not deps.db.is_sqlite:
        counting(database_environ)
    look = (lambda: deliver.turn(deps, [], 4)) if pushed else (lambda: fetch(made))
    plans = [plan for what, plan in explained(deps, look, ["delivery"]) if "older" in what]
    assert plans
    for plan in plans:
        assert "ix_delivery_open" in plan, plan
        assert "ix_delivery_key" not in plan, plan


def test_statements_can_not_be_rewound_for_a_receiver_of_events(stream, deps, clock):
    made = stream()
    with pytest.raises(NotFound):
        redeliver.rewind(deps, redeliver.operator(deps, "acme"), made.id, clock())


@pytest.mark.parametrize("pushed", [True, False])
def test_a_receiver_that_was_removed_is_told_nothing_more(
    desk, stream, deps, tenant, receiver, pushed
):
    made = stream(url=receiver.url if pushed else "")
    other = stream()
    key = desk.create(**ADA)["id"]
    redeliver.remove(deps, redeliver.operator(deps, "acme"), made.id)
    desk.patch(key, {"op": "replace", "path": "title", "value": "Dr"})
    work(deps)
    upkeep.forget(deps)
    with deps.db.read(tenant.id) as read:
        assert [row["id"] for row in destinations.listed(read)] == [other.id]
        rows = deliveries.page(read, deps.clock(), 50)
        (line,) = (one for one in deliveries.fares(read) if one["destination"].endswith(made.id))
    mine = [row for row in rows if row["destination"].endswith(made.id)]
    assert [(row["status"], row["last_error"]) for row in mine] == [
        ("superseded", "The receiver was removed.")
    ]
    assert (line["why"], line["events"]) == ("It was removed.", False)
    assert len(rows) == 3
    if pushed:
        assert receiver.taken == []
    else:
        with pytest.raises(NotFound):
            event_streams.poll(deps, tenant, made.id, Poll(1, True, (), {}))
        with deps.db.read(tenant.id) as read:
            states = {one["client"]: one["state"] for one in tokens.listed(read, deps.clock(), 9)}
        assert (states[made.id], states[other.id]) == ("revoked", "standing")
    for again in (
        lambda: redeliver.remove(deps, redeliver.operator(deps, "acme"), made.id),
        lambda: redeliver.switch(deps, redeliver.operator(deps, "acme"), made.id, enabled=True),
    ):
        with pytest.raises(NotFound):
            again()
    since = deps.clock() - timedelta(days=1)
    done = redeliver.replay(deps, redeliver.operator(deps, "acme"), since=since, delivered=True)
    assert done.waiting == 0


def test_what_a_removed_receiver_took_and_refused_is_over(desk, stream, fetch, deps, tenant):
    made = stream()
    for name in "abc":
        desk.create(userName=name)
    taken, refused, _ = (one["jti"] for one in fetch(made))
    fetch(made, ack=[taken], refuse={refused: "no"})
    redeliver.remove(deps, redeliver.operator(deps, "acme"), made.id)
    upkeep.forget(deps)
    since = deps.clock() - timedelta(days=1)
    redeliver.replay(deps, redeliver.operator(deps, "acme"), since=since, delivered=True)
    with deps.db.read(tenant.id) as read:
        states = {row["id"]: row["status"] for row in outbox.listed(read, 9)}
    assert sorted(states.values()) == ["delivered", "superseded", "superseded"]
    assert states[taken] == "delivered"


def test_a_record_store_that_was_removed_gets_nothing_more(deps, tenant):
    made = tenancy.add_record_store(deps, "acme", "https://lrs.example", "k", "s")
    redeliver.remove(deps, redeliver.operator(deps, "acme"), made)
    with deps.db.read(tenant.id) as read:
        row = destinations.get(read, made)
        assert destinations.listed(read) == []
    assert (row["enabled"], row["sealed_secret"]) == (False, None)
    upkeep.forget(deps)


@pytest.mark.parametrize("gone", [None, "removed"])
def test_of_whom_the_time_is_over_no_event_keeps_the_data(
    desk, stream, fetch, deps, tenant, clock, monkeypatch, gone
):
    """Neither what was given up nor what still waits; what was delivered is gone by then."""
    made = stream(**FULL)
    key = desk.create(**ADA, emails=[{"value": "ada@x.example"}])["id"]
    other = desk.create(userName="stays@x.example")["id"]
    desk.patch(key, {"op": "replace", "path": "title", "value": "Countess"})
    desk.delete(key)
    first = fetch(made)[0]["jti"]
    fetch(made, ack=[first])
    if gone:
        redeliver.remove(deps, redeliver.operator(deps, "acme"), made.id)
    clock.move(days=deps.settings.deleted_days, seconds=1)
    monkeypatch.setattr(provision_purge, "_EVENTS", 1)
    upkeep.forget(deps)
    with deps.db.system() as system:
        found = system.conn.execute(select(event.c.subject, event.c.payload)).all()
    theirs = [str(row.payload) for row in found if row.subject == key]
    assert len(theirs) == 2
    for text in theirs:
        for word in ("ada@x.example", "Countess", "e-1"):
            assert word not in text
    assert "stays@x.example" in str([row.payload for row in found if row.subject == other])


def test_an_undone_departure_is_told_as_well(desk, stream, fetch, deps, tenant):
    """An administrator who brings people back changes what the receivers know."""
    keys = everyone(desk, 12)
    group = desk.create(GROUP, displayName="G", members=refs(*keys))["id"]
    for key in keys[:8]:
        desk.patch(key, off())
    desk.delete(keys[8])
    desk.delete(group, GROUP)
    made = stream()
    (hold,) = holds(deps, tenant)
    bring_back(deps, tenant, hold.id)
    claims = fetch(made)
    told = [(one["sub_id"]["uri"], *said) for one, said in zip(claims, verbs(claims), strict=True)]
    assert {(f"/Users/{key}", "activate", "patch:notice") for key in keys[:8]} <= set(told)
    assert (f"/Users/{keys[8]}", "create:notice") in told
    assert told.count((f"/Groups/{group}", "create:notice")) == 1
    assert (f"/Groups/{group}", "patch:notice") in told


@pytest.mark.parametrize(
    "wanted",
    [
        {"url": "ftp://there.example"},
        {"url": "https://" + "x" * 2000},
        {"url": "https://there.example", "authorization": "Bearer a\nX: y"},
        {"authorization": "Bearer a"},
        {"audience": "x" * 2001},
        {"client": ""},
    ],
)
def test_what_can_be_no_receiver(deps, tenant, wanted):
    with pytest.raises(Invalid):
        event_streams.add(deps, "acme", Wanted(**wanted))


def test_large_data_is_a_notice_and_fits(desk, stream, fetch):
    made = stream(**FULL)
    words = "x" * 200
    desk.create(
        userName="a@x.example", emails=[{"value": f"{n}{words}@x.example"} for n in range(100)]
    )
    desk.create(
        userName="b@x.example", emails=[{"value": f"{n}{words}@x.example"} for n in range(200)]
    )
    assert verbs(fetch(made)) == [["create:full"], ["create:notice"]]
