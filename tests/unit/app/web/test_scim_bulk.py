"""SCIM's /Bulk over HTTP: its bounds, and who may send it."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from types import SimpleNamespace

import pytest
import structlog
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.factory import create_app
from app.flows import provision, tenancy
from app.kernel.errors import UNEXPECTED
from tests.provisioning import Idp, refused

RESPONSE_URN = "urn:ietf:params:scim:api:messages:2.0:BulkResponse"
LARGEST = 8 * 1024 * 1024


@pytest.fixture
def idp(site, tenant, deps):
    return Idp(site, tenancy.issue_token(deps, tenant.slug, "scim")[1])


def user(name):
    return {"method": "POST", "path": "/Users", "bulkId": name, "data": {"userName": name}}


def request_of(*operations, **more):
    schemas = ["urn:ietf:params:scim:api:messages:2.0:BulkRequest"]
    return {"schemas": schemas, "Operations": list(operations), **more}


def test_a_bulk_is_answered_200_whatever_becomes_of_each(idp, deps):
    asked = request_of(user("a"), user("A") | {"bulkId": "b"}, user("c"), failOnErrors=9)
    answer = idp.send("POST", "/Bulk", asked)
    assert (answer.status_code, answer.content_type) == (200, "application/scim+json")
    assert answer.json["schemas"] == [RESPONSE_URN]
    first, second, third = answer.json["Operations"]
    root = f"{deps.settings.base_url}/scim/v2/"
    shown = idp.get(f"/{first.pop('location').removeprefix(root)}")
    assert shown["userName"] == "a"
    assert first == {"method": "POST", "bulkId": "a", "version": 'W/"1"', "status": "201"}
    assert second == {
        "method": "POST", "bulkId": "b", "status": "409", "response": {
            "schemas": ["urn:ietf:params:scim:api:messages:2.0:Error"], "status": "409",
            "scimType": "uniqueness", "detail": "Another User bears this userName.",
        },
    }  # fmt: skip
    assert third["status"] == "201"


def test_a_fault_of_ours_is_logged_with_the_request_it_came_in(idp, monkeypatch):
    def faulty(*_):
        raise RuntimeError("broken")

    monkeypatch.setattr(provision, "create", faulty)
    lines = []
    monkeypatch.setattr(
        structlog, "get_logger", lambda _: SimpleNamespace(error=lambda event, **said: lines.append(
            {"event": event, **said, **structlog.contextvars.get_contextvars()}
        ))
    )  # fmt: skip
    answer = idp.send("POST", "/Bulk", request_of(user("a")))
    (said,) = answer.json["Operations"]
    assert (said["status"], said["response"]["detail"]) == ("500", UNEXPECTED)
    (line,) = lines
    assert line["event"] == "unexpected"
    assert line["request_id"] == answer.headers["X-Request-Id"]
    assert structlog.contextvars.get_contextvars() == {}


def test_its_bounds_are_those_that_are_published(idp):
    config = idp.get("/ServiceProviderConfig")["bulk"]
    assert config == {"supported": True, "maxOperations": 1000, "maxPayloadSize": LARGEST}
    answer = idp.send("POST", "/Bulk", request_of(*(user(f"u{n}") for n in range(1000))))
    assert {one["status"] for one in answer.json["Operations"]} == {"201"}
    answer = idp.send("POST", "/Bulk", request_of(*(user(f"v{n}") for n in range(1001))))
    refused(answer, 413)
    assert "1000" in answer.json["detail"]
    assert idp.get("/Users", count=0)["totalResults"] == 1000


def test_a_body_of_the_largest_size_is_read_and_a_longer_one_refused(idp):
    body = json.dumps(request_of(user("a"))).encode()
    assert idp.send("POST", "/Bulk", body.ljust(LARGEST)).status_code == 200
    answer = idp.send("POST", "/Bulk", body.ljust(LARGEST + 1))
    refused(answer, 413)
    assert str(LARGEST) in answer.json["detail"]


def test_a_body_that_does_not_say_how_long_it_is_is_bounded_as_well(idp):
    body = json.dumps(request_of(user("a"))).encode()
    more = {"headers": {"Transfer-Encoding": "chunked", "Content-Type": "application/json"}}

    def sent(size):
        stream = io.BytesIO(body.ljust(size))
        environ = {"wsgi.input_terminated": True}
        return idp.send("POST", "/Bulk", input_stream=stream, environ_overrides=environ, **more)

    assert sent(LARGEST).status_code == 200
    refused(sent(LARGEST + 1), 413)


@pytest.mark.parametrize(
    ("body", "scim_type"),
    [
        (b"", "invalidSyntax"),
        (b"{", "invalidSyntax"),
        (b"[]", "invalidSyntax"),
        (b"{}", "invalidSyntax"),
        (b'{"Operations":[]}', "invalidSyntax"),
        (b'{"Operations":{}}', "invalidSyntax"),
        (b'{"Operations":[1],"failOnErrors":"x"}', "invalidValue"),
    ],
)
def test_what_is_no_bulk_request_is_refused(idp, body, scim_type):
    refused(idp.send("POST", "/Bulk", body), 400, scim_type)


def test_who_may_only_read_sends_none(site, deps, tenant, idp):
    reader = Idp(site, tenancy.issue_token(deps, tenant.slug, "scim", scope="read")[1])
    refused(reader.send("POST", "/Bulk", request_of(user("a"))), 403)
    assert idp.get("/Users")["totalResults"] == 0


def test_without_a_token_nothing_is_done(idp):
    refused(idp.send("POST", "/Bulk", request_of(user("a")), headers={"Authorization": None}), 401)
    refused(idp.send("GET", "/Bulk"), 405)


def test_operations_count_against_the_limit_of_requests(deps, tenant):
    limited = replace(deps, settings=deps.settings.model_copy(update={"scim_rate": 10}))
    idp = Idp(create_app(limited), tenancy.issue_token(deps, tenant.slug, "scim")[1])
    for name in "ab":  # 1 + 60 / 20 each
        some = request_of(*(user(f"{name}{n}") for n in range(60)))
        assert idp.send("POST", "/Bulk", some).status_code == 200
    answer = idp.send("POST", "/Bulk", request_of(*(user(f"c{n}") for n in range(60))))
    refused(answer, 429)
    assert answer.headers["Retry-After"] == "1"
    deps.clock.move(seconds=1)
    assert idp.get("/Users", count=0)["totalResults"] == 120
    deps.clock.move(seconds=1)
    most = request_of(*(user(f"d{n}") for n in range(1000)))
    assert idp.send("POST", "/Bulk", most).status_code == 200, "a second's worth at most"


TEXTS = st.sampled_from(
    ["bulkId:a", "bulkId:", "bulkId:\x00", "/Users", "/Groups", "/Users/bulkId:a", "/Groups/bulkId:b", "/Users/\ud800",
     "/Groups/x/y", 'members[value eq "bulkId:b"]', 'emails[type eq "bulkId:a"].value', "a", "", "POST", "PATCH", "\ud800",
     "members", "W/", "/Users/%00"]
)  # fmt: skip
VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), TEXTS),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(
            st.sampled_from(["value", "path", "op", "userName", "members", "displayName", "Operations", "manager"]),
            inner, max_size=4,
        ),
    ),
    max_leaves=12,
)  # fmt: skip
OPERATIONS = st.one_of(
    VALUES,
    st.fixed_dictionaries(
        {},
        optional={
            "method": st.one_of(st.sampled_from(["POST", "PUT", "PATCH", "DELETE", "post"]), VALUES),
            "bulkId": st.one_of(st.sampled_from(["a", "b"]), VALUES),
            "path": st.one_of(st.sampled_from(["/Users", "/Groups"]), TEXTS, VALUES),
            "version": VALUES,
            "data": VALUES,
        },
    ),
)  # fmt: skip


@given(operations=st.lists(OPERATIONS, max_size=6), most=st.one_of(st.none(), VALUES))
@settings(
    max_examples=100, deadline=None, derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)  # fmt: skip
def test_no_bulk_at_all_is_a_500(idp, operations, most):
    answer = idp.send("POST", "/Bulk", {"Operations": operations, "failOnErrors": most})
    if answer.status_code != 200:
        refused(answer, 400, answer.json.get("scimType"))
        return
    results = answer.json["Operations"]
    assert most is not None or len(results) == len(operations)
    for one in results:
        assert one["status"] in {"200", "201", "204", "400", "404", "409", "412", "413"}
        assert ("response" in one) == (one["status"] > "299")
