"""`ostiary outbox` and `ostiary destination`: what waits, why and since when, and sending it again."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from app import cli
from app.flows import platforms, tenancy
from app.store import audit
from lti.registration import Registration
from tests.flows.test_forward import say
from tests.outbox import claim, delivered, put, record

OF_ACME = ["--tenant", "acme", "--json"]


@pytest.fixture
def run(deps, monkeypatch):
    for module in (cli.outbox, cli.destinations):
        monkeypatch.setattr(module, "ready", lambda: deps)
    return lambda *arguments: CliRunner().invoke(cli.group, [*arguments, *OF_ACME])


def told(result):
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


@pytest.fixture
def platform(deps, tenant):
    base = "https://lms.example"
    made = Registration(deps.ids.new(), base, "c", f"{base}/a", f"{base}/t", f"{base}/j")
    return "registration:" + platforms.add(deps, "acme", "Our LMS", made, None)[0]


@pytest.fixture
def store(deps, tenant):
    return tenancy.add_record_store(deps, "acme", "https://lrs.example/xapi", "key", "hush-hush")


def actions(deps, tenant, subject):
    with deps.db.read(tenant.id) as read:
        return [(row["action"], row["detail"]) for row in audit.about(read, subject)]


def test_the_list_says_what_waits_since_when_and_when_it_goes_on(
    run, deps, tenant, clock, platform
):
    began = clock()
    waiting = put(deps, tenant, key="1", destination=platform)
    failed = put(deps, tenant, key="2", destination=platform)
    wave = {one.id: one for one in claim(deps)}
    delivered(deps, wave[waiting])
    record(deps, wave[failed], "failed", "The platform answered 500.")
    clock.move(seconds=1)
    fresh = put(deps, tenant, key="3", destination=platform)
    rows = {row["id"]: row for row in told(run("outbox", "list"))}
    assert rows[waiting]["status"] == "delivered"
    assert rows[waiting]["waiting_since"] is rows[waiting]["next_try"] is None
    assert rows[failed] == {
        "id": failed, "destination": platform, "status": "waiting", "attempts": 1,
        "last_error": "The platform answered 500.", "waiting_since": "2026-03-02T09:00:00.000Z",
        "next_try": "2026-03-02T09:00:05.000Z", "type": "score", "subject": "someone",
    }  # fmt: skip
    assert rows[fresh]["last_error"] == "Others failed there: The platform answered 500."
    assert rows[fresh]["waiting_since"] == "2026-03-02T09:00:01.000Z"
    assert began < clock()


def test_the_list_is_narrowed_by_status_and_destination(run, deps, tenant, platform):
    one = put(deps, tenant, destination=platform)
    put(deps, tenant, destination="registration:other")
    for claimed in claim(deps):
        if claimed.id == one:
            record(deps, claimed, "refused", "no", status=400)
    assert [row["id"] for row in told(run("outbox", "list", "--status", "dead"))] == [one]
    assert [row["id"] for row in told(run("outbox", "list", "--destination", platform))] == [one]
    assert len(told(run("outbox", "list", "--status", "dead", "--status", "waiting"))) == 2
    assert run("outbox", "list", "--status", "lost").exit_code == 2


def test_what_waits_for_one_that_is_off_says_so(run, deps, tenant, platform, store):
    score = put(deps, tenant, destination=platform)
    statement = put(deps, tenant, destination=f"destination:{store}", kind="xapi", statement={})
    platforms.enable(deps, platform.removeprefix("registration:"), enabled=False)
    told(run("destination", "disable", store))
    rows = {row["id"]: row for row in told(run("outbox", "list"))}
    assert rows[score]["last_error"] == "The platform is switched off."
    assert rows[statement]["last_error"] == "The record store is switched off."
    assert rows[score]["next_try"] is rows[statement]["next_try"] is None
    lanes = {row["destination"]: row for row in told(run("outbox", "lanes"))}
    assert (lanes[platform]["state"], lanes[platform]["name"]) == ("off", "Our LMS")
    tenancy.enable(deps, "acme", enabled=False)
    assert {row["last_error"] for row in told(run("outbox", "list"))} == {"The organization is switched off."}  # fmt: skip


def test_a_record_store_that_is_behind_is_in_the_list(run, deps, tenant, clock, store):
    say(deps, tenant, 2)
    (row,) = told(run("outbox", "list", "--status", "waiting"))
    assert (row["id"], row["type"], row["last_error"]) == (store, "statements", None)
    assert row["waiting_since"] == row["next_try"] == "2026-03-02T09:00:00.000Z"
    told(run("destination", "disable", store))
    (row,) = told(run("outbox", "list"))
    assert (row["last_error"], row["next_try"]) == ("The record store is switched off.", None)
    assert told(run("outbox", "list", "--status", "dead")) == []


def test_one_is_shown_with_its_tries(run, deps, tenant, clock, platform):
    one = put(deps, tenant, destination=platform)
    record(deps, claim(deps)[0], "failed", "The platform answered 500.", status=500)
    clock.move(seconds=6)
    delivered(deps, claim(deps)[0])
    shown = told(run("outbox", "show", one))
    assert (shown["id"], shown["status"], shown["attempts"]) == (one, "delivered", 2)
    assert [(row["at"], row["outcome"], row["status"]) for row in shown["tries"]] == [
        ("2026-03-02T09:00:06.000Z", "delivered", 200),
        ("2026-03-02T09:00:00.000Z", "failed", 500),
    ]
    missing = run("outbox", "show", "unknown")
    assert missing.exit_code == 1
    assert "no such delivery" in str(missing.exception)


def test_lanes_say_how_each_destination_fares(run, deps, tenant, clock, platform):
    for number in range(3):
        put(deps, tenant, key=str(number), destination=platform)
    put(deps, tenant, key="well", destination="registration:well")
    wave = claim(deps, limit=2)
    for claimed in wave:
        if claimed.destination == platform:
            record(deps, claimed, "throttled", "The platform asks us to slow down.", retry_after=60)
        else:
            delivered(deps, claimed)
    slow, well = told(run("outbox", "lanes"))
    assert slow == {
        "destination": platform, "name": "Our LMS", "state": "slowed", "failures": 1,
        "failing_since": "2026-03-02T09:00:00.000Z", "why": "The platform asks us to slow down.",
        "waiting": 3, "waiting_since": "2026-03-02T09:00:00.000Z",
        "next_try": "2026-03-02T09:01:00.000Z", "dead": 0,
    }  # fmt: skip
    assert (well["state"], well["waiting"], well["why"]) == ("healthy", 0, None)


def test_a_replay_by_id_and_by_range_is_counted_and_audited(run, deps, tenant, clock, platform):
    made = []
    for number in range(3):
        made.append(put(deps, tenant, key=str(number), destination=platform))
        record(deps, claim(deps)[0], "refused", "no", status=400)
        clock.move(hours=1)
    assert told(run("outbox", "replay", made[0])) == {"replayed": 1, "superseded": 0, "more": False}
    span = ["--since", "2026-03-02T10:00:00Z", "--until", "2026-03-02T12:00:00+01:00"]
    assert told(run("outbox", "replay", *span))["replayed"] == 1
    assert told(run("outbox", "replay", "--destination", platform))["replayed"] == 1
    logged = [detail for action, detail in actions(deps, tenant, tenant.id) if action == "deliveries.replayed"]  # fmt: skip
    assert {
        "count": 1,
        "since": "2026-03-02T10:00:00.000Z",
        "until": "2026-03-02T11:00:00.000Z",
    } in logged
    assert {"count": 1, "destination": platform} in logged


@pytest.mark.parametrize("given", [["--since", "yesterday"], ["--since", "2026-03-02T10:00:00"]])
def test_an_instant_that_nobody_can_place_is_refused(run, tenant, given):
    assert run("outbox", "replay", *given).exit_code == 2


def test_a_replay_of_everything_is_refused(run, tenant):
    refused = run("outbox", "replay")
    assert refused.exit_code == 1
    assert "Say which deliveries" in str(refused.exception)


def test_a_record_store_is_switched_off_on_and_back(run, deps, tenant, clock, store):
    say(deps, tenant, 3)
    listed = run("destination", "list")
    (row,) = told(listed)
    assert (row["id"], row["enabled"], row["behind_since"]) == (store, True, "2026-03-02T09:00:00.000Z")  # fmt: skip
    assert "hush-hush" not in listed.output
    assert told(run("destination", "disable", store)) == {"id": store, "enabled": False}
    assert told(run("destination", "list"))[0]["enabled"] is False
    assert told(run("destination", "enable", store)) == {"id": store, "enabled": True}
    again = told(run("destination", "rewind", store, "--since", "2026-03-02T09:00:00Z"))
    assert again == {"id": store, "again": 0}
    assert {action for action, _ in actions(deps, tenant, store)} >= {
        "destination.enabled", "destination.disabled", "destination.rewound"
    }  # fmt: skip
    for what in (["enable"], ["disable"], ["rewind", "--since", "2026-03-02T09:00:00Z"]):
        assert run("destination", what[0], "unknown", *what[1:]).exit_code == 1
