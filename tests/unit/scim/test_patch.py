import pytest

from scim.attributes import Attribute, AttrType, ResourceType, Schema
from scim.errors import (
    InvalidFilter,
    InvalidPath,
    InvalidSyntax,
    InvalidValue,
    MutabilityError,
    NoTarget,
    PayloadTooLarge,
)
from scim.members import MemberChanges
from scim.patch import MAX_OPERATIONS, apply, parse_operations
from scim.resource import replace
from scim.schemas import ENTERPRISE_URN, GROUP, USER, USER_URN

E = ENTERPRISE_URN


def patch(resource, *operations, of=USER):
    return apply(resource, parse_operations({"Operations": list(operations)}), of)


def patched(resource, *operations):
    return patch(resource, *operations).resource


def members(*operations):
    return patch({"displayName": "All"}, *operations, of=GROUP).members


# The clients' payloads


def test_entra_deactivates_with_a_string(babs):
    result = patch(babs, {"op": "Replace", "path": "active", "value": "False"})
    assert result.resource["active"] is False
    assert result.changed
    assert babs["active"] is True


def test_entra_adds_a_nickname(babs):
    assert patched(babs, {"op": "Add", "path": "nickName", "value": "Babs"})["nickName"] == "Babs"


def test_entra_replaces_the_value_of_a_typed_email_that_is_not_there(babs):
    del babs["emails"]
    operation = {"op": "Replace", "path": 'emails[type eq "work"].value', "value": "n@x.com"}
    assert patched(babs, operation)["emails"] == [{"type": "work", "value": "n@x.com"}]


def test_entra_replaces_the_value_of_a_typed_email_that_is_there(babs):
    operation = {"op": "Replace", "path": 'emails[type eq "WORK"].value', "value": "n@x.com"}
    assert patched(babs, operation)["emails"] == [
        {"value": "n@x.com", "type": "work", "primary": True},
        {"value": "babs@home.example", "type": "home"},
    ]


def test_two_adds_to_a_typed_address_make_one_entry(babs):
    result = patched(
        babs,
        {"op": "Add", "path": 'addresses[type eq "work"].streetAddress', "value": "1 Main"},
        {"op": "Add", "path": 'addresses[type eq "work"].country', "value": "NO"},
    )
    assert result["addresses"] == [{"type": "work", "streetAddress": "1 Main", "country": "NO"}]


def test_entries_that_have_become_alike_are_one(babs):
    babs["emails"] = [{"value": "a@x.com", "type": "work"}, {"value": "b@x.com", "type": "work"}]
    operation = {"op": "Replace", "path": 'emails[type eq "work"].value', "value": "c@x.com"}
    assert patched(babs, operation)["emails"] == [{"value": "c@x.com", "type": "work"}]


def test_a_replace_without_a_path_writes_dotted_and_prefixed_names(babs):
    value = {
        "displayName": "B",
        "name.givenName": "K",
        f"{E}:employeeNumber": "A",
        'emails[type eq "home"].value': "h@x.com",
    }
    result = patched(babs, {"op": "replace", "value": value})
    assert result["displayName"] == "B"
    assert result["name"] == {"givenName": "K", "familyName": "Jensen"}
    assert result[E]["employeeNumber"] == "A"
    assert result[E]["department"] == "Tours"
    assert result["emails"][1] == {"value": "h@x.com", "type": "home"}


def test_the_colon_parts_the_urn_and_the_dot_in_it_does_not(babs):
    operation = {"op": "replace", "path": f"{E}:department", "value": "Sales"}
    assert patched(babs, operation)[E]["department"] == "Sales"


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (f"{E}:manager", "271"),
        (f"{E}:manager", {"value": "271", "displayName": "ignored"}),
        (f"{E}:manager.value", "271"),
        ("manager", [{"$ref": None, "value": "271"}]),
        ("manager", ["271"]),
        (E, {"manager": "271"}),
        (None, {E: {"manager": {"value": "271"}}}),
    ],
)
def test_a_manager_in_every_form(babs, path, value):
    operation = {"op": "Add", "path": path, "value": value}
    assert patched(babs, operation)[E]["manager"] == {"value": "271"}


def test_a_role_found_by_primary_in_quotes_is_made_with_a_boolean(babs):
    operation = {"op": "Replace", "path": 'roles[primary eq "True"].value', "value": "admin"}
    assert patched(babs, operation)["roles"] == [{"primary": True, "value": "admin"}]


def test_a_role_may_hold_json_text(babs):
    value = '{"id":"18d1","value":"User","displayName":"U"}'
    result = patched(babs, {"op": "Add", "path": "roles", "value": [{"value": value}]})
    assert result["roles"] == [{"value": value}]


@pytest.mark.parametrize(
    "operation",
    [
        {"op": "Remove", "path": "members", "value": [{"$ref": None, "value": "u1"}]},
        {"op": "remove", "path": "members", "value": {"value": "u1"}},
        {"op": "remove", "path": "members", "value": "u1"},
        {"op": "remove", "path": 'members[value eq "u1"]'},
        {"op": "remove", "path": 'Members[Value EQ "u1"]'},
        {"op": "Remove", "value": {"members": [{"value": "u1"}]}},
        {"op": "Remove", "path": "members", "value": {"members": [{"value": "u1"}]}},
    ],
)
def test_a_remove_names_one_member_in_every_form(operation):
    assert members(operation) == MemberChanges(remove=("u1",))


def test_a_remove_of_no_member_removes_none():
    assert not members({"op": "remove", "path": "members", "value": []})


def test_a_remove_of_members_removes_all():
    assert members({"op": "remove", "path": "members"}) == MemberChanges(reset=True)


def test_several_members_by_a_filter():
    operation = {"op": "remove", "path": 'members[value eq "u1" or value eq "u2"]'}
    assert members(operation) == MemberChanges(remove=("u1", "u2"))


def test_adding_a_member_twice_is_once():
    add = {"op": "add", "path": "members", "value": [{"value": "u1"}, {"value": "u1"}]}
    assert members(add, add) == MemberChanges(add=("u1",))


def test_a_group_replaced_without_a_path_keeps_its_members():
    value = {"id": "g1", "displayName": "New", "meta": {}, "members": None}
    result = patch({"displayName": "Old"}, {"op": "replace", "value": value}, of=GROUP)
    assert result.resource == {"displayName": "New"}
    assert not result.members


def test_member_edits_hold_in_their_order():
    def add(*ids):
        return {"op": "add", "path": "members", "value": [{"value": i} for i in ids]}

    def remove(*ids):
        return {"op": "remove", "path": "members", "value": [{"value": i} for i in ids]}

    def replace(*ids):
        return {"op": "replace", "path": "members", "value": [{"value": i} for i in ids]}

    assert members(remove("a"), add("b")) == MemberChanges(add=("b",), remove=("a",))
    assert members(remove("a"), add("a")) == MemberChanges(add=("a",))
    assert members(add("a"), remove("a")) == MemberChanges(remove=("a",))
    assert members(add("a"), replace("b"), remove("c")) == MemberChanges(reset=True, add=("b",))
    assert members(replace("b"), remove("b")) == MemberChanges(reset=True)
    assert members(replace()) == MemberChanges(reset=True)
    pathless = {"op": "add", "value": {"members": [{"value": "a"}], "displayName": "X"}}
    assert members(pathless) == MemberChanges(add=("a",))


@pytest.mark.parametrize(
    ("path", "error"),
    [
        ('members[display eq "Babs"]', InvalidFilter),
        ('members[not (value eq "u1")]', InvalidFilter),
        ('members[value sw "u"]', InvalidFilter),
        ('members[value eq "u1" and type eq "User"]', InvalidFilter),
        ("members.value", MutabilityError),
        ('members[value eq "u1"].type', MutabilityError),
        ('members[value eq "u1"].display', MutabilityError),
    ],
)
def test_members_are_selected_by_value_and_never_altered(path, error):
    with pytest.raises(error):
        members({"op": "remove", "path": path})


@pytest.mark.parametrize(
    "value", [[{}], [{"value": ""}], [{"value": 5}], [None], 5, [[]], "x" * 256]
)
def test_what_names_no_member_is_refused(value):
    with pytest.raises(InvalidValue):
        members({"op": "add", "path": "members", "value": value})


def test_okta_deactivates_without_a_path(babs):
    assert patched(babs, {"op": "replace", "value": {"active": False}})["active"] is False


def test_an_operation_with_an_unknown_member_is_read(babs):
    operation = {"name": "addMember", "op": "replace", "path": "title", "value": "VP"}
    assert patched(babs, operation)["title"] == "VP"


def test_names_in_any_letter_case(babs):
    body = {"operations": [{"OP": "ADD", "Path": "NAME.givenname", "Value": "K"}]}
    assert apply(babs, parse_operations(body), USER).resource["name"]["givenName"] == "K"


def test_a_value_replaced_by_an_empty_string_is_cleared(babs):
    babs["phoneNumbers"] = [{"type": "work", "value": "1"}, {"type": "home", "value": "2"}]
    clear = {"op": "replace", "path": 'phoneNumbers[type eq "work"].value', "value": ""}
    result = patched(babs, clear)
    assert result["phoneNumbers"] == [{"type": "home", "value": "2"}]
    assert patched(result, clear) == result


def test_a_replace_upon_an_absent_complex_attribute_adds(babs):
    del babs["name"]
    operation = {"op": "replace", "path": "name", "value": {"givenName": "K"}}
    assert patched(babs, operation)["name"] == {"givenName": "K"}


def test_a_simple_value_in_an_array_of_one(babs):
    operation = {"op": "Replace", "path": "title", "value": [{"$ref": None, "value": "VP"}]}
    assert patched(babs, operation)["title"] == "VP"


# RFC 7644 §3.5.2


def test_add_appends_and_is_idempotent(babs):
    add = {"op": "add", "path": "emails", "value": [{"value": "x@y.example", "type": "other"}]}
    once = patched(babs, add)
    assert len(once["emails"]) == 3
    again = patch(once, add)
    assert again.resource == once
    assert not again.changed


def test_a_new_primary_takes_it_from_the_old(babs):
    value = [{"value": "babs@home.example", "type": "home", "primary": True}]
    result = patched(babs, {"op": "add", "path": "emails", "value": value})
    assert [e["primary"] for e in result["emails"]] == [False, True]
    back = {"op": "replace", "path": 'emails[type eq "work"].primary', "value": "true"}
    assert [e["primary"] for e in patched(result, back)["emails"]] == [True, False]


def test_two_primaries_at_once_are_refused(babs):
    with pytest.raises(InvalidValue):
        patch(babs, {"op": "replace", "path": "emails.primary", "value": True})


def test_replace_of_a_multi_valued_attribute_replaces_all(babs):
    result = patched(babs, {"op": "replace", "path": "emails", "value": [{"value": "only@x"}]})
    assert result["emails"] == [{"value": "only@x"}]
    assert "emails" not in patched(babs, {"op": "replace", "path": "emails", "value": []})


def test_replace_of_a_selected_entry_keeps_what_selected_it(babs):
    operation = {"op": "replace", "path": 'emails[type eq "work"]', "value": {"value": "w@x"}}
    assert patched(babs, operation)["emails"][0] == {"type": "work", "value": "w@x"}


def test_replace_of_a_complex_attribute_sets_what_is_said(babs):
    result = patched(babs, {"op": "replace", "path": "name", "value": {"givenName": "K"}})
    assert result["name"] == {"givenName": "K", "familyName": "Jensen"}


@pytest.mark.parametrize(
    ("path", "gone"),
    [
        ("title", "title"),
        ("name", "name"),
        ("emails", "emails"),
        (E, E),
        ("emails.value", "emails"),
    ],
)
def test_remove(babs, path, gone):
    expected = {k: v for k, v in babs.items() if k != gone}
    assert patched(babs, {"op": "remove", "path": path}) == expected


def test_remove_of_parts(babs):
    result = patched(
        babs,
        {"op": "remove", "path": "name.givenName"},
        {"op": "remove", "path": 'emails[type eq "home"]'},
        {"op": "remove", "path": f"{E}:manager"},
        {"op": "remove", "path": 'emails[value co "@work"].primary'},
    )
    assert result["name"] == {"familyName": "Jensen"}
    assert result["emails"] == [{"value": "Babs@Work.example", "type": "work"}]
    assert "manager" not in result[E]


def test_remove_by_value_takes_only_what_is_meant(babs):
    operation = {"op": "Remove", "path": "emails", "value": [{"value": "BABS@home.example"}]}
    assert [e["type"] for e in patched(babs, operation)["emails"]] == ["work"]
    assert not patch(babs, {"op": "remove", "path": "emails", "value": []}).changed


def test_an_extension_left_empty_is_gone(babs):
    babs[E] = {"department": "Tours"}
    assert E not in patched(babs, {"op": "remove", "path": f"{E}:department"})


@pytest.mark.parametrize(
    "path", ["nickName", 'emails[type eq "fax"]', "addresses", f"{E}:division"]
)
def test_what_is_not_there_is_removed_already(babs, path):
    assert not patch(babs, {"op": "remove", "path": path}).changed


def test_a_filter_that_says_no_entry_finds_no_target(babs):
    for path in (
        'emails[type ne "work" and type ne "home"].value',
        'emails[value eq "other@x"].value',
        'emails[type eq "fax" and type eq "pager"].value',
    ):
        with pytest.raises(NoTarget):
            patch(babs, {"op": "replace", "path": path, "value": "n@x.com"})


def test_active_can_be_removed_and_a_put_that_is_silent_does_not_bring_it_back(babs):
    without = patched(babs, {"op": "remove", "path": "active"})
    assert "active" not in without
    assert "active" not in replace(without, {"userName": "x"}, USER).resource


@pytest.mark.parametrize(
    ("operation", "error"),
    [
        ({"op": "replace", "path": "id", "value": "x"}, MutabilityError),
        ({"op": "add", "path": "groups", "value": [{"value": "g"}]}, MutabilityError),
        ({"op": "remove", "path": "meta.created"}, MutabilityError),
        ({"op": "replace", "path": f"{E}:manager.displayName", "value": "x"}, MutabilityError),
        ({"op": "remove", "path": "userName"}, MutabilityError),
        ({"op": "replace", "path": "userName", "value": ""}, InvalidValue),
        ({"op": "replace", "path": "userName", "value": "  "}, InvalidValue),
        ({"op": "replace", "path": "active", "value": None}, InvalidValue),
        ({"op": "replace", "path": "active", "value": "maybe"}, InvalidValue),
        ({"op": "replace", "path": "title", "value": ["a", "b"]}, InvalidValue),
        ({"op": "replace", "path": "title", "value": "a\x00b"}, InvalidValue),
        ({"op": "replace", "path": "title", "value": True}, InvalidValue),
        ({"op": "replace", "path": "title", "value": {"a": 1}}, InvalidValue),
        ({"op": "replace", "path": "name", "value": "Babs"}, InvalidValue),
        ({"op": "add", "path": "emails", "value": [{"value": {"a": "b"}}]}, InvalidValue),
        ({"op": "replace", "path": "emails", "value": [{"value": "x"}] * 257}, InvalidValue),
        ({"op": "replace", "path": "shoeSize", "value": 9}, InvalidPath),
        ({"op": "replace", "path": "name[", "value": 9}, InvalidPath),
        ({"op": "replace", "path": 'emails[size eq "x"].value', "value": "x"}, InvalidFilter),
        ({"op": "replace", "path": 5, "value": 9}, InvalidPath),
        ({"op": "replace", "value": "Babs"}, InvalidValue),
        ({"op": "replace", "path": "title"}, InvalidSyntax),
        ({"op": "move", "path": "title", "value": "x"}, InvalidSyntax),
        ({"path": "title", "value": "x"}, InvalidSyntax),
        ({"op": "remove"}, NoTarget),
        ({"op": "replace", "path": "title", "PATH": "name", "value": "x"}, InvalidSyntax),
        ("replace", InvalidSyntax),
    ],
)
def test_refused(babs, operation, error):
    with pytest.raises(error):
        patch(babs, operation)


@pytest.mark.parametrize("body", [None, [], {}, {"Operations": []}, {"Operations": {}}, "x"])
def test_a_body_without_operations(body):
    with pytest.raises(InvalidSyntax):
        parse_operations(body)


def test_operations_are_bounded():
    one = {"op": "remove", "path": "title"}
    assert len(parse_operations({"Operations": [one] * MAX_OPERATIONS})) == MAX_OPERATIONS
    many = {"op": "remove", "value": {f"a{i}": None for i in range(MAX_OPERATIONS + 1)}}
    for operations in ([one] * (MAX_OPERATIONS + 1), [many]):
        with pytest.raises(PayloadTooLarge):
            parse_operations({"Operations": operations})


def test_a_password_is_accepted_and_never_kept(babs):
    for operation in (
        {"op": "replace", "path": "password", "value": "t0p"},
        {"op": "replace", "value": {"password": "t0p"}},
        {"op": "replace", "value": {f"{USER_URN}:password": "t0p"}},
    ):
        assert patched(babs, operation) == babs


def test_nothing_is_altered_when_a_later_operation_fails(babs):
    before = repr(babs)
    with pytest.raises(InvalidValue):
        patch(
            babs,
            {"op": "replace", "path": 'emails[type eq "work"].value', "value": "n@x"},
            {"op": "replace", "path": f"{E}:department", "value": "Sales"},
            {"op": "replace", "path": "active", "value": "maybe"},
        )
    assert repr(babs) == before


def test_what_is_immutable_is_set_once_and_stays():
    born = Attribute("born", mutability="immutable")
    of = ResourceType("Thing", "/Things", "", Schema("urn:example:Thing", "Thing", "", (born,)))
    once = patch({}, {"op": "add", "path": "born", "value": "x"}, of=of).resource
    assert not patch(once, {"op": "replace", "path": "born", "value": "x"}, of=of).changed
    for operation in (
        {"op": "replace", "path": "born", "value": "y"},
        {"op": "replace", "value": {"born": ""}},
        {"op": "remove", "path": "born"},
    ):
        with pytest.raises(MutabilityError):
            patch(once, operation, of=of)


def test_what_the_schema_does_not_know_is_ignored_without_a_path(babs):
    value = {"shoeSize": 9, "urn:example:x:y": 1, "emails[": 1, "title": "VP", E: {"shoe": 9}}
    assert patched(babs, {"op": "replace", "value": value}) == babs | {"title": "VP"}


def test_many_adds_do_not_grow_without_bound(babs):
    adds = [
        {"op": "add", "path": "roles", "value": [{"value": f"{n}-{i}"} for i in range(200)]}
        for n in range(2)
    ]
    assert len(patched(babs, adds[0])["roles"]) == 200
    with pytest.raises(InvalidValue):
        patch(babs, *adds)


def test_a_member_is_added_by_a_filter_and_taken_by_a_value_alone():
    assert members({"op": "add", "path": 'members[value eq "u1"]', "value": []}).add == ("u1",)
    assert members({"op": "replace", "path": "members", "value": None}).reset


# What is not spoken of stays (RFC 7644 §3.5.2.1, §3.5.2.3; RFC 7643 §2.5)

NAMED = {"userName": "u", "name": {"givenName": "A", "familyName": "B"}}
MANAGED = {"userName": "u", E: {"manager": {"value": "1"}}}
MAILED = {"userName": "u", "emails": [{"value": "a@x", "type": "work", "display": "d"}]}
WORK = 'emails[type eq "work"]'


@pytest.mark.parametrize("op", ["add", "replace"])
@pytest.mark.parametrize(
    ("had", "path", "value"),
    [
        (NAMED, "name", {}),
        (NAMED, "name", {"unknown": 1}),
        (MANAGED, f"{E}:manager", {"displayName": "x"}),
        (MAILED, WORK, {}),
        (MAILED, WORK, {"unknown": 1}),
    ],
)
def test_a_value_of_which_nothing_is_known_changes_nothing(op, had, path, value):
    assert not patch(had, {"op": op, "path": path, "value": value}).changed


@pytest.mark.parametrize(
    ("had", "path"),
    [
        (NAMED, "name"), (NAMED, "name.givenName"), (MANAGED, f"{E}:manager"), (MAILED, WORK),
        (MAILED, f"{WORK}.value"), (MAILED, "emails"), ({"userName": "u", "title": "T"}, "title"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("nothing", [None, "", []])
def test_an_add_takes_nothing_away(had, path, nothing):
    assert not patch(had, {"op": "add", "path": path, "value": nothing}).changed


@pytest.mark.parametrize("op", ["add", "replace"])
@pytest.mark.parametrize("path", ["name", None])
@pytest.mark.parametrize("nothing", [None, ""])
def test_a_null_takes_only_its_own_part(op, path, nothing):
    value = {"givenName": nothing, "familyName": "C"}
    operation = (
        {"op": op, "value": {"name": value}}
        if path is None
        else {"op": op, "path": path, "value": value}
    )
    assert patched(NAMED, operation)["name"] == {"familyName": "C"}


@pytest.mark.parametrize("op", ["add", "replace"])
def test_a_null_in_an_entry_takes_only_its_own_part(op):
    operation = {"op": op, "path": WORK, "value": {"display": None}}
    assert patched(MAILED, operation)["emails"] == [{"value": "a@x", "type": "work"}]


def test_a_null_for_the_whole_takes_the_whole():
    assert "name" not in patched(NAMED, {"op": "replace", "path": "name", "value": None})
    assert "emails" not in patched(MAILED, {"op": "replace", "path": WORK, "value": None})


def test_a_replacement_of_which_nothing_is_known_is_refused():
    with pytest.raises(InvalidValue, match="unknown"):
        patch(MAILED, {"op": "replace", "path": "emails", "value": [{"unknown": 1}]})


@pytest.mark.parametrize("nothing", [None, "", []])
@pytest.mark.parametrize("path", [E, None])
def test_nothing_for_an_extension_is_nothing_of_it(nothing, path):
    def told(op):
        if path is None:
            return {"op": op, "value": {E: nothing, "title": "T"}}
        return {"op": op, "path": path, "value": nothing}

    assert E not in patched(MANAGED, told("replace"))
    assert patched(MANAGED, told("add"))[E] == MANAGED[E]


# Entries that only say how they are called (Entra's roles)


def test_an_entry_with_only_a_name_stays():
    had = {"userName": "u", "roles": [{"display": "Admin", "type": "t"}, {"value": "b"}]}
    for operation in (
        {"op": "add", "path": "title", "value": "T"},
        {"op": "remove", "path": 'roles[value eq "b"]'},
        {"op": "add", "path": "roles", "value": [{"value": "c"}]},
    ):
        assert had["roles"][0] in patched(had, operation)["roles"]


@pytest.mark.parametrize("first", ["display", "type", "value"])
def test_the_parts_of_an_entry_may_come_in_any_order(first):
    path = 'roles[primary eq "True"]'
    parts = {"display": "Admin", "type": "Role", "value": "adm"}
    operations = [
        {"op": "Replace", "path": f"{path}.{name}", "value": parts[name]}
        for name in sorted(parts, key=lambda name: name != first)
    ]
    assert patched({"userName": "u"}, *operations)["roles"] == [{"primary": True, **parts}]


@pytest.mark.parametrize("clear", [{"op": "remove"}, {"op": "replace", "value": ""}])
def test_an_entry_that_is_emptied_and_filled_again_keeps_its_labels(clear):
    had = {"userName": "u", "emails": [{"value": "a@x", "type": "work", "primary": True}]}
    path = f"{WORK}.value"
    clear = clear | {"path": path}
    again = {"op": "add", "path": path, "value": "b@x"}
    assert patched(had, clear, again)["emails"] == [
        {"value": "b@x", "type": "work", "primary": True}
    ]
    assert "emails" not in patched(had, clear)
    assert "emails" not in patched(
        had, clear, {"op": "add", "path": f"{WORK}.display", "value": "W"}
    )


def test_where_a_schema_has_only_labels_they_are_the_value():
    label = Attribute(
        "labels", AttrType.COMPLEX, multi_valued=True, sub_attributes=(Attribute("type"), Attribute("display")),
    )  # fmt: skip
    of = ResourceType("Thing", "/Things", "", Schema("urn:example:Thing", "Thing", "", (label,)))
    had = {"labels": [{"type": "a", "display": "b"}]}
    operation = {"op": "remove", "path": 'labels[type eq "a"].display'}
    assert patch(had, operation, of=of).resource == {"labels": [{"type": "a"}]}


# Bounds


@pytest.mark.parametrize("op", [[], {}, 7, True, ["add"]])
def test_an_op_is_a_word(op):
    with pytest.raises(InvalidSyntax):
        parse_operations({"Operations": [{"op": op, "path": "title", "value": "x"}]})


def test_each_attribute_of_an_operation_without_a_path_counts():
    value = {f"a{number}": 1 for number in range(MAX_OPERATIONS)}
    assert parse_operations({"Operations": [{"op": "add", "value": value}]})
    for more in ({"b": 1}, {E: {"b": 1}}):
        with pytest.raises(PayloadTooLarge):
            parse_operations({"Operations": [{"op": "add", "value": value | more}]})


def test_a_patch_looks_at_so_many_values_and_no_more():
    had = {"userName": "u", "emails": [{"value": f"{n}@x"} for n in range(256)]}
    look = {"op": "replace", "path": 'emails[type eq "none"].value', "value": ""}
    assert not patch(had, *[look] * 70).changed
    with pytest.raises(PayloadTooLarge, match="several"):
        patch(had, *[look] * 100)


def test_a_null_names_no_members():
    assert members({"op": "remove", "value": {"members": None}}) == MemberChanges()


def test_each_value_of_an_operation_without_a_filter_is_looked_at_too():
    had = {"userName": "u", "addresses": [{"country": str(n)} for n in range(256)]}
    change = {"op": "replace", "path": "addresses.postalCode", "value": "1"}
    with pytest.raises(PayloadTooLarge):
        patch(had, *[change] * 100)


def test_a_member_with_all_its_parts_is_one_operation():
    one = {"op": "add", "path": "members", "value": {"value": "u", "display": "U", "type": "User"}}
    assert len(parse_operations({"Operations": [one] * MAX_OPERATIONS})) == MAX_OPERATIONS


@pytest.mark.parametrize("name", [f"{USER_URN[:-4]}Group:members", " Members "])
def test_a_null_names_no_members_however_they_are_spelled(name):
    assert members({"op": "remove", "value": {name: None}}) == MemberChanges()
