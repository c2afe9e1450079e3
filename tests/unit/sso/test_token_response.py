import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sso.errors import ClientRefused, TokenResponseInvalid
from sso.token_response import parse_token_response

JSON = "application/json"


def answer(**changes):
    values = {"id_token": "a.b.c", "access_token": "at", "token_type": "Bearer", "expires_in": 60}
    kept = {name: value for name, value in (values | changes).items() if value is not ...}
    return json.dumps(kept).encode()


@pytest.mark.parametrize(
    "content_type", [JSON, "application/json; charset=utf-8", "Application/JSON"]
)
@pytest.mark.parametrize("token_type", ["Bearer", "bearer"])
def test_reads_the_tokens(content_type, token_type):
    tokens = parse_token_response(200, content_type, answer(token_type=token_type))
    assert (tokens.id_token, tokens.access_token) == ("a.b.c", "at")
    assert "a.b.c" not in repr(tokens)


def test_the_access_token_may_be_absent():
    body = answer(access_token=..., token_type=...)
    assert parse_token_response(200, JSON, body).access_token is None


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("text/html", b"<!doctype html><h1>Maintenance</h1>"),
        ("text/html", answer()),
        ("", answer()),
        (JSON, b"<!doctype html><h1>Maintenance</h1>"),
        (JSON, b""),
        (JSON, b"{"),
        (JSON, b"[]"),
        (JSON, b'"id_token"'),
        (JSON, b"\xff\xff"),
        (JSON, b"[" * 200_000),
        (JSON, answer(padding="x" * 300_000)),
        (JSON, b'{"id_token": "a.b.c", "id_token": "d.e.f"}'),
        (JSON, answer(id_token=...)),
        (JSON, answer(id_token="")),
        (JSON, answer(id_token=None)),
        (JSON, answer(id_token=["a.b.c"])),
        (JSON, answer(id_token="a" * 100_000)),
        (JSON, answer(access_token=5)),
        (JSON, answer(access_token="a\r\nX-Evil: 1")),
        (JSON, answer(access_token="é")),
        (JSON, answer(token_type=...)),
        (JSON, answer(token_type="DPoP")),
        (JSON, answer(token_type=["Bearer"])),
    ],
)
def test_garbage_is_refused(content_type, body):
    with pytest.raises(TokenResponseInvalid) as refused:
        parse_token_response(200, content_type, body)
    assert refused.value.code == "token_response_invalid"


@given(st.binary(max_size=200))
def test_no_bytes_break_it(body):
    with pytest.raises(TokenResponseInvalid):
        parse_token_response(200, JSON, body)


@pytest.mark.parametrize("status", [201, 302, 400, 401, 429, 500, 503])
def test_another_status_is_refused_whatever_the_body(status):
    for body in (answer(), b"<html>", b"", b'{"error": {"a": 1}}'):
        with pytest.raises(TokenResponseInvalid, match=str(status)):
            parse_token_response(status, JSON, body)


@pytest.mark.parametrize("error", ["invalid_client", "unauthorized_client"])
def test_a_wrong_secret_is_told_apart(error):
    with pytest.raises(ClientRefused) as refused:
        parse_token_response(401, JSON, json.dumps({"error": error}).encode())
    assert refused.value.code == "client_refused"


def test_a_used_up_code_is_told():
    with pytest.raises(TokenResponseInvalid, match="used up"):
        parse_token_response(400, JSON, b'{"error": "invalid_grant"}')
