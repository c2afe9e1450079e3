import pytest

from scim.attributes import Attribute, ResourceType, Schema
from scim.cast import MAX_ITEMS, MAX_STRING
from scim.errors import InvalidSyntax, InvalidValue, MutabilityError, PayloadTooLarge
from scim.members import MAX_MEMBERS
from scim.resource import decode, parse, replace
from scim.schemas import COMMON, ENTERPRISE_URN, GROUP, USER, USER_URN

E = ENTERPRISE_URN


def user(**more):
    return parse({"userName": "babs"} | more, USER).resource


def test_entra_creates_a_person():
    body = {
        "schemas": [USER_URN, E],
        "externalId": "0a21f0f2",
        "userName": "Test_User@x.example",
        "active": True,
        "emails": [{"primary": True, "type": "work", "value": "Test@x.example"}],
        "meta": {"resourceType": "User"},
        "name": {"formatted": "g f", "familyName": "f", "givenName": "g"},
        "groups": [],
        "password": "t0p",
        "addresses": None,
        "urn:example:none": {"a": 1},
        "shoeSize": 9,
        E: {"manager": "123456", "shoe": 9, "employeeNumber": 12},
    }
    assert parse(body, USER).resource == {
        "externalId": "0a21f0f2",
        "userName": "Test_User@x.example",
        "active": True,
        "emails": [{"primary": True, "type": "work", "value": "Test@x.example"}],
        "name": {"formatted": "g f", "familyName": "f", "givenName": "g"},
        E: {"manager": {"value": "123456"}, "employeeNumber": "12"},
    }


def test_names_match_in_any_letter_case():
    body = {"UserName": "b", "Active": "False", "EMAILS": [{"Value": "x", "Primary": "true"}]}
    assert parse(body | {E.upper(): {"Department": "D"}}, USER).resource == {
        "userName": "b",
        "active": False,
        "emails": [{"value": "x", "primary": True}],
        E: {"department": "D"},
    }


def test_who_is_not_said_to_be_inactive_is_active():
    assert user()["active"] is True
    assert user(active=None)["active"] is True
    assert user(active=False)["active"] is False


def test_what_is_empty_is_absent():
    body = {"title": "", "emails": [], "name": {}, "roles": [{}], "phoneNumbers": [None], E: {}}
    assert user(**body) == user()


def test_a_value_is_kept_once():
    emails = [{"value": "a", "type": "work"}, {"type": "work", "value": "a"}, {"value": "a"}]
    assert user(emails=emails)["emails"] == [{"value": "a", "type": "work"}, {"value": "a"}]


def test_a_put_replaces_all_but_active():
    current = {"userName": "babs", "active": False, "title": "VP", E: {"department": "D"}}
    for body in (
        {"userName": "k"},
        {"userName": "k", "active": None},
        {"userName": "k", "active": {}},
        {"userName": "k", "active": [""]},
    ):
        assert replace(current, body, USER).resource == {"userName": "k", "active": False}
    said = {"userName": "k", "id": "9", "groups": [], "meta": {}, "Active": "true"}
    assert replace(current, said, USER).resource == {"userName": "k", "active": True}


def test_a_put_must_name_the_person():
    with pytest.raises(InvalidValue):
        replace({"userName": "babs"}, {"title": "VP"}, USER)


def test_what_is_immutable_stays():
    of = ResourceType(
        "Thing",
        "/Things",
        "",
        Schema("urn:example:Thing", "Thing", "", (Attribute("born", mutability="immutable"),)),
        (),
        COMMON,
    )
    assert replace({"born": "x"}, {}, of).resource == {"born": "x"}
    assert replace({}, {"born": "y"}, of).resource == {"born": "y"}
    with pytest.raises(MutabilityError):
        replace({"born": "x"}, {"born": "y"}, of)


def test_members_are_apart_from_the_group():
    members = [{"value": "u1", "$ref": None}, {"VALUE": "u2", "type": "User"}, {"value": "u1"}]
    incoming = parse({"displayName": "All", "Members": members}, GROUP)
    assert incoming.resource == {"displayName": "All"}
    assert incoming.members == ("u1", "u2")
    assert parse({"displayName": "All"}, GROUP).members is None
    assert parse({"displayName": "All", "members": []}, GROUP).members == ()


def test_members_are_bounded():
    with pytest.raises(PayloadTooLarge):
        parse({"displayName": "All", "members": ["u"] * (MAX_MEMBERS + 1)}, GROUP)


@pytest.mark.parametrize(
    "more",
    [
        {"userName": None},
        {"userName": " "},
        {"userName": 1.5},
        {"userName": True},
        {"userName": "a\x00"},
        {"userName": "\ud800"},
        {"userName": "x" * (MAX_STRING + 1)},
        {"active": "maybe"},
        {"active": 1},
        {"name": "Babs"},
        {"name": [{"givenName": "a"}, {"givenName": "b"}]},
        {"emails": [{"value": ["a", "b"]}]},
        {"emails": [[["x"]]]},
        {"emails": [{"value": f"{i}@x"} for i in range(MAX_ITEMS + 1)]},
        {"emails": [{"value": "a", "primary": True}, {"value": "b", "primary": "True"}]},
        {"addresses": ["1 Main Street"]},
        {"x509Certificates": [{"value": "not base64!"}]},
        {"externalId": 10**400},
        {E: "x"},
        {E: ["x"]},
    ],
)
def test_refused(more):
    with pytest.raises(InvalidValue):
        user(**more)


def test_a_name_said_twice_is_refused():
    for body in (
        {"userName": "a", "USERNAME": "b"},
        {"userName": "a", "name": {"givenName": "a", "GivenName": "b"}},
    ):
        with pytest.raises(InvalidSyntax):
            parse(body, USER)


@pytest.mark.parametrize("body", [None, [], "x", 5])
def test_a_body_that_is_no_object(body):
    with pytest.raises(InvalidSyntax):
        parse(body, USER)


def test_decode():
    assert decode(b'\xef\xbb\xbf{"a": 1}') == {"a": 1}


@pytest.mark.parametrize(
    "body", [b"", b"{", b"\xff", b"[NaN]", b"[-Infinity]", b"[" * 100_000, b"9" * 5_000]
)
def test_what_is_not_json_is_refused(body):
    with pytest.raises(InvalidSyntax):
        decode(body)


@pytest.mark.parametrize("nothing", [None, "", [], {}])
def test_an_extension_of_nothing_is_unassigned(nothing):
    assert E not in user(**{E: nothing})
