import pytest

from scim import bulk
from scim.bulk import resolve, resolve_id
from scim.errors import InvalidSyntax, InvalidValue, NotFound, PayloadTooLarge
from scim.schemas import GROUP, USER


def post(bulk_id="a", path="/Users", **data):
    return {"method": "POST", "bulkId": bulk_id, "path": path, "data": data}


def parsed(*operations, **more):
    return bulk.parse({"Operations": list(operations), **more})


def one(*operations):
    return parsed(*operations).operations[0]


def test_a_request():
    asked = parsed(
        post(userName="a"),
        {"METHOD": "patch", "path": "/Groups/g", "version": 'W/"3"', "data": {"Operations": []}},
        {"method": "DELETE", "path": "/Users/u", "bulkId": "gone", "data": {"value": "bulkId:?"}},
        failonerrors=2,
    )
    assert asked.fail_on_errors == 2
    made, changed, deleted = asked.operations
    assert (made.method, made.bulk_id, made.makes, made.of, made.target) == (
        "POST", "a", "a", USER, None,
    )  # fmt: skip
    assert made.data == {"userName": "a"}
    assert (changed.method, changed.makes, changed.of, changed.target, changed.version) == (
        "PATCH", None, GROUP, "g", 'W/"3"',
    )  # fmt: skip
    assert (deleted.method, deleted.bulk_id, deleted.makes, deleted.data) == (
        "DELETE", "gone", None, None,
    )  # fmt: skip
    assert not any(each.fault for each in asked.operations)


@pytest.mark.parametrize(
    "body",
    [None, [], "x", {}, {"Operations": []}, {"Operations": {}}, {"Operations": [], "operations": []}],
)  # fmt: skip
def test_what_is_no_bulk_request(body):
    with pytest.raises(InvalidSyntax):
        bulk.parse(body)


@pytest.mark.parametrize("most", [0, -1, True, "1", 1.5, [], {}])
def test_fail_on_errors_is_a_number_from_one_on(most):
    with pytest.raises(InvalidValue):
        parsed(post(), failOnErrors=most)


def test_so_many_operations_and_no_more():
    each = [post(str(n)) for n in range(bulk.MAX_OPERATIONS)]
    assert len(parsed(*each).operations) == bulk.MAX_OPERATIONS
    with pytest.raises(PayloadTooLarge, match=str(bulk.MAX_OPERATIONS)):
        parsed(*each, post("one more"))


@pytest.mark.parametrize(
    ("operation", "fault"),
    [
        ("x", InvalidSyntax),
        (None, InvalidSyntax),
        ({}, InvalidSyntax),
        ({"method": "GET", "path": "/Users/u"}, InvalidSyntax),
        ({"method": ["POST"], "path": "/Users", "bulkId": "a"}, InvalidSyntax),
        ({"method": "POST", "Method": "POST"}, InvalidSyntax),
        ({"method": "POST", "path": "/Users"}, InvalidSyntax),
        (post(""), InvalidSyntax),
        (post(7), InvalidSyntax),
        (post("x" * 256), InvalidSyntax),
        (post("\ud800"), InvalidSyntax),
        (post(path=None), InvalidValue),
        (post(path=7), InvalidValue),
        (post(path=""), InvalidValue),
        (post(path="/"), InvalidValue),
        (post(path="/Me"), InvalidValue),
        (post(path="/users"), InvalidValue),
        (post(path="/Bulk"), InvalidValue),
        (post(path="/Users/u"), InvalidValue),
        (post(path="https://evil.example/Users"), InvalidValue),
        ({"method": "DELETE", "path": "/Users"}, InvalidValue),
        ({"method": "PUT", "path": "/Users/", "data": {}}, InvalidValue),
        ({"method": "DELETE", "path": "/Users/" + "x" * 300}, NotFound),
        ({"method": "DELETE", "path": "/Users/\ud800"}, NotFound),
        ({"method": "DELETE", "path": "/Users/u", "version": 3}, InvalidValue),
        ({"method": "DELETE", "path": "/Users/u", "bulkId": 3}, InvalidSyntax),
        ({"method": "DELETE", "path": "/Users/bulkId:nobody"}, InvalidValue),
        (post(manager={"value": "bulkId:nobody"}), InvalidValue),
    ],
)
def test_what_is_wrong_with_one_is_its_own_fault(operation, fault):
    wrong, right = parsed(operation, post("z")).operations
    assert type(wrong.fault) is fault
    assert (wrong.refers_to, wrong.makes) == ((), None)
    assert right.fault is None


def test_a_bulk_id_said_twice_means_nobody():
    first, second, third = parsed(post("a"), post("a"), post("b", x="bulkId:a")).operations
    assert "'a'" in first.fault.message
    assert "'a'" in second.fault.message
    assert (third.fault, third.refers_to) == (None, ("a",))


def test_references_are_found_wherever_they_stand():
    said = one(
        {
            "method": "PATCH", "path": "/Groups/bulkId:g", "data": {"Operations": [
                {"op": "remove", "path": 'members[value eq "bulkId:a" or value eq "bulkId:b c"]'},
                {"op": "add", "path": "members", "value": [{"value": "bulkId:d"}, {"value": "bulkId:a"}, {"value": "u"}]},
                {"op": "add", "value": {"urn:x": {"manager": "bulkId:e"}, "title": 'say "bulkId:no"'}},
            ]},
        },
        *(post(name) for name in ("a", "b c", "d", "e", "g")),
    )  # fmt: skip
    assert said.fault is None
    assert said.refers_to[0] == "g"
    assert sorted(said.refers_to) == ["a", "b c", "d", "e", "g"]


def test_data_nested_too_deeply_is_a_fault():
    deep = {"value": "x"}
    for _ in range(50):
        deep = {"a": [deep]}
    assert type(one(post(**deep)).fault) is InvalidSyntax


def test_ids_take_the_place_of_bulk_ids():
    data = {
        "manager": {"value": "bulkId:a", "displayName": "A"}, "title": "bulk", "n": 1, "none": None,
        "Operations": [{"path": 'members[value eq "bulkId:a"].x', "value": ["bulkId:b", "u"]}],
    }  # fmt: skip
    before = repr(data)
    assert resolve(data, {"a": "1", "b": "2"}) == {
        "manager": {"value": "1", "displayName": "A"}, "title": "bulk", "n": 1, "none": None,
        "Operations": [{"path": 'members[value eq "1"].x', "value": ["2", "u"]}],
    }  # fmt: skip
    assert repr(data) == before
    assert [resolve(odd, {}) for odd in (None, 3, "bulkId:a", ["bulkId:a"])] == [
        None, 3, "bulkId:a", ["bulkId:a"],
    ]  # fmt: skip
    assert resolve_id("bulkId:a", {"a": "1"}) == "1"
    assert resolve_id("u", {"u": "1"}) == "u"
    assert resolve_id("bulkId:z", {"a": "1"}) == "bulkId:z"


def test_what_is_not_there_yet_is_left_out_with_the_entry_it_stands_in():
    data = {
        "displayName": "G", "owner": "bulkId:z",
        "members": [{"value": "bulkId:z", "type": "Group"}, {"value": "u"}, {"value": "bulkId:a"}],
        "urn:x": {"department": "D", "manager": {"value": "bulkId:z"}},
    }  # fmt: skip
    assert resolve(data, {"a": "1"}) == {
        "displayName": "G", "members": [{"value": "u"}, {"value": "1"}], "urn:x": {"department": "D"},
    }  # fmt: skip


def test_a_response():
    assert bulk.response([{"status": "204"}]) == {
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:BulkResponse"],
        "Operations": [{"status": "204"}],
    }
