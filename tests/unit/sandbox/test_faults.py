"""Faults that can be switched, the guards of the control API, and what the journal saw."""

import pytest

JWKS = "/lms/jwks"


def test_a_service_fails_as_often_as_told(visit):
    visit.put("/control/faults/lms", json={"fail_next": 2, "status": 503})
    assert [visit.get(JWKS).status_code for _ in range(3)] == [503, 503, 200]


def test_a_throttled_service_says_when_to_come_again(visit):
    visit.put("/control/faults/idp", json={"throttle_next": 1, "retry_after": 7})
    answer = visit.get("/idp/jwks")
    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "7")
    assert visit.get("/idp/jwks").status_code == 200


def test_html_can_come_where_json_should(visit):
    visit.put("/control/faults/idp", json={"html_next": 1, "html_status": 200})
    answer = visit.get("/idp/.well-known/openid-configuration")
    assert (answer.status_code, answer.mimetype) == (200, "text/html")


def test_a_rate_is_kept_to(visit):
    visit.put("/control/faults/lms", json={"error_rate": 0.25})
    assert sum(visit.get(JWKS).status_code == 500 for _ in range(12)) == 3


def test_a_lost_answer_was_still_acted_on(course, bearer):
    (item,) = course.get("/control/lms/line-items").json
    header = bearer("score")
    course.put("/control/faults/lms", json={"lose_next": 1, "only": "/lms/api/"})
    score = {
        "userId": "101",
        "activityProgress": "Completed",
        "gradingProgress": "FullyGraded",
        "scoreGiven": 1,
        "scoreMaximum": 1,
        "timestamp": "2027-01-15T08:00:00Z",
    }
    path = f"/lms/api/courses/sales-onboarding/lineitems/{item['id']}/lineitem/scores"
    kind = "application/vnd.ims.lis.v1.score+json"
    statuses = [
        course.post(path, json=score, headers=header, content_type=kind).status_code
        for _ in range(2)
    ]
    assert statuses == [504, 409]


def test_one_services_faults_are_not_anothers_and_pages_stay_well(visit):
    visit.put("/control/faults/lms", json={"fail_next": 100})
    assert visit.get("/idp/jwks").status_code == 200
    assert visit.get("/lms/").status_code == 200
    assert visit.get(JWKS).status_code == 500
    visit.put("/control/faults/lms", json={})
    assert visit.get(JWKS).status_code == 200


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/control/faults/lms", {"fail_next": -1}),
        ("/control/faults/lms", {"fail_next": True}),
        ("/control/faults/lms", {"error_rate": 2}),
        ("/control/faults/lms", {"nonsense": 1}),
        ("/control/lms/tool", {"login_url": "http://127.0.0.1/"}),
        ("/control/lms/manners", {"flavour": "other"}),
        ("/control/idp/clients/rp", {"redirect_uris": [], "secret": "x"}),
        ("/control/idp/clients/rp", {"redirect_uris": ["http://example.com/"], "secret": "x"}),
        ("/control/idp/scim", {"url": "http://10.0.0.1/scim", "token": "x"}),
        ("/control/idp/scim", {"url": "http://127.0.0.1@example.com/", "token": "x"}),
        ("/control/idp/scim", {"url": "http://[::1", "token": "x"}),
        ("/control/lrs/credentials", {"key": "a:b", "secret": "x"}),
        ("/control/people/zoe", {"given": "Zoe"}),
        ("/control/people/Zoe!", {"given": "Zoe", "family": "Hall"}),
        ("/control/lms/links/x", {"custom": {"activity": 1}}),
    ],
)
def test_what_makes_no_sense_is_refused(visit, path, body):
    assert visit.put(path, json=body).status_code == 400


def test_only_json_from_our_own_pages_reaches_the_control(visit):
    path = "/control/lms/manners"
    foreign = {"Origin": "http://127.0.0.1:8000"}
    assert visit.put(path, json={"page_size": 1}, headers=foreign).status_code == 403
    assert visit.put(path, data='{"page_size": 1}', content_type="text/plain").status_code == 415
    assert visit.put(path, json={"page_size": 1}, base_url="http://evil.example").status_code == 421


def test_a_joiner_gets_identifiers_of_their_own(visit):
    made = visit.put("/control/people/zoe", json={"given": "Zoe", "family": "Hall"}).json
    others = [one for one in visit.get("/control/people").json if one["key"] != "zoe"]
    for name in ("lms_id", "employee", "oid", "email"):
        assert made[name] not in [one[name] for one in others]
    assert visit.put("/control/people/zoe", json={"title": "Lead"}).json["oid"] == made["oid"]


def test_the_journal_tells_requests_and_hides_secrets(visit):
    visit.post("/idp/token", data={"client_id": "a", "client_secret": "hush", "code": "c"})
    visit.get(JWKS)
    (seen,) = visit.get("/control/requests?service=idp").json
    assert (seen["method"], seen["path"], seen["status"]) == ("POST", "/idp/token", 401)
    assert "hush" not in seen["body"]
    assert "code=c" in seen["body"]
    later = visit.get(f"/control/requests?after={seen['n']}").json
    assert [one["path"] for one in later] == [JWKS]


def test_every_page_says_that_this_is_practice(course):
    paths = ["/", "/lms/", "/lms/gradebook", "/lms/return", "/idp/", "/lrs/", "/nowhere"]
    for path in [*paths, "/lms/links/pricing/view?as=ada", "/idp/logout"]:
        page = course.get(path)
        assert "practice campus" in page.text
        assert 'lang="en"' in page.text
        assert "default-src 'self'" in page.headers["Content-Security-Policy"]


def test_an_unknown_road_answers_in_the_callers_language(visit):
    assert visit.get("/lms/api/nowhere").json["error"] == "not_found"
    assert visit.get("/control/nowhere").json["error"] == "not_found"
    answer = visit.put("/lms/token")
    assert (answer.status_code, "POST" in answer.headers["Allow"]) == (405, True)
    assert visit.get("/healthz").json == {"status": "ok"}
