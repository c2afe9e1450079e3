import base64
import hashlib
import json

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from hypothesis import given
from hypothesis import strategies as st

from keys import jwk
from keys.errors import BadKey

KEY = jwk.generate()
PRIVATE_MEMBERS = {"d", "p", "q", "dp", "dq", "qi"}


def document(*entries):
    return json.dumps({"keys": list(entries)}).encode()


def b64(number):
    return (
        base64.urlsafe_b64encode(number.to_bytes((number.bit_length() + 7) // 8, "big"))
        .rstrip(b"=")
        .decode()
    )


def pem_of(key):
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def test_kid_is_the_rfc_7638_thumbprint():
    public = KEY.public_jwk()
    canonical = f'{{"e":"{public["e"]}","kty":"RSA","n":"{public["n"]}"}}'.encode()
    digest = base64.urlsafe_b64encode(hashlib.sha256(canonical).digest()).rstrip(b"=").decode()
    assert KEY.kid == digest == public["kid"]


def test_pem_survives_a_round_trip():
    again = jwk.from_pem(KEY.pem())
    assert again.kid == KEY.kid
    assert again.pem() == KEY.pem()


def test_the_public_key_shows_nothing_private():
    shown = jwk.jwks([KEY.public_jwk()])
    assert shown["keys"][0].keys() == {"kty", "use", "alg", "kid", "n", "e"}
    assert "PRIVATE" not in repr(KEY)


@pytest.mark.parametrize(
    "pem",
    [
        b"",
        b"no pem",
        KEY.key.as_pem(private=False),
        pem_of(ec.generate_private_key(ec.SECP256R1())),
        pem_of(rsa.generate_private_key(65537, 1024)),
    ],
    ids=["empty", "text", "public", "ec", "weak"],
)
def test_only_a_strong_private_rsa_key_is_read(pem):
    with pytest.raises(BadKey):
        jwk.from_pem(pem)


def test_a_held_key_is_opened_once():
    key = jwk.generate()
    opened = []

    def open_pem():
        opened.append(1)
        return key.pem()

    first = jwk.held(key.kid, open_pem)
    assert jwk.held(key.kid, open_pem) is first
    assert opened == [1]


def test_a_stored_key_under_a_foreign_kid_is_refused_each_time():
    for _ in range(2):
        with pytest.raises(BadKey):
            jwk.held("some other kid", KEY.pem)


def test_held_keys_are_bounded(monkeypatch):
    monkeypatch.setattr(jwk, "MAX_HELD_KEYS", 1)
    other = jwk.generate()
    jwk.held(KEY.kid, KEY.pem)
    jwk.held(other.kid, other.pem)
    assert list(jwk._held) == [other.kid]


def test_a_key_set_keeps_what_can_verify_and_leaves_out_the_rest():
    good = KEY.public_jwk()
    weak = rsa.generate_private_key(65537, 1024).public_key().public_numbers()
    keys = jwk.parse_jwks(
        document(
            good,
            {**good, "kid": "enc", "use": "enc"},
            {**good, "kid": "wrap", "use": "sig", "key_ops": ["encrypt"]},
            {**good, "kid": 7},
            {**good, "kid": "slow", "e": b64(2**4000 + 1)},
            {**good, "kid": "one", "e": b64(1)},
            {**good, "kid": "broken", "n": "***"},
            {**good, "kid": "absent", "n": None},
            {"kty": "RSA", "kid": "weak", "n": b64(weak.n), "e": "AQAB"},
            {"kty": "oct", "kid": "secret", "k": "AAAA"},
            {"kty": "EC", "kid": "off", "crv": "P-256", "x": "AAAA", "y": "AAAA"},
            {"kty": "new"},
            {},
            None,
            "text",
        )
    )
    assert [key.kid for key in keys.keys] == [KEY.kid]


def test_leaked_private_members_are_not_read():
    private = KEY.key.as_dict(private=True)
    assert private.keys() >= PRIVATE_MEMBERS
    (key,) = jwk.parse_jwks(document({**private, "kid": "k"})).keys
    assert not key.is_private


def test_the_same_document_is_parsed_once():
    text = document(KEY.public_jwk())
    assert jwk.parse_jwks(text) is jwk.parse_jwks(bytes(bytearray(text)))


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"<html>",
        b"[]",
        b"{}",
        b'{"keys": {}}',
        b'{"keys": null}',
        b'{"keys": [], "keys": []}',
        b"\xff",
        document(*[{}] * 101),
        b'{"keys": []' + b" " * 300_000 + b"}",
        b"[" * 100_000,
    ],
)
def test_what_is_no_key_set_is_refused(text):
    with pytest.raises(BadKey):
        jwk.parse_jwks(text)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3)
    ),
    max_leaves=6,
)
MEMBERS = st.sampled_from(["kty", "use", "key_ops", "alg", "kid", "n", "e", "crv", "x", "y"])


@given(st.dictionaries(MEMBERS, JSON | st.sampled_from(["RSA", "EC", "sig", "AQAB", "P-256"])))
def test_wild_keys_never_crash(entry):
    try:
        keys = jwk.parse_jwks(document(entry))
    except BadKey:
        return
    assert keys.keys == ()
