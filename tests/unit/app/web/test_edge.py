"""What every answer has in common: dialects of errors, headers, request ids, probes, logs."""

from __future__ import annotations

import io
import json
from contextlib import redirect_stderr
from dataclasses import replace

import pytest
from flask import Flask

from app.factory import create_app
from app.flows import tenancy
from app.kernel.errors import Unavailable
from app.web import logs
from app.web.scim import LARGEST_BODY


class Logged:
    """Catches what is logged, from the moment of listening on."""

    def __init__(self) -> None:
        self._written = io.StringIO()

    def listen(self) -> None:
        with redirect_stderr(self._written):
            logs.configure("info")

    def __call__(self) -> str:
        """Return what was logged since the last time of asking."""
        text = self._written.getvalue()
        self._written.seek(0)
        self._written.truncate()
        return text


@pytest.fixture
def logged(app: Flask) -> Logged:
    made = Logged()
    made.listen()
    return made


@pytest.fixture
def token(deps, tenant) -> str:
    return tenancy.issue_token(deps, tenant.slug, "scim")[1]


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/scim/v2/nothing", "application/scim+json"),
        ("/api/v1/nothing", "application/problem+json"),
        ("/healthz/nothing", "application/problem+json"),
        ("/lti/nothing", "text/html; charset=utf-8"),
        ("/nothing", "text/html; charset=utf-8"),
    ],
)
def test_a_missing_page_is_told_in_the_words_of_its_protocol(client, path, kind):
    answer = client.get(path)
    assert (answer.status_code, answer.content_type) == (404, kind)
    assert answer.headers["X-Request-Id"].encode() in answer.data or "scim" in kind


def test_a_wrong_method_says_which_are_right(client, token):
    answer = client.patch("/scim/v2/Users", headers={"Authorization": f"Bearer {token}"})
    assert answer.status_code == 405
    assert {"GET", "POST"} <= set(answer.headers["Allow"].split(", "))
    assert answer.json["status"] == "405"


@pytest.mark.parametrize("path", ["/scim/v2/Users", "/api/v1/me", "/lti/login", "/"])
def test_a_fault_of_ours_is_a_500_without_a_word_about_the_code(
    app: Flask, path, monkeypatch, logged
):
    secret = "the-inside-of-the-house"

    def fail(*_args, **_kwargs):
        raise ZeroDivisionError(secret)

    for endpoint in list(app.view_functions):
        monkeypatch.setitem(app.view_functions, endpoint, fail)
    app.testing = False
    app.config["PROPAGATE_EXCEPTIONS"] = False
    answer = app.test_client().get(path)
    assert answer.status_code == 500
    assert secret not in answer.text
    assert "Traceback" not in answer.text
    assert secret in logged()


@pytest.mark.parametrize(
    "path", ["/", "/scim/v2/Users", "/learn", "/static/ostiary.css", "/nothing"]
)
def test_every_answer_is_armoured(client, path):
    with client.get(path) as answer:
        headers = answer.headers
    policy = headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe-inline" not in policy
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] in {"no-referrer", "same-origin", "strict-origin"}
    assert ("no-store" in headers.get("Cache-Control", "")) == (not path.startswith("/static"))


def test_https_is_insisted_on_and_cookies_are_bound_to_the_host(deps):
    secure = replace(
        deps, settings=deps.settings.model_copy(update={"base_url": "https://learn.example.org"})
    )
    client = create_app(secure).test_client()
    answer = client.get(
        "/lti/login?iss=x&login_hint=1&target_link_uri=https://learn.example.org/lti/launch"
    )
    assert "max-age" in answer.headers["Strict-Transport-Security"]
    for cookie in answer.headers.getlist("Set-Cookie"):
        assert cookie.startswith("__Host-")
        assert "Secure" in cookie
        assert "HttpOnly" in cookie
        assert "Domain" not in cookie


@pytest.mark.parametrize(
    "given", ["", "short", "x" * 65, "with space 12345", "new\tline1234", "<script>1234"]
)
def test_a_strange_request_id_is_replaced(client, given):
    answer = client.get("/healthz", headers={"X-Request-Id": given} if given else {})
    assert answer.headers["X-Request-Id"] != given
    assert len(answer.headers["X-Request-Id"]) == 16


def test_a_good_request_id_goes_through_to_the_log(client, logged):
    answer = client.get("/healthz?code=a-secret-code", headers={"X-Request-Id": "from-the-proxy-1"})
    assert answer.headers["X-Request-Id"] == "from-the-proxy-1"
    line = json.loads(logged().strip().splitlines()[-1])
    assert (line["request_id"], line["route"], line["status"]) == (
        "from-the-proxy-1",
        "/healthz",
        200,
    )


def test_no_secret_gets_into_a_log(client, token, tenant, logged):
    client.get(
        '/scim/v2/Users?filter=userName eq "whisper"', headers={"Authorization": f"Bearer {token}"}
    )
    client.get("/sso/0/callback?code=the-code&state=the-state")
    client.post("/lti/launch", data={"id_token": "the-id-token", "state": "the-state"})
    client.post(
        "/login", data={"email": "a@b.c", "password": "the-password", "tenant": tenant.slug}
    )
    told = logged()
    assert told.count('"event": "request"') == 4
    for secret in (
        token,
        "whisper",
        "the-code",
        "the-state",
        "the-id-token",
        "the-password",
        "a@b.c",
    ):
        assert secret not in told


def test_a_traceback_is_logged_without_the_values_in_its_frames(app, monkeypatch, logged):
    def fail():
        password = "hunter" + "two"
        raise ZeroDivisionError(len(password))

    monkeypatch.setitem(app.view_functions, "pages.front", fail)
    app.testing = False
    app.config["PROPAGATE_EXCEPTIONS"] = False
    assert app.test_client().get("/").status_code == 500
    told = logged()
    assert "ZeroDivisionError" in told
    assert "huntertwo" not in told


def test_alive_and_ready(client, monkeypatch):
    assert client.get("/healthz").json == {"status": "ok"}
    assert client.get("/readyz").json == {"status": "ready"}

    def away(_db):
        raise Unavailable("The database is away.")

    monkeypatch.setattr("app.web.health.require_current", away)
    assert client.get("/readyz").status_code == 503
    assert client.get("/healthz").status_code == 200


def test_metrics_count_by_route_not_by_address(client, deps):
    client.get("/scim/v2/Users/somebody-in-particular")
    answer = client.get("/metrics")
    assert answer.status_code == 200
    assert b"ostiary_requests_total" in answer.data
    assert b"somebody-in-particular" not in answer.data
    assert b"# TYPE ostiary_outbox gauge" in answer.data


def test_metrics_are_for_loopback_or_for_the_tokens_bearer(client, deps):
    from_outside = {"REMOTE_ADDR": "203.0.113.9"}
    assert client.get("/metrics", environ_base=from_outside).status_code == 403
    guarded = replace(deps, settings=deps.settings.model_copy(update={"metrics_token": "m" * 20}))
    other = create_app(guarded).test_client()
    assert other.get("/metrics").status_code == 403
    assert other.get("/metrics", headers={"Authorization": "Bearer wrong"}).status_code == 403
    right = {"Authorization": "Bearer " + "m" * 20}
    assert other.get("/metrics", headers=right, environ_base=from_outside).status_code == 200


def test_the_clients_address_is_read_only_as_many_proxies_back_as_are_trusted(deps, logged):
    forwarded = {"X-Forwarded-For": "6.6.6.6, 198.51.100.7", "X-Forwarded-Host": "evil.example"}

    def seen(hops):
        made = replace(deps, settings=deps.settings.model_copy(update={"trusted_proxies": hops}))
        client = create_app(made).test_client()
        logged.listen()
        client.get("/healthz", headers=forwarded)
        return json.loads(logged().strip().splitlines()[-1])["client"]

    assert seen(0) == "127.0.0.1"
    assert seen(1) == "198.51.100.7"


def test_a_host_header_changes_nothing(client, deps):
    answer = client.get("/learn", headers={"Host": "evil.example"})
    assert "evil.example" not in answer.headers.get("Location", "")
    assert "evil.example" not in client.get("/", headers={"Host": "evil.example"}).text


def test_a_body_over_the_bound_is_refused(client, token):
    answer = client.post(
        "/scim/v2/Users",
        data=b"x" * (LARGEST_BODY + 1),
        headers={"Authorization": f"Bearer {token}", "Content-Type": "application/scim+json"},
    )
    assert answer.status_code == 413
    assert answer.json["status"] == "413"
