import pytest

from sso.discovery import parse_discovery, parse_provider_keys
from sso.errors import DiscoveryInvalid, IssuerMismatch
from sso.oidc import discovery_url


@pytest.mark.parametrize("issuer", ["https://idp.example.com/a", "https://idp.example.com/a/"])
def test_well_known_url_follows_the_issuer(issuer):
    assert discovery_url(issuer) == "https://idp.example.com/a/.well-known/openid-configuration"


def test_reads_what_we_use(provider):
    discovery = provider.discovery(authorization_response_iss_parameter_supported=True)
    assert discovery.token_endpoint == f"{provider.issuer}/token"
    assert discovery.algorithms == ("RS256", "PS256", "ES256")
    assert discovery.client_auth == "client_secret_basic"
    assert discovery.iss_parameter


def test_optional_endpoints_may_be_absent(provider):
    discovery = provider.discovery(
        userinfo_endpoint=...,
        end_session_endpoint=None,
        token_endpoint_auth_methods_supported=...,
        code_challenge_methods_supported=...,
    )
    assert discovery.userinfo_endpoint is None
    assert discovery.end_session_endpoint is None
    assert discovery.client_auth == "client_secret_basic"
    assert not discovery.iss_parameter


@pytest.mark.parametrize(
    "issuer",
    [
        "https://evil.example/realms/acme",
        "https://idp.example.com/realms/acme/",
        "https://IDP.example.com/realms/acme",
        "https://login.example.com/{tenantid}/v2.0",
        "",
        None,
        7,
        ["https://idp.example.com/realms/acme"],
        ...,
    ],
)
def test_metadata_of_another_issuer_is_refused(provider, issuer):
    with pytest.raises(IssuerMismatch) as refused:
        provider.discovery(issuer=issuer)
    assert refused.value.code == "issuer_mismatch"


@pytest.mark.parametrize(
    "changes",
    [
        {"id_token_signing_alg_values_supported": ["none"]},
        {"id_token_signing_alg_values_supported": ["none", "HS256", "HS512"]},
        {"id_token_signing_alg_values_supported": []},
        {"id_token_signing_alg_values_supported": "RS256"},
        {"id_token_signing_alg_values_supported": ...},
        {"response_types_supported": ["id_token"]},
        {"response_types_supported": ...},
        {"code_challenge_methods_supported": ["plain"]},
        {"token_endpoint_auth_methods_supported": ["private_key_jwt"]},
        {"token_endpoint_auth_methods_supported": []},
        {"token_endpoint": ...},
        {"token_endpoint": "http://idp.example.com/token"},
        {"token_endpoint": "http://127.0.0.1/token"},
        {"token_endpoint": "file:///etc/passwd"},
        {"jwks_uri": "https://idp.example.com@evil.example/jwks"},
        {"jwks_uri": "https:///jwks"},
        {"jwks_uri": "https://idp.example.com:99999/jwks"},
        {"jwks_uri": "https://[::1/jwks"},
        {"authorization_endpoint": "javascript:alert(1)"},
        {"authorization_endpoint": "https://idp.example.com/a#b"},
        {"authorization_endpoint": "https://idp.example.com/a\r\nX: y"},
        {"authorization_endpoint": "https://idp.example.com/" + "a" * 2000},
        {"authorization_endpoint": {"url": "https://idp.example.com"}},
        {"userinfo_endpoint": "http://idp.example.com/userinfo"},
        {"end_session_endpoint": 5},
    ],
)
def test_unusable_metadata_is_refused(provider, changes):
    with pytest.raises(DiscoveryInvalid) as refused:
        provider.discovery(**changes)
    assert refused.value.code == "discovery_invalid"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<!doctype html><title>Sign in</title>",
        b"[]",
        b"null",
        b"\xff\xfe{",
        b'{"issuer": NaN}',
        b'{"issuer": "https://a.example", "issuer": "https://b.example"}',
        b"[" * 100_000,
        b'{"a":' * 50_000,
        b" " * 300_000 + b"{}",
    ],
)
def test_what_is_not_metadata_is_refused(body, provider):
    with pytest.raises(DiscoveryInvalid):
        parse_discovery(body, issuer=provider.issuer)


def test_http_on_loopback_only_where_allowed(provider):
    body = provider.metadata(token_endpoint="http://127.0.0.1:9000/token")
    discovery = parse_discovery(body, issuer=provider.issuer, allow_http_loopback=True)
    assert discovery.token_endpoint == "http://127.0.0.1:9000/token"
    for host in ("10.0.0.1", "idp.example.com", "127.0.0.1.evil.example", "localhost.evil.example"):
        body = provider.metadata(token_endpoint=f"http://{host}/token")
        with pytest.raises(DiscoveryInvalid):
            parse_discovery(body, issuer=provider.issuer, allow_http_loopback=True)


@pytest.mark.parametrize("body", [b"<html>", b"{}", b'{"keys": 5}', b"x" * 300_000])
def test_what_is_no_key_set_is_refused(body):
    with pytest.raises(DiscoveryInvalid):
        parse_provider_keys(body)
