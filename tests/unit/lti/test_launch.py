"""The twelve refusals and the nine acceptances of the certification guide, and the attacks."""

import base64
import json
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from joserfc import jws

from keys import jwk, jwt
from lti.errors import LaunchRefused, Refusal, UnknownDeployment, UnknownKid
from lti.registration import Deployment

OTHER_KEY = jwk.generate()


def refused(platform, token=None, **changes):
    with pytest.raises(LaunchRefused) as caught:
        platform.verify(token, **changes)
    return caught.value.code


def sign_with(platform, header, claims=None):
    registry = jws.JWSRegistry(algorithms=["RS256", "RS384", "PS256"])
    payload = json.dumps(claims or platform.claims())
    return jws.serialize_compact(header, payload, platform.key.key, registry=registry)


# Refuse: certification guide §6.1.1


def test_no_kid(platform):
    assert refused(platform, sign_with(platform, {"alg": "RS256"})) == Refusal.MISSING_KID


def test_unknown_kid_is_its_own_error(platform):
    with pytest.raises(UnknownKid) as caught:
        platform.verify(jwt.sign(platform.claims(), OTHER_KEY))
    assert caught.value.code == Refusal.UNKNOWN_KID


@pytest.mark.parametrize("version", ["1.1.0", "1.3", "LTI-1p3", "1.3.0 ", "1.3.1"])
def test_wrong_version(platform, version):
    assert refused(platform, VERSION=version) == Refusal.WRONG_VERSION


def test_not_an_lti_message(platform):
    claims = {n: v for n, v in platform.claims().items() if "purl.imsglobal.org" not in n}
    assert refused(platform, jwt.sign(claims, platform.key)) == Refusal.MISSING_CLAIM


@pytest.mark.parametrize(
    "name",
    [
        "VERSION",
        "MESSAGE_TYPE",
        "ROLES",
        "DEPLOYMENT_ID",
        "RESOURCE_LINK",
        "TARGET_LINK_URI",
        "iss",
        "aud",
        "nonce",
    ],
)
def test_missing_claims(platform, name):
    assert refused(platform, **{name: None}) == Refusal.MISSING_CLAIM


@pytest.mark.parametrize("link", [{}, {"id": ""}, {"id": None}, {"title": "x"}])
def test_no_resource_link_id(platform, link):
    assert refused(platform, RESOURCE_LINK=link) == Refusal.MISSING_CLAIM


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"exp": None}, Refusal.BAD_TIMES),
        ({"iat": None}, Refusal.BAD_TIMES),
        ({"exp": -61}, Refusal.TOKEN_EXPIRED),
        ({"iat": 61}, Refusal.BAD_TIMES),
        ({"iat": -86_400}, Refusal.BAD_TIMES),
        ({"nbf": 61}, Refusal.BAD_TIMES),
    ],
)
def test_bad_times(platform, changes, code):
    at = platform.at
    assert refused(platform, **{n: v and at + v for n, v in changes.items()}) == code


def test_times_of_the_wrong_type(platform):
    assert refused(platform, exp="tomorrow") == Refusal.TOKEN_MALFORMED


@pytest.mark.parametrize("sub", [None, ""])
def test_an_anonymous_launch_only_where_its_deployment_allows(platform, sub):
    assert refused(platform, sub=sub) == Refusal.ANONYMOUS
    assert platform.verify(sub=sub, DEPLOYMENT_ID="anon").sub is None


# Refuse: Security Framework §5.1.3, and what other tools let through


def test_bad_signature_and_tampered_payload(platform):
    head, body, signature = platform.sign().split(".")
    forged = jwt.sign(platform.claims(sub="admin"), OTHER_KEY).split(".")
    for token in (
        f"{head}.{forged[1]}.{signature}",
        f"{head}.{body}.{forged[2]}",
        f"{head}.{forged[1]}.{forged[2]}",
    ):
        assert refused(platform, token) == Refusal.BAD_SIGNATURE


@pytest.mark.parametrize("algorithm", ["RS384", "PS256"])
def test_other_algorithms(platform, algorithm):
    token = sign_with(platform, {"alg": algorithm, "kid": platform.key.kid})
    assert refused(platform, token) == Refusal.ALGORITHM_REFUSED


@pytest.mark.parametrize("algorithm", ["none", "HS256"])
def test_unsigned_and_shared_secret_algorithms(platform, algorithm):
    header = json.dumps({"alg": algorithm, "kid": platform.key.kid}).encode()
    head = base64.urlsafe_b64encode(header).rstrip(b"=").decode()
    token = f"{head}.{platform.sign().split('.')[1]}."
    assert refused(platform, token) == Refusal.ALGORITHM_REFUSED


@pytest.mark.parametrize(
    "token", ["", "x", "a.b.c", "é.b.c", "....", "x" * 200_000, "\ud800.a.b"], ids=range(7)
)
def test_what_is_no_token(platform, token):
    assert refused(platform, token) in (Refusal.TOKEN_MALFORMED, Refusal.TOKEN_TOO_LARGE)


def test_oversized(platform):
    assert refused(platform, CUSTOM={"a": "x" * 70_000}) == Refusal.TOKEN_TOO_LARGE


@pytest.mark.parametrize(
    "iss", ["https://evil.example", "https://lms.example/", "HTTPS://lms.example"]
)
def test_wrong_issuer(platform, iss):
    assert refused(platform, iss=iss) == Refusal.WRONG_ISSUER


@pytest.mark.parametrize(
    ("aud", "azp"),
    [
        ("client-2", None),
        ("client-11", None),
        ([], None),
        (["client-2"], None),
        (["client-2", "client-1"], None),
        (["client-2", "client-1"], "client-2"),
        ("client-1", "client-2"),
        ("client-1", ["client-1"]),
        ("client-1", ""),
        ({"client-1": 1}, None),
        ([["client-1"]], None),
        (7, None),
        (["client-1"] * 17, "client-1"),
    ],
)
def test_wrong_audience(platform, aud, azp):
    assert refused(platform, aud=aud, azp=azp) == Refusal.WRONG_AUDIENCE


@pytest.mark.parametrize("nonce", ["nonce-2", "nonce-1 ", "NONCE-1", "é"])
def test_a_nonce_of_another_login(platform, nonce):
    assert refused(platform, nonce=nonce) == Refusal.WRONG_NONCE


@pytest.mark.parametrize(
    "target", ["https://evil.example/", "https://tool.example/lti/launch", "https://tool.example/x"]
)
def test_another_target_than_the_login_said(platform, target):
    assert refused(platform, TARGET_LINK_URI=target) == Refusal.TARGET_LINK_MISMATCH


@pytest.mark.parametrize(
    "message",
    ["LtiDeepLinkingRequest", "LtiSubmissionReviewRequest", "ltiresourcelinkrequest", "x"],
)
def test_messages_that_we_do_not_take(platform, message):
    assert refused(platform, MESSAGE_TYPE=message) == Refusal.UNSUPPORTED_MESSAGE


def test_an_expired_state(platform):
    platform.state = replace(platform.state, expires_at=platform.now)
    assert refused(platform) == Refusal.STATE_EXPIRED


def test_a_state_of_another_registration(platform):
    platform.state = replace(platform.state, registration_id="reg-2")
    assert refused(platform) == Refusal.STATE_MISMATCH


def test_a_state_of_another_deployment(platform):
    platform.state = replace(platform.state, deployment_id="anon")
    assert refused(platform) == Refusal.STATE_MISMATCH


def test_an_unknown_deployment_is_told_only_of_a_genuine_launch(platform):
    with pytest.raises(UnknownDeployment) as caught:
        platform.verify(DEPLOYMENT_ID="new")
    assert caught.value.deployment_id == "new"
    assert refused(platform, DEPLOYMENT_ID="new", nonce="x") == Refusal.WRONG_NONCE


def test_no_deployment_is_approved(platform):
    platform.deployments = ()
    assert refused(platform) == Refusal.UNKNOWN_DEPLOYMENT


def test_the_deployment_id_is_compared_exactly(platform):
    platform.deployments = (Deployment("DEP-1"), Deployment("dep-1 "), Deployment(""))
    assert refused(platform) == Refusal.UNKNOWN_DEPLOYMENT


@pytest.mark.parametrize(
    "changes",
    [
        {"ROLES": "Instructor"},
        {"ROLES": [7]},
        {"ROLES": {"a": 1}},
        {"ROLES": ["x" * 300]},
        {"ROLES": ["Learner"] * 101},
        {"sub": 7},
        {"sub": "x" * 256},
        {"sub": "a\nb"},
        {"DEPLOYMENT_ID": 1},
        {"DEPLOYMENT_ID": "x" * 256},
        {"nonce": ["nonce-1"]},
        {"VERSION": 1.3},
        {"MESSAGE_TYPE": ["LtiResourceLinkRequest"]},
        {"TARGET_LINK_URI": {"url": "x"}},
        {"RESOURCE_LINK": "link-1"},
        {"RESOURCE_LINK": ["link-1"]},
        {"RESOURCE_LINK": {"id": 7}},
        {"CONTEXT": "course-1"},
        {"CONTEXT": {"id": ["x"]}},
        {"CUSTOM": "activity=x"},
        {"CUSTOM": {str(n): "" for n in range(101)}},
        {"AGS_ENDPOINT": {"lineitem": "javascript:alert(1)"}},
        {"AGS_ENDPOINT": {"lineitems": "/relative"}},
        {"AGS_ENDPOINT": {"scope": "all"}},
        {"NRPS_SERVICE": {"context_memberships_url": "file:///etc/passwd"}},
        {"NRPS_SERVICE": []},
        {"LIS": "x"},
        {"LIS": {"person_sourcedid": 7}},
    ],
)
def test_claims_of_the_wrong_shape(platform, changes):
    assert refused(platform, **changes) == Refusal.BAD_CLAIM


NAMES = [
    *("ROLES", "CONTEXT", "CUSTOM", "LIS", "AGS_ENDPOINT", "NRPS_SERVICE", "RESOURCE_LINK"),
    *("LAUNCH_PRESENTATION", "TOOL_PLATFORM", "DEPLOYMENT_ID", "VERSION", "MESSAGE_TYPE"),
    *("sub", "name", "email", "aud", "azp", "nonce", "iss", "locale", "exp", "iat", "nbf"),
]
LEAVES = (
    st.none()
    | st.booleans()
    | st.integers(-9, 9)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from(["", "x", "https://a.example/x"])
)
MEMBERS = st.sampled_from(["id", "type", "scope", "lineitem", "guid", "return_url", "a"])
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(MEMBERS, inner, max_size=3),
    max_leaves=4,
)


@given(st.dictionaries(st.sampled_from(NAMES), VALUES, min_size=1, max_size=3))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_no_signed_claim_breaks_us(platform, changes):
    try:
        launch = platform.verify(**changes)
    except LaunchRefused:
        return
    assert launch.deployment_id == "dep-1"


# Accept: certification guide §6.1.2-3


@pytest.mark.parametrize("role", ["Learner", "Instructor"])
@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"name": "Ada Byron", "given_name": "Ada", "family_name": "Byron", "email": "a@b.example"},
        {"email": "a@b.example"},
        {"name": "Ada Byron", "given_name": "Ada", "family_name": "Byron"},
        {"email": "a@b.example", "CONTEXT": None},
    ],
    ids=["no personal data", "normal", "e-mail only", "names only", "e-mail without context"],
)
def test_accepted_with_whatever_the_platform_tells(platform, role, changes):
    uri = f"http://purl.imsglobal.org/vocab/lis/v2/membership#{role}"
    launch = platform.verify(ROLES=[uri], **changes)
    assert launch.sub == "user-1"
    assert launch.name == changes.get("name")
    assert launch.email == changes.get("email")
    assert (launch.context is None) == ("CONTEXT" in changes)


@pytest.mark.parametrize(
    "roles",
    [
        [],
        ["Learner"],
        ["https://lms.example/roles#Unknown"],
        [
            "http://purl.imsglobal.org/vocab/lis/v2/membership#Instructor",
            "http://purl.imsglobal.org/vocab/lis/v2/institution/person#Faculty",
        ],
    ],
    ids=["empty", "short", "unknown", "several"],
)
def test_accepted_roles(platform, roles):
    assert platform.verify(ROLES=roles).roles == tuple(roles)


@pytest.mark.parametrize(
    "changes",
    [
        {"aud": ["client-1"]},
        {"aud": ["client-2", "client-1"], "azp": "client-1"},
        {"aud": "client-1", "azp": "client-1"},
        {"CONTEXT": {}},
        {"CONTEXT": {"id": "c", "type": "CourseSection"}},
        {"AGS_ENDPOINT": {"lineitem": "", "lineitems": None, "scope": None}},
        {"LIS": {"person_sourcedid": ""}},
        {"email": 7, "name": ["x"], "locale": {}},
        {"https://vendor.example/claim": {"a": 1}},
    ],
)
def test_legal_or_harmless_oddities_are_accepted(platform, changes):
    assert platform.verify(**changes).sub == "user-1"


@pytest.mark.parametrize(("name", "offset"), [("iat", 30), ("exp", -5), ("nbf", 30)])
def test_small_clock_differences_are_accepted(platform, name, offset):
    assert platform.verify(**{name: platform.at + offset}).sub == "user-1"


def test_the_login_may_name_the_deployment(platform):
    platform.state = replace(platform.state, deployment_id="dep-1")
    assert platform.verify().deployment_id == "dep-1"


def test_a_rotated_key_verifies_once_its_set_is_fetched(platform):
    token = jwt.sign(platform.claims(), OTHER_KEY)
    document = jwk.jwks([platform.key.public_jwk(), OTHER_KEY.public_jwk()])
    platform.jwks = jwk.parse_jwks(json.dumps(document).encode())
    assert platform.verify(token).sub == "user-1"
    assert platform.verify().sub == "user-1"


def test_leeway_is_no_longer_life(platform):
    platform.now += timedelta(minutes=3)
    token = platform.sign(iat=platform.at - 180, exp=platform.at - 120)
    assert refused(platform, token) == Refusal.TOKEN_EXPIRED
