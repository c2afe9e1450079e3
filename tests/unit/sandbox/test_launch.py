"""The LMS's half of an LTI launch."""

import html
import json
import re

import pytest
from joserfc import jwt
from joserfc.jwk import KeySet

CLAIM = "https://purl.imsglobal.org/spec/lti/claim/"


def fields_of(page):
    """(action, fields) of the form that posts itself."""
    action = html.unescape(re.search(r'<form method="post" action="([^"]*)"', page.text)[1])
    found = re.findall(r'<input type="hidden" name="([^"]*)" value="([^"]*)">', page.text)
    return action, {name: html.unescape(value) for name, value in found}


def begin(browser, person="ada", link="pricing"):
    return fields_of(browser.get(f"/lms/links/{link}/initiate?as={person}&target=iframe"))


def request_for(started, **changed):
    asked = {
        "scope": "openid",
        "response_type": "id_token",
        "response_mode": "form_post",
        "prompt": "none",
        "client_id": started["client_id"],
        "redirect_uri": started["target_link_uri"],
        "login_hint": started["login_hint"],
        "lti_message_hint": started["lti_message_hint"],
        "state": "st-1",
        "nonce": "no-1",
    } | changed
    return {name: value for name, value in asked.items() if value is not None}


def claims_of(browser, token, **options):
    keys = KeySet.import_key_set(browser.get("/lms/jwks").json)
    return jwt.decode(token, keys, algorithms=["RS256"], **options).claims


def test_initiation_names_the_deployment_and_carries_a_hint_with_quotes(course):
    action, started = begin(course)
    assert action == "http://127.0.0.1:8000/lti/login"
    assert started["iss"] == "http://127.0.0.1:8100/lms"
    assert started["lti_deployment_id"] == "dep-1"
    assert started["login_hint"] == "101"
    assert json.loads(started["lti_message_hint"])["cmid"] == "pricing"


def test_a_launch_bears_every_claim_and_lives_a_minute(course, clock):
    _, started = begin(course)
    action, posted = fields_of(course.get("/lms/auth", query_string=request_for(started)))
    assert action == "http://127.0.0.1:8000/lti/launch"
    assert posted["state"] == "st-1"
    claims = claims_of(course, posted["id_token"])
    assert claims["exp"] - claims["iat"] == 60
    assert claims["iat"] == int(clock())
    assert (claims["aud"], claims["nonce"], claims["sub"]) == ("tool-1", "no-1", "101")
    assert claims[f"{CLAIM}custom"] == {"activity": "pricing-update"}
    assert claims[f"{CLAIM}resource_link"]["id"] == "pricing"
    assert claims[f"{CLAIM}launch_presentation"]["document_target"] == "iframe"
    assert claims[f"{CLAIM}lis"]["person_sourcedid"] == "E1001"
    assert claims["email"] == "ada@campus.example"
    endpoint = claims["https://purl.imsglobal.org/spec/lti-ags/claim/endpoint"]
    assert endpoint["lineitem"].startswith(f"{endpoint['lineitems']}/")


def test_a_teacher_is_an_instructor(course):
    _, started = begin(course, person="ines")
    _, posted = fields_of(course.post("/lms/auth", data=request_for(started)))
    roles = claims_of(course, posted["id_token"])[f"{CLAIM}roles"]
    assert any(role.endswith("membership#Instructor") for role in roles)
    assert not any(role.endswith("membership#Learner") for role in roles)


def test_a_message_hint_works_once(course):
    _, started = begin(course)
    asked = request_for(started)
    assert "id_token" in fields_of(course.get("/lms/auth", query_string=asked))[1]
    _, again = fields_of(course.get("/lms/auth", query_string=asked))
    assert again["error"] == "invalid_request"
    assert again["state"] == "st-1"
    assert "id_token" not in again


def test_a_message_hint_ends(course, clock):
    _, started = begin(course)
    clock.seconds += 301
    _, posted = fields_of(course.get("/lms/auth", query_string=request_for(started)))
    assert posted["error"] == "invalid_request"


def test_a_launch_begun_in_another_browser_is_refused(course, another):
    _, started = begin(course)
    begin(another)
    _, posted = fields_of(another.get("/lms/auth", query_string=request_for(started)))
    assert posted["error"] == "login_required"


def test_two_people_may_be_opened_in_one_browser(course):
    _, ada = begin(course, "ada")
    _, ben = begin(course, "ben")
    for started, sub in ((ada, "101"), (ben, "102")):
        _, posted = fields_of(course.get("/lms/auth", query_string=request_for(started)))
        assert claims_of(course, posted["id_token"])["sub"] == sub


def test_another_persons_login_hint_is_refused(course):
    _, started = begin(course, "ada")
    asked = request_for(started, login_hint="102")
    _, posted = fields_of(course.get("/lms/auth", query_string=asked))
    assert posted["error"] == "login_required"


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"nonce": None}, "invalid_request"),
        ({"scope": "profile"}, "invalid_scope"),
        ({"response_type": "code"}, "unsupported_response_type"),
        ({"response_mode": "query"}, "invalid_request"),
        ({"prompt": "login"}, "invalid_request"),
        ({"lti_message_hint": None}, "invalid_request"),
        ({"lti_message_hint": "[" * 50_000}, "invalid_request"),
        ({"lti_message_hint": '{"launchid": {}}'}, "invalid_request"),
    ],
)
def test_a_request_out_of_order_gets_an_error_and_no_token(course, changed, code):
    _, started = begin(course)
    _, posted = fields_of(course.post("/lms/auth", data=request_for(started, **changed)))
    assert posted["error"] == code
    assert "id_token" not in posted


@pytest.mark.parametrize(
    "changed",
    [
        {"redirect_uri": "http://127.0.0.1:8000/lti/launch/"},
        {"redirect_uri": "http://127.0.0.1:8000/lti/launch?x=1"},
        {"redirect_uri": "http://127.0.0.1:9/evil"},
        {"redirect_uri": None},
        {"client_id": "tool-2"},
    ],
)
def test_nothing_is_sent_to_an_address_that_is_not_registered(course, changed):
    _, started = begin(course)
    answer = course.get("/lms/auth", query_string=request_for(started, **changed))
    assert answer.status_code == 400
    assert "data-go" not in answer.text


def test_a_launch_can_begin_by_get(course):
    kept = course.get("/control/lms/tool").json
    course.put("/control/lms/tool", json={**kept, "initiate_by": "GET"})
    answer = course.get("/lms/links/pricing/initiate?as=ada")
    assert answer.status_code == 302
    assert answer.headers["Location"].startswith("http://127.0.0.1:8000/lti/login?iss=http")


def test_privacy_hides_the_person(course):
    kept = course.get("/control/lms/tool").json
    course.put("/control/lms/tool", json={**kept, "privacy": "none"})
    _, started = begin(course)
    _, posted = fields_of(course.get("/lms/auth", query_string=request_for(started)))
    assert not {"email", "name", "given_name"} & set(claims_of(course, posted["id_token"]))


def test_a_launch_begins_without_a_page_for_programs(course):
    started = course.post("/control/lms/launches", json={"person": "ada", "link": "pricing"}).json
    assert started["method"] == "POST"
    answer = course.get("/lms/auth", query_string=request_for(started["fields"]))
    assert "id_token" in fields_of(answer)[1]


def test_moodle_shortens_the_context_type_and_blanks_what_it_does_not_know(course):
    course.put("/control/lms/manners", json={"flavour": "moodle"})
    course.put(
        "/control/lms/links/pricing",
        json={"custom": {"activity": "p", "mail": "$Person.email.primary", "odd": "$Odd.one"}},
    )
    _, started = begin(course)
    _, posted = fields_of(course.get("/lms/auth", query_string=request_for(started)))
    claims = claims_of(course, posted["id_token"])
    assert claims[f"{CLAIM}context"]["type"] == ["CourseSection"]
    assert claims[f"{CLAIM}custom"] == {"activity": "p", "mail": "ada@campus.example", "odd": ""}
    assert claims[f"{CLAIM}tool_platform"]["product_family_code"] == "moodle"


@pytest.mark.parametrize("keep_old", [True, False])
def test_a_rotated_key_is_published_and_the_old_one_kept_or_dropped(course, keep_old):
    before = {key["kid"] for key in course.get("/lms/jwks").json["keys"]}
    kid = course.post("/control/lms/keys", json={"keep_old": keep_old}).json["kid"]
    keys = course.get("/lms/jwks").json["keys"]
    after = {key["kid"] for key in keys}
    assert after == ({kid} | before if keep_old else {kid})
    assert not any("d" in key for key in keys)


def test_who_is_not_on_the_course_cannot_open_it(course):
    course.put("/control/people/ada", json={"enrolled": False})
    assert course.get("/lms/links/pricing/initiate?as=ada").status_code == 404
    assert course.get("/lms/links/none/initiate?as=ben").status_code == 404
