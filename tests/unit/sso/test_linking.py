from dataclasses import replace

import pytest

from sso.claims import assertion
from sso.connection import LinkBy
from sso.linking import LinkCandidate, email_address, in_domains, link_candidates

DOMAINS = frozenset({"example.com"})


@pytest.fixture
def said(provider):
    claims = provider.verify(provider.sign(provider.claims(preferred_username="ada")))
    return assertion(provider.connection(), claims, provider.sign_in())


def test_by_user_name_then_by_address(said):
    assert link_candidates(said, LinkBy.USER_NAME, DOMAINS) == (
        LinkCandidate("userName", "ada"),
        LinkCandidate("userName", "ada@example.com"),
    )
    same = replace(said, user_name="ada@example.com")
    assert link_candidates(same, LinkBy.USER_NAME, DOMAINS) == (
        LinkCandidate("userName", "ada@example.com"),
    )


def test_by_external_id_the_subject_counts(said):
    assert link_candidates(said, LinkBy.EXTERNAL_ID, DOMAINS) == (
        LinkCandidate("externalId", "00u1"),
    )


@pytest.mark.parametrize("verified", [True, None])
def test_by_address_inside_a_verified_domain(said, verified):
    said = replace(said, email_verified=verified, email="Ada@EXAMPLE.com")
    assert link_candidates(said, LinkBy.EMAIL, DOMAINS) == (
        LinkCandidate("email", "Ada@EXAMPLE.com"),
    )


@pytest.mark.parametrize(
    "changes",
    [
        {"email_verified": False},
        {"email": None},
        {"email": "ada@evil.example"},
        {"email": "ada@sub.example.com"},
        {"email": "ada@notexample.com"},
        {"email": "ada@example.com.evil.example"},
        {"email": "ada@example.com."},
        {"email": "example.com"[:-1]},
    ],
)
def test_an_address_takes_nobody_over(said, changes):
    said = replace(said, **changes)
    assert link_candidates(said, LinkBy.EMAIL, DOMAINS) == ()
    assert link_candidates(said, LinkBy.USER_NAME, DOMAINS) == (LinkCandidate("userName", "ada"),)


def test_without_a_verified_domain_no_address_links(said):
    assert link_candidates(said, LinkBy.EMAIL, frozenset()) == ()
    assert not in_domains("ada@", frozenset())


@pytest.mark.parametrize(
    "value",
    [
        "",
        "ada",
        "@example.com",
        "ada@",
        "a@b@example.com",
        "a b@example.com",
        "a\n@example.com",
        "a\u200b@example.com",
        "a" * 250 + "@example.com",
        None,
        5,
        ["ada@example.com"],
    ],
)
def test_what_is_no_address(value):
    assert email_address(value) is None
