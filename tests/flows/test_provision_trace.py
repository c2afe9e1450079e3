"""The trace: each request as it came, what was decided and why; and requests that are only tried."""

from __future__ import annotations

import html
import json
import re
from dataclasses import replace

import pytest
from sqlalchemy import func, select

from app.flows import local, provision_bulk, provision_trace, provision_try, upkeep
from app.flows.provision_act import Client
from app.kernel.errors import Invalid
from app.store import audit, scim_trace
from app.store.tables.scim import trace
from scim.bulk import parse
from scim.custom import STANDARD
from scim.errors import InvalidValue, ScimError
from scim.schemas import ENTERPRISE_URN, GROUP
from tests.flows.test_local import EMAIL, PASSWORD, sign_in
from tests.provisioning import ADA, Desk, off, refs


def about(deps, tenant, *subjects):
    """What is known about them, the oldest first."""
    with deps.db.read(tenant.id) as read:
        return scim_trace.about(read, subjects, 100)[::-1]


def decided(rows):
    return [(one.method, one.status, one.refusal) for one in rows]


def test_each_request_is_there_as_it_came_with_before_and_after(desk, deps, tenant, clock):
    key = desk.create(**ADA, password="hush-hush")["id"]
    for request in (
        lambda: desk.patch(key, off()),
        lambda: desk.patch(key, off()),
        lambda: desk.put(key, userName="ada@x.example", active=True),
        lambda: desk.delete(key),
    ):
        clock.move(seconds=1)
        request()
    rows = about(deps, tenant, key)
    assert decided(rows) == [
        ("POST", 201, None), ("PATCH", 200, None), ("PATCH", 200, None), ("PUT", 200, None), ("DELETE", 204, None),
    ]  # fmt: skip
    made, patched, again, _, gone = rows
    assert json.loads(made.sent) == {**ADA, "password": "(a password)"}
    assert (made.before, json.loads(made.after)["active"]) == (None, True)
    assert json.loads(patched.before)["active"] is True
    assert json.loads(patched.after)["active"] is False
    assert json.loads(patched.sent) == {"Operations": [off()]}
    assert again.before == again.after
    assert (gone.sent, gone.after) == (None, None)
    assert {one.client for one in rows} == {"default"}


@pytest.mark.parametrize("reason", ["a\x00b", "\ud800", "\x00" * provision_trace.LONGEST])
def test_a_reason_that_no_database_takes_is_kept_in_another_form(desk, deps, tenant, reason):
    with (
        pytest.raises(InvalidValue),
        provision_trace.watched(deps, desk.client, "PATCH", "someone", {"a": reason}),
    ):
        raise InvalidValue(reason)
    (row,) = about(deps, tenant, "someone")
    assert row.refusal[:5] == repr(reason)[:5]
    assert len(row.refusal) <= provision_trace.LONGEST


@pytest.mark.parametrize(
    "body",
    [
        {"password": "hush"}, {"PassWord": "hush"}, {"urn:ietf:params:scim:schemas:core:2.0:User:password": "hush"},
        {"Operations": [{"op": "replace", "path": "password", "value": "hush"}]},
        {"Operations": [{"op": "replace", "path": "urn:x:User:Password", "Value": "hush"}]},
        {"Operations": [{"op": "add", "value": {"a": [{"password": {"value": "hush"}}]}}]},
        {"Operations": [{"op": "add", "PATH": "password", "value": "hush"}]},
        {"Operations": [{"op": "add", "path": " passWord ", "values": ["hush"]}]},
        {"Operations": [{"op": "add", "path": "password.x", "value": "hush"}]},
        {"Operations": [{"op": "add", "path": 'password[value eq "hush"]', "value": "hush"}]},
        {"Operations": [{"op": "add", "path": 'urn:x:User:password[a eq "b:c"].d', "value": "hush"}]},
        {"Operations": [{"op": "add", "value": {"PASSWORD": "hush"}}]},
        {"Operations": [{"op": "add", "value": {" password ": "hush", "urn:x:User:PASSWORD.x": "hush"}}]},
        {"Operations": [{"method": "PATCH", "data": {"Operations": [{"pAth": "Password", "value": "hush"}]}}]},
    ],
)  # fmt: skip
def test_no_password_is_kept(body):
    assert "hush" not in provision_trace.sent(body)


def test_what_only_sounds_like_a_password_is_kept():
    body = {"passwordPolicy": "p-1", "Operations": [{"path": "no-password", "value": "p-2"}]}
    assert json.loads(provision_trace.sent(body)) == body


def test_what_is_refused_is_there_with_the_reason_and_found_by_its_name(desk, deps, tenant):
    key = desk.create(**ADA)["id"]
    for refused in (
        lambda: desk.create(userName="ADA@x.example"),
        lambda: desk.create(userName="bob", active="perhaps"),
        lambda: desk.patch(key, {"op": "replace", "path": "nothing", "value": 1}),
        lambda: desk.put("nobody", userName="x"),
        lambda: desk.create(nothing=1),
    ):
        with pytest.raises(ScimError):
            refused()
    (taken,) = about(deps, tenant, provision_trace.by_name("ada@X.example"))
    assert (taken.status, taken.refusal) == (409, "Another User bears this userName.")
    assert {one.status for one in about(deps, tenant, key)} == {201, 400}
    assert {one.status for one in about(deps, tenant, "name:bob", "nobody")} == {400, 404}
    with deps.db.read(tenant.id) as read:
        assert len(scim_trace.refused(read, 10)) == 4


def test_a_creation_without_a_user_name_is_found_by_what_it_has(desk, deps, tenant):
    mail = [{"value": "Who@x.example", "type": "work"}]
    for body in ({"externalId": "X-1", "emails": mail}, {"emails": mail[0]}, {"displayName": "W", "emails": []}, {"emails": [7]}):  # fmt: skip
        with pytest.raises(ScimError):
            desk.create(**body)
    for name, count in (("x-1", 1), ("who@x.example", 2), ("w", 1)):
        assert len(about(deps, tenant, provision_trace.by_name(name))) == count


def bulk_run(deps, tenant, *operations):
    client = Client(tenant.id, "default", types=STANDARD)
    body = {"schemas": ["urn:ietf:params:scim:api:messages:2.0:BulkRequest"], "Operations": list(operations)}  # fmt: skip
    return [one["status"] for one in provision_bulk.run(deps, client, parse(body))]


def making(name, bulk_id=None, path="/Users", **more):
    data = {("userName" if path == "/Users" else "displayName"): name, **more}
    return {"method": "POST", "path": path, "data": data} | ({"bulkId": bulk_id} if bulk_id else {})


def test_what_a_bulk_refuses_before_it_is_tried_is_there_with_the_reason(desk, deps, tenant):
    def manager(name):
        return {ENTERPRISE_URN: {"manager": {"value": f"bulkId:{name}"}}}

    desk.create(userName="taken")
    statuses = bulk_run(
        deps, tenant,
        making("nameless", password="hush"),
        {"method": "GUESS", "path": "/Users", "bulkId": "m", "data": {"userName": "odd"}},
        making("lost", "l", **manager("nobody")),
        making("TAKEN", "t"),
        making("led", "d", **manager("t")),
        making("taken", "r1", **manager("r2")),
        making("ring", "r2", **manager("r1")),
        making("ga", "ga", "/Groups", members=refs("bulkId:gb")),
        making("gb", "gb", "/Groups", members=refs("bulkId:ga", "nobody")),
        {"method": "PATCH", "path": "/Users/bulkId:t", "data": {"Operations": [off()]}},
        {"method": "PUT", "path": "/Users/u-1", "data": making("x", **manager("nobody"))["data"]},
    )  # fmt: skip
    assert set(statuses) == {"400", "409"}
    reasons = {
        name: {one.refusal for one in about(deps, tenant, f"name:{name}")}
        for name in ("nameless", "odd", "lost", "led", "taken", "ring", "ga", "gb")
    }
    assert reasons == {
        "nameless": {"A POST needs a bulkId, of 255 characters at most."},
        "odd": {"An operation's method is POST, PUT, PATCH or DELETE."},
        "lost": {"No POST of this request has the bulkId 'nobody'."},
        "led": {"Nothing was made under the bulkId 't', to which this leads."},
        "taken": {"Another User bears this userName."},
        "ring": {"Nothing was made under the bulkId 'r1', to which this leads."},
        "ga": {"Nothing was made under the bulkId 'gb', to which this leads."},
        "gb": {"There is no User or Group 'nobody' to be a member."},
    }
    assert len(about(deps, tenant, "name:taken")) == 2
    assert [one.method for one in about(deps, tenant, "u-1")] == ["PUT"]
    assert [one.method for one in about(deps, tenant, "bulkId:t")] == ["PATCH"]
    (first,) = about(deps, tenant, "name:nameless")
    assert json.loads(first.sent) == {"userName": "nameless", "password": "(a password)"}


def test_who_of_a_ring_is_there_already_is_there_with_the_reason(deps, tenant):
    ring = [
        making(f"u{n}", f"u{n}", externalId=f"e{n}", **{ENTERPRISE_URN: {"manager": {"value": f"bulkId:u{1 - n}"}}})
        for n in range(2)
    ]  # fmt: skip
    assert bulk_run(deps, tenant, *ring) == ["201", "201"]
    assert bulk_run(deps, tenant, *ring) == ["409", "409"]
    assert [one.status for one in about(deps, tenant, "name:u0", "name:u1")] == [409, 409]


def meant(deps, tenant, name):
    with deps.db.read(tenant.id) as read:
        return scim_trace.meant(read, name, 10)


def test_who_was_deleted_or_renamed_is_found_by_what_they_were_called(
    desk, deps, tenant, other_tenant, clock
):
    gone = desk.create(userName="Vera@x.example", externalId="v-1")["id"]
    desk.delete(gone)
    clock.move(seconds=1)
    new = desk.create(userName="vera@X.example")["id"]
    desk.patch(new, {"op": "replace", "path": "userName", "value": "petrova@x.example"})
    desk.put(new, userName="orlova@x.example", emails=[{"value": "Mail@x.example"}])
    team = desk.create(GROUP, displayName="Team")["id"]
    desk.put(team, GROUP, displayName="Crew")
    assert meant(deps, tenant, "v-1") == [gone]
    assert set(meant(deps, tenant, "VERA@x.example")) == {gone, new}
    for name in ("petrova@x.example", "Orlova@x.example", "mail@x.example"):
        assert meant(deps, tenant, name) == [new]
    for name in ("team", "crew"):
        assert meant(deps, tenant, name) == [team]
    assert meant(deps, other_tenant, "vera@x.example") == []
    assert meant(deps, tenant, "nobody") == []


def test_a_former_name_leads_to_someone_as_long_as_its_days_last(desk, deps, tenant, clock):
    key = desk.create(userName="ada")["id"]
    for name in ("eva", "ada", "eva"):
        desk.patch(key, {"op": "replace", "path": "userName", "value": name})
        clock.move(days=20)
    upkeep.forget(deps)
    assert meant(deps, tenant, "ada") == [key]
    desk.delete(key)
    clock.move(days=29)
    upkeep.forget(deps)
    assert meant(deps, tenant, "ada") == []
    assert meant(deps, tenant, "eva") == [key]
    clock.move(days=2)
    upkeep.forget(deps)
    assert meant(deps, tenant, "eva") == []


def test_long_and_wild_requests_are_cut_and_never_fail(desk, deps, tenant):
    deep = leaf = {}
    for _ in range(100):
        leaf["x"] = leaf = {}
    desk.create(userName="u", title="t" * 4000, junk="j" * 40_000, deep=deep)
    key = desk.found('userName eq "u"')["Resources"][0]["id"]
    (made,) = about(deps, tenant, key)
    assert len(made.sent) == provision_trace.LONGEST
    for body in ([], "text", 1, {"userName": "\ud800"}, {"userName": "n\0"}):
        with pytest.raises(ScimError):
            desk.create_raw(body)


def test_a_name_too_long_for_an_index_is_refused_and_found_all_the_same(desk, deps, tenant):
    name = "".join(chr(0x4E00 + n * 7919 % 20_000) for n in range(4_000))  # nothing to compress
    for refused in (lambda: desk.create(userName=name), lambda: desk.put(name, userName="x")):
        with pytest.raises(ScimError):
            refused()
    (one,) = about(deps, tenant, provision_trace.by_name(name))
    assert one.status == 400


def test_many_that_are_made_together_are_all_there(deps, tenant):
    client = Client(tenant.id, "default", types=STANDARD)
    body = {
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:BulkRequest"],
        "Operations": [
            {"method": "POST", "path": "/Users", "bulkId": f"b{n}", "data": {"userName": f"u{n}"}}
            for n in range(5)
        ]
        + [
            {"method": "POST", "path": "/Groups", "bulkId": "g", "data": {
                "displayName": "G", "members": [{"value": "bulkId:h"}, {"value": "bulkId:b1"}]}},
            {"method": "POST", "path": "/Groups", "bulkId": "h", "data": {
                "displayName": "H", "members": [{"value": "bulkId:g"}]}},
        ],
    }  # fmt: skip
    provision_bulk.run(deps, client, parse(body))
    with deps.db.read(tenant.id) as read:
        rows = read.conn.execute(select(trace.c.sent, trace.c.after)).all()
    assert len(rows) == 7
    assert all("bulkId:" not in row.sent and row.after for row in rows)


def test_they_go_after_their_days_and_zero_days_keep_none(desk, deps, tenant, clock):
    key = desk.create(**ADA)["id"]
    clock.move(days=30)
    upkeep.forget(deps)
    assert len(about(deps, tenant, key)) == 1
    clock.move(seconds=1)
    desk.patch(key, off())
    upkeep.forget(deps)
    assert decided(about(deps, tenant, key)) == [("PATCH", 200, None)]
    desk.deps = replace(deps, settings=deps.settings.model_copy(update={"trace_days": 0}))
    desk.patch(key, off("True"))
    with pytest.raises(ScimError):
        desk.create(**ADA)
    assert len(about(deps, tenant, key)) == 1


def test_nobody_sees_anothers(desk, deps, tenant, other_tenant):
    key = desk.create(**ADA)["id"]
    assert about(deps, other_tenant, key) == []
    with deps.db.read(other_tenant.id) as read:
        assert scim_trace.refused(read, 10) == []


def counts(deps, tenant):
    with deps.db.read(tenant.id) as read:
        every = [trace, *[trace.metadata.tables[name] for name in (
            "person", "scim_resource", "scim_value", "membership", "departure", "audit", "scim_tally",
        )]]  # fmt: skip
        number = audit.end(read).n
        return [read.conn.execute(select(func.count()).select_from(one)).scalar_one() for one in every] + [number]  # fmt: skip


def test_what_is_tried_shows_what_would_be_and_changes_nothing(desk, deps, tenant):
    key = desk.create(**ADA)["id"]
    team = desk.create(GROUP, displayName="T", members=refs(key))["id"]
    before = counts(deps, tenant)

    def tried(method, path, body=""):
        text = body if isinstance(body, str) else json.dumps(body)
        return provision_try.attempt(deps, tenant.id, "default", method, path, text)

    made = tried("POST", "/Users", {"userName": "bob"})
    assert (made.status, json.loads(made.after)["userName"]) == (201, "bob")
    gone = tried("PATCH", f"/scim/v2/Users/{key}", {"Operations": [off()]})
    assert (json.loads(gone.before)["active"], json.loads(gone.after)["active"]) == (True, False)
    assert tried("PUT", f"/Users/{key}", {"userName": "a"}).status == 200
    assert tried("DELETE", f"/Users/{key}").status == 204
    empty = tried("PATCH", f"/Groups/{team}", {"Operations": [{"op": "remove", "path": "members"}]})
    assert "members" not in json.loads(empty.after)
    taken = tried("POST", "/Users", ADA)
    assert (taken.status, taken.refusal) == (409, "Another User bears this userName.")
    assert tried("PATCH", "/Users/nobody", {"Operations": [off()]}).status == 404
    assert tried("PATCH", f"/Users/{key}", "{").status == 400
    assert counts(deps, tenant) == before
    assert desk.get(key)["active"] is True
    assert desk.create(userName="bob")["userName"] == "bob"
    for method, path in (("GET", "/Users"), ("POST", f"/Users/{key}"), ("PUT", "/Users"), ("PUT", "/Nothing/1")):  # fmt: skip
        with pytest.raises(Invalid):
            tried(method, path)


def test_the_console_shows_a_persons_history_refusals_and_what_would_be(
    gateway, desk, deps, tenant, other_tenant
):
    key = desk.create(**ADA, nickName="<b>")["id"]
    desk.patch(key, off())
    with pytest.raises(ScimError):
        desk.create(**ADA)
    theirs = Desk(deps, Client(other_tenant.id, "default", types=STANDARD)).create(userName="eve")[
        "id"
    ]
    local.create_administrator(deps, "acme", EMAIL, PASSWORD)
    browser = gateway()
    sign_in(browser)
    page = browser.get(f"/admin/people/{key}/provisioning").text
    assert page.count("<section class=") == 3
    assert "Another User bears this userName." in page
    assert "&lt;b&gt;" in page
    assert "<b>" not in page
    assert browser.get(f"/admin/people/{theirs}/provisioning").status_code == 404
    assert "Another User" in browser.get("/admin/provisioning").text
    found = browser.get("/admin/provisioning?q=ADA@x.example").text
    assert found.count("<section class=") == 3
    for odd in ("%00", "x" * 3000, "%ED%A0%80"):
        assert browser.get(f"/admin/provisioning?q={odd}").status_code == 200
    form = browser.get("/admin/provisioning/try").text
    csrf = html.unescape(re.search(r'name="csrf" value="([^"]+)"', form)[1])
    sent = {"csrf": csrf, "method": "PATCH", "path": f"/Users/{key}", "client": "default",
            "body": json.dumps({"Operations": [off("True")]})}  # fmt: skip
    answer = browser.post("/admin/provisioning/try", data=sent)
    assert "It would be done: 200" in answer.text
    assert "Nothing would change." not in answer.text
    assert desk.get(key)["active"] is False
    assert browser.post("/admin/provisioning/try", data=sent | {"csrf": ""}).status_code == 403
    assert browser.post("/admin/provisioning/try", data=sent | {"path": "/x"}).status_code == 400


def test_the_console_finds_who_was_deleted_and_shows_in_which_groups_someone_was(
    gateway, desk, deps, tenant, clock
):
    key = desk.create(**ADA)["id"]
    crew = desk.create(GROUP, displayName="Crew <1>", members=refs(key))["id"]
    team = desk.create(GROUP, displayName="Team")["id"]
    clock.move(seconds=1)
    desk.patch(crew, {"op": "add", "path": "members", "value": refs(key)}, of=GROUP)
    desk.patch(crew, {"op": "remove", "path": f'members[value eq "{key}"]'}, of=GROUP)
    desk.patch(team, {"op": "add", "path": "members", "value": refs(key)}, of=GROUP)
    with pytest.raises(ScimError):
        desk.patch(team, {"op": "add", "path": "members", "value": refs(key, "nobody")}, of=GROUP)
    local.create_administrator(deps, "acme", EMAIL, PASSWORD)
    browser = gateway()
    sign_in(browser)
    page = browser.get(f"/admin/people/{key}/provisioning").text
    assert page.count("Left the group") == page.count("In the group") == 1
    assert "Crew &lt;1&gt;" in page
    assert page.count("<section class=") == 6
    assert page.count("About the group") == 5
    assert "There is no User or Group &#39;nobody&#39; to be a member." in page
    assert "no change" in page
    assert browser.get(f"/admin/provisioning?q={team}").text.count("<section class=") == 3
    assert browser.get("/admin/provisioning?q=team").text.count("no change") == 0
    clock.move(seconds=1)
    desk.delete(key)
    found = browser.get("/admin/provisioning?q=ADA@x.example").text
    assert found.count("<section class=") == 2
    assert f'href="/admin/people/{key}/provisioning"' in found
    assert ">deleted<" in found
    assert "DELETE" in browser.get(f"/admin/people/{key}/provisioning").text
