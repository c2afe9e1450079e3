from datetime import UTC, datetime

import pytest

from sso.connection import SubjectClaim
from sso.errors import (
    AlgorithmRefused,
    AudienceMismatch,
    ConnectionInvalid,
    KeyUnknown,
    SignatureInvalid,
    TokenExpired,
    TokenInvalid,
)
from sso.logout import EVENT, verify_logout_token

NOW = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)  # the provider's
SECOND = int(NOW.timestamp())


def notice(provider, token, **changes):
    values = {
        "connection": provider.connection(),
        "discovery": provider.discovery(),
        "jwks": provider.jwks(),
        "now": NOW,
    }
    return verify_logout_token(token, **(values | changes))


@pytest.mark.parametrize("typ", ["logout+jwt", "Logout+JWT", "JWT", ...])
def test_says_whose_sessions_end(provider, typ):
    said = notice(provider, provider.sign(provider.logout_claims(), typ=typ))
    assert (said.connection_id, said.issuer) == ("con_1", provider.issuer)
    assert (said.subject, said.session_index) == ("00u1", "session-1")
    assert said.unique_id == "logout-1"


def test_its_claim_outlives_the_token(provider):
    token = provider.sign(provider.logout_claims(iat=SECOND + 29, exp=SECOND + 9999))
    said = notice(provider, token)
    with pytest.raises(TokenExpired):
        notice(provider, token, now=said.claim_until)


@pytest.mark.parametrize("missing", ["sub", "sid", "exp"])
def test_one_name_is_enough(provider, missing):
    said = notice(provider, provider.sign(provider.logout_claims(**{missing: ...})))
    assert said.subject or said.session_index


@pytest.mark.parametrize(
    "changes",
    [{"events": value} for value in (..., None, {}, [EVENT], EVENT, {EVENT: True}, {EVENT: None})]
    + [{"events": {"https://schemas.openid.net/event/other": {}}}]
    + [{"nonce": value} for value in ("n" * 43, "", None)]
    + [{"jti": value} for value in (..., None, "", 5, "a" * 256)]
    + [{"sub": ..., "sid": ...}, {"sub": "", "sid": 5}, {"sub": [], "sid": None}]
    + [{"iss": "https://evil.example"}, {"iss": ...}]
    + [{"iat": ...}, {"iat": SECOND + 300}, {"iat": "now"}],
)
def test_what_is_no_logout_token_is_refused(provider, changes):
    with pytest.raises(TokenInvalid):
        notice(provider, provider.sign(provider.logout_claims(**changes)))


def test_an_id_token_logs_nobody_out(provider):
    with pytest.raises(TokenInvalid):
        notice(provider, provider.sign(provider.claims()))


@pytest.mark.parametrize("typ", ["logout+jwt", "JWT"])
def test_a_logout_token_signs_nobody_in(provider, typ):
    claims = provider.logout_claims() | provider.claims(nonce="n" * 43)
    with pytest.raises(TokenInvalid):
        provider.verify(provider.sign(claims, typ=typ))


@pytest.mark.parametrize("aud", ["another", [], ..., ["ostiary", "another"]])
def test_a_notice_to_others_is_refused(provider, aud):
    with pytest.raises(AudienceMismatch):
        notice(provider, provider.sign(provider.logout_claims(aud=aud)))


@pytest.mark.parametrize("changes", [{"iat": SECOND - 331, "exp": ...}, {"exp": SECOND - 30}])
def test_an_old_notice_is_refused(provider, changes):
    with pytest.raises(TokenExpired):
        notice(provider, provider.sign(provider.logout_claims(**changes)))


def test_a_notice_needs_the_providers_signature(provider):
    claims = provider.logout_claims()
    with pytest.raises(SignatureInvalid):
        notice(provider, provider.sign(claims, key=provider.stranger))
    with pytest.raises(AlgorithmRefused):
        notice(provider, provider.unsigned(claims))
    with pytest.raises(AlgorithmRefused):
        notice(provider, provider.keyed_with_public_key(claims))
    with pytest.raises(KeyUnknown):
        notice(provider, provider.sign(claims), jwks=provider.jwks(provider.ec))


def test_where_people_are_known_by_object_id_the_subject_is_not_used(provider):
    connection = provider.connection(subject=SubjectClaim.OID)
    said = notice(provider, provider.sign(provider.logout_claims()), connection=connection)
    assert (said.subject, said.session_index) == (None, "session-1")
    with pytest.raises(TokenInvalid, match="sid"):
        notice(provider, provider.sign(provider.logout_claims(sid=...)), connection=connection)


def test_a_disabled_connection_takes_no_notice(provider):
    token = provider.sign(provider.logout_claims())
    with pytest.raises(ConnectionInvalid):
        notice(provider, token, connection=provider.connection(enabled=False))
