"""Sorted lists of drawn resources: what the database answers is what a sort in memory answers."""

from __future__ import annotations

import json
import random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.flows import provision
from app.flows.provision_act import Client
from app.flows.provision_view import base_url
from app.store import scim, scim_page
from app.store.scim_page import Listing, Start, part
from scim.attributes import Attribute, AttrType, ResourceType, Schema
from scim.custom import STANDARD
from scim.errors import InvalidPath
from scim.filters import parse_filter
from scim.listing import Sort
from scim.schemas import COMMON, ENTERPRISE_URN, GROUP, USER, USER_URN
from scim.text import fold
from tests.provisioning import Desk

E = ENTERPRISE_URN
WORDS = ["a", "A", "b", "ab", "Ba", "é", "É", "%", "10", "9", "straße", "STRASSE", "\ud7ff", "\ue000", "\U0001f600", "x" * 199, "x" * 200, "X" * 199 + "a"]  # fmt: skip
EXACT = {"id", "externalId", "profileUrl", "photos.value", f"{E}:manager.value", "meta.version"}
PATHS = ["userName", "title", "displayName", "nickName", "active", "id", "externalId", "profileUrl", "name.familyName", "emails", "emails.value", "emails.type", "emails.display", "phoneNumbers.value", "addresses.country", "photos.value", f"{E}:department", f"{E}:manager", f"{USER_URN}:nickName", "meta.created", "meta.lastModified", "meta.resourceType", "meta.location", "NAME.familyname", "department"]  # fmt: skip
FILTERS = [None, "active eq true", 'userName sw "a"', "not (title pr)", "title pr", 'title ge "a" and active eq true', 'externalId sw "a"', 'emails[type eq "work"]', "groups pr", 'externalId pr and nickName ne "a"', 'userName eq "nobody"', 'meta.created gt "2026-03-02T09:00:03Z"', 'emails.value pr or addresses.country eq "A"']  # fmt: skip
OF_GROUPS = ["displayName", "id", "meta.created"], [None, 'displayName eq "a"', "members pr"]


def someone(draw, number):
    def maybe(value):
        return value if draw.random() < 0.6 else None

    def entries(*names):
        made = [
            {name: draw.choice(WORDS) for name in names if draw.random() < 0.7}
            | {"type": draw.choice(["work", "home", "Work"])}
            for _ in range(draw.randrange(4))
        ]
        if made and draw.random() < 0.5:
            draw.choice(made)["primary"] = True
        return made

    return {
        "userName": f"{draw.choice(WORDS)}{number}", "title": maybe(draw.choice(WORDS)),
        "displayName": maybe(draw.choice(WORDS)), "nickName": maybe(draw.choice(WORDS)),
        "profileUrl": maybe(draw.choice(WORDS)), "externalId": maybe(f"{draw.choice(WORDS)}{number}"),
        "active": draw.choice([True, False]), "name": {"familyName": maybe(draw.choice(WORDS))},
        "emails": entries("value", "display"), "phoneNumbers": entries("value"),
        "addresses": entries("country"), "photos": entries("value"),
        E: maybe({"department": maybe(draw.choice(WORDS)), "manager": maybe("m" + draw.choice("aAbB"))}),
    }  # fmt: skip


@pytest.fixture
def client(deps, tenant, other_tenant, clock):
    """Two dozen drawn people and three groups, one person deleted; and the same again in another tenant."""
    for each in (other_tenant, tenant):
        draw, made = random.Random(11), Client(each.id, "default", types=STANDARD)
        desk, keys = Desk(deps, made), []
        for number in range(24):
            clock.move(seconds=draw.choice([0, 0, 1]))
            body = json.loads(json.dumps(someone(draw, number)))
            keys.append(desk.create(**body)["id"])
        for name in ("b", "A", "a"):
            desk.create(GROUP, displayName=name, members=[{"value": k} for k in keys[:3]])
        for key in draw.sample(keys, 5):
            clock.move(seconds=1)
            desk.patch(key, {"op": "add", "path": "title", "value": draw.choice(WORDS)})
        desk.delete(keys[6])
        # Another client's externalIds, backwards.
        for number, key in enumerate(keys[:6]):
            desk.as_client("other").patch(
                key, {"op": "add", "path": "externalId", "value": f"{9 - number}"}
            )
    return made


def value_of(document, text):
    """The value that a document is sorted by, None where it has none."""
    path = USER.find(text) or GROUP.find(text)
    here = document if path.urn is None else document.get(path.urn, {})
    said = here.get(path.attribute.name)
    entries = said if path.attribute.multi_valued else [said]
    sub = path.sub.name if path.sub else "value" if path.attribute.is_complex else None
    if sub is None:
        found = [(False, one) for one in entries or () if one is not None]
    else:
        found = [
            (bool(one.get("primary")), one[sub]) for one in entries or () if one and sub in one
        ]
    if not found:
        return None
    value = next((one for primary, one in found if primary), found[0][1])
    if isinstance(value, bool):
        return int(value)
    exact = path.text in EXACT or text == f"{E}:manager" or path.text.startswith("meta.")
    return (value if exact else fold(value))[:200]


def expected(documents, text, *, descending):
    def rank(document):
        value = value_of(document, text)
        return value is None, 0 if value is None else value, document["id"]

    return [one["id"] for one in sorted(documents, key=rank, reverse=descending)]


DRAWN = settings(
    max_examples=200, deadline=None, derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)  # fmt: skip


@pytest.fixture(params=["walked", "looked up"])
def manner(request, monkeypatch):
    """Both ways to a page, whatever their number: see `app.store.scim_page`."""
    if request.param == "walked":
        monkeypatch.setattr(scim_page, "FEW", 0)


def pages(deps, client, asked, count):
    """Everything, page after page."""
    found, after = [], None
    for _ in range(40):
        with deps.db.read(client.tenant) as read:
            page = part(read, asked, Start(after), count)
        found += [one.id for one in page.found]
        if page.last is None:
            return found, page.total
        assert len(page.found) == count
        after = page.last
    raise AssertionError("it does not end")


@pytest.mark.usefixtures("manner")
@pytest.mark.parametrize(
    ("of", "paths", "filters", "many"),
    [(USER, PATHS, FILTERS, 23), (GROUP, *OF_GROUPS, 3)],
    ids=["users", "groups"],
)
def test_order(deps, client, of, paths, filters, many):
    found = {text: provision.search(deps, client, of, {"filter": text}) for text in filters}
    every = {text: json.loads(page)["Resources"] for text, page in found.items()}
    assert len(every[None]) == many

    @DRAWN
    @given(
        st.sampled_from(paths),
        st.sampled_from(filters),
        st.booleans(),
        st.integers(1, 9),
        st.integers(0, 30),
    )
    def run(path, text, descending, count, offset):
        node = None if text is None else parse_filter(text, of)
        sort = Sort(of.find(path), descending)
        if sort.path.leaf.is_complex:
            sort = Sort(of.find(f"{path}.value"), descending)
        asked = Listing(of, client.name, base_url(deps), node, sort)
        wanted = expected(every[text], path, descending=descending)
        assert pages(deps, client, asked, count) == (wanted, len(wanted)), (path, text)
        with deps.db.read(client.tenant) as read:
            page = part(read, asked, Start(offset=offset), count)
        assert [one.id for one in page.found] == wanted[offset : offset + count]
        assert page.total == len(wanted)

    run()


DEVICE = ResourceType(
    "Device", "/Devices", "A type of a tenant's own.",
    Schema("urn:x:Device", "Device", "", (
        Attribute("size", AttrType.INTEGER), Attribute("weight", AttrType.DECIMAL),
        Attribute("seen", AttrType.DATE_TIME), Attribute("tags", multi_valued=True),
    )),
    common=COMMON,
)  # fmt: skip
DEVICES = {
    "d1": {"size": 10, "weight": 0.5, "seen": "2026-03-02T09:00:00Z", "tags": ["b", "a"]},
    "d2": {"size": 9, "weight": -1, "seen": "2026-03-02T09:30:00+01:00", "tags": ["A"]},
    "d3": {"size": -2, "weight": 10.25, "seen": "2025-03-02T09:00:00Z", "tags": []},
    "d4": {"size": 9, "weight": 2},
    "d5": {},
}


@pytest.mark.usefixtures("manner")
@pytest.mark.parametrize(
    ("path", "order"),
    [
        ("size", "d3 d2 d4 d1 d5"),
        ("weight", "d2 d1 d4 d3 d5"),
        ("seen", "d3 d2 d1 d4 d5"),
        ("tags", "d2 d1 d3 d4 d5"),
    ],
)
def test_numbers_and_instants_are_by_value(deps, tenant, path, order):
    client = Client(tenant.id, "default", types=STANDARD)
    with deps.db.tx(tenant.id) as tx:
        scim.add(tx, client.name, DEVICE, DEVICES, deps.clock())
    for descending in (False, True):
        wanted = order.split()[:: -1 if descending else 1]
        for text in (None, 'id sw "d"'):
            node = None if text is None else parse_filter(text, DEVICE)
            asked = Listing(
                DEVICE, "default", "https://x", node, Sort(DEVICE.find(path), descending)
            )
            for count in (1, 2, 5):
                assert pages(deps, client, asked, count) == (wanted, 5)


def test_as_a_client_asks(deps, client):
    desk = Desk(deps, client)
    documents = desk.found()["Resources"]
    for order, descending in (("ascending", False), ("DESCENDING", True), (None, False)):
        found = desk.found(sortBy="emails", sortOrder=order, count=9, startIndex=5)
        ids = [one["id"] for one in found["Resources"]]
        assert ids == expected(documents, "emails", descending=descending)[4:13]
        assert (found["totalResults"], found["startIndex"], found["itemsPerPage"]) == (23, 5, 9)
    assert desk.found(sortBy="userName", count=0)["Resources"] == []


@pytest.mark.parametrize(
    "path", ["groups", "groups.display", "schemas", "x509Certificates", "password", "name", "shoe"]
)
def test_what_has_no_order_is_refused(deps, client, path):
    with pytest.raises(InvalidPath):
        provision.search(deps, client, USER, {"sortBy": path})


def test_members_have_no_order_and_two_types_none_in_common(deps, client):
    with pytest.raises(InvalidPath):
        provision.search(deps, client, GROUP, {"sortBy": "members.value"})
    with pytest.raises(InvalidPath, match="one type"):
        provision.search(deps, client, None, {"sortBy": "displayName"})


def test_another_client_s_external_ids_are_another_order(deps, client):
    mine, theirs = Desk(deps, client), Desk(deps, client).as_client("other")
    for desk in (mine, theirs):
        documents = desk.found()["Resources"]
        assert [one["id"] for one in desk.found(sortBy="externalId")["Resources"]] == expected(
            documents, "externalId", descending=False
        )
