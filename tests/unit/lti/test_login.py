from dataclasses import replace
from datetime import timedelta
from urllib.parse import parse_qsl, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lti import login
from lti.errors import LaunchRefused, LoginRefused, Refusal

LAUNCH = "https://tool.example/lti/launch"


def request(**changes):
    parameters = {
        "iss": "https://lms.example",
        "login_hint": "0",
        "target_link_uri": LAUNCH + "?activity=a",
        "lti_message_hint": '{"cmid":1}',
        "client_id": "client-1",
        "lti_deployment_id": "dep-1",
        **changes,
    }
    return {
        name: value if isinstance(value, list) else [value]
        for name, value in parameters.items()
        if value is not None
    }


def parse(**changes):
    return login.parse_login(request(**changes), LAUNCH)


def test_a_login_request_is_read():
    found = parse(lti_storage_target="_parent", utf8="✓")
    assert found.iss == "https://lms.example"
    assert found.login_hint == "0"
    assert found.lti_message_hint == '{"cmid":1}'
    assert (found.client_id, found.lti_deployment_id) == ("client-1", "dep-1")


def test_optional_parameters_may_be_absent_or_empty():
    for value in (None, "", []):
        found = parse(client_id=value, lti_deployment_id=value, lti_message_hint=value)
        assert (found.client_id, found.lti_deployment_id) == (None, None)


@pytest.mark.parametrize("name", ["iss", "login_hint", "target_link_uri"])
@pytest.mark.parametrize("value", [None, "", []])
def test_required_parameters(name, value):
    with pytest.raises(LoginRefused) as refused:
        parse(**{name: value})
    assert refused.value.code == Refusal.MISSING_PARAMETER


@pytest.mark.parametrize(
    "name",
    ["iss", "login_hint", "target_link_uri", "lti_message_hint", "client_id", "lti_deployment_id"],
)
def test_repeated_oversized_and_unstorable_parameters(name):
    for value, code in [
        (["a", "a"], Refusal.REPEATED_PARAMETER),
        ("x" * 9000, Refusal.BAD_PARAMETER),
        ("a\0", Refusal.BAD_PARAMETER),
        ("\ud800", Refusal.BAD_PARAMETER),
    ]:
        with pytest.raises(LoginRefused) as refused:
            parse(**{name: value})
        assert refused.value.code == code


@pytest.mark.parametrize(
    "target",
    ["https://evil.example/lti/launch", "https://tool.example/admin", LAUNCH + "er", "x"],
)
def test_a_target_outside_is_refused(target):
    with pytest.raises(LoginRefused) as refused:
        parse(target_link_uri=target)
    assert refused.value.code == Refusal.TARGET_LINK_MISMATCH


@given(st.dictionaries(st.text(), st.lists(st.text())))
def test_wild_parameters_are_refused(parameters):
    with pytest.raises(LoginRefused):
        login.parse_login(parameters, LAUNCH)


def redirect(registration, **changes):
    return login.authentication_request(
        registration, parse(**changes), redirect_uri=LAUNCH, state="s&t", nonce="n"
    )


def test_the_authentication_request_has_what_the_framework_asks(registration):
    url = urlsplit(redirect(registration, login_hint="a b&c=d#e", lti_message_hint="h+ü%"))
    assert url._replace(query="").geturl() == "https://lms.example/auth"
    assert parse_qsl(url.query) == [
        ("scope", "openid"),
        ("response_type", "id_token"),
        ("response_mode", "form_post"),
        ("prompt", "none"),
        ("client_id", "client-1"),
        ("redirect_uri", LAUNCH),
        ("login_hint", "a b&c=d#e"),
        ("state", "s&t"),
        ("nonce", "n"),
        ("lti_message_hint", "h+ü%"),
    ]


def test_no_message_hint_sends_none_and_an_empty_one_goes_back(registration):
    assert "lti_message_hint" not in redirect(registration, lti_message_hint=None)
    assert "lti_message_hint=" in redirect(registration, lti_message_hint="")


def test_a_query_in_the_login_url_stays(registration):
    own = replace(registration, auth_login_url="https://lms.example/auth?tenant=Ab")
    assert redirect(own).startswith("https://lms.example/auth?tenant=Ab&scope=openid&")


def test_state_survives_a_round_trip(platform):
    for deployment_id in (None, "dep-1"):
        state = replace(platform.state, deployment_id=deployment_id)
        assert login.LoginState.from_bytes(state.to_bytes()) == state


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{}",
        b"[]",
        b'["a"]',
        b'["a","b","c","d","e",null,1]',
        b'["a","b","c","d","e",null,1,2,3]',
        b'["a","b","c","d","e",7,1,2]',
        b'["a","b","c","d",5,null,1,2]',
        b'["a","b","c","d","e",null,"1",2]',
        b'["a","b","c","d","e",null,1,9223372036854775807]',
        b"\xff",
    ],
)
def test_a_state_that_is_not_ours_is_refused(data):
    with pytest.raises(LaunchRefused) as refused:
        login.LoginState.from_bytes(data)
    assert refused.value.code == Refusal.STATE_INVALID


@given(st.binary())
def test_wild_states_are_refused(data):
    with pytest.raises(LaunchRefused):
        login.LoginState.from_bytes(data)


def test_the_browser_that_began_may_finish(platform):
    login.check_browser(platform.state, "cookie")


@pytest.mark.parametrize("secret", ["", "Cookie", "cookie ", "\ud800"])
def test_another_browser_may_not(platform, secret):
    with pytest.raises(LaunchRefused) as refused:
        login.check_browser(platform.state, secret)
    assert refused.value.code == Refusal.STATE_MISMATCH


def test_the_state_does_not_tell_the_cookie(platform):
    assert b"cookie" not in platform.state.to_bytes()
    assert platform.state.expires_at - platform.state.created_at > timedelta(0)
