"""Sorting, cursors and the bound on a query's time, as a client sees them over HTTP."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sqlalchemy import literal_column

from app.factory import create_app
from app.flows import provision_search, tenancy
from app.store import scim_page
from tests.provisioning import Idp, refused


@pytest.fixture
def token(deps, tenant):
    return tenancy.issue_token(deps, tenant.slug, "scim")[1]


@pytest.fixture
def idp(site, token):
    idp = Idp(site, token)
    for name in ("bo", "Al", "cy", "Di"):
        idp.user(name, displayName=name)
    return idp


def names(page):
    return [one["userName"] for one in page["Resources"]]


def test_a_list_is_sorted(idp):
    assert names(idp.get("/Users", sortBy="userName")) == ["Al", "bo", "cy", "Di"]
    body = {"sortBy": "displayName", "sortOrder": "descending", "count": 2, "startIndex": 2}
    assert names(idp.send("POST", "/Users/.search", body).json) == ["cy", "bo"]
    refused(idp.send("GET", "/Users?sortBy=shoeSize"), 400, "invalidPath")
    refused(idp.send("GET", "/Users?sortBy=userName&sortOrder=up"), 400, "invalidValue")
    refused(idp.send("POST", "/.search", {"sortBy": "displayName"}), 400, "invalidPath")


def spellings(schema):
    """Every path of a schema, with the attribute that it begins with."""
    for attribute in schema["attributes"]:
        name = f"{schema['id']}:{attribute['name']}"
        yield attribute["name"], name
        for sub in attribute.get("subAttributes", ()):
            yield attribute["name"], f"{name}.{sub['name']}"


@pytest.mark.parametrize("few", [0, 10_000])
@pytest.mark.parametrize("more", [{}, {"filter": "displayName pr"}])
def test_every_attribute_of_the_schemas_is_sorted_by_or_refused(idp, monkeypatch, few, more):
    monkeypatch.setattr(scim_page, "FEW", few)
    idp.group("Staff")
    without_order = {"password", "groups", "members"}
    taken = set()
    for schema in idp.get("/Schemas")["Resources"]:
        kind = "/Groups" if schema["name"] == "Group" else "/Users"
        for attribute, path in spellings(schema):
            asked = {"sortBy": path, "sortOrder": "descending", "cursor": "", "count": 3, **more}
            answer = idp.send("GET", kind, query_string=asked)
            whole = path.endswith(
                (":name", ":addresses", ":x509Certificates", "Certificates.value")
            )
            if attribute in without_order or whole:
                refused(answer, 400, "invalidPath")
                continue
            assert answer.status_code == 200, answer.text
            assert len(answer.json["Resources"]) == (1 if kind == "/Groups" else 3)
            taken.add(path)
    assert len(taken) > 50


@pytest.mark.parametrize("first", ["/Users?count=3&cursor", "/Users?count=3&cursor="])
def test_an_empty_cursor_opens_the_first_page(idp, first):
    page = idp.send("GET", first).json
    assert (page["totalResults"], page["itemsPerPage"], len(page["Resources"])) == (4, 3, 3)
    assert "startIndex" not in page
    last = idp.get("/Users", count=3, cursor=page["nextCursor"])
    assert len(last["Resources"]) == 1
    assert "nextCursor" not in last
    assert {*names(page), *names(last)} == {"bo", "Al", "cy", "Di"}


def test_a_search_in_a_body_goes_by_cursor_too(idp):
    idp.group("Staff")
    seen, body = [], {"cursor": "", "count": 2}
    for _ in range(3):
        page = idp.send("POST", "/.search", body).json
        seen += [one["meta"]["resourceType"] for one in page["Resources"]]
        body["cursor"] = page.get("nextCursor")
    assert seen == ["User"] * 4 + ["Group"]
    assert body["cursor"] is None
    assert "startIndex" in idp.send("POST", "/.search", body).json


def test_pages_go_by_index_unless_a_cursor_is_asked_for(idp):
    page = idp.get("/Users", count=3)
    assert (page["startIndex"], page.get("nextCursor")) == (1, None)


def test_refusals_say_which(idp, clock):
    refused(idp.send("GET", "/Users?cursor=x"), 400, "invalidCursor")
    refused(idp.send("POST", "/Users/.search", {"cursor": 1}), 400, "invalidCursor")
    refused(idp.send("GET", "/Users?cursor=&count=-1"), 400, "invalidCount")
    refused(idp.send("GET", "/Users?cursor=&startIndex=1"), 400, "invalidValue")
    cursor = idp.get("/Users", cursor="", count=1)["nextCursor"]
    refused(idp.send("GET", f"/Users?cursor={cursor}&count=2"), 400, "invalidCount")
    refused(idp.send("GET", f"/Groups?cursor={cursor}&count=1"), 400, "invalidCursor")
    clock.move(hours=1, seconds=1)
    refused(idp.send("GET", f"/Users?cursor={cursor}&count=1"), 400, "expiredCursor")


def test_what_is_said_of_pages_is_true(idp):
    assert idp.get("/ServiceProviderConfig")["pagination"] == {
        "cursor": True, "index": True, "defaultPaginationMethod": "index",
        "defaultPageSize": 200, "maxPageSize": 200, "cursorTimeout": 3600,
    }  # fmt: skip


def test_a_query_without_an_end_is_refused(deps, token, idp, monkeypatch):
    hurried = deps.settings.model_copy(update={"scim_query_seconds": 0.05})
    site = create_app(replace(deps, settings=hurried))
    endless = literal_column(
        "(WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 - i / 100 * 100 FROM n)"
        " SELECT count(*) FROM n) > 0"
    )
    with monkeypatch.context() as patched:
        patched.setattr(provision_search, "condition", lambda *_: endless)
        answer = Idp(site, token).send("GET", '/Users?filter=userName sw "a"')
        refused(answer, 400, "tooMany")
        assert "0.05 seconds" in answer.json["detail"]
    assert names(Idp(site, token).get("/Users", sortBy="userName")) == ["Al", "bo", "cy", "Di"]
    assert idp.get("/Users", filter="userName pr")["totalResults"] == 4
