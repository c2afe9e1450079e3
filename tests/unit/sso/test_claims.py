import json
from datetime import timedelta

import pytest

from sso.claims import assertion, merge_userinfo
from sso.connection import SubjectClaim
from sso.errors import TokenInvalid, UserinfoInvalid
from sso.id_token import IdTokenClaims


def verified(provider, **changes):
    return provider.verify(provider.sign(provider.claims(**changes)))


def merged(claims, status=200, content_type="application/json", **userinfo):
    body = json.dumps(userinfo).encode()
    return merge_userinfo(claims, status=status, content_type=content_type, body=body)


def test_the_assertion_in_full(provider):
    made = assertion(provider.connection(), verified(provider), provider.sign_in())
    assert made.connection_id == "con_1"
    assert made.protocol == "oidc"
    assert (made.issuer, made.subject) == (provider.issuer, "00u1")
    assert made.unique_id == provider.sign_in().nonce
    assert made.claim_until == provider.now + timedelta(minutes=10)
    assert made.authenticated_at == provider.now - timedelta(seconds=60)
    assert made.session_index == "session-1"
    assert made.user_name == "ada@example.com"
    assert (made.email, made.email_verified) == ("ada@example.com", True)
    assert (made.display_name, made.given_name, made.family_name) == ("Ada Byron", "Ada", "Byron")
    assert made.groups == ("Sales", "All")
    assert (made.acr, made.amr) == ("urn:mfa", ("pwd", "otp"))


def test_two_uses_of_one_answer_share_their_claim(provider):
    sign_in, claims = provider.sign_in(), verified(provider)
    first, second = (assertion(provider.connection(), claims, sign_in) for _ in range(2))
    assert first.unique_id == second.unique_id


def test_without_auth_time_the_token_tells_the_time(provider):
    made = assertion(provider.connection(), verified(provider, auth_time=...), provider.sign_in())
    assert made.authenticated_at == provider.now + timedelta(seconds=5)


def test_entra_is_known_by_its_object_id(provider):
    connection = provider.connection(subject=SubjectClaim.OID)
    made = assertion(connection, verified(provider, oid="o-1"), provider.sign_in())
    assert made.subject == "o-1"


@pytest.mark.parametrize("oid", [..., "", 5, None, "a" * 256])
def test_a_missing_object_id_is_not_replaced_by_the_subject(provider, oid):
    connection = provider.connection(subject=SubjectClaim.OID)
    with pytest.raises(TokenInvalid, match="oid"):
        assertion(connection, verified(provider, oid=oid), provider.sign_in())


def test_unusable_attributes_count_as_not_said(provider):
    claims = verified(
        provider,
        preferred_username=["a"],
        email="not an address",
        name="x" * 300,
        given_name="a\x00b".replace("\x00", "\x07"),
        family_name=5,
        groups={"a": 1},
        amr=["pwd", 5, ""],
    )
    made = assertion(provider.connection(), claims, provider.sign_in())
    assert made.user_name is made.email is made.email_verified is made.display_name is None
    assert made.given_name is made.family_name is None
    assert made.groups == ()
    assert made.amr == ("pwd",)


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        (True, True),
        ("true", True),
        (False, False),
        ("false", False),
        (1, False),
        ("yes", False),
        ([True], False),
        (..., None),
        (None, None),
    ],
)
def test_an_address_is_verified_only_where_it_is_said(provider, said, meant):
    claims = verified(provider, email_verified=said)
    made = assertion(provider.connection(), claims, provider.sign_in())
    assert made.email_verified is meant


def test_userinfo_fills_the_gaps(provider):
    bare = verified(provider, email=..., email_verified=..., name=..., groups=...)
    claims = merged(
        bare,
        sub="00u1",
        email="ada@example.com",
        email_verified=True,
        name="Ada",
        groups=["Sales"],
    )
    made = assertion(provider.connection(), claims, provider.sign_in())
    assert (made.email, made.email_verified) == ("ada@example.com", True)
    assert (made.display_name, made.groups) == ("Ada", ("Sales",))


def test_userinfo_never_overrules_the_signed_token(provider):
    claims = merged(
        verified(provider, oid=...),
        sub="00u1",
        iss="https://evil.example",
        oid="o-2",
        sid="s-2",
        email="eve@example.com",
        name="Eve",
        groups=["Admins"],
        acr="urn:none",
    )
    assert claims == verified(provider)


def test_verified_belongs_to_its_own_address(provider):
    claims = verified(provider, email="ceo@example.com", email_verified=...)
    other = merged(claims, sub="00u1", email="eve@example.com", email_verified=True)
    assert "email_verified" not in other
    same = merged(claims, sub="00u1", email="ceo@example.com", email_verified=True)
    assert same["email_verified"] is True
    lone = merged(claims, sub="00u1", email_verified=True)
    assert "email_verified" not in lone


@pytest.mark.parametrize("sub", ["00u2", "00U1", "00u1 ", "", None, 5, ["00u1"]])
def test_userinfo_of_another_person_is_refused(provider, sub):
    with pytest.raises(UserinfoInvalid, match="another person"):
        merged(verified(provider), sub=sub, name="Eve")


@pytest.mark.parametrize(
    ("status", "content_type", "body"),
    [
        (401, "application/json", b'{"sub": "00u1"}'),
        (500, "text/html", b"<html>"),
        (200, "text/html", b"<html>"),
        (200, "application/jwt", b"a.b.c"),
        (200, "application/json", b"<html>"),
        (200, "application/json", b"[]"),
        (200, "application/json", b'{"sub": "00u1", "sub": "00u1"}'),
        (200, "application/json", b'{"sub": "00u1", "a": "' + b"x" * 300_000 + b'"}'),
        (200, "application/json", b"{}"),
    ],
)
def test_garbage_from_userinfo_is_refused(status, content_type, body):
    claims = IdTokenClaims({"sub": "00u1"})
    with pytest.raises(UserinfoInvalid):
        merge_userinfo(claims, status=status, content_type=content_type, body=body)
