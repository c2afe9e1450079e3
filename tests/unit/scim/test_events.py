"""Changes as the claims of Security Event Tokens (RFC 9967)."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scim import events, patch
from scim.events import PREFIX, Change, Token
from scim.schemas import ENTERPRISE_URN, USER

AT = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
TOKEN = Token("jti-1", "txn-1", "https://here.example/t/1", "https://there.example", AT)
ADA = {
    "userName": "ada@x.example",
    "name": {"givenName": "Ada", "familyName": "L."},
    "emails": [{"value": "ada@x.example", "type": "work"}],
    "active": True,
    ENTERPRISE_URN: {"department": "R&D", "costCenter": "7"},
}


def claims(change, client="default", *, full=False):
    return events.claims(change, TOKEN, client, full=full)


def test_a_token_says_whom_from_whom_when_and_in_which_transaction():
    change = Change("patch", "/Users", "u-1", None, ("title",), external_ids={"default": "e-1"})
    said = claims(change)
    assert said == {
        "iss": TOKEN.issuer, "aud": TOKEN.audience, "iat": int(AT.timestamp()), "jti": "jti-1",
        "txn": "txn-1", "sub_id": {"format": "scim", "uri": "/Users/u-1", "externalId": "e-1"},
        "events": {f"{PREFIX}patch:notice": {"attributes": ["title"]}},
    }  # fmt: skip
    assert not {"sub", "exp"} & said.keys()


def test_what_another_client_calls_a_person_is_nobody_elses_business():
    change = Change("patch", "/Users", "u-1", None, ("title",), external_ids={"default": "e-1"})
    assert claims(change, "hr")["sub_id"] == {"format": "scim", "uri": "/Users/u-1"}


@pytest.mark.parametrize("verb", ["patch", "put"])
def test_a_change_of_externalid_concerns_its_own_client_alone(verb):
    change = Change(verb, "/Users", "u-1", external_ids={"default": "e-2"}, renamed="default")
    assert change.concerns("default")
    assert not change.concerns("hr")
    assert claims(change)["events"] == {f"{PREFIX}{verb}:notice": {"attributes": ["externalId"]}}


def test_full_has_the_data_and_no_names_and_notice_the_other_way_round():
    change = Change("create", "/Users", "u-1", None, ("id", "userName"), {"id": "u-1"}, 'W/"1"')
    assert claims(change, full=True)["events"] == {
        f"{PREFIX}create:full": {"data": {"id": "u-1"}, "version": 'W/"1"'}
    }
    assert claims(change)["events"] == {
        f"{PREFIX}create:notice": {"attributes": ["id", "userName"], "version": 'W/"1"'}
    }


def test_what_has_no_data_is_a_notice_for_everybody():
    change = Change("patch", "/Groups", "g-1", None, ("members",))
    assert claims(change, full=True)["events"] == {
        f"{PREFIX}patch:notice": {"attributes": ["members"]}
    }


def test_who_is_switched_off_is_in_the_same_token():
    change = Change("patch", "/Users", "u-1", "deactivate", ("active",))
    assert claims(change)["events"] == {
        f"{PREFIX}patch:notice": {"attributes": ["active"]}, f"{PREFIX}deactivate": {},
    }  # fmt: skip


def test_a_deletion_says_nothing_more():
    change = Change("delete", "/Users", "u-1", external_ids={"default": "e-1"})
    said = claims(change, full=True)
    assert said["events"] == {f"{PREFIX}delete": {}}
    assert said["sub_id"]["externalId"] == "e-1"


def test_data_bears_the_externalid_of_whom_it_is_for():
    change = Change(
        "put", "/Users", "u-1", None, ("title",), {"title": "Dr"}, external_ids={"hr": "7"}
    )
    assert claims(change, "hr", full=True)["events"][f"{PREFIX}put:full"]["data"] == {
        "title": "Dr", "externalId": "7",
    }  # fmt: skip
    assert claims(change, full=True)["events"][f"{PREFIX}put:full"]["data"] == {"title": "Dr"}


def test_a_patch_that_renames_says_so_to_its_own_client():
    data = events.patch_op({"title": "Dr"})
    change = Change("patch", "/Users", "u-1", None, ("title",), data, None, {"hr": "7"}, "hr")
    operations = claims(change, "hr", full=True)["events"][f"{PREFIX}patch:full"]["data"][
        "Operations"
    ]
    assert operations == [
        {"op": "replace", "path": "title", "value": "Dr"},
        {"op": "replace", "path": "externalId", "value": "7"},
    ]
    assert (
        len(claims(change, full=True)["events"][f"{PREFIX}patch:full"]["data"]["Operations"]) == 1
    )
    assert len(data["Operations"]) == 1


def test_differences_are_named_as_patch_names_them():
    after = {
        **ADA, "name": {"givenName": "Ada"}, "emails": [], "active": False, "title": "Countess",
        ENTERPRISE_URN: {"department": "Engines"}, "externalId": "e-9", "meta": {"version": "2"},
    }  # fmt: skip
    assert events.differences(ADA, after) == {
        "active": False, "emails": [], "name.familyName": None, "title": "Countess",
        f"{ENTERPRISE_URN}:department": "Engines", f"{ENTERPRISE_URN}:costCenter": None,
    }  # fmt: skip
    assert events.differences(ADA, ADA) == {}


def test_members_are_added_together_and_removed_each():
    assert events.patch_op({}, ["a", "b"], ['c"']) == {
        "schemas": [events.PATCH_OP_URN],
        "Operations": [
            {"op": "remove", "path": 'members[value eq "c\\""]'},
            {"op": "add", "path": "members", "value": [{"value": "a"}, {"value": "b"}]},
        ],
    }


def test_a_change_can_be_kept_as_json():
    change = Change(
        "patch",
        "/Users",
        "u",
        "activate",
        ("a", "b"),
        {"x": 1},
        'W/"2"',
        {"default": "e"},
        "default",
    )
    assert events.read(json.loads(json.dumps(change.written()))) == change
    bare = Change("delete", "/Users", "u")
    assert events.read(json.loads(json.dumps(bare.written()))) == bare


def test_large_data_does_not_fit():
    assert events.fitting({"a": "x" * 100}) == {"a": "x" * 100}
    assert events.fitting({"a": "x" * events.LARGEST_DATA}) is None


TEXTS = st.text(
    st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]), min_size=1, max_size=8
)
BODIES = st.fixed_dictionaries(
    {"userName": TEXTS.filter(str.strip)},
    optional={
        "title": TEXTS,
        "active": st.booleans(),
        "name": st.dictionaries(st.sampled_from(["givenName", "familyName"]), TEXTS, min_size=1),
        "emails": st.lists(
            st.fixed_dictionaries({"value": TEXTS}, optional={"type": st.sampled_from(["work", "home"])}),
            min_size=1, max_size=3, unique_by=lambda one: one["value"],
        ),
        ENTERPRISE_URN: st.dictionaries(st.sampled_from(["department", "costCenter"]), TEXTS, min_size=1),
    },
)  # fmt: skip


@given(before=BODIES, after=BODIES)
def test_the_patch_makes_of_what_was_what_is(before, after):
    """A receiver that keeps a copy and applies what it is told has the same."""
    told = events.patch_op(events.differences(before, after))
    if told["Operations"]:
        before = patch.apply(before, patch.parse_operations(told), USER).resource
    assert {name: said for name, said in before.items() if name != "schemas"} == after
