"""Filters of one shape: asked of other texts, tenants and clients, each gets its own answer."""

from __future__ import annotations

import pytest

from app.flows.provision_act import Client
from app.store import scim_shape
from app.store.scim_shape import shape_of
from scim.custom import STANDARD
from scim.filters import parse_filter
from scim.schemas import USER
from tests.provisioning import ADA, Desk


@pytest.fixture
def desk(deps, tenant):
    return Desk(deps, Client(tenant.id, "default", types=STANDARD))


def names(desk, text):
    return [one["userName"] for one in desk.found(text)["Resources"]]


def test_the_same_question_about_others_gets_their_answers(desk, deps, other_tenant):
    theirs = Desk(deps, Client(other_tenant.id, "default", types=STANDARD))
    other_client = Desk(deps, Client(desk.client.tenant, "hris", types=STANDARD))
    desk.create(**ADA)
    desk.create(userName="bob", externalId="e-2")
    theirs.create(userName="ada@x.example", externalId="e-2")
    scim_shape._made.cache_clear()
    for _ in range(2):
        assert names(desk, 'userName eq "ADA@x.example"') == ["ada@x.example"]
        assert names(desk, 'userName eq "bob"') == ["bob"]
        assert names(theirs, 'userName eq "bob"') == []
        assert names(desk, 'externalId eq "e-2"') == ["bob"]
        assert names(theirs, 'externalId eq "e-2"') == ["ada@x.example"]
        assert names(other_client, 'externalId eq "e-2"') == []
    assert scim_shape._made.cache_info().misses == 2


@pytest.mark.parametrize(
    "text",
    [
        'userName sw "a"', 'userName ew "a"', 'meta.resourceType eq "User"', "meta.created pr and x509Certificates pr",
        'schemas eq "urn:x"', f'userName eq "{"a" * 201}"', 'meta.created gt "2026-01-01T00:00:00Z"',
        " or ".join(f'userName eq "{n}"' for n in range(9)),
    ],
)  # fmt: skip
def test_what_depends_on_its_texts_has_no_shape(desk, text):
    desk.create(**ADA)
    shape = shape_of(parse_filter(text, USER))
    assert shape is None or shape.texts == ()
    desk.found(text)


def test_a_full_page_still_knows_how_many_there_are(desk):
    for number in range(4):
        desk.create(userName=f"u{number}", title="same")
    found = desk.found('title eq "same"', count=3)
    assert (found["totalResults"], found["itemsPerPage"]) == (4, 3)
    assert desk.found('title eq "same"', count=4)["totalResults"] == 4
    assert desk.total('title eq "same"') == 4
    assert desk.found('title eq "same"', startIndex=4)["itemsPerPage"] == 1


def test_long_texts_of_one_beginning_are_told_apart(desk):
    long = "x" * 200
    desk.create(userName="a", title=long + "a")
    desk.create(userName="b", title=long)
    assert names(desk, f'title eq "{long}"') == ["b"]
    assert names(desk, f'title eq "{long}a"') == ["a"]
    assert names(desk, f'title ne "{long}"') == ["a"]
