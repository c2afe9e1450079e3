"""Pages by cursor (RFC 9865): what they hold while others write, and which cursors are refused."""

from __future__ import annotations

import random
import re
from dataclasses import replace
from datetime import timedelta

import pytest

from app.flows import provision_cursor
from app.flows.provision_act import Client
from app.store import scim_page
from keys.seal import Seal
from scim.custom import STANDARD
from scim.errors import ExpiredCursor, InvalidCount, InvalidCursor, InvalidValue
from scim.schemas import GROUP, USER
from tests.provisioning import Desk, refs

QUERIES = [
    {},
    {"filter": "active eq true"},
    {"sortBy": "userName"},
    {"sortBy": "title", "sortOrder": "descending"},
    {"sortBy": "meta.lastModified"},
    {"sortBy": "emails.value", "filter": "title pr or active eq true"},
]


@pytest.fixture
def desk(deps, tenant):
    return Desk(deps, Client(tenant.id, "default", types=STANDARD))


@pytest.fixture
def crowd(desk, clock):
    """Thirty people, of whom every third has no title."""
    made = []
    for number in range(30):
        clock.move(seconds=number % 2)
        title = {"title": f"T{number % 4}"} if number % 3 else {}
        emails = [{"value": f"{number % 7}@x.example"}]
        made.append(desk.create(userName=f"u{number * 7 % 30:02}", emails=emails, **title)["id"])
    return made


@pytest.fixture(params=["walked", "looked up"])
def manner(request, monkeypatch):
    """Both ways to a page, whatever their number: see `app.store.scim_page`."""
    if request.param == "walked":
        monkeypatch.setattr(scim_page, "FEW", 0)


def walk(desk, count=4, between=lambda: None, of=None, **query):
    """All pages by cursor: the ids in their order, and what each page said of the total."""
    ids, totals, cursor = [], [], ""
    for _ in range(60):
        page = desk.found(of=of, cursor=cursor, count=count, **query)
        ids += [one["id"] for one in page["Resources"]]
        totals.append(page["totalResults"])
        assert page["itemsPerPage"] == len(page["Resources"]) <= count
        assert "startIndex" not in page
        if "nextCursor" not in page:
            return ids, totals
        assert len(page["Resources"]) == count
        cursor = page["nextCursor"]
        assert re.fullmatch(r"[A-Za-z0-9._~-]+", cursor), "unreserved characters (RFC 3986 §2.3)"
        between()
    raise AssertionError("it does not end")


def users(desk, **query):
    return walk(desk, of=USER, **query)


@pytest.mark.usefixtures("manner")
@pytest.mark.parametrize("query", QUERIES)
def test_pages_hold_what_one_page_holds(desk, crowd, query):
    whole = [one["id"] for one in desk.found(**query)["Resources"]]
    assert set(whole) == set(crowd)
    assert users(desk, **query) == (whole, [30] * 8)
    assert users(desk, count=30, **query) == (whole, [30])
    assert users(desk, count=15, **query) == (whole, [30] * 2)


@pytest.mark.usefixtures("manner")
@pytest.mark.parametrize("query", QUERIES)
def test_whoever_is_left_alone_is_seen_once_whatever_happens_to_others(desk, crowd, clock, query):
    draw = random.Random(5)
    alone, others = set(crowd[::2]), crowd[1::2]

    def between():
        clock.move(seconds=1)
        if len(others) < 3:
            return
        desk.create(userName=f"v{draw.random()}", title=draw.choice(["A", "T1", "Z"]))
        desk.delete(others.pop())
        desk.patch(
            draw.choice(others),
            {"op": "add", "path": "title", "value": draw.choice(["A", "T1", "Z"])},
            {"op": "add", "path": "active", "value": draw.choice([True, False])},
            {"op": "replace", "path": "emails", "value": [{"value": f"{draw.randrange(9)}@x.y"}]},
        )

    ids, _ = users(desk, count=2, between=between, **query)
    assert {key: ids.count(key) for key in alone} == dict.fromkeys(alone, 1)
    if query.get("sortBy") in {None, "userName"}:  # what nobody changes
        assert len(set(ids)) == len(ids)


def test_at_the_root_one_type_comes_after_the_other(desk, crowd):
    groups = [desk.create(GROUP, displayName=f"G{n}", members=refs(crowd[0]))["id"] for n in "abc"]
    for count in (1, 3, 10, 15, 30, 33, 40):
        ids, totals = walk(desk, count=count)
        assert ids == sorted(crowd) + sorted(groups)
        assert set(totals) == {33}
    ids, totals = walk(desk, count=2, filter='displayName sw "g" or userName sw "u0"')
    assert len(ids) == len(set(ids)) == 13
    assert ids[-3:] == sorted(groups)
    assert set(totals) == {13}
    assert walk(desk, count=2, filter="displayName pr") == (sorted(groups), [3, 3])
    assert walk(desk, filter='displayName eq "x"') == ([], [0])


def test_what_matches_many_is_counted_once(desk, crowd, monkeypatch):
    monkeypatch.setattr(scim_page, "FEW", 3)
    _, totals = users(desk, filter="active eq true", between=lambda: desk.delete(crowd.pop()))
    assert totals == [30] * len(totals)


def test_only_the_total(desk, crowd):
    page = desk.found(cursor="", count=0)
    assert (page["totalResults"], page["Resources"]) == (30, [])
    assert "nextCursor" not in page


@pytest.fixture
def cursor(desk, crowd):
    assert crowd
    return desk.found('active eq "true"', cursor="", count=4, sortBy="userName")["nextCursor"]


@pytest.mark.parametrize(
    "other",
    [
        {"filter": "active eq true"},
        {"filter": None},
        {"sortBy": "title"},
        {"sortBy": None},
        {"sortOrder": "descending"},
    ],
)
def test_a_cursor_is_good_for_its_own_query_only(desk, cursor, other):
    query = {"filter": 'active eq "true"', "sortBy": "userName", "cursor": cursor, "count": 4}
    assert len(desk.found(**query)["Resources"]) == 4
    with pytest.raises(InvalidCursor):
        desk.found(**query | other)


def test_another_s_cursor_is_refused(desk, deps, other_tenant, cursor):
    query = {"filter": 'active eq "true"', "sortBy": "userName", "cursor": cursor, "count": 4}
    stranger = Desk(deps, Client(other_tenant.id, "default", types=STANDARD))
    for other in (stranger, desk.as_client("other")):
        with pytest.raises(InvalidCursor):
            other.found(**query)
    page = desk.found(cursor="", count=4)["nextCursor"]
    with pytest.raises(InvalidCursor):
        desk.found(of=GROUP, cursor=page, count=4)
    with pytest.raises(InvalidCursor):
        desk.found(of=None, cursor=page, count=4)


@pytest.mark.parametrize("text", ["x", "=", "é", " ", "A" * 120, "null", "\x00", 5, [], {}, True])
def test_what_is_no_cursor_of_ours_is_refused(desk, text):
    with pytest.raises(InvalidCursor):
        desk.found(cursor=text)


def test_a_forged_cursor_is_refused(desk, deps, cursor):
    for at in range(0, len(cursor), 9):
        other = "A" if cursor[at] != "A" else "B"
        with pytest.raises(InvalidCursor):
            desk.found(cursor=cursor[:at] + other + cursor[at + 1 :])
    stranger = replace(deps, seal=Seal(["quite another secret that is long enough 98765"]))
    with pytest.raises(InvalidCursor):
        Desk(stranger, desk.client).found(cursor=cursor)


def test_a_cursor_says_nothing_in_the_clear(desk, deps):
    for number in range(3):
        desk.create(userName=f"somebody{number}")
    cursor = desk.found(cursor="", count=1, sortBy="userName")["nextCursor"]
    assert b"somebody0" in deps.seal.open("scim cursor", cursor + "=" * (-len(cursor) % 4))
    assert "somebody" not in cursor


def test_a_cursor_ages(desk, clock, cursor):
    query = {"filter": 'active eq "true"', "sortBy": "userName", "cursor": cursor, "count": 4}
    clock.move(seconds=provision_cursor.LIFE / timedelta(seconds=1))
    later = desk.found(**query)["nextCursor"]
    clock.move(seconds=1)
    with pytest.raises(ExpiredCursor):
        desk.found(**query)
    assert desk.found(**query | {"cursor": later})["Resources"]


def test_the_size_of_pages_stays_the_same(desk, cursor):
    query = {"filter": 'active eq "true"', "sortBy": "userName", "cursor": cursor}
    for count in (5, None, 0):
        with pytest.raises(InvalidCount):
            desk.found(**query, count=count)
    for count in (-1, "ten", 1.5, True):
        with pytest.raises(InvalidCount):
            desk.found(cursor="", count=count)
    large = desk.found(cursor="", count=10**9)
    assert len(large["Resources"]) == 30


def test_a_page_begins_at_one_place(desk):
    with pytest.raises(InvalidValue):
        desk.found(cursor="", startIndex=1)


@pytest.mark.usefixtures("manner")
def test_a_groups_members_in_pages(desk, crowd):
    inner = desk.create(GROUP, displayName="Inner")["id"]
    key = desk.create(GROUP, displayName="G", members=refs(inner, *crowd[:25]))["id"]
    other = desk.create(GROUP, displayName="H", members=refs(*crowd[20:]))["id"]
    mine, members = f'groups.value eq "{key}"', sorted(crowd[:25])
    assert users(desk, filter=mine) == (members, [25] * 7)
    assert walk(desk, filter=mine)[0] == members, "also at the root"
    for start in (1, 4, 25, 26):
        page = desk.found(mine, startIndex=start, count=3)
        assert [one["id"] for one in page["Resources"]] == members[start - 1 : start + 2]
        assert page["totalResults"] == 25
    assert users(desk, filter=f"{mine} and title pr") == (
        [one for one in members if "title" in desk.get(one)],
        [16] * 4,
    )
    assert users(desk, filter=f'{mine} and groups.value eq "{other}"')[0] == sorted(crowd[20:25])
    by_name = [one["id"] for one in desk.found(mine, sortBy="userName")["Resources"]]
    assert users(desk, filter=mine, sortBy="userName")[0] == by_name != members
    desk.delete(crowd[0])
    assert users(desk, filter=mine)[0] == sorted(crowd[1:25])
    desk.delete(key, GROUP)
    assert users(desk, filter=mine) == ([], [0])
