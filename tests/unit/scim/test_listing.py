import json

import pytest

from scim.errors import InvalidCount, InvalidCursor, InvalidFilter, InvalidPath, InvalidValue
from scim.listing import Page, list_response, list_text, parse_page, parse_query
from scim.nodes import Compare
from scim.schemas import USER


@pytest.mark.parametrize(
    ("parameters", "page"),
    [
        ({}, Page(1, 50)),
        ({"startIndex": "1", "count": "100"}, Page(1, 50)),
        ({"startIndex": "0", "count": "-5"}, Page(1, 0)),
        ({"startIndex": "-9", "count": "0"}, Page(1, 0)),
        ({"startIndex": 11, "count": 10}, Page(11, 10)),
        ({"startIndex": "", "count": None}, Page(1, 50)),
        ({"startIndex": "999999999999999999"}, Page(999999999999999999, 50)),
    ],
)
def test_pages(parameters, page):
    assert parse_page(parameters, page_size=50) == page


@pytest.mark.parametrize("value", ["x", "1.5", 1.5, True, [], "1e3", "9" * 30, 10**30, "\u0661"])
@pytest.mark.parametrize("name", ["startIndex", "count"])
def test_what_is_no_integer_is_refused(name, value):
    with pytest.raises(InvalidValue):
        parse_page({name: value}, page_size=50)


@pytest.mark.parametrize(
    ("parameters", "page"),
    [
        ({"cursor": ""}, Page(1, 50, "")),
        ({"cursor": "abc", "count": "20"}, Page(1, 20, "abc")),
        ({"cursor": "", "count": 10**6, "startIndex": ""}, Page(1, 50, "")),
        ({"cursor": "", "count": 0}, Page(1, 0, "")),
        ({"cursor": None, "startIndex": 3}, Page(3, 50)),
    ],
)
def test_pages_by_cursor(parameters, page):
    assert parse_page(parameters, page_size=50) == page


@pytest.mark.parametrize(
    ("parameters", "error"),
    [
        ({"cursor": 1}, InvalidCursor),
        ({"cursor": ["a"]}, InvalidCursor),
        ({"cursor": "", "count": -1}, InvalidCount),
        ({"cursor": "", "count": "ten"}, InvalidCount),
        ({"cursor": "", "startIndex": "1"}, InvalidValue),
    ],
)
def test_pages_by_cursor_that_are_refused(parameters, error):
    with pytest.raises(error):
        parse_page(parameters, page_size=50)


def test_a_page_by_cursor_says_the_next_one_unless_it_is_the_last():
    page = list_response([{}], 3, Page(1, 1, ""), "next")
    assert (page["nextCursor"], page["totalResults"], page["itemsPerPage"]) == ("next", 3, 1)
    assert "startIndex" not in page
    assert "nextCursor" not in list_response([{}], 3, Page(1, 1, "next"))
    text = list_text(['{"id":"1"}'], 3, Page(1, 1, ""), "next")
    assert json.loads(text) == list_response([{"id": "1"}], 3, Page(1, 1, ""), "next")


def test_a_query():
    query = parse_query(
        {
            "filter": 'userName eq "missing"',
            "startIndex": "1",
            "count": "100",
            "sortBy": "NAME.familyName",
            "sortOrder": "Descending",
            "attributes": "userName",
        },
        USER,
        page_size=200,
    )
    assert isinstance(query.filter, Compare)
    assert query.page.offset == 0
    assert (query.sort.path.text, query.sort.descending) == ("name.familyName", True)
    assert query.projection.include == {"userName"}


def test_an_empty_query():
    query = parse_query({"filter": " ", "sortBy": ""}, USER, page_size=10)
    assert (query.filter, query.sort) == (None, None)


def test_sorting_by_a_complex_attribute_means_its_value():
    assert parse_query({"sortBy": "emails"}, USER, page_size=1).sort.path.text == "emails.value"


@pytest.mark.parametrize(
    ("parameters", "error"),
    [
        ({"filter": 5}, InvalidFilter),
        ({"filter": "shoe pr"}, InvalidFilter),
        ({"sortBy": "shoe"}, InvalidPath),
        ({"sortBy": "password"}, InvalidPath),
        ({"sortBy": "name"}, InvalidPath),
        ({"sortBy": "x509Certificates"}, InvalidPath),
        ({"sortBy": ["userName"]}, InvalidPath),
        ({"sortBy": "userName", "sortOrder": "sideways"}, InvalidValue),
    ],
)
def test_refused(parameters, error):
    with pytest.raises(error):
        parse_query(parameters, USER, page_size=10)


def test_a_list_without_results_has_integer_counters():
    assert list_response([], 0, Page(1, 100)) == {
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:ListResponse"],
        "totalResults": 0,
        "startIndex": 1,
        "itemsPerPage": 0,
        "Resources": [],
    }
