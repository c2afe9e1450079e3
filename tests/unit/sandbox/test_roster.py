"""Names and roles, page by page."""

import re

import pytest

PATH = "/lms/api/courses/sales-onboarding/members"


def walk(course, header, query=""):
    """The members of every page, and how many pages there were."""
    pages, url = [], PATH + query
    while url:
        answer = course.get(url, headers=header)
        assert answer.status_code == 200
        pages.append(answer.json["members"])
        link = re.fullmatch(
            r'<http://127.0.0.1:8100(.+)>; rel="next"', answer.headers.get("Link", "")
        )
        url = link and link[1]
    return pages


def test_everybody_comes_once_over_several_pages(course, bearer):
    pages = walk(course, bearer("members"))
    assert [len(page) for page in pages] == [3, 3, 2]
    ids = [one["user_id"] for page in pages for one in page]
    assert len(set(ids)) == 8


def test_a_client_may_ask_for_less_and_never_for_more(course, bearer):
    header = bearer("members")
    assert [len(page) for page in walk(course, header, "?limit=2")] == [2, 2, 2, 2]
    assert [len(page) for page in walk(course, header, "?limit=500")] == [3, 3, 2]


def test_a_bookmark_in_another_case_is_none_of_ours(course, bearer):
    header = bearer("members")
    link = course.get(PATH, headers=header).headers["Link"]
    bookmark = re.search(r"bookmark=([^>&]+)", link)[1]
    assert course.get(f"{PATH}?bookmark={bookmark.lower()}", headers=header).status_code == 400


@pytest.mark.parametrize("query", ["limit=0", "limit=x", "limit=-1", "bookmark=%F0", "role=Boss"])
def test_a_query_that_makes_no_sense_is_refused(course, bearer, query):
    assert course.get(f"{PATH}?{query}", headers=bearer("members")).status_code == 400


def test_role_narrows(course, bearer):
    header = bearer("members")
    assert [[one["name"] for one in page] for page in walk(course, header, "?role=Instructor")] == [
        ["Ines Silva"]
    ]
    learner = "http://purl.imsglobal.org/vocab/lis/v2/membership%23Learner"
    assert sum(map(len, walk(course, header, f"?role={learner}"))) == 7


def test_moodle_offers_a_page_past_the_end_and_short_roles(course, bearer):
    course.put("/control/lms/manners", json={"flavour": "moodle", "page_size": 4})
    pages = walk(course, bearer("members"))
    assert [len(page) for page in pages] == [4, 4, 0]
    assert pages[0][0]["roles"] == ["Instructor"]


def test_members_need_the_scope_and_a_fitting_accept(course, bearer):
    assert course.get(PATH, headers=bearer("score")).status_code == 403
    wrong = {**bearer("members"), "Accept": "text/csv"}
    assert course.get(PATH, headers=wrong).status_code == 406


def test_a_page_shows_no_more_than_the_tool_may_see(course, bearer):
    kept = course.get("/control/lms/tool").json
    course.put("/control/lms/tool", json={**kept, "privacy": "email"})
    (first, *_), *_ = walk(course, bearer("members"))
    assert "email" in first
    assert "name" not in first
