import json
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sso.errors import StateInvalid
from sso.state import SignInState, local_path


@pytest.mark.parametrize("max_age", [None, 0, 300])
def test_survives_the_journey(provider, max_age):
    sign_in = provider.sign_in(max_age=max_age)
    assert SignInState.from_bytes(sign_in.to_bytes()) == sign_in


def test_fractions_of_a_second_do_not_matter(provider):
    sign_in = provider.sign_in(now=provider.now + timedelta(microseconds=999_999))
    assert SignInState.from_bytes(sign_in.to_bytes()) == sign_in


def test_belongs_to_one_browser(provider):
    sign_in = provider.sign_in()
    assert sign_in.is_from(provider.cookie)
    for other in ("", "d" * 43, provider.cookie + " ", "\ud800"):
        assert not sign_in.is_from(other)


def test_shows_no_secret(provider):
    shown = repr(provider.sign_in())
    assert "v" * 43 not in shown
    assert "n" * 43 not in shown


@pytest.mark.parametrize("name", ["nonce", "code_verifier", "browser_cookie"])
@pytest.mark.parametrize("value", ["", "short", "a" * 42, "a" * 129, "é" * 43, "a" * 43 + "\n"])
def test_weak_randomness_is_a_programming_error(provider, name, value):
    with pytest.raises(ValueError, match=r"43 to 128"):
        provider.sign_in(**{name: value})


@given(st.binary(max_size=200))
def test_foreign_bytes_are_refused(data):
    with pytest.raises(StateInvalid):
        SignInState.from_bytes(data)


@pytest.mark.parametrize(
    "change",
    [{"c": ""}, {"n": 5}, {"v": None}, {"b": []}, {"r": "a\nb"}]
    + [{"t": value} for value in (None, "1", 1.5, True, 10**18, -(10**18))]
    + [{"m": value} for value in ("1", 1.5, True)],
)
def test_bent_states_are_refused(provider, change):
    values = json.loads(provider.sign_in().to_bytes()) | change
    with pytest.raises(StateInvalid):
        SignInState.from_bytes(json.dumps(values).encode())


@pytest.mark.parametrize(
    "value",
    [
        None,
        "",
        "learn",
        "//evil.example",
        "/\\evil.example",
        "\\/evil.example",
        "https://evil.example/",
        "javascript:alert(1)",
        "/a\r\nSet-Cookie: x",
        "/\t/evil.example",
        "/" + "a" * 500,
        "/é",
    ],
)
def test_redirects_stay_at_home(provider, value):
    assert local_path(value) == "/"
    assert provider.sign_in(return_to=value).return_to == "/"


@pytest.mark.parametrize("value", ["/", "/learn", "/learn/a?b=c&d=//e#f"])
def test_own_paths_are_kept(value):
    assert local_path(value) == value
