"""Bulk: many requests in one (RFC 7644 §3.7)."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from structlog.testing import capture_logs

from app.flows import provision_bulk
from app.flows.provision_act import Client
from app.kernel.errors import UNEXPECTED, Unavailable
from app.store import audit, guard, memberships
from scim import bulk
from scim.custom import STANDARD
from scim.errors import NotFound
from scim.schemas import ENTERPRISE_URN, GROUP
from tests import learners
from tests.provisioning import ADA, Desk, arrived_by, ids, off, refs, standing


def send(desk, *operations, fail_on_errors=None):
    """The results of a bulk request."""
    body = {"Operations": list(operations), "failOnErrors": fail_on_errors}
    return provision_bulk.run(desk.deps, desk.client, bulk.parse(body))


def user(bulk_id, **data):
    return {
        "method": "POST",
        "path": "/Users",
        "bulkId": bulk_id,
        "data": {"userName": bulk_id, **data},
    }


def managed(bulk_id, manager, **data):
    return user(bulk_id, **{ENTERPRISE_URN: {"manager": {"value": f"bulkId:{manager}"}}}, **data)


def group(bulk_id, *members):
    data = {"displayName": bulk_id, "members": refs(*members)}
    return {"method": "POST", "path": "/Groups", "bulkId": bulk_id, "data": data}


def patch(path, *operations, **more):
    return {"method": "PATCH", "path": path, "data": {"Operations": list(operations)}, **more}


def add(*members):
    return {"op": "add", "path": "members", "value": refs(*members)}


def delete(path, **more):
    return {"method": "DELETE", "path": path, **more}


def statuses(results):
    return [one["status"] for one in results]


def made(results):
    """The ids of what succeeded, by bulkId."""
    return {
        one["bulkId"]: one["location"].rpartition("/")[2]
        for one in results
        if one["status"][0] == "2" and "bulkId" in one
    }


def why(result):
    """What a failure says: its status twice, scimType and sentence."""
    said = result["response"]
    assert said["status"] == result["status"]
    return result["status"], said.get("scimType"), said["detail"]


def names(desk):
    return {one["userName"]: one["id"] for one in desk.found()["Resources"]}


def managers(desk):
    return {
        one["userName"]: one[ENTERPRISE_URN]["manager"]["value"]
        for one in desk.found(f"{ENTERPRISE_URN}:manager pr")["Resources"]
    }


def test_each_verb_as_it_would_be_alone(desk, deps, ada):
    root = f"{deps.settings.base_url}/scim/v2"
    key = desk.create(GROUP, displayName="G")["id"]
    bob = desk.create(userName="bob")["id"]
    results = send(
        desk,
        user("cleo", title="T"),
        patch(f"/Users/{ada.id}", {"op": "add", "path": "title", "value": "New"}, bulkId="p"),
        {"method": "PUT", "path": f"/Users/{bob}", "data": {"userName": "rob"}},
        patch(f"/Groups/{key}", add(ada.id)),
        delete(f"/Groups/{key}"),
    )
    cleo = names(desk)["cleo"]
    assert results == [
        {"method": "POST", "bulkId": "cleo", "location": f"{root}/Users/{cleo}", "version": 'W/"1"', "status": "201"},
        {"method": "PATCH", "bulkId": "p", "location": f"{root}/Users/{ada.id}", "version": 'W/"2"', "status": "200"},
        {"method": "PUT", "location": f"{root}/Users/{bob}", "version": 'W/"2"', "status": "200"},
        {"method": "PATCH", "location": f"{root}/Groups/{key}", "version": 'W/"2"', "status": "200"},
        {"method": "DELETE", "location": f"{root}/Groups/{key}", "status": "204"},
    ]  # fmt: skip
    assert desk.get(ada.id)["title"] == "New"
    assert desk.get(cleo)["title"] == "T"
    assert names(desk) == {"ada@x.example": ada.id, "rob": bob, "cleo": cleo}
    assert desk.total(of=GROUP) == 0
    assert desk.log(cleo) == [("person.provisioned", {"request": "POST"})]
    assert [action for action, _ in desk.log(key)][:2] == ["group.removed", "group.changed"]


def test_references_reach_back_into_members_managers_filters_and_paths(desk, ada):
    results = send(
        desk,
        user("boss"),
        user("x"),
        managed("bob", "boss"),
        group("g", "bulkId:boss", "bulkId:bob", "bulkId:x", ada.id),
        group("outer", "bulkId:g"),
        patch("/Groups/bulkId:g", {"op": "remove", "path": 'members[value eq "bulkId:x"]'}),
        patch("/Users/bulkId:bob", {"op": "add", "path": "title", "value": "T"}),
        delete("/Users/bulkId:x"),
    )
    assert statuses(results) == ["201"] * 5 + ["200", "200", "204"]
    keys = made(results)
    assert managers(desk) == {"bob": keys["boss"]}
    assert ids(desk.get(keys["g"], GROUP)) == {keys["boss"], keys["bob"], ada.id}
    assert ids(desk.get(keys["outer"], GROUP)) == {keys["g"]}
    assert desk.get(keys["bob"])["title"] == "T"
    assert results[5]["location"].endswith(f"/Groups/{keys['g']}")
    with pytest.raises(NotFound):
        desk.get(keys["x"])


def test_references_forwards_wait_for_their_target(desk):
    key = desk.create(GROUP, displayName="Old")["id"]
    results = send(
        desk,
        group("outer", "bulkId:g"),
        patch(f"/Groups/{key}", add("bulkId:bob")),
        patch(f"/Groups/{key}", {"op": "replace", "path": "displayName", "value": "New"}),
        group("g", "bulkId:bob"),
        managed("bob", "boss"),
        user("boss"),
    )
    assert statuses(results) == ["201", "200", "200", "201", "201", "201"]
    assert [one.get("bulkId") for one in results] == ["outer", None, None, "g", "bob", "boss"]
    keys = made(results)
    assert ids(desk.get(keys["outer"], GROUP)) == {keys["g"]}
    assert ids(desk.get(keys["g"], GROUP)) == ids(desk.get(key, GROUP)) == {keys["bob"]}
    assert managers(desk) == {"bob": keys["boss"]}
    assert desk.get(key, GROUP)["displayName"] == "New"


def test_a_user_name_is_free_for_who_comes_after_its_owner_has_gone(desk, ada):
    """Who refers forwards waits; what it refers to is not pulled ahead of others."""
    results = send(
        desk,
        group("g", "bulkId:new"),
        delete(f"/Users/{ada.id}"),
        user("new", userName=ADA["userName"]),
    )
    assert statuses(results) == ["201", "204", "201"]
    assert names(desk) == {ADA["userName"]: made(results)["new"]}


def test_groups_that_contain_each_other(desk, ada):
    results = send(
        desk,
        group("a", "bulkId:b", ada.id),
        group("b", "bulkId:c"),
        group("c", "bulkId:a", "bulkId:b"),
        group("d", "bulkId:a"),
    )
    assert statuses(results) == ["201"] * 4
    keys = made(results)
    for name, members in {"a": ["b"], "b": ["c"], "c": ["a", "b"], "d": ["a"]}.items():
        shown = desk.get(keys[name], GROUP)
        wanted = {keys[one] for one in members} | ({ada.id} if name == "a" else set())
        assert ids(shown) == wanted, name
        version = next(one["version"] for one in results if one["bulkId"] == name)
        assert shown["meta"]["version"] == version
    assert desk.total(of=GROUP) == 4


def test_managers_in_a_ring_also_when_one_was_here_before(desk, deps, tenant):
    gone = desk.create(userName="old", externalId="x-b")["id"]
    desk.delete(gone)
    known = arrived_by("oidc", deps, tenant, "c")
    results = send(
        desk,
        managed("a", "b", title="T"),
        managed("b", "c", externalId="x-b"),
        managed("c", "a"),
        managed("self", "self"),
    )
    assert statuses(results) == ["201"] * 4
    keys = made(results)
    assert (keys["b"], keys["c"]) == (gone, known)
    assert managers(desk) == {
        "a": keys["b"], "b": keys["c"], "c": keys["a"], "self": keys["self"],
    }  # fmt: skip
    assert desk.get(keys["a"])["title"] == "T"
    assert desk.total() == len(desk.found()["Resources"]) == 4


def test_a_ring_is_made_whole_or_not_at_all(desk, ada):
    results = send(
        desk,
        managed("a", "b"),
        managed("b", "c", userName=ADA["userName"]),
        managed("c", "a"),
        group("g", "bulkId:a"),
        user("z"),
    )
    assert statuses(results) == ["400", "409", "400", "400", "201"]
    assert why(results[1])[1] == "uniqueness"
    for one in (results[0], results[2]):
        assert why(one)[1:] == (
            "invalidValue",
            "Nothing was made under the bulkId 'b', to which this leads.",
        )
    assert "'a'" in why(results[3])[2]
    assert set(names(desk)) == {ADA["userName"], "z"}
    assert desk.total() == 2
    assert desk.total(of=GROUP) == 0


def test_a_group_that_is_its_own_member_is_refused(desk):
    (result,) = send(desk, group("g", "bulkId:g"))
    assert why(result)[:2] == ("400", "invalidValue")
    assert desk.total(of=GROUP) == 0


def test_what_rests_on_a_failure_fails_and_the_rest_goes_on(desk, ada):
    key = desk.create(GROUP, displayName="Old", members=refs(ada.id))["id"]
    results = send(
        desk,
        user("bad", userName=ADA["userName"]),
        group("g", "bulkId:bad", ada.id),
        group("outer", "bulkId:g"),
        patch(f"/Groups/{key}", {"op": "replace", "path": "members", "value": refs("bulkId:bad")}),
        patch("/Users/bulkId:bad", off()),
        group("h", "bulkId:nobody"),
        user("twice"),
        user("twice", userName="second"),
        group("i", "bulkId:twice"),
        managed("ben", "bad"),
        user("bob"),
    )
    assert statuses(results) == ["409"] + ["400"] * 9 + ["201"]
    assert {why(one)[1] for one in results[1:10]} == {"invalidValue"}
    assert "'nobody'" in why(results[5])[2]
    assert "location" not in results[0]
    assert results[3]["location"].endswith(f"/Groups/{key}")
    assert ids(desk.get(key, GROUP)) == {ada.id}
    assert set(names(desk)) == {ADA["userName"], "bob"}
    assert desk.total(of=GROUP) == 1


def test_faults_are_told_in_the_words_of_single_requests(desk, ada):
    results = send(
        desk,
        {"method": "POST", "path": "/Users", "data": {"userName": "x"}},
        user("a", userName=""),
        {"method": "POST", "path": "/Users", "bulkId": "b"},
        {"method": "PUT", "path": f"/Users/{ada.id}", "data": []},
        patch(f"/Users/{ada.id}", {"op": "add", "path": "shoe", "value": 1}),
        patch(f"/Users/{ada.id}", {"op": "replace", "path": "id", "value": "1"}),
        patch("/Users/nobody", off()),
        delete("/Groups/" + "x" * 500),
        delete(f"/Groups/{ada.id}"),
        group("g", "nobody"),
        {"method": "HEAD", "path": "/Users"},
        user("c", userName="n" * 300),
    )
    assert [why(one)[:2] for one in results] == [
        ("400", "invalidSyntax"), ("400", "invalidValue"), ("400", "invalidSyntax"),
        ("400", "invalidSyntax"), ("400", "invalidPath"), ("400", "mutability"), ("404", None),
        ("404", None), ("404", None), ("400", "invalidValue"), ("400", "invalidSyntax"),
        ("400", "invalidValue"),
    ]  # fmt: skip
    assert desk.total() == 1


@pytest.mark.parametrize("most", [1, 2, 3])
def test_after_so_many_errors_it_ends_with_the_results_so_far(desk, ada, most):
    taken = ADA["userName"]
    results = send(
        desk,
        user("a"), user("b", userName=taken), user("c"), user("d", userName=taken), user("e"),
        group("g", "bulkId:d"), user("f"),
        fail_on_errors=most,
    )  # fmt: skip
    done = [
        ["201", "409"],
        ["201", "409", "201", "409"],
        ["201", "409", "201", "409", "201", "400"],
    ]
    assert statuses(results) == done[most - 1]
    assert names(desk).keys() == {taken, *made(results)}


def test_fewer_errors_than_are_admitted_end_nothing(desk, ada):
    results = send(desk, user("b", userName=ADA["userName"]), user("c"), fail_on_errors=2)
    assert statuses(results) == ["409", "201"]


def test_each_operation_has_its_own_precondition(desk, ada):
    results = send(
        desk,
        patch(f"/Users/{ada.id}", {"op": "add", "path": "title", "value": "1"}, version='W/"1"'),
        patch(f"/Users/{ada.id}", {"op": "add", "path": "title", "value": "2"}, version='W/"1"'),
        {"method": "PUT", "path": f"/Users/{ada.id}", "version": 'W/"2"', "data": ADA},
        delete(f"/Users/{ada.id}", version='W/"2"'),
        delete(f"/Users/{ada.id}", version='W/"3"'),
    )
    assert statuses(results) == ["200", "412", "200", "412", "204"]


def test_new_and_known_users_mixed_are_as_single_requests_would_leave_them(desk, deps, tenant):
    gone = desk.create(userName="old", externalId="x-1")["id"]
    desk.delete(gone)
    known = arrived_by("oidc", deps, tenant, "signed-in")
    named = arrived_by("oidc", deps, tenant, "squatter", rule="externalId")
    results = send(
        desk,
        user("a"), user("back", externalId="x-1"), user("b"), user("A"), user("signed-in"),
        user("squatter", active=False), user("again", externalId="x-1"), user("off", active=False),
    )  # fmt: skip
    assert statuses(results) == ["201", "201", "201", "409", "201", "201", "201", "201"]
    keys = made(results)
    assert (keys["back"], keys["signed-in"]) == (gone, known)
    assert keys["squatter"] != named
    assert keys["again"] != gone
    assert desk.person(named).user_name is None
    assert desk.total() == len(desk.found()["Resources"]) == 7
    assert desk.total("active eq false") == 2
    assert [action for action, _ in desk.log(keys["signed-in"])] == ["person.adopted"]


def test_a_load_can_be_repeated(desk):
    load = [user(f"u{n}", externalId=f"x{n}", title="T") for n in range(600)]
    assert statuses(send(desk, *load[:100])) == ["201"] * 100
    assert statuses(send(desk, *load)) == ["409"] * 100 + ["201"] * 500
    assert set(statuses(send(desk, *load))) == {"409"}
    assert desk.total() == desk.total('title eq "t"') == 600
    one = desk.found('externalId eq "x599"')["Resources"][0]
    assert desk.person(one["id"]).user_name == "u599"


def test_a_repeat_goes_on_with_whom_it_finds(desk):
    """The answer got lost before the groups came."""
    load = [user("a", externalId="x-a"), user("b", externalId="x-b"), user("c", externalId="x-c")]
    keys = made(send(desk, *load[:2]))
    results = send(
        desk, *load, group("g", "bulkId:a", "bulkId:b", "bulkId:c"),
        patch("/Users/bulkId:b", {"op": "add", "path": "title", "value": "T"}),
        managed("d", "a", externalId="x-d"),
    )  # fmt: skip
    assert statuses(results) == ["409", "409", "201", "201", "200", "201"]
    for one, name in zip(results, "ab", strict=False):
        assert why(one)[1] == "uniqueness"
        assert one["location"].endswith(f"/Users/{keys[name]}")
    assert ids(desk.get(made(results)["g"], GROUP)) == {*keys.values(), made(results)["c"]}
    assert desk.get(keys["b"])["title"] == "T"
    assert managers(desk) == {"d": keys["a"]}
    assert desk.total() == 4


@pytest.mark.parametrize("there", [{}, {"externalId": "x-other"}, {"externalId": "X-A"}])
def test_a_name_alone_is_nobody_known(desk, there):
    desk.create(userName="a", **there)
    results = send(desk, user("a", externalId="x-a"), group("g", "bulkId:a"))
    assert statuses(results) == ["409", "400"]
    assert "location" not in results[0]
    mine = desk.as_client("hris")
    assert statuses(send(mine, user("a", **there), group("g", "bulkId:a"))) == ["409", "400"]


def test_a_repeated_ring_goes_on_with_whom_it_finds(desk):
    ring = [
        managed("a", "b", externalId="x-a"), managed("b", "c", externalId="x-b"),
        managed("c", "a", externalId="x-c"), group("g", "bulkId:a", "bulkId:c"),
    ]  # fmt: skip
    keys = made(send(desk, *ring))
    again = send(desk, *ring)
    assert statuses(again) == ["409", "409", "409", "201"]
    assert ids(desk.get(made(again)["g"], GROUP)) == {keys["a"], keys["c"]}
    desk.delete(keys["b"])
    back = send(desk, *ring[:3])
    assert statuses(back) == ["409", "201", "409"]
    assert made(back)["b"] == keys["b"]
    assert managers(desk) == {"a": keys["b"], "b": keys["c"], "c": keys["a"]}


def test_who_came_while_the_others_were_looked_up_is_refused_alone(desk, monkeypatch):
    looked_up = provision_bulk.provision_people.newcomers

    def slowly(read, client, bodies):
        found = looked_up(read, client, bodies)
        desk.create(userName="b")
        return found

    monkeypatch.setattr(provision_bulk.provision_people, "newcomers", slowly)
    assert statuses(send(desk, user("a"), user("b"), user("c"))) == ["201", "409", "201"]
    assert desk.total() == 3


def test_loads_of_the_same_people_at_once_make_each_of_them_once(desk):
    load = [user(f"u{n:03}", externalId=f"x{n}") for n in range(120)]
    turned = [load, load[::-1], load[60:] + load[:60], load[::2] + load[1::2]]
    with ThreadPoolExecutor(4) as pool:
        found = [statuses(results) for results in pool.map(lambda some: send(desk, *some), turned)]
    assert sum(one.count("201") for one in found) == 120
    assert sum(one.count("409") for one in found) == 360
    assert desk.total() == len(names(desk)) == 120


def test_bulks_and_single_requests_on_the_same_people_all_pass(desk):
    keys = list(made(send(desk, *(user(f"u{n}") for n in range(12)))).values())

    def bulk_of(order):
        return statuses(send(desk, *(change(key) for key in order for change in (switched, named))))

    def switched(key):
        return patch(f"/Users/{key}", {"op": "add", "path": "nickName", "value": "N"})

    def named(key):
        return patch(f"/Users/{key}", {"op": "replace", "path": "active", "value": "true"})

    def single(key):
        return desk.patch(key, off())["id"]

    with ThreadPoolExecutor(4) as pool:
        bulks = [pool.submit(bulk_of, order) for order in (keys, keys[::-1])]
        singles = [pool.submit(lambda: [single(key) for key in keys]) for _ in range(2)]
        assert {status for one in bulks for status in one.result()} == {"200"}
        assert [one.result() for one in singles] == [keys, keys]
    assert desk.total("active pr") == desk.total('nickName eq "n"') == 12


def test_who_leaves_is_out_before_the_bulk_answers(desk, deps, tenant, ada):
    bob = desk.person(desk.create(userName="bob")["id"])
    mine, other = learners.signed_in(deps, tenant, ada), learners.signed_in(deps, tenant, bob)
    assert statuses(
        send(desk, delete(f"/Users/{ada.id}"), patch(f"/Users/{bob.id}", off()))
    ) == ["204", "200"]  # fmt: skip
    assert not standing(deps, mine.presented)
    assert not standing(deps, other.presented)
    assert desk.log(bob.id)[0][1]["by"] == "scim PATCH"


def test_the_guard_watches_over_a_bulk(desk, deps, tenant):
    results = send(desk, *(user(f"u{n}") for n in range(30)))
    key = desk.create(GROUP, displayName="G", members=refs(*made(results).values()))["id"]
    send(desk, *(delete(f"/Users/{one}") for one in made(results).values()))
    with deps.db.read(tenant.id) as read:
        (hold,) = guard.listed(read, statuses=["open"])
        assert hold.active == 30
        assert memberships.members(read, [key]) == {}
    assert desk.total() == 0


def test_the_chain_of_the_audit_log_holds(desk, deps, tenant):
    send(desk, *(user(f"u{n}") for n in range(5)), group("g", "bulkId:u1"), group("h", "bulkId:h"))
    with deps.db.read(tenant.id) as read:
        verdict = audit.verify(read, deps.seal)
    assert (verdict.entries, verdict.faults) == (6, ())


def test_two_tenants_never_meet(desk, deps, other_tenant, ada):
    theirs = Desk(deps, Client(other_tenant.id, "default", types=STANDARD))
    results = send(
        theirs,
        user("ada", **ADA),
        patch(f"/Users/{ada.id}", off()),
        delete(f"/Users/{ada.id}"),
        group("g", ada.id),
    )
    assert statuses(results) == ["201", "404", "404", "400"]
    assert desk.get(ada.id)["active"] is True
    assert (desk.total(), theirs.total(), desk.total(of=GROUP)) == (1, 1, 0)


def broken(monkeypatch, database, after):
    """The database takes so many more transactions, and then none."""
    begin, left = database.tx, [after]

    def tx(tenant):
        left[0] -= 1
        if left[0] < 0:
            raise Unavailable("The database is busy. Nothing was changed.")
        return begin(tenant)

    monkeypatch.setattr(database, "tx", tx)


def test_where_the_database_goes_away_what_is_committed_is_told(desk, monkeypatch, ada):
    broken(monkeypatch, desk.deps.db, 2)
    results = send(
        desk,
        patch(f"/Users/{ada.id}", {"op": "add", "path": "title", "value": "T"}),
        user("a"), user("b"),
        group("g", "bulkId:a"),
        group("h", "bulkId:g"), delete(f"/Users/{ada.id}"),
    )  # fmt: skip
    assert statuses(results) == ["200", "201", "201", "503", "503", "503"]
    assert why(results[3])[2] == "The database is busy. Nothing was changed."
    assert why(results[5])[2].startswith("Not tried")
    assert desk.total() == 3
    assert desk.total(of=GROUP) == 0


def ours(monkeypatch, module, name, spoken):
    """Let a function of ours fail where it is told of such."""
    true = getattr(module, name)

    def faulty(*given, **more):
        if spoken in repr((given[1:], more)):
            raise RuntimeError(spoken)
        return true(*given, **more)

    monkeypatch.setattr(module, name, faulty)


def test_a_fault_of_ours_is_that_operation_s_answer_and_the_rest_goes_on(desk, monkeypatch, ada):
    ours(monkeypatch, provision_bulk.provision_people, "arrive_all", "'b'")
    ours(monkeypatch, provision_bulk.provision_people, "arrive", "'b'")
    ours(monkeypatch, provision_bulk.provision_groups, "arrive", "broken")
    ours(monkeypatch, provision_bulk.provision, "patch", "title")
    with capture_logs() as lines:
        results = send(
            desk,
            group("g", ada.id),
            patch(f"/Users/{ada.id}", {"op": "add", "path": "title", "value": "T"}),
            user("a"), user("b"), user("c"),
            group("broken", "bulkId:h"), group("h", "bulkId:broken"),
            group("i", "bulkId:b"),
            group("j", "bulkId:c"),
        )  # fmt: skip
    assert statuses(results) == ["201", "500", "201", "500", "201", "500", "500", "400", "201"]
    for number in (1, 3, 5, 6):
        assert why(results[number]) == ("500", None, UNEXPECTED)
    assert set(names(desk)) == {"a", "c", ada.user_name}
    assert desk.total(of=GROUP) == 2
    faults = [line for line in lines if line["event"] == "unexpected"]
    assert {str(line["exc_info"]) for line in faults} == {"title", "'b'", "broken"}


def test_where_the_look_up_of_many_fails_each_is_made_alone(desk, monkeypatch):
    ours(monkeypatch, provision_bulk.provision_people, "newcomers", "'b'")
    assert statuses(send(desk, user("a"), user("b"))) == ["201", "201"]


def test_what_a_check_of_many_fails_at_fails_alone(desk, monkeypatch):
    true = provision_bulk.provision_people.check

    def faulty(body):
        if body["userName"] == "b":
            raise RuntimeError
        true(body)

    monkeypatch.setattr(provision_bulk.provision_people, "check", faulty)
    assert statuses(send(desk, user("a"), user("b"), user("c"))) == ["201", "500", "201"]


@pytest.mark.parametrize("most", [1, 2])
def test_a_fault_of_ours_counts_as_an_error(desk, monkeypatch, most):
    ours(monkeypatch, provision_bulk.provision_people, "arrive_all", "'b")
    ours(monkeypatch, provision_bulk.provision_people, "arrive", "'b")
    asked = [user("a"), user("b1"), user("b2"), user("c")]
    results = send(desk, *asked, fail_on_errors=most)
    assert statuses(results) == ["201", "500", "500"][: most + 1]


@pytest.mark.parametrize("first", [user("a"), group("g", "bulkId:h")])
def test_where_the_database_is_away_from_the_start_the_whole_can_be_sent_again(
    desk, monkeypatch, first
):
    broken(monkeypatch, desk.deps.db, 0)
    with pytest.raises(Unavailable):
        send(desk, first, user("b"), group("h", "bulkId:g"))


def test_a_client_s_external_ids_are_its_own(desk):
    other = Desk(desk.deps, replace(desk.client, name="other"))
    keys = made(send(desk, user("a", externalId="1"), user("b", externalId="2")))
    assert "externalId" not in other.get(keys["a"])
    assert desk.get(keys["a"])["externalId"] == "1"
