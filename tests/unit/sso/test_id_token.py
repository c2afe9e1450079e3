"""The attacks on an ID token, each refused with its own reason."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from joserfc.jwk import RSAKey

from sso.claims import assertion
from sso.connection import SubjectClaim
from sso.errors import (
    AlgorithmRefused,
    AudienceMismatch,
    KeyUnknown,
    NonceMismatch,
    SignatureInvalid,
    SignInRefused,
    TokenExpired,
    TokenInvalid,
)

NOW = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)  # the provider's
SECOND = int(NOW.timestamp())


@pytest.mark.parametrize("alg", ["RS256", "PS256", "ES256"])
@pytest.mark.parametrize("typ", ["JWT", "jwt", ...])
def test_good_tokens_pass(provider, alg, typ):
    claims = provider.claims()
    assert provider.verify(provider.sign(claims, alg=alg, typ=typ)) == claims


@pytest.mark.parametrize(
    "changes",
    [
        {"aud": ["ostiary"]},
        {"aud": ["ostiary", "another"], "azp": "ostiary"},
        {"azp": "ostiary"},
        {"at_hash": ...},
        {"auth_time": ...},
        {"auth_time": SECOND + 0.5},
        {"sid": ..., "acr": ..., "amr": ...},
        {"nbf": SECOND},
    ],
)
def test_what_the_standard_leaves_open_passes(provider, changes):
    claims = provider.claims(**changes)
    assert provider.verify(provider.sign(claims)) == claims


@pytest.mark.parametrize(
    "changes",
    [
        {"aud": "another", "azp": "ostiary"},
        {"aud": ["another"], "azp": "ostiary"},
        {"aud": "another"},
        {"aud": []},
        {"aud": ""},
        {"aud": None},
        {"aud": ...},
        {"aud": {"ostiary": 1}},
        {"aud": ["ostiary", 5], "azp": "ostiary"},
        {"aud": ["ostiary", "another"]},
        {"aud": ["ostiary", "another"], "azp": "another"},
        {"aud": "ostiary", "azp": "another"},
        {"aud": "ostiary2"},
        {"aud": "xostiaryx"},
        {"aud": "OSTIARY"},
    ],
)
def test_a_token_for_others_is_refused(provider, changes):
    with pytest.raises(AudienceMismatch):
        provider.verify(provider.sign(provider.claims(**changes)))


@pytest.mark.parametrize("nonce", ["m" * 43, "n" * 42, "N" * 43, "é", ...])
def test_a_token_of_another_sign_in_is_refused(provider, nonce):
    with pytest.raises(NonceMismatch):
        provider.verify(provider.sign(provider.claims(nonce=nonce)))


@pytest.mark.parametrize(
    "changes",
    [{"sub": value} for value in ("", None, ..., 5, ["00u1"], "a" * 256, "a\nb")]
    + [{"iss": value} for value in ("https://evil.example", "", None, ..., 5)]
    + [{"nonce": value} for value in ("", None, 5, ["n" * 43])]
    + [{"iss": "https://idp.example.com/realms/acme/"}]
    + [{"azp": 5}, {"at_hash": 5}, {"sid": {}}, {"acr": ""}, {"amr": "pwd"}]
    + [{"auth_time": value} for value in ("1", True, None, -1, SECOND + 300)]
    + [{"iat": value} for value in (..., None, "1", True, [])]
    + [{"exp": value} for value in (..., None, "9999999999", True, 10**30, 1e400)]
    + [{"iat": SECOND + 300}, {"nbf": SECOND + 300}, {"nbf": "x"}]
    + [{"events": {"http://schemas.openid.net/event/backchannel-logout": {}}}, {"events": None}],
)
def test_wrong_claims_are_refused(provider, changes):
    token = provider.sign(provider.claims(**changes))
    with pytest.raises(TokenInvalid):
        assertion(provider.connection(), provider.verify(token), provider.sign_in())


def test_an_expired_token_is_refused(provider):
    token = provider.sign(provider.claims())
    end = NOW + timedelta(seconds=305)
    assert provider.verify(token, now=end + timedelta(seconds=29))
    with pytest.raises(TokenExpired):
        provider.verify(token, now=end + timedelta(seconds=30))


@pytest.mark.parametrize("age", [31, 600, 86_400, SECOND])
def test_a_token_from_before_the_sign_in_is_refused(provider, age):
    with pytest.raises(TokenExpired):
        provider.verify(provider.sign(provider.claims(iat=SECOND - age)))


@pytest.mark.parametrize("max_age", [0, 60])
def test_an_old_authentication_is_refused_where_a_fresh_one_was_asked_for(provider, max_age):
    sign_in = provider.sign_in(max_age=max_age)
    fresh = provider.claims(auth_time=SECOND)
    assert provider.verify(provider.sign(fresh), sign_in=sign_in)
    for auth_time, refusal in ((SECOND - 100, TokenExpired), (..., TokenInvalid)):
        token = provider.sign(provider.claims(auth_time=auth_time))
        with pytest.raises(refusal):
            provider.verify(token, sign_in=sign_in)


def test_the_access_token_must_be_the_one_meant(provider):
    token = provider.sign(provider.claims(at_hash=provider.half_hash("another")))
    with pytest.raises(TokenInvalid, match="at_hash"):
        provider.verify(token)
    with pytest.raises(TokenInvalid, match="at_hash"):
        provider.verify(provider.sign(provider.claims()), access_token="another")


def test_unsigned_tokens_are_refused_even_if_the_provider_lists_none(provider):
    assert b'"none"' in provider.metadata()
    for alg in ("none", "None", "NONE", "nOnE", ""):
        with pytest.raises(AlgorithmRefused):
            provider.verify(provider.unsigned(provider.claims(), alg))


def test_the_public_key_is_no_secret(provider):
    assert b'"HS256"' in provider.metadata()
    with pytest.raises(AlgorithmRefused):
        provider.verify(provider.keyed_with_public_key(provider.claims()))


@pytest.mark.parametrize("alg", ["RS512", "RS384", "PS512"])
def test_an_algorithm_outside_our_list_is_refused(provider, alg):
    discovery = provider.discovery(id_token_signing_alg_values_supported=["RS256", alg])
    with pytest.raises(AlgorithmRefused):
        provider.verify(provider.sign(provider.claims(), alg=alg), discovery=discovery)


def test_an_algorithm_outside_the_providers_list_is_refused(provider):
    discovery = provider.discovery(id_token_signing_alg_values_supported=["RS256"])
    with pytest.raises(AlgorithmRefused):
        provider.verify(provider.sign(provider.claims(), alg="ES256"), discovery=discovery)


@pytest.mark.parametrize(
    "typ", ["logout+jwt", "at+jwt", "secevent+jwt", "JOSE", "", 5, None, ["JWT"]]
)
def test_another_type_of_token_is_refused(provider, typ):
    with pytest.raises(TokenInvalid):
        provider.verify(provider.sign(provider.claims(), typ=typ))


def test_a_key_never_comes_with_the_token(provider):
    header = {
        "jwk": provider.stranger.as_dict(private=False),
        "jku": "https://evil.example/jwks",
        "x5u": "https://evil.example/cert",
    }
    token = provider.sign(provider.claims(), key=provider.stranger, **header)
    with pytest.raises(SignatureInvalid):
        provider.verify(token)


def test_an_unknown_key_asks_for_fresh_ones(provider):
    rotated = RSAKey.import_key(provider.stranger.as_dict(private=True) | {"kid": "rsa-2"})
    token = provider.sign(provider.claims(), key=rotated)
    with pytest.raises(KeyUnknown) as refused:
        provider.verify(token)
    assert refused.value.code == "key_unknown"
    assert provider.verify(token, jwks=provider.jwks(provider.rsa, rotated))


def test_a_withdrawn_key_no_longer_verifies(provider):
    token = provider.sign(provider.claims())
    with pytest.raises(KeyUnknown):
        provider.verify(token, jwks=provider.jwks(provider.ec))


def test_the_key_id_may_be_left_out_only_with_a_single_key(provider):
    token = provider.sign(provider.claims(), kid=...)
    assert provider.verify(token, jwks=provider.jwks(provider.rsa))
    with pytest.raises(TokenInvalid):
        provider.verify(token)


def test_tampering_is_seen_anywhere(provider):
    token = provider.sign(provider.claims())
    assert provider.verify(token)
    header, payload, signature = token.split(".")
    other = provider.sign(provider.claims(sub="00u2")).split(".")
    for forged in (
        f"{header}.{other[1]}.{signature}",
        f"{header}.{payload}.{other[2]}",
        f"{header}.{payload}.",
        f"{header}.{payload}.{signature[:-8]}",
        f"{header}.{payload}.{signature}.{signature}",
        f"{header}.{payload}",
        f"{payload}.{header}.{signature}",
    ):
        with pytest.raises(TokenInvalid):
            provider.verify(forged)


@pytest.mark.parametrize(
    "token", ["", ".", "..", "a.b.c", "é.b.c", "null", "e30.e30.e30", "[" * 9000, "a" * 1_000_000]
)
def test_what_is_no_token_is_refused(provider, token):
    with pytest.raises(TokenInvalid):
        provider.verify(token)


def test_a_huge_token_is_refused_though_well_signed(provider):
    with pytest.raises(TokenInvalid):
        provider.verify(provider.sign(provider.claims(groups=["g" * 100] * 800)))


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=6,
)
NAMES = st.sampled_from(
    [
        "iss",
        "sub",
        "aud",
        "azp",
        "exp",
        "iat",
        "nbf",
        "nonce",
        "auth_time",
        "at_hash",
        "amr",
        "acr",
        "sid",
        "jti",
        "value",
        "email",
        "email_verified",
        "name",
        "groups",
        "preferred_username",
    ]
)


@settings(max_examples=150, deadline=None)
@given(st.dictionaries(NAMES, JSON_VALUES, min_size=1, max_size=4))
def test_no_claims_break_it(provider, changes):
    try:
        claims = provider.verify(provider.sign(provider.claims() | changes, alg="ES256"))
        made = assertion(provider.connection(), claims, provider.sign_in())
    except SignInRefused:
        return
    assert made.subject == claims["sub"]
    assert made.issuer == claims["iss"] == provider.issuer
    assert made.unique_id == "n" * 43


@pytest.mark.parametrize("sub", ["", None, ..., 5])
def test_an_empty_subject_is_refused_whatever_claim_names_the_person(provider, sub):
    connection = provider.connection(subject=SubjectClaim.OID)
    token = provider.sign(provider.claims(sub=sub, oid="o-1"))
    with pytest.raises(TokenInvalid, match="sub"):
        provider.verify(token, connection=connection)
