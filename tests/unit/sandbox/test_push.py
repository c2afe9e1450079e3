"""What the identity provider pushes by SCIM, in whose words."""

from urllib.parse import parse_qs, urlsplit

import pytest

NOBODY = (200, {"totalResults": 0, "Resources": []})
ADA = {"id": "u 1", "userName": "ada@campus.example", "meta": {"resourceType": "User"}}
FOUND = (200, {"totalResults": 1, "Resources": [ADA]})
GROUP = (200, {"totalResults": 1, "Resources": [{"id": "g1", "displayName": "Sales"}]})
PATCH = "urn:ietf:params:scim:api:messages:2.0:PatchOp"


@pytest.fixture
def push(visit, neighbour):
    target = {"url": "http://127.0.0.1:8000/scim/v2/", "token": "ost_scim_x"}
    assert visit.put("/control/idp/scim", json=target).status_code == 200

    def run(action, *answers, **more):
        neighbour.calls.clear()
        neighbour.answers[:] = answers
        return visit.post("/control/idp/push", json={"action": action, "user": "ada"} | more)

    return run


def test_a_joiner_is_looked_up_then_created_as_entra_does(push, neighbour):
    answer = push("create", NOBODY, (201, {"id": "u1"}))
    assert answer.json["ok"] is True
    (look, url, headers, _), (post, to, _, body) = neighbour.calls
    assert (look, post) == ("GET", "POST")
    assert parse_qs(urlsplit(url).query)["filter"] == ['userName eq "ada@campus.example"']
    assert headers["Authorization"] == "Bearer ost_scim_x"
    assert to == "http://127.0.0.1:8000/scim/v2/Users"
    assert (body["externalId"], body["active"], body["roles"]) == ("E1001", True, [])
    assert body["name"]["formatted"] == "Ada Miller"


def test_okta_words_the_same_differently(push, neighbour):
    push("create", NOBODY, (201, {"id": "u1"}), dialect="okta")
    (_, url, headers, _), (_, _, _, body) = neighbour.calls
    assert url.endswith("&startIndex=1&count=100")
    assert headers["User-Agent"].startswith("Okta SCIM Client")
    assert body["groups"] == []
    assert "password" in body


def test_entra_deactivates_with_a_word_in_capitals(push, neighbour):
    push("deactivate", FOUND, (200, ADA))
    method, url, _, body = neighbour.calls[-1]
    assert (method, url) == ("PATCH", "http://127.0.0.1:8000/scim/v2/Users/u%201")
    assert body == {
        "schemas": [PATCH],
        "Operations": [{"op": "Replace", "path": "active", "value": "False"}],
    }
    push("reactivate", FOUND, (200, ADA))
    assert neighbour.calls[-1][3]["Operations"][0]["value"] == "True"


def test_okta_deactivates_without_a_path(push, neighbour):
    push("deactivate", FOUND, (200, ADA), dialect="okta")
    assert neighbour.calls[-1][3]["Operations"] == [{"op": "replace", "value": {"active": False}}]


def test_the_directory_knows_a_leaver_even_where_the_push_fails(push, visit):
    answer = push("deactivate", (500, {"detail": "down"}))
    assert answer.json["ok"] is False
    people = {one["key"]: one for one in visit.get("/control/people").json}
    assert people["ada"]["active"] is False


def test_a_leaver_who_never_came_is_not_created(push, neighbour):
    for action in ("deactivate", "delete"):
        push(action, NOBODY)
        assert [call[0] for call in neighbour.calls] == ["GET"]


def test_an_update_is_a_patch_at_entra_and_a_put_at_okta(push, neighbour):
    push("update", FOUND, (200, ADA))
    operations = neighbour.calls[-1][3]["Operations"]
    assert 'emails[type eq "work"].value' in [one["path"] for one in operations]
    push("update", FOUND, (200, ADA), dialect="okta")
    method, _, _, body = neighbour.calls[-1]
    assert (method, body["id"], body["groups"]) == ("PUT", "u 1", [])
    assert "meta" in body


def test_entra_adds_and_removes_members_by_an_array_with_a_null_ref(push, neighbour, visit):
    push("add_to_group", FOUND, NOBODY, (201, {"id": "g1"}), (204, None))
    assert [call[0] for call in neighbour.calls] == ["GET", "GET", "POST", "PATCH"]
    assert "excludedAttributes=members" in neighbour.calls[1][1]
    value = [{"$ref": None, "value": "u 1"}]
    operation = neighbour.calls[-1][3]["Operations"][0]
    assert operation == {"op": "Add", "path": "members", "value": value}
    assert visit.get("/control/people").json[0]["groups"] == ["Sales"]
    push("remove_from_group", FOUND, GROUP, (204, None))
    operation = neighbour.calls[-1][3]["Operations"][0]
    assert operation == {"op": "Remove", "path": "members", "value": value}
    assert visit.get("/control/people").json[0]["groups"] == []


def test_okta_removes_members_by_a_filter(push, neighbour):
    push("remove_from_group", FOUND, GROUP, (204, None), dialect="okta")
    operation = neighbour.calls[-1][3]["Operations"][0]
    assert operation == {"op": "remove", "path": 'members[value eq "u 1"]'}


def test_a_group_waits_for_its_member(push, neighbour):
    push("add_to_group", NOBODY, (409, {"scimType": "uniqueness"}))
    assert [call[0] for call in neighbour.calls] == ["GET", "POST"]


def test_entra_deletes_and_okta_never_does(push, neighbour):
    push("delete", FOUND, (204, None))
    assert neighbour.calls[-1][0] == "DELETE"
    answer = push("delete", dialect="okta")
    assert (answer.status_code, answer.json["error"]) == (409, "not_done_there")
    assert neighbour.calls == []


@pytest.mark.parametrize(
    "odd",
    [(200, []), (200, {"Resources": "x"}), (200, {"Resources": [{"id": 7}]}), (200, None)],
)
def test_a_strange_answer_is_kept_and_does_no_harm(push, visit, odd):
    answer = push("deactivate", odd)
    assert answer.status_code == 200
    assert visit.get("/control/idp/exchanges").json[-1]["status"] == 200


def test_a_silent_service_is_told(push, neighbour):
    neighbour.silent = True
    answer = push("create")
    assert answer.json["ok"] is False
    assert answer.json["exchanges"][0]["status"] == 0


def test_the_admin_page_pushes_and_shows_the_exchange(push, neighbour, visit):
    neighbour.answers[:] = [NOBODY, (201, {"id": "u1"})]
    form = {"person": "ada", "action": "create", "dialect": "entra"}
    foreign = {"Origin": "http://127.0.0.1:9"}
    assert visit.post("/idp/push", data=form, headers=foreign).status_code == 403
    assert neighbour.calls == []
    page = visit.post("/idp/push", data=form, follow_redirects=True)
    assert "Ada: create → 201" in page.text
    assert "ost_scim_x" not in page.text


def test_without_a_service_nothing_is_pushed(visit):
    answer = visit.post("/control/idp/push", json={"action": "create", "user": "ada"})
    assert (answer.status_code, answer.json["error"]) == (409, "no_target")
