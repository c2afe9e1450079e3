from datetime import timedelta

import pytest

from sso.callback import authorization_code, parse_callback
from sso.errors import (
    BrowserMismatch,
    CallbackRefused,
    ConnectionInvalid,
    ProviderRefused,
    ResponseIssuer,
    StateExpired,
    StateInvalid,
)

GOOD = [("state", "sealed"), ("code", "abc")]


def redeem(provider, parameters, **changes):
    values = {
        "connection": provider.connection(),
        "discovery": provider.discovery(),
        "browser_cookie": provider.cookie,
        "now": provider.now + timedelta(seconds=30),
    }
    sign_in = changes.pop("sign_in", provider.sign_in())
    return authorization_code(parse_callback(parameters), sign_in, **(values | changes))


def test_a_good_answer_gives_the_code(provider):
    extra = [("session_state", "x"), ("scope", "openid"), ("scope", "twice")]
    assert redeem(provider, GOOD + extra) == "abc"


def test_the_sealed_state_is_found_before_anything_is_believed():
    callback = parse_callback([("error", "access_denied"), ("state", "sealed")])
    assert callback.state == "sealed"


@pytest.mark.parametrize("name", ["state", "code", "iss", "error"])
def test_a_repeated_parameter_is_refused(name):
    with pytest.raises(CallbackRefused):
        parse_callback([*GOOD, (name, "a"), (name, "a")])


@pytest.mark.parametrize("name", ["state", "code", "iss", "error"])
@pytest.mark.parametrize("value", ["", "a" * 5000, "a\x00", "a\n", "é", "\ud800"])
def test_wild_values_are_refused(name, value):
    with pytest.raises(CallbackRefused):
        parse_callback([*(pair for pair in GOOD if pair[0] != name), (name, value)])


def test_without_a_state_there_is_no_sign_in():
    with pytest.raises(StateInvalid):
        parse_callback([("code", "abc")])


def test_without_a_code_there_is_no_sign_in(provider):
    with pytest.raises(CallbackRefused) as refused:
        redeem(provider, [("state", "sealed")])
    assert refused.value.code == "callback_refused"


def test_a_state_of_another_connection_is_refused(provider):
    with pytest.raises(StateInvalid):
        redeem(provider, GOOD, sign_in=provider.sign_in(connection_id="con_2"))


@pytest.mark.parametrize("cookie", ["", "d" * 43])
def test_another_browser_is_refused(provider, cookie):
    with pytest.raises(BrowserMismatch):
        redeem(provider, GOOD, browser_cookie=cookie)


def test_a_state_ends_after_ten_minutes(provider):
    last = provider.now + timedelta(minutes=10)
    assert redeem(provider, GOOD, now=last - timedelta(seconds=1)) == "abc"
    with pytest.raises(StateExpired):
        redeem(provider, GOOD, now=last)


def test_a_disabled_connection_takes_no_answer(provider):
    with pytest.raises(ConnectionInvalid):
        redeem(provider, GOOD, connection=provider.connection(enabled=False))


@pytest.mark.parametrize("announced", [True, False])
def test_an_issuer_that_matches_passes(provider, announced):
    discovery = provider.discovery(authorization_response_iss_parameter_supported=announced)
    assert redeem(provider, [*GOOD, ("iss", provider.issuer)], discovery=discovery) == "abc"


@pytest.mark.parametrize("announced", [True, False])
@pytest.mark.parametrize("suffix", ["/", ".evil.example", "?"])
def test_mix_up_another_issuer_is_refused(provider, announced, suffix):
    discovery = provider.discovery(authorization_response_iss_parameter_supported=announced)
    with pytest.raises(ResponseIssuer):
        redeem(provider, [*GOOD, ("iss", provider.issuer + suffix)], discovery=discovery)


def test_mix_up_an_announced_issuer_must_be_there(provider):
    discovery = provider.discovery(authorization_response_iss_parameter_supported=True)
    for answer in (GOOD, [("state", "sealed"), ("error", "access_denied")]):
        with pytest.raises(ResponseIssuer):
            redeem(provider, answer, discovery=discovery)


@pytest.mark.parametrize(
    ("error", "told"),
    [
        ("access_denied", "access_denied"),
        ("login_required", "login_required"),
        ("<b>x</b>", "other"),
    ],
)
def test_the_providers_error_is_told_but_not_repeated(provider, error, told):
    with pytest.raises(ProviderRefused) as refused:
        redeem(provider, [*GOOD, ("error", error)])
    assert refused.value.error == told
    assert "<b>" not in refused.value.message


def test_an_error_with_a_foreign_state_is_not_believed(provider):
    with pytest.raises(BrowserMismatch):
        redeem(provider, [("state", "s"), ("error", "access_denied")], browser_cookie="e" * 43)
