"""The gradebook: which scores it takes, and what stands in it afterwards."""

import pytest

TYPE = "application/vnd.ims.lis.v1.score+json"
BOOK = "/lms/api/courses/sales-onboarding/lineitems"


def body(**changed):
    score = {
        "userId": "101",
        "scoreGiven": 8,
        "scoreMaximum": 10,
        "activityProgress": "Completed",
        "gradingProgress": "FullyGraded",
        "timestamp": "2027-01-15T08:00:00.500Z",
    } | changed
    return {name: value for name, value in score.items() if value is not None}


@pytest.fixture
def item(course):
    return course.get("/control/lms/line-items").json[0]["id"]


@pytest.fixture
def send(course, bearer, item):
    header = bearer("score")

    def post(score, query=""):
        path = f"{BOOK}/{item}/lineitem/scores{query}"
        return course.post(path, json=score, headers=header, content_type=TYPE)

    return post


def cell(course):
    (found,) = course.get("/control/lms/gradebook").json
    return found


def test_a_score_is_scaled_to_the_column(course, send):
    assert send(body(comment="well done")).status_code == 204
    assert cell(course)["result"] == {
        "resultScore": 80,
        "resultMaximum": 100,
        "comment": "well done",
    }
    assert [score["scoreGiven"] for score in cell(course)["history"]] == [8]


@pytest.mark.parametrize(
    "stamp",
    ["2027-01-15T08:00:00.500Z", "2027-01-15T09:00:00.500+01:00", "2027-01-15T08:00:00.499Z"],
)
def test_a_score_not_later_than_the_one_that_stands_is_stale(course, send, stamp):
    send(body())
    answer = send(body(scoreGiven=1, timestamp=stamp))
    assert (answer.status_code, answer.json["error"]) == (409, "stale_score")
    assert cell(course)["result"]["resultScore"] == 80
    assert len(cell(course)["history"]) == 1


def test_a_millisecond_later_is_later(course, send):
    send(body())
    assert send(body(scoreGiven=9, timestamp="2027-01-15T08:00:00.501Z")).status_code == 204
    assert cell(course)["result"]["resultScore"] == 90


def test_one_learners_time_does_not_hold_another_back(send):
    send(body())
    assert send(body(userId="102", timestamp="2026-01-01T00:00:00Z")).status_code == 204


def test_moodle_knows_no_fractions_of_a_second(course, send):
    course.put("/control/lms/manners", json={"flavour": "moodle"})
    first = send(body(), "?type_id=1")
    assert (first.status_code, first.data) == (200, b"")
    assert send(body(timestamp="2027-01-15T08:00:00.999Z"), "?type_id=1").status_code == 409
    assert send(body(timestamp="2027-01-15T08:00:01Z"), "?type_id=1").status_code == 200


def test_moodle_wants_the_query_of_its_line_item_url_back(course, send):
    course.put("/control/lms/manners", json={"flavour": "moodle"})
    assert send(body()).status_code == 404


@pytest.mark.parametrize("moodle", [True, False])
def test_people_who_get_no_grade(course, send, moodle):
    course.put("/control/lms/manners", json={"flavour": "moodle" if moodle else "standard"})
    query = "?type_id=1" if moodle else ""
    teacher, stranger = send(body(userId="190"), query), send(body(userId="999"), query)
    assert (teacher.status_code, stranger.status_code) == ((400, 400) if moodle else (422, 404))
    assert course.get("/control/lms/gradebook").json == []


@pytest.mark.parametrize(
    "wrong",
    [
        {"userId": None},
        {"userId": 101},
        {"userId": ""},
        {"activityProgress": None},
        {"activityProgress": "Done"},
        {"activityProgress": []},
        {"gradingProgress": None},
        {"timestamp": None},
        {"timestamp": "yesterday"},
        {"timestamp": "2027-01-15T08:00:00"},
        {"timestamp": "2027-02-30T08:00:00Z"},
        {"timestamp": 1_800_000_000},
        {"scoreMaximum": None},
        {"scoreMaximum": 0},
        {"scoreGiven": -1},
        {"scoreGiven": "8"},
        {"scoreGiven": True},
        {"scoreGiven": 10**400},
        {"comment": 5},
        {"submission": "x"},
        {"submission": {"startedAt": "x"}},
    ],
)
def test_a_score_that_makes_no_sense_is_refused(course, send, wrong):
    answer = send(body(**wrong))
    assert (answer.status_code, answer.json["error"]) == (400, "invalid_score")
    assert course.get("/control/lms/gradebook").json == []


def test_more_than_the_maximum_is_extra_credit(course, send):
    assert send(body(scoreGiven=12)).status_code == 204
    assert cell(course)["result"]["resultScore"] == 120


def test_no_score_given_clears_the_grade(course, send):
    send(body())
    assert send(body(scoreGiven=None, timestamp="2027-01-15T08:01:00Z")).status_code == 204
    assert cell(course)["result"] is None


@pytest.mark.parametrize(("flavour", "left"), [("standard", 80), ("moodle", None)])
def test_unfinished_grading_waits_or_erases(course, send, flavour, left):
    course.put("/control/lms/manners", json={"flavour": flavour})
    send(body(), "?type_id=1")
    send(body(gradingProgress="Pending", timestamp="2027-01-15T08:01:00Z"), "?type_id=1")
    result = cell(course)["result"]
    assert (result and result["resultScore"]) == left


def test_a_score_needs_its_media_type_its_scope_and_json(course, bearer, item, send):
    path = f"{BOOK}/{item}/lineitem/scores"
    score = bearer("score")
    assert course.post(path, json=body(), headers=score).status_code == 415
    other = bearer("result", "lineitem")
    answer = course.post(path, json=body(), headers=other, content_type=TYPE)
    assert (answer.status_code, answer.json["error"]) == (403, "insufficient_scope")
    for wrong in (b"{", b"[]", b"\xff", b'{"scoreGiven": NaN}', b"[" * 100_000):
        answer = course.post(path, data=wrong, headers=score, content_type=TYPE)
        assert answer.status_code == 400
    assert send(body()).status_code == 204


def test_results_show_what_stands(course, bearer, item, send):
    send(body())
    send(body(userId="102", scoreGiven=5))
    header = bearer("result")
    path = f"{BOOK}/{item}/lineitem/results"
    assert [one["resultScore"] for one in course.get(path, headers=header).json] == [80, 50]
    (one,) = course.get(f"{path}?user_id=102", headers=header).json
    assert one["userId"] == "102"
    assert one["scoreOf"].endswith(f"/{item}/lineitem")


def test_line_items_are_made_found_changed_and_removed(course, bearer, item):
    header = bearer("lineitem")
    made = course.post(BOOK, json={"label": "Quiz", "scoreMaximum": 5, "tag": "q"}, headers=header)
    assert made.status_code == 201
    (found,) = course.get(f"{BOOK}?tag=q", headers=header).json
    assert found["id"] == made.json["id"] == made.headers["Location"]
    path = f"{BOOK}/{item}/lineitem"
    changed = {"label": "New", "scoreMaximum": 7, "resourceLinkId": "stolen"}
    answer = course.put(path, json=changed, headers=header)
    assert (answer.json["label"], answer.json["resourceLinkId"]) == ("New", "pricing")
    assert course.delete(path, headers=bearer("lineitem.readonly")).status_code == 403
    assert course.delete(path, headers=header).status_code == 204
    assert course.get(path, headers=header).status_code == 404


def test_a_line_item_that_makes_no_sense_is_refused(course, bearer):
    header = bearer("lineitem")
    for wrong in ({}, {"label": ""}, {"label": "x", "scoreMaximum": 0}, {"label": 1}):
        assert course.post(BOOK, json=wrong, headers=header).status_code == 400
