from datetime import UTC, datetime

import pytest

from scim.attributes import Attribute, AttrType, ResourceType, Schema
from scim.errors import InvalidValue
from scim.represent import Meta, parse_projection, represent
from scim.schemas import COMMON, ENTERPRISE_URN, GROUP, USER, USER_URN

E = ENTERPRISE_URN
META = Meta(
    "u-1",
    datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
    datetime(2026, 2, 2, 3, 4, 5, 600, tzinfo=UTC),
    3,
    "https://x.example/scim/v2",
)


def shown(resource, attributes=None, excluded=None, of=USER):
    return represent(resource, of, META, parse_projection(attributes, excluded, of))


def test_all_is_shown_with_what_the_server_knows(babs):
    assert shown(babs) == babs | {
        "schemas": [USER_URN, E],
        "id": "u-1",
        "meta": {
            "resourceType": "User",
            "created": "2026-01-02T03:04:05Z",
            "lastModified": "2026-02-02T03:04:05.000600Z",
            "location": "https://x.example/scim/v2/Users/u-1",
            "version": 'W/"3"',
        },
    }


def test_an_inactive_person_is_shown_as_inactive():
    assert shown({"userName": "a", "active": False})["active"] is False


def test_attributes(babs):
    always = {"schemas": [USER_URN, E], "id": "u-1"}
    assert shown(babs, "userName") == always | {"userName": babs["userName"]}
    assert shown(babs, " USERNAME , nothing") == shown(babs, ["userName"])
    assert shown(babs, "name.givenName")["name"] == {"givenName": "Barbara"}
    assert shown(babs, "emails.value")["emails"] == [
        {"value": "Babs@Work.example"},
        {"value": "babs@home.example"},
    ]
    assert shown(babs, f"{E}:department") == always | {E: {"department": "Tours"}}
    assert shown(babs, E) == always | {E: babs[E]}
    assert shown(babs, f"{USER_URN}:title") == always | {"title": "Tour Guide"}
    assert shown(babs, "nothing") == always
    assert set(shown(babs, "meta.version")["meta"]) == {"version"}


def test_excluded_attributes(babs):
    left = shown(babs, None, f"emails,name.givenName,{E}:manager,id,schemas,meta")
    assert left["id"] == "u-1"
    assert "schemas" in left
    assert "meta" not in left
    assert "emails" not in left
    assert left["name"] == {"familyName": "Jensen"}
    assert "manager" not in left[E]
    assert E not in shown(babs, None, E)


def test_what_is_costly_can_be_asked_about_first():
    for attributes, excluded, wanted in (
        (None, None, True),
        (None, "members", False),
        (None, "MEMBERS", False),
        (None, "members.display", True),
        ("displayName", None, False),
        ("members.value", None, True),
    ):
        projection = parse_projection(attributes, excluded, GROUP)
        assert projection.wants_named("members", GROUP) is wanted


def test_never_and_request():
    secret = Attribute("secret", returned="never")
    asked = Attribute("asked", returned="request")
    inner = Attribute("inner", AttrType.COMPLEX, sub_attributes=(secret, asked, Attribute("plain")))
    schema = Schema("urn:example:Thing", "Thing", "", (secret, asked, inner))
    of = ResourceType("Thing", "/Things", "", schema, (), COMMON)
    values = {"secret": "s", "asked": "a", "plain": "p"}
    thing = {"secret": "s", "asked": "a", "inner": values}
    assert shown(thing, of=of)["inner"] == {"plain": "p"}
    assert not {"secret", "asked"} & shown(thing, of=of).keys()
    assert shown(thing, "asked,secret,inner.secret,inner.asked", of=of).keys() == {
        "schemas",
        "id",
        "asked",
        "inner",
    }
    assert shown(thing, "inner", of=of)["inner"] == {"asked": "a", "plain": "p"}
    assert shown(thing, None, "id", of=of)["inner"] == {"plain": "p"}


@pytest.mark.parametrize(
    ("attributes", "excluded"),
    [("title", "emails"), (5, None), ([5], None), (None, {"a": 1}), (",".join("a" * 300), None)],
)
def test_refused(attributes, excluded):
    with pytest.raises(InvalidValue):
        parse_projection(attributes, excluded, USER)


def test_empty_parameters_say_nothing(babs):
    assert shown(babs, "", []) == shown(babs)
