import base64
import hashlib
import hmac
import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jws
from joserfc.jwk import ECKey, OctKey

from keys import errors, jwk, jwt

KEY = jwk.generate()
OTHER = jwk.generate()
NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
AT = int(NOW.timestamp())
CLAIMS = {"iss": "x", "iat": AT, "exp": AT + 60}


def key_set(*entries):
    return jwk.parse_jwks(json.dumps({"keys": list(entries)}).encode())


KEYS = key_set(KEY.public_jwk(), OTHER.public_jwk())


def b64(data):
    data = data if isinstance(data, bytes) else json.dumps(data).encode()
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def forge(header, payload, *, key=KEY, algorithm="RS256"):
    """Sign any header and payload bytes, however wrong they are."""
    signing_input = f"{b64(header)}.{b64(payload)}"
    model = jws.JWSRegistry.algorithms[algorithm]
    return f"{signing_input}.{b64(model.sign(signing_input.encode(), key.key))}"


def header(**more):
    return {"alg": "RS256", "kid": KEY.kid, **more}


def verify(token, keys=KEYS, **options):
    wanted = {"algorithms": ["RS256"], "now": NOW, "leeway": timedelta(seconds=10), **options}
    return jwt.verify(token, keys, **wanted)


def test_a_signed_token_verifies():
    assert verify(jwt.sign(CLAIMS, KEY)) == CLAIMS


def test_the_header_names_key_and_type():
    token = jwt.sign(CLAIMS, KEY, {"typ": "at+jwt", "alg": "none", "kid": "x"})
    assert jwt.unverified(token).header == {"typ": "at+jwt", "alg": "RS256", "kid": KEY.kid}


def test_unverified_shows_what_a_bad_signature_covers():
    token = jwt.sign(CLAIMS, KEY)[:-8] + "AAAAAAAA"
    assert jwt.unverified(token).claims == CLAIMS


def test_a_foreign_signature_is_refused():
    with pytest.raises(errors.BadSignature):
        verify(forge(header(), CLAIMS, key=OTHER))


def test_a_changed_payload_is_refused():
    head, _, signature = jwt.sign(CLAIMS, KEY).split(".")
    with pytest.raises(errors.BadSignature):
        verify(f"{head}.{b64({**CLAIMS, 'iss': 'y'})}.{signature}")


def test_an_empty_signature_is_refused():
    head, body, _ = jwt.sign(CLAIMS, KEY).split(".")
    with pytest.raises(errors.BadSignature):
        verify(f"{head}.{body}.")


def test_none_is_refused():
    for name in ("none", "None", "NONE"):
        with pytest.raises(errors.AlgorithmRefused):
            verify(f"{b64(header(alg=name))}.{b64(CLAIMS)}.", algorithms=["RS256", name])


def test_the_public_key_is_no_hmac_secret():
    secret = KEY.key.as_pem(private=False)
    signing_input = f"{b64(header(alg='HS256'))}.{b64(CLAIMS)}"
    mac = hmac.new(secret, signing_input.encode(), hashlib.sha256).digest()
    for allowed in (["RS256"], ["RS256", "HS256"]):
        with pytest.raises(errors.AlgorithmRefused):
            verify(f"{signing_input}.{b64(mac)}", algorithms=allowed)


def test_only_allowed_algorithms_verify():
    token = forge(header(alg="RS384"), CLAIMS, algorithm="RS384")
    with pytest.raises(errors.AlgorithmRefused):
        verify(token)
    with pytest.raises(errors.AlgorithmRefused):
        verify(jwt.sign(CLAIMS, KEY), algorithms=[])
    keys = key_set({name: v for name, v in KEY.public_jwk().items() if name != "alg"})
    assert verify(token, keys, algorithms=["RS384"]) == CLAIMS


def test_a_key_for_another_algorithm_does_not_verify():
    token = forge(header(alg="RS384"), CLAIMS, algorithm="RS384")
    with pytest.raises(errors.BadSignature):
        verify(token, algorithms=["RS384"])


def test_elliptic_keys_verify_where_allowed_and_never_an_rsa_token():
    key = ECKey.generate_key("P-256", {"kid": "ec"})
    keys = key_set(key.as_dict(private=False))
    token = jws.serialize_compact({"alg": "ES256", "kid": "ec"}, json.dumps(CLAIMS), key)
    assert verify(token, keys, algorithms=["ES256"]) == CLAIMS
    with pytest.raises(errors.BadSignature):
        verify(forge(header(kid="ec"), CLAIMS), keys, algorithms=["RS256", "ES256"])


def test_a_missing_and_an_unknown_kid_are_told_apart():
    with pytest.raises(errors.MissingKid):
        verify(forge({"alg": "RS256"}, CLAIMS))
    with pytest.raises(errors.MissingKid):
        verify(forge(header(kid=""), CLAIMS))
    with pytest.raises(errors.UnknownKid):
        verify(forge(header(kid="new"), CLAIMS))
    with pytest.raises(errors.UnknownKid):
        verify(jwt.sign(CLAIMS, KEY), key_set())


def test_without_kid_every_key_is_tried_where_that_is_allowed():
    token = forge({"alg": "RS256"}, CLAIMS)
    assert verify(token, key_set(OTHER.public_jwk(), KEY.public_jwk()), kid_required=False)
    with pytest.raises(errors.BadSignature):
        verify(token, key_set(OTHER.public_jwk()), kid_required=False)


def test_two_keys_may_bear_one_kid():
    keys = key_set({**OTHER.public_jwk(), "kid": "k"}, {**KEY.public_jwk(), "kid": "k"})
    assert verify(forge(header(kid="k"), CLAIMS), keys) == CLAIMS


def test_keys_in_the_header_are_never_trusted():
    for more in (
        {"jwk": OTHER.public_jwk()},
        {"jku": "https://evil.example/jwks"},
        {"x5u": "https://evil.example/cert"},
    ):
        with pytest.raises(errors.BadSignature):
            verify(forge(header(**more), CLAIMS, key=OTHER))


def test_unknown_header_members_are_ignored():
    assert verify(forge(header(org="x", x5t="abc"), CLAIMS)) == CLAIMS


@pytest.mark.parametrize("more", [{"crit": ["exp"], "exp": 1}, {"crit": []}, {"b64": True}])
def test_extensions_are_refused(more):
    with pytest.raises(errors.TokenMalformed):
        verify(forge(header(**more), CLAIMS))


def test_unencoded_payloads_are_refused():
    with pytest.raises(errors.TokenMalformed):
        verify(f"{b64(header(b64=False, crit=['b64']))}.abc.{b64(b'x')}")


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"[]",
        b'"x"',
        b"null",
        b"{",
        b"\xff\xfe",
        b'{"iss": "a", "iss": "b"}',
        b'{"a": {"b": 1, "b": 2}}',
        b'{"exp": NaN}',
        b'{"exp": 1e999}',
        b'{"a": 99999999999999999999}',
        b'{"a": ' + b"9" * 5000 + b"}",
        b'{"a": "\\u0000"}',
        b'{"a": "\\ud800"}',
        b'{"\\ud800": 1}',
        b'{"a": ' + b"[" * 40 + b"]" * 40 + b"}",
        b'{"a": ' + b"[" * 20_000 + b"]" * 20_000 + b"}",
    ],
)
def test_signed_nonsense_is_malformed(payload):
    with pytest.raises(errors.TokenMalformed):
        verify(forge(header(), payload))


@pytest.mark.parametrize(
    "head",
    [
        b"[]",
        b'"alg"',
        b'["alg", "b64"]',
        b"7",
        b"{}",
        b'{"alg": "RS256", "alg": "none"}',
        b'{"alg": 7}',
        b'{"alg": ["RS256"], "kid": "k"}',
        b'{"alg": "RS256", "kid": 7}',
        b'{"alg": "RS256", "kid": null}',
    ],
)
def test_a_strange_header_is_malformed(head):
    with pytest.raises(errors.TokenMalformed):
        verify(forge(head, CLAIMS))


@given(st.text())
def test_any_text_is_refused_with_our_error(text):
    with pytest.raises(errors.TokenRefused):
        verify(text)


@given(st.lists(st.binary(max_size=40), min_size=3, max_size=3))
def test_any_three_parts_are_refused_with_our_error(parts):
    with pytest.raises(errors.TokenRefused):
        verify(".".join(b64(part) for part in parts))


def test_an_encrypted_token_is_malformed():
    with pytest.raises(errors.TokenMalformed):
        verify("a.b.c.d.e")


def test_padded_base64_is_malformed():
    head, body, signature = jwt.sign(CLAIMS, KEY).split(".")
    for token in (f"{head}=.{body}.{signature}", f"{head}.{body}\n.{signature}"):
        with pytest.raises(errors.TokenRefused):
            verify(token)


@pytest.mark.parametrize(
    "token",
    [
        forge(header(), {**CLAIMS, "a": "x" * 60_000}),
        forge(header(a="x" * 9000), CLAIMS),
        "x" * 10_000_000,
        "a.b." + "x" * 3000,
    ],
)
def test_an_oversized_token_is_refused(token):
    with pytest.raises(errors.TokenTooLarge):
        verify(token)


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"exp": None}, errors.MissingTime),
        ({"iat": None}, errors.MissingTime),
        ({"exp": AT - 10}, errors.TokenExpired),
        ({"exp": AT - 9}, None),
        ({"iat": AT + 11}, errors.TokenNotYetValid),
        ({"iat": AT + 10}, None),
        ({"iat": AT + 0.15}, None),
        ({"nbf": AT + 11}, errors.TokenNotYetValid),
        ({"nbf": AT + 9}, None),
        ({"iat": AT - 3611}, errors.TokenTooOld),
        ({"iat": AT - 3610}, None),
        ({"exp": str(AT + 60)}, errors.TokenMalformed),
        ({"exp": True}, errors.TokenMalformed),
        ({"iat": [AT]}, errors.TokenMalformed),
        ({"exp": 2**62}, None),
    ],
)
def test_times(change, error):
    claims = {name: v for name, v in {**CLAIMS, **change}.items() if v is not None}
    token = jwt.sign(claims, KEY)
    if error is None:
        assert verify(token, max_age=timedelta(hours=1)) == claims
    else:
        with pytest.raises(error):
            verify(token, max_age=timedelta(hours=1))


def test_times_may_be_left_out_where_that_is_asked():
    assert verify(jwt.sign({"a": 1}, KEY), require=()) == {"a": 1}


def test_a_shared_secret_in_a_key_set_is_never_used():
    secret = OctKey.generate_key(256, {"kid": KEY.kid})
    with pytest.raises(errors.UnknownKid):
        verify(jwt.sign(CLAIMS, KEY), key_set(secret.as_dict(private=True)))


def test_claims_that_json_cannot_hold_are_our_mistake():
    with pytest.raises(ValueError):
        jwt.sign({"a": float("nan")}, KEY)
