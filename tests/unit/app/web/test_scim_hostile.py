"""SCIM under hostile input: refused in its own words, and never a 500."""

from __future__ import annotations

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.flows import tenancy
from scim.schemas import ENTERPRISE_URN
from tests.provisioning import Idp, refused

E = ENTERPRISE_URN


@pytest.fixture
def idp(site, tenant, deps):
    return Idp(site, tenancy.issue_token(deps, tenant.slug, "scim")[1])


@pytest.fixture
def babs(idp):
    return idp.user()


@pytest.mark.parametrize(
    ("body", "status", "scim_type"),
    [
        (b"", 400, "invalidSyntax"),
        (b"{", 400, "invalidSyntax"),
        (b"[]", 400, "invalidSyntax"),
        (b"null", 400, "invalidSyntax"),
        (b"\xff\xfe", 400, "invalidSyntax"),
        (b'{"userName":NaN}', 400, "invalidSyntax"),
        (b"[" * 200_000, 400, "invalidSyntax"),
        (b"9" * 6_000, 400, "invalidSyntax"),
        (b"{}", 400, "invalidValue"),
        (b'{"userName":null}', 400, "invalidValue"),
        (b'{"userName":"a\\u0000b"}', 400, "invalidValue"),
        (b'{"userName":"\\ud800"}', 400, "invalidValue"),
        (b'{"userName":{}}', 400, "invalidValue"),
        (b'{"userName":["a","b"]}', 400, "invalidValue"),
        (b'{"userName":"a","USERNAME":"b"}', 400, "invalidSyntax"),
        (b'{"userName":"a","active":"maybe"}', 400, "invalidValue"),
        (b'{"userName":"a","emails":[[[1]]]}', 400, "invalidValue"),
        (b'{"userName":"a","externalId":1e999}', 400, "invalidValue"),
    ],
)
@pytest.mark.parametrize("method", ["POST", "PUT"])
def test_a_body_that_is_no_user_is_refused(idp, babs, method, body, status, scim_type):
    path = "/Users" if method == "POST" else f"/Users/{babs}"
    refused(idp.send(method, path, body), status, scim_type)
    assert idp.get("/Users")["totalResults"] == 1


@pytest.mark.parametrize(
    "key",
    ["%00", "a%00b", "%ff", "x" * 300, "%F0%9F%98%80", "..%2F..", "'%20OR%201=1", "%ED%A0%80"],
)
@pytest.mark.parametrize("kind", ["Users", "Groups"])
def test_an_id_that_nobody_has_is_not_found(idp, kind, key):
    change = {"Operations": [{"op": "remove", "path": "externalId"}]}
    for method, body in (("GET", None), ("DELETE", None), ("PATCH", change)):
        refused(idp.send(method, f"/{kind}/{key}", body), 404)


def test_members_with_impossible_ids_are_refused(idp):
    for value in ("\x00", "x" * 300, None, 7, {"value": "x"}, ""):
        body = {"displayName": "G", "members": [{"value": value}]}
        refused(idp.send("POST", "/Groups", body), 400, "invalidValue")


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("text/plain", '{"userName":"x"}'),
        ("application/x-www-form-urlencoded", "userName=x"),
        ("application/json;charset=utf-16", '{"userName":"x"}'),
    ],
)
def test_a_body_of_another_kind_is_refused(idp, kind, body):
    refused(idp.send("POST", "/Users", body, headers={"Content-Type": kind}), 415)


def test_a_body_past_the_bound_is_refused(idp):
    body = b'{"userName":"x","title":"' + b"x" * (8 * 1024 * 1024) + b'"}'
    refused(idp.send("POST", "/Users", body), 413)
    many = {"Operations": [{"op": "add", "path": "title", "value": "x"}] * 1001}
    refused(idp.send("PATCH", f"/Users/{idp.user()}", many), 413)


@pytest.mark.parametrize(
    "text",
    ["userName", "userName eq", 'shoeSize eq "x"', 'userName eq "a', "(" * 500, "active gt true", 'userName eq "a" or', 'meta.created gt "soon"', "userName eq 1", "\x00", "x" * 9000, 'members eq "x"'],
)  # fmt: skip
def test_a_filter_that_is_none_is_refused(idp, text):
    refused(idp.send("GET", "/Users", query_string={"filter": text}), 400, "invalidFilter")


@pytest.mark.parametrize(
    "inner",
    ['type eq "\x00"', 'type eq "\\q\ud800"', "type eq \ud800", "\ud800 pr", 'type eq "\\ud800"'],
)
@pytest.mark.parametrize("after", ["].value", "].\ud800", "]\x00", ""])
def test_a_path_that_nothing_can_hold_is_refused_alone_and_in_a_bulk(idp, babs, inner, after):
    change = {"Operations": [{"op": "replace", "path": f"emails[{inner}{after}", "value": "x"}]}
    answer = idp.send("PATCH", f"/Users/{babs}", change)
    refused(answer, 400, answer.json.get("scimType"))
    many = {"Operations": [{"method": "PATCH", "path": f"/Users/{babs}", "data": change}] * 2}
    answer = idp.send("POST", "/Bulk", many)
    assert [one["status"] for one in answer.json["Operations"]] == ["400", "400"]


@pytest.mark.parametrize(("method", "path", "status"), [("GET", "/Nope", 404), ("PUT", "/", 405), ("DELETE", "/Users", 405), ("POST", "/Users/x", 405), ("PATCH", "/Schemas", 405)])  # fmt: skip
def test_where_there_is_nothing_the_error_is_scim_s(idp, method, path, status):
    refused(idp.send(method, path), status)


WILD = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8) | st.sampled_from(["work", "userName", "active", "2026-01-01T00:00:00Z", "True"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
        st.text(max_size=4) | st.sampled_from(["value", "type", "primary", "$ref", "givenName", "op", "path"]),
        inner, max_size=3,
    ),
    max_leaves=6,
)  # fmt: skip
NAMES = st.sampled_from(["userName", "externalId", "active", "name", "emails", "roles", "groups", "id", "meta", "schemas", "members", "displayName", "password", "photos", "x509Certificates", E, f"{E}:manager", "Operations", 'emails[type eq "work"].value', "name.givenName", 'members[value eq "x"]', "filter", "count", "attributes"])  # fmt: skip
WILD_BODY = st.dictionaries(NAMES, WILD, max_size=6)
OPERATION = st.fixed_dictionaries(
    {"op": st.sampled_from(["add", "Remove", "replace", [], {}, 1])},
    optional={"path": NAMES, "value": WILD | WILD_BODY},
)


def test_no_body_is_answered_with_a_500(idp):
    user, group = idp.user("the-one"), idp.group("G")

    @settings(
        max_examples=150, deadline=None, derandomize=True,
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    )  # fmt: skip
    @given(st.sampled_from(["POST", "PUT", "PATCH", "SEARCH"]), st.sampled_from(["Users", "Groups"]), WILD_BODY, st.lists(OPERATION, max_size=3))  # fmt: skip
    def run(method, kind, body, operations):
        key = user if kind == "Users" else group
        if method == "PATCH":
            body = {"Operations": operations}
        path = {"POST": f"/{kind}", "SEARCH": f"/{kind}/.search"}.get(method, f"/{kind}/{key}")
        verb = "POST" if method == "SEARCH" else method
        answer = idp.send(verb, path, json.dumps(body))
        assert answer.status_code in {200, 201, 204, 400, 404, 409, 413}, answer.text
        if answer.status_code >= 400:
            refused(answer, answer.status_code, answer.json.get("scimType"))

    run()
    assert idp.get(f"/Users/{user}")["id"] == user
