import base64
import hashlib
from datetime import timedelta
from urllib.parse import parse_qs, unquote_plus, urlsplit

import pytest

from sso import oidc
from sso.callback import AuthorizationCode
from sso.errors import ConnectionInvalid, IssuerMismatch
from sso.token_response import TokenResponse

REDIRECT = "https://gate.example.com/sso/con_1/callback"
S256_OF_VERIFIER = (
    base64.urlsafe_b64encode(hashlib.sha256(b"v" * 43).digest()).rstrip(b"=").decode()
)


def query_of(url):
    return parse_qs(urlsplit(url).query, keep_blank_values=True, strict_parsing=True)


def begin(provider, **changes):
    values = {"sealed_state": "sealed", "redirect_uri": REDIRECT}
    connection = changes.pop("connection", provider.connection())
    sign_in = changes.pop("sign_in", provider.sign_in())
    return oidc.authorization_url(connection, provider.discovery(), sign_in, **(values | changes))


def test_the_authorization_request_in_full(provider):
    url = begin(provider)
    assert url.startswith(f"{provider.issuer}/authorize?")
    assert query_of(url) == {
        "policy": ["one"],
        "response_type": ["code"],
        "client_id": ["ostiary"],
        "redirect_uri": [REDIRECT],
        "scope": ["openid profile email"],
        "state": ["sealed"],
        "nonce": ["n" * 43],
        "code_challenge": [S256_OF_VERIFIER],
        "code_challenge_method": ["S256"],
    }


def test_the_verifier_stays_here(provider):
    assert "v" * 43 not in begin(provider)


def test_a_fresh_authentication_can_be_asked_for(provider):
    sign_in = provider.sign_in(max_age=0)
    query = query_of(begin(provider, sign_in=sign_in, prompt="login", login_hint="ada&x=y"))
    assert query["max_age"] == ["0"]
    assert query["prompt"] == ["login"]
    assert query["login_hint"] == ["ada&x=y"]
    assert "x" not in query
    assert "login_hint" not in query_of(begin(provider, login_hint="a" * 256))


def redeem(provider, method, **changes):
    return oidc.token_request(
        provider.connection(**changes),
        provider.discovery(token_endpoint_auth_methods_supported=[method]),
        provider.sign_in(),
        code=AuthorizationCode("a+b&c"),
        redirect_uri=REDIRECT,
    )


def test_the_token_request_with_basic_authentication(provider):
    # RFC 6749 §2.3.1: both parts are form-encoded before they are joined by the colon.
    request = redeem(provider, "client_secret_basic", client_id="a:b", client_secret="s%:é +漢")
    assert (request.method, request.url) == ("POST", f"{provider.issuer}/token")
    assert parse_qs(request.body.decode(), strict_parsing=True) == {
        "grant_type": ["authorization_code"],
        "code": ["a+b&c"],
        "redirect_uri": [REDIRECT],
        "code_verifier": ["v" * 43],
    }
    kind, _, credentials = request.headers["Authorization"].partition(" ")
    client_id, _, secret = base64.b64decode(credentials).decode().partition(":")
    assert (kind, unquote_plus(client_id), unquote_plus(secret)) == ("Basic", "a:b", "s%:é +漢")
    assert request.headers["Accept"] == "application/json"
    assert request.headers["Content-Type"] == "application/x-www-form-urlencoded"


def test_the_token_request_with_the_secret_in_the_body(provider):
    request = redeem(provider, "client_secret_post", client_secret="s%:é +漢")
    body = parse_qs(request.body.decode(), strict_parsing=True)
    assert body["client_id"] == ["ostiary"]
    assert body["client_secret"] == ["s%:é +漢"]
    assert "Authorization" not in request.headers


@pytest.mark.parametrize("method", ["client_secret_basic", "client_secret_post"])
def test_requests_show_no_secret(provider, method):
    shown = repr(redeem(provider, method))
    assert "s3cret" not in shown
    assert "Basic" not in shown
    assert "v" * 43 not in shown


def test_two_requests_share_no_headers(provider):
    redeem(provider, "client_secret_basic")
    assert "Authorization" not in redeem(provider, "client_secret_post").headers
    request = oidc.userinfo_request(provider.discovery(), TokenResponse("a.b.c", "at"))
    assert request.headers == {"Accept": "application/json", "Authorization": "Bearer at"}
    assert "Authorization" not in redeem(provider, "client_secret_post").headers


@pytest.mark.parametrize(("endpoint", "token"), [(..., "at"), (None, "at"), (None, None)])
def test_no_userinfo_without_endpoint_or_token(provider, endpoint, token):
    discovery = provider.discovery(userinfo_endpoint=endpoint)
    assert oidc.userinfo_request(discovery, TokenResponse("a.b.c", token)) is None


def test_a_disabled_connection_begins_and_ends_no_sign_in(provider):
    off = provider.connection(enabled=False)
    with pytest.raises(ConnectionInvalid):
        begin(provider, connection=off)
    with pytest.raises(ConnectionInvalid):
        redeem(provider, "client_secret_basic", enabled=False)
    with pytest.raises(ConnectionInvalid):
        provider.verify(provider.sign(provider.claims()), connection=off)


def leave(provider, hint="a.b.c", back="https://gate.example.com/signed-out", **metadata):
    return oidc.logout_url(
        provider.connection(enabled=False),
        provider.discovery(**metadata),
        id_token_hint=hint,
        post_logout_redirect_uri=back,
    )


def test_leaving_at_the_provider_too(provider):
    expected = {
        "client_id": ["ostiary"],
        "post_logout_redirect_uri": ["https://gate.example.com/signed-out"],
    }
    url = leave(provider)
    assert url.startswith(f"{provider.issuer}/logout?")
    assert query_of(url) == expected | {"id_token_hint": ["a.b.c"]}
    assert query_of(leave(provider, hint=None)) == expected
    assert leave(provider, end_session_endpoint=...) is None


def test_an_address_that_the_provider_does_not_know_is_not_sent(provider):
    assert query_of(leave(provider, hint=None, back=None)) == {"client_id": ["ostiary"]}


def test_the_issuers_clock_may_differ_by_half_a_minute(provider):
    token = provider.sign(provider.claims())
    before = provider.now - timedelta(seconds=25)
    assert provider.verify(token, now=before)["sub"] == "00u1"


def test_metadata_from_before_the_issuer_changed_is_not_used(provider):
    moved = provider.connection(issuer="https://new.example.com")
    with pytest.raises(IssuerMismatch):
        begin(provider, connection=moved)
    with pytest.raises(IssuerMismatch):
        redeem(provider, "client_secret_basic", issuer="https://new.example.com")
    with pytest.raises(IssuerMismatch):
        provider.verify(provider.sign(provider.claims()), connection=moved)
