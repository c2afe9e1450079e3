from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lti import service
from lti.errors import ServiceRefused, ServiceUnavailable, TokenRejected
from lti.service import Kind

PAGE = b"<!DOCTYPE html><html><body>Log in</body></html>"


@pytest.mark.parametrize(
    ("status", "body", "headers", "kind"),
    [
        (200, b"", {}, Kind.ACCEPTED),
        (204, b"", {"Content-Type": "text/html"}, Kind.ACCEPTED),
        (201, b"{}", {}, Kind.ACCEPTED),
        (200, PAGE, {}, Kind.RETRY),
        (200, b"\xef\xbb\xbf  <html lang='de'>", {}, Kind.RETRY),
        (302, b"", {"Location": "/login"}, Kind.RETRY),
        (100, b"", {}, Kind.RETRY),
        (400, b'{"reason": "x"}', {}, Kind.REFUSED),
        (401, PAGE, {}, Kind.TOKEN_EXPIRED),
        (403, b"{}", {}, Kind.REFUSED),
        (403, b"{}", {"X-Rate-Limit-Remaining": "0.0"}, Kind.THROTTLED),
        (403, b"{}", {"x-rate-limit-remaining": "-3"}, Kind.THROTTLED),
        (403, b"{}", {"X-Rate-Limit-Remaining": "599.9"}, Kind.REFUSED),
        (403, b"{}", {"X-Rate-Limit-Remaining": "many"}, Kind.REFUSED),
        (403, PAGE, {}, Kind.RETRY),
        (404, PAGE, {}, Kind.RETRY),
        (404, b"{}", {}, Kind.REFUSED),
        (408, b"", {}, Kind.RETRY),
        (409, b"", {}, Kind.SUPERSEDED),
        (422, b"{}", {}, Kind.REFUSED),
        (425, b"", {}, Kind.RETRY),
        (429, PAGE, {}, Kind.THROTTLED),
        (500, b"{}", {}, Kind.RETRY),
        (503, PAGE, {}, Kind.RETRY),
        (503, PAGE, {"Retry-After": "soon"}, Kind.RETRY),
        (503, PAGE, {"Retry-After": "7"}, Kind.THROTTLED),
        (503, b"{}", {"retry-after": "Mon, 02 Mar 2099 10:00:00 GMT"}, Kind.THROTTLED),
        (502, b"{}", {"Retry-After": "7"}, Kind.RETRY),
        (0, b"", {}, Kind.RETRY),
        (999, b"", {}, Kind.RETRY),
    ],
)
def test_what_an_answer_means(answer, now, status, body, headers, kind):
    given_answer = answer(status, body)
    given_answer.headers.update(headers)
    assert service.classify(given_answer, now).kind == kind


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("0", 0),
        ("120", 120),
        (" 5 ", 5),
        ("999999999", 86_400),
        ("Sun, 01 Mar 2026 12:00:30 GMT", 30),
        ("Sunday, 01-Mar-26 12:00:30 GMT", 30),
        ("Sun, 01 Mar 2026 11:59:30 GMT", None),
        ("-5", None),
        ("soon", None),
        ("nan", None),
        ("inf", None),
        ("", None),
        ("Sun, 99 Mar 2026 99:99:99 GMT", None),
    ],
)
def test_retry_after(answer, now, value, seconds):
    wait = service.classify(answer(503, b"", retry_after=value), now).retry_after
    assert wait == (None if seconds is None else timedelta(seconds=seconds))


@given(st.text())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_a_wild_retry_after_is_bounded(answer, now, value):
    wait = service.classify(answer(429, b"", retry_after=value), now).retry_after
    assert wait is None or timedelta(0) <= wait <= timedelta(days=1)


def test_the_platforms_words_come_shortened_on_one_line(answer, now):
    outcome = service.classify(answer(400, b"No\r\nstudent\x1b[31m \xff" + b"x" * 5000), now)
    assert outcome.message.startswith("The platform refused this. It said: No student[31m")
    assert outcome.message.isprintable()
    assert len(outcome.message) < 300


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (401, b"", TokenRejected),
        (429, b"", ServiceUnavailable),
        (500, b"", ServiceUnavailable),
        (200, PAGE, ServiceUnavailable),
        (404, b"{}", ServiceRefused),
        (409, b"{}", ServiceRefused),
        (200, b"", ServiceRefused),
        (200, b"{", ServiceRefused),
        (200, b"[" * 9000, ServiceRefused),
        (200, b'"' + b"x" * 8_000_001 + b'"', ServiceRefused),
    ],
    ids=str,
)
def test_json_is_read_of_success_only(answer, now, status, body, error):
    with pytest.raises(error):
        service.read_json(answer(status, body), now)


def test_json_is_read_whatever_its_type(answer, now):
    assert service.read_json(answer(200, b"[1]", content_type="text/html"), now) == [1]


@pytest.mark.parametrize("token", ["", "a b", "a\r\nX: y", "é"])
def test_a_token_cannot_smuggle_headers(token):
    with pytest.raises(ValueError):
        service.bearer_request("GET", "https://lms.example", token)


def test_a_request_cannot_be_changed():
    request = service.bearer_request("GET", "https://lms.example", "t")
    with pytest.raises(TypeError):
        request.headers["Authorization"] = "x"
