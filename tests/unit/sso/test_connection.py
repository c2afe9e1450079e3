import pytest

from sso.connection import check_connection
from sso.errors import ConnectionInvalid


def test_a_good_connection_passes(provider):
    connection = provider.connection()
    assert check_connection(connection, allow_http_loopback=False) is connection


def test_the_secret_is_not_shown(provider):
    assert "s3cret" not in repr(provider.connection())


@pytest.mark.parametrize(
    "changes",
    [
        {"issuer": "http://idp.example.com"},
        {"issuer": "http://127.0.0.1:8000"},
        {"issuer": "idp.example.com"},
        {"issuer": "https://idp.example.com?x=1"},
        {"issuer": "https://idp.example.com#x"},
        {"issuer": "https://idp.example.com/.well-known/openid-configuration"},
        {"issuer": "https://user@idp.example.com"},
        {"issuer": ""},
        {"client_id": ""},
        {"client_id": "a" * 256},
        {"client_id": "a\nb"},
        {"client_secret": ""},
        {"client_secret": "x" * 1001},
    ],
)
def test_unusable_values_are_refused(provider, changes):
    with pytest.raises(ConnectionInvalid):
        check_connection(provider.connection(**changes), allow_http_loopback=False)


def test_http_on_loopback_where_allowed(provider):
    connection = provider.connection(issuer="http://localhost:8000")
    assert check_connection(connection, allow_http_loopback=True) is connection
