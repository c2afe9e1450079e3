from dataclasses import replace
from datetime import timedelta
from urllib.parse import parse_qs

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from keys import jwt
from lti import token
from lti.errors import ServiceError, ServiceRefused, ServiceUnavailable

SCOPES = ("https://x.example/score", "https://x.example/members")


def assertion(platform, registration, now):
    request = token.grant_request(registration, platform.key, SCOPES, now=now, jti="j-1")
    form = parse_qs(request.body.decode(), strict_parsing=True)
    signed = form.pop("client_assertion")[0]
    claims = jwt.verify(
        signed, platform.jwks, algorithms=["RS256"], now=now, leeway=timedelta(seconds=0)
    )
    return request, form, claims


def test_the_grant_is_a_signed_assertion(platform, registration, now):
    request, form, claims = assertion(platform, registration, now)
    assert (request.method, request.url) == ("POST", "https://lms.example/token")
    assert request.headers["Content-Type"] == "application/x-www-form-urlencoded"
    assert form == {
        "grant_type": ["client_credentials"],
        "client_assertion_type": ["urn:ietf:params:oauth:client-assertion-type:jwt-bearer"],
        "scope": ["https://x.example/members https://x.example/score"],
    }
    at = int(now.timestamp())
    assert claims == {
        "iss": "client-1",
        "sub": "client-1",
        "aud": "https://lms.example/token",
        "iat": at - 5,
        "exp": at + 300,
        "jti": "j-1",
    }


def test_a_platform_may_want_its_own_audience(platform, registration, now):
    own = replace(registration, token_audience="https://api.lms.example")
    assert assertion(platform, own, now)[2]["aud"] == "https://api.lms.example"


def grant(answer, now, status=200, **body):
    return token.read_grant(answer(status, body, content_type="text/html"), SCOPES, now)


def test_a_grant_is_read_whatever_its_type(answer, now):
    granted = grant(
        answer,
        now,
        access_token="tok",
        token_type="bearer",
        expires_in=3600,
        scope=" ".join(SCOPES),
    )
    assert (granted.token, granted.expires_at) == ("tok", now + timedelta(seconds=3540))
    assert (granted.scopes, granted.missing) == (frozenset(SCOPES), frozenset())
    assert "tok" not in repr(granted)


@pytest.mark.parametrize(
    ("scope", "missing"),
    [
        (SCOPES[0], {SCOPES[1]}),
        ("", set(SCOPES)),
        ("other", set(SCOPES)),
        (None, set()),
    ],
)
def test_scopes_dropped_in_silence_are_noticed(answer, now, scope, missing):
    assert grant(answer, now, access_token="t", scope=scope).missing == missing


@pytest.mark.parametrize(
    ("expires_in", "seconds"),
    [
        (3600, 3540),
        ("3600", 3540),
        (60, 54),
        (0, 0),
        (None, 270),
        (-1, 270),
        ("soon", 270),
        ("nan", 270),
        ([1], 270),
        (10**12, 86_340),
    ],
)
def test_a_token_is_given_up_a_little_early(answer, now, expires_in, seconds):
    granted = grant(answer, now, access_token="t", expires_in=expires_in)
    assert granted.expires_at == now + timedelta(seconds=seconds)


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"access_token": ""},
        {"access_token": 7},
        {"access_token": "a b"},
        {"access_token": "a\r\nX: y"},
        {"access_token": "x" * 16_001},
        {"access_token": "t", "token_type": "mac"},
        {"access_token": "t", "token_type": 7},
    ],
)
def test_an_answer_without_a_usable_token_is_refused(answer, now, body):
    with pytest.raises(ServiceRefused):
        grant(answer, now, **body)


@pytest.mark.parametrize("body", [b"", b"[]", b"null", b"access_token=t"])
def test_an_answer_that_is_no_object_is_refused(answer, now, body):
    with pytest.raises(ServiceRefused):
        token.read_grant(answer(200, body), SCOPES, now)


@pytest.mark.parametrize(
    ("status", "error", "code"),
    [
        (400, "invalid_scope", "invalid_scope"),
        (401, "invalid_client", "invalid_client"),
        (403, "access_denied", "access_denied"),
        (400, "<script>", "denied"),
        (400, {"a": 1}, "denied"),
    ],
)
def test_a_denied_grant_carries_the_platforms_code(answer, now, status, error, code):
    with pytest.raises(ServiceRefused) as refused:
        grant(answer, now, status, error=error)
    assert refused.value.code == code


@pytest.mark.parametrize(
    ("status", "body"),
    [(200, b"<html>"), (404, b"<!doctype html>"), (401, b"<html>"), (500, b"{}"), (429, b"{}")],
)
def test_pages_and_outages_are_repeated_later(answer, now, status, body):
    with pytest.raises(ServiceUnavailable) as busy:
        token.read_grant(answer(status, body, retry_after="9"), SCOPES, now)
    assert busy.value.retry_after in (timedelta(seconds=9), None)


@given(
    st.dictionaries(
        st.sampled_from(["access_token", "token_type", "expires_in", "scope", "error"]),
        st.none() | st.integers() | st.floats() | st.text("a ", max_size=3) | st.lists(st.none()),
    )
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_wild_grants(answer, now, body):
    for status in (200, 400):
        try:
            assert grant(answer, now, status, **body).expires_at >= now
        except ServiceError:
            continue
