from dataclasses import replace

import pytest

from lti.errors import BadRegistration


def test_a_good_registration_passes(registration):
    registration.check()


@pytest.mark.parametrize(
    "changes",
    [
        {"issuer": ""},
        {"issuer": " "},
        {"client_id": "x" * 256},
        {"client_id": "a\nb"},
        {"jwks_url": "http://lms.example/jwks"},
        {"jwks_url": "lms.example/jwks"},
        {"auth_token_url": "file:///etc/passwd"},
        {"auth_login_url": "javascript:alert(1)"},
        {"auth_login_url": "https://lms.example/auth#x"},
        {"auth_token_url": "https://user:pw@lms.example/token"},
    ],
)
def test_a_bad_registration_is_refused(registration, changes):
    with pytest.raises(BadRegistration):
        replace(registration, **changes).check()


def test_http_only_where_allowed(registration):
    local = replace(registration, jwks_url="http://127.0.0.1:8001/jwks")
    local.check(allow_http=True)
    with pytest.raises(BadRegistration):
        replace(registration, jwks_url="ftp://127.0.0.1/jwks").check(allow_http=True)


def test_an_issuer_need_not_be_a_url(registration):
    replace(registration, issuer="blackboard.com").check()
