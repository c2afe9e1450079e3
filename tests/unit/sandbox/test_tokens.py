"""The LMS's token endpoint: which assertions it takes."""

import pytest
from joserfc import jwt
from joserfc.jwk import OctKey, RSAKey

BEARER = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


def ask(browser, assertion, scope, /, **changed):
    form = {
        "grant_type": "client_credentials",
        "client_assertion_type": BEARER,
        "client_assertion": assertion,
        "scope": scope,
    } | changed
    return browser.post("/lms/token", data=form)


@pytest.fixture
def score(scope_names):
    return scope_names["score"]


def test_a_good_assertion_brings_a_token_of_the_scopes_known_here(course, clock, neighbour, score):
    answer = ask(course, neighbour.assertion(clock()), f"{score} urn:unknown")
    assert answer.status_code == 200
    assert answer.json["scope"] == score
    assert answer.json["expires_in"] == 3600
    assert answer.headers["Cache-Control"] == "no-store"


def test_an_assertion_works_once(course, clock, neighbour, score):
    assertion = neighbour.assertion(clock())
    assert ask(course, assertion, score).status_code == 200
    again = ask(course, assertion, score)
    assert (again.status_code, again.json["error"]) == (400, "invalid_client")


@pytest.mark.parametrize(
    "changed",
    [
        {"iss": "tool-2"},
        {"sub": "tool-2"},
        {"aud": "http://127.0.0.1:9/token"},
        {"aud": None},
        {"aud": []},
        {"aud": {"a": 1}},
        {"exp": 1_799_999_000},
        {"exp": None},
        {"exp": "soon"},
        {"exp": True},
        {"exp": 1_800_090_000},
        {"iat": 1_800_000_600},
        {"iat": None},
        {"jti": None},
        {"jti": ""},
        {"jti": 7},
    ],
)
def test_an_assertion_that_says_something_wrong_is_refused(
    course, clock, neighbour, score, changed
):
    answer = ask(course, neighbour.assertion(clock(), **changed), score)
    assert (answer.status_code, answer.json["error"]) == (400, "invalid_client")


def test_a_foreign_key_under_our_kid_is_refused(course, clock, neighbour, score):
    forged = neighbour.assertion(clock(), key=RSAKey.generate_key(2048))
    assert ask(course, forged, score).json["error"] == "invalid_client"


def test_an_unknown_kid_and_no_kid_are_refused(course, clock, neighbour, score):
    nameless = RSAKey.import_key(neighbour.key.as_pem(private=True))
    claims = neighbour.claims(clock())
    for header in ({"kid": "other"}, {"kid": ""}, {}):
        forged = jwt.encode({"alg": "RS256"} | header, claims, nameless)
        assert ask(course, forged, score).json["error"] == "invalid_client"
    answer = ask(
        course, jwt.encode({"alg": "RS256", "kid": neighbour.key.kid}, claims, nameless), score
    )
    assert answer.status_code == 200


def test_the_public_key_is_no_shared_secret(course, clock, neighbour, score):
    secret = OctKey.import_key(neighbour.key.as_pem(private=False).hex())
    forged = neighbour.assertion(clock(), header={"alg": "HS256"}, key=secret)
    assert ask(course, forged, score).json["error"] == "invalid_client"


def test_a_rotated_tool_key_is_fetched_again(course, clock, neighbour, score):
    assert ask(course, neighbour.assertion(clock()), score).status_code == 200
    neighbour.rotate()
    assert ask(course, neighbour.assertion(clock(), jti="two"), score).status_code == 200


def test_keys_are_not_fetched_for_every_token(course, clock, neighbour, score):
    for jti in ("a", "b", "c"):
        assert ask(course, neighbour.assertion(clock(), jti=jti), score).status_code == 200
    assert len([url for _, url, _, _ in neighbour.calls if "jwks" in url]) == 1


def test_a_silent_tool_gets_no_token(course, clock, neighbour, score):
    neighbour.silent = True
    answer = ask(course, neighbour.assertion(clock()), score)
    assert (answer.status_code, answer.json["error"]) == (400, "invalid_client")


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"grant_type": "password"}, "unsupported_grant_type"),
        ({"client_assertion_type": "x"}, "invalid_request"),
        ({"client_assertion": ""}, "invalid_client"),
        ({"client_assertion": "a.b.c"}, "invalid_client"),
        ({"client_assertion": "é"}, "invalid_client"),
        ({"client_assertion": "x" * 9_000}, "invalid_client"),
        ({"scope": ""}, "invalid_scope"),
        ({"scope": "openid"}, "invalid_scope"),
    ],
)
def test_a_request_out_of_order_is_refused(course, clock, neighbour, score, changed, code):
    answer = ask(course, neighbour.assertion(clock()), score, **changed)
    assert (answer.status_code, answer.json["error"]) == (400, code)


def test_moodle_says_its_json_is_html(course, clock, neighbour, score):
    course.put("/control/lms/manners", json={"flavour": "moodle"})
    answer = ask(course, neighbour.assertion(clock()), score)
    assert answer.mimetype == "text/html"
    assert answer.text.startswith("{")


def test_a_token_ends(course, bearer, clock):
    header = bearer("members")
    path = "/lms/api/courses/sales-onboarding/members"
    assert course.get(path, headers=header).status_code == 200
    clock.seconds += 3601
    assert course.get(path, headers=header).status_code == 401
    assert course.get(path).status_code == 401
