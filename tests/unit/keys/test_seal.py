import pytest
from hypothesis import given
from hypothesis import strategies as st

from keys.errors import SealBroken, WeakSecret
from keys.seal import Seal

OLD = "an old secret of the operator, 0123456789"
NEW = "a newer secret of the operator, 9876543210"


@given(st.binary(max_size=2000), st.text(min_size=1, max_size=30))
def test_what_is_sealed_opens(data, purpose):
    seal = Seal([OLD])
    assert seal.open(purpose, seal.seal(purpose, data)) == data


def test_the_same_value_never_seals_to_the_same_text():
    seal = Seal([OLD])
    assert seal.seal("p", b"x") != seal.seal("p", b"x")


def test_another_purpose_cannot_open():
    seal = Seal([OLD])
    with pytest.raises(SealBroken):
        seal.open("login state", seal.seal("client secret", b"x"))


def test_a_seal_key_is_not_a_mac_key():
    seal = Seal([OLD])
    assert seal._mac_keys("p")[0] != seal._fernets("p")._fernets[0]._signing_key


def test_every_key_opens_and_the_first_seals():
    token = Seal([OLD]).seal("p", b"x")
    both = Seal([NEW, OLD])
    assert both.open("p", token) == b"x"
    with pytest.raises(SealBroken):
        Seal([OLD]).open("p", both.seal("p", b"x"))


def test_rotation_seals_anew_under_the_first_key():
    rotated = Seal([NEW, OLD]).rotate("p", Seal([OLD]).seal("p", b"x"))
    assert Seal([NEW]).open("p", rotated) == b"x"


def test_a_dropped_key_opens_nothing():
    with pytest.raises(SealBroken):
        Seal([NEW]).open("p", Seal([OLD]).seal("p", b"x"))


@pytest.mark.parametrize(
    "mangle",
    [
        lambda t: t[:-1],
        lambda t: t + "A",
        lambda t: t + "\n",
        lambda t: "!" + t,
        lambda t: t[:40] + " " + t[40:],
        lambda t: t[:60] + ("A" if t[60] != "A" else "B") + t[61:],
        lambda t: "",
        lambda t: "é" * 10,
        lambda t: t * 20_000,
    ],
)
def test_a_changed_token_is_broken(mangle):
    seal = Seal([OLD])
    with pytest.raises(SealBroken):
        seal.open("p", mangle(seal.seal("p", b"some sealed value")))


@given(st.text())
def test_any_text_is_refused_with_our_error(text):
    with pytest.raises(SealBroken):
        Seal([OLD]).open("p", text)


@pytest.mark.parametrize("keys", [[], [""], ["short"], ["x" * 31], ["a" * 64], [OLD, "short"], OLD])
def test_weak_secrets_are_refused(keys):
    with pytest.raises(WeakSecret):
        Seal(keys)


def test_mac_matches_under_every_key_and_only_for_its_purpose_and_data():
    seal = Seal([NEW, OLD])
    old_mac = Seal([OLD]).mac("token", b"x")
    assert seal.mac_matches("token", b"x", old_mac)
    assert seal.mac_matches("token", b"x", seal.mac("token", b"x"))
    assert not seal.mac_matches("token", b"y", old_mac)
    assert not seal.mac_matches("cookie", b"x", old_mac)
    assert not Seal([NEW]).mac_matches("token", b"x", old_mac)
    assert not seal.mac_matches("token", b"x", "\ud800é")
    assert len(old_mac) == 64


def test_nothing_secret_in_the_repr():
    assert OLD not in repr(Seal([OLD]))


def test_an_empty_purpose_is_our_mistake():
    with pytest.raises(ValueError):
        Seal([OLD]).seal("", b"x")
