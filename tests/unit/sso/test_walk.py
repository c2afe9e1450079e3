"""A sign-in from end to end, as the gateway walks it, with nothing stored on the way."""

import json
from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

import pytest

from keys.errors import SealBroken
from keys.seal import Seal
from sso import oidc
from sso.callback import authorization_code, parse_callback
from sso.claims import assertion, merge_userinfo
from sso.errors import NonceMismatch
from sso.state import SignInState
from sso.token_response import parse_token_response

REDIRECT = "https://gate.example.com/sso/con_1/callback"


@pytest.fixture
def seal():
    return Seal(["a-secret-of-0123456789-abcdefghij-letters"])


def begin(provider, seal, **changes):
    """The state as the provider sees it in the authorization request."""
    sign_in = provider.sign_in(**changes)
    url = oidc.authorization_url(
        provider.connection(),
        provider.discovery(),
        sign_in,
        sealed_state=seal.seal("sso state", sign_in.to_bytes()),
        redirect_uri=REDIRECT,
    )
    query = parse_qs(urlsplit(url).query)
    assert "v" * 43 not in url
    return query["state"][0], query["nonce"][0]


def end(provider, seal, state, nonce, code="abc"):
    """The browser comes back with `state`, the provider's token answers `nonce`."""
    connection, discovery = provider.connection(), provider.discovery()
    now = provider.now + timedelta(seconds=20)
    callback = parse_callback([("code", code), ("state", state)])
    sign_in = SignInState.from_bytes(seal.open("sso state", callback.state))
    code = authorization_code(
        callback,
        sign_in,
        connection=connection,
        discovery=discovery,
        browser_cookie=provider.cookie,
        now=now,
    )
    request = oidc.token_request(connection, discovery, sign_in, code=code, redirect_uri=REDIRECT)
    assert f"code={code}" in request.body.decode()
    token = provider.sign(provider.claims(nonce=nonce, at_hash=..., name=...))
    answer = {"id_token": token, "access_token": "at", "token_type": "Bearer"}
    tokens = parse_token_response(200, "application/json", json.dumps(answer).encode())
    claims = oidc.verify_id_token(
        tokens,
        connection=connection,
        discovery=discovery,
        jwks=provider.jwks(),
        sign_in=sign_in,
        now=now,
    )
    assert oidc.userinfo_request(discovery, tokens) is not None
    claims = merge_userinfo(
        claims,
        status=200,
        content_type="application/json",
        body=b'{"sub": "00u1", "name": "Ada"}',
    )
    return assertion(connection, claims, sign_in), sign_in.return_to


def test_a_person_signs_in(provider, seal):
    said, return_to = end(provider, seal, *begin(provider, seal))
    assert (said.subject, said.display_name) == ("00u1", "Ada")
    assert return_to == "/learn?activity=a"


def test_a_replayed_state_claims_the_same_id_though_the_code_is_fresh(provider, seal):
    begun = begin(provider, seal)
    first, _ = end(provider, seal, *begun)
    second, _ = end(provider, seal, *begun, code="fresh")
    assert first.unique_id == second.unique_id
    assert first.claim_until == second.claim_until


def test_two_sign_ins_claim_two_ids(provider, seal):
    first, _ = end(provider, seal, *begin(provider, seal))
    second, _ = end(provider, seal, *begin(provider, seal, nonce="m" * 43))
    assert first.unique_id != second.unique_id


def test_a_token_of_one_sign_in_does_not_end_another(provider, seal):
    _, nonce = begin(provider, seal)
    state, _ = begin(provider, seal, nonce="m" * 43)
    with pytest.raises(NonceMismatch):
        end(provider, seal, state, nonce)


def test_a_forged_state_does_not_open(provider, seal):
    state, nonce = begin(provider, seal)
    with pytest.raises(SealBroken):
        end(provider, seal, state[:-6] + "AAAAA=", nonce)
