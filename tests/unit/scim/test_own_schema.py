"""A tenant's own schema, with the types and shapes that User and Group don't have."""

import pytest

from scim.attributes import Attribute, AttrType, ResourceType, Schema
from scim.discovery import Features, schema, service_provider_config
from scim.errors import InvalidFilter, InvalidValue, NotFound, Uniqueness, error_document
from scim.evaluate import matches
from scim.filters import parse_filter
from scim.patch import apply, parse_operations
from scim.resource import parse
from scim.schemas import COMMON, USER_SCHEMA

URN = "urn:example:scim:Job"
_SCORE = (Attribute("value", AttrType.DECIMAL), Attribute("type"))
JOB = Schema(
    URN,
    "Job",
    "A job",
    (
        Attribute("grade", AttrType.INTEGER),
        Attribute("hours", AttrType.DECIMAL),
        Attribute("since", AttrType.DATE_TIME),
        Attribute("key", AttrType.BINARY, case_exact=True),
        Attribute("skills", multi_valued=True),
        Attribute("scores", AttrType.COMPLEX, multi_valued=True, sub_attributes=_SCORE),
        Attribute("title"),
    ),
)
OF = ResourceType("User", "/Users", "", USER_SCHEMA, (JOB,), COMMON)


def job(**values):
    return parse({"userName": "a", URN: values}, OF).resource[URN]


def patched(values, *operations):
    user = {"userName": "a", "active": True, URN: values}
    return apply(user, parse_operations({"Operations": list(operations)}), OF).resource.get(URN)


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ({"grade": 3}, {"grade": 3}),
        ({"grade": 3.0}, {"grade": 3}),
        ({"grade": 0}, {"grade": 0}),
        ({"hours": 37.5}, {"hours": 37.5}),
        ({"since": "2026-01-02T03:04:05+01:00"}, {"since": "2026-01-02T02:04:05Z"}),
        ({"key": "AAEC"}, {"key": "AAEC"}),
        ({"skills": ["a", "b", "a", ""]}, {"skills": ["a", "b"]}),
        ({"skills": "a"}, {"skills": ["a"]}),
        ({"scores": [{"value": 0}]}, {"scores": [{"value": 0}]}),
    ],
)
def test_values_of_every_type(given, kept):
    assert job(**given) == kept


@pytest.mark.parametrize(
    "given",
    [
        {"grade": 3.5},
        {"grade": "3"},
        {"grade": True},
        {"grade": 2**53 + 1},
        {"hours": float("inf")},
        {"hours": float("nan")},
        {"hours": "many"},
        {"since": "yesterday"},
        {"since": 5},
        {"key": "?"},
        {"key": 5},
        {"key": "A" * 65_540},
        {"skills": [["a"]]},
    ],
)
def test_refused(given):
    with pytest.raises(InvalidValue):
        job(**given)


@pytest.mark.parametrize(
    "text",
    [
        "grade eq -12",
        "grade lt 0 and grade gt -12.5",
        "hours ge 37.5",
        "hours lt 3.76e1",
        f"{URN}:grade eq -12",
        'since lt "2026-01-02T04:04:05+01:00"',
        'key eq "AAEC"',
        'key ne "aaec"',
        'skills eq "CHESS"',
        'skills[value sw "che"]',
        'skills[not (value sw "che")]',
        'scores[value gt 0.5 and type eq "b"]',
        "scores eq 0.25",
    ],
)
def test_filters(text):
    values = {
        "grade": -12,
        "hours": 37.5,
        "since": "2026-01-02T02:04:05Z",
        "key": "AAEC",
        "skills": ["Go", "Chess"],
        "scores": [{"value": 0.25, "type": "a"}, {"value": 0.75, "type": "b"}],
    }
    assert matches(parse_filter(text, OF), {"userName": "a", URN: values}, OF)


@pytest.mark.parametrize(
    "text",
    [
        'grade eq "3"',
        "grade co 3",
        "grade eq true",
        "grade eq 1e400",
        f"grade eq {10**20}",
        'key sw "A"',
        "skills[type pr]",
    ],
)
def test_filters_refused(text):
    with pytest.raises(InvalidFilter):
        parse_filter(text, OF)


def test_the_core_wins_over_an_extension_of_the_same_name():
    assert OF.find("title").urn is None
    assert OF.find(f"{URN}:title").urn == URN


def test_patch_of_simple_values():
    path = f"{URN}:skills"
    assert patched({}, {"op": "add", "path": path, "value": ["a", "b"]}) == {"skills": ["a", "b"]}
    held = {"skills": ["a", "b"]}
    assert patched(held, {"op": "add", "path": path, "value": "a"}) == held
    for operation in (
        {"op": "remove", "path": f'{path}[value eq "A"]'},
        {"op": "remove", "path": path, "value": ["a"]},
        {"op": "replace", "path": f'{path}[value eq "a"]', "value": None},
        {"op": "replace", "path": path, "value": ["b"]},
    ):
        assert patched(held, operation) == {"skills": ["b"]}
    replaced = {"op": "replace", "path": f'{path}[value eq "a"]', "value": "c"}
    assert patched(held, replaced) == {"skills": ["c", "b"]}
    assert patched(held, {"op": "remove", "path": path}) is None


def test_patch_of_complex_values():
    held = {"scores": [{"value": 1, "type": "a"}, {"value": 2, "type": "a"}]}
    path = f'{URN}:scores[type eq "a"]'
    assert patched(held, {"op": "replace", "path": f"{path}.type", "value": "b"}) == {
        "scores": [{"value": 1, "type": "b"}, {"value": 2, "type": "b"}]
    }
    ranged = {"op": "replace", "path": f"{URN}:scores[value gt 1]", "value": {"value": 5}}
    assert patched(held, ranged)["scores"][1] == {"value": 5}
    added = {"op": "add", "path": f"{URN}:scores[value gt 1]", "value": {"value": 5}}
    assert patched(held, added)["scores"][1] == {"value": 5, "type": "a"}


def test_patch_of_the_extension_takes_an_object():
    with pytest.raises(InvalidValue):
        patched({}, {"op": "replace", "path": URN, "value": "x"})


def test_errors_tell_their_code():
    assert error_document(Uniqueness.status, "Taken.", Uniqueness.scim_type) == {
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:Error"],
        "status": "409",
        "scimType": "uniqueness",
        "detail": "Taken.",
    }
    assert "scimType" not in error_document(NotFound.status, "None.", NotFound.scim_type)


def test_discovery_shows_it():
    names = [a["name"] for a in schema(JOB, "https://x")["attributes"]]
    assert names == ["grade", "hours", "since", "key", "skills", "scores", "title"]
    features = Features(10, documentation_uri="https://x/docs")
    assert service_provider_config(features, "https://x")["documentationUri"] == "https://x/docs"
