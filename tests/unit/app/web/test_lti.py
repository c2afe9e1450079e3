"""The LTI door over HTTP: what it lets in, what it refuses, and how it says so."""

import json

from hypothesis import HealthCheck, given
from hypothesis import settings as drawn
from hypothesis import strategies as st
from joserfc import jwt as jose
from joserfc.jwk import OctKey

from app.kernel import credential
from keys import jwk, jwt
from tests.lti_platform import ABSENT, INSTRUCTOR, ISSUER, LAUNCH, LEARNER, Lms, post, refused, rows

ROGUE = jwk.generate()
ROLE = "http://purl.imsglobal.org/vocab/lis/v2/membership#"


# What the certification guide wants refused (§6.1.1), and the security framework (§5.1.3).

BAD_CLAIMS = {
    "wrong version": ({"VERSION": "1.2.0"}, "wrong_version"),
    "no version": ({"VERSION": ABSENT}, "missing_claim"),
    "not a message of LTI 1.3": (
        dict.fromkeys(("VERSION", "MESSAGE_TYPE", "DEPLOYMENT_ID", "ROLES"), ABSENT),
        "missing_claim",
    ),
    "unknown message": ({"MESSAGE_TYPE": "LtiSomethingElse"}, "unsupported_message"),
    "no message type": ({"MESSAGE_TYPE": ABSENT}, "missing_claim"),
    "no roles": ({"ROLES": ABSENT}, "missing_claim"),
    "roles as text": ({"ROLES": "Learner"}, "bad_claim"),
    "no deployment": ({"DEPLOYMENT_ID": ABSENT}, "missing_claim"),
    "no resource link": ({"RESOURCE_LINK": ABSENT}, "missing_claim"),
    "no resource link id": ({"RESOURCE_LINK": {"title": "x"}}, "missing_claim"),
    "no sub": ({"sub": ABSENT}, "anonymous"),
    "no exp": ({"exp": ABSENT}, "bad_times"),
    "no iat": ({"iat": ABSENT}, "bad_times"),
    "expired": ({"exp": 1_600_000_000}, "token_expired"),
    "old": ({"iat": 1_600_000_000}, "bad_times"),
    "from the future": ({"iat": 4_000_000_000, "exp": 4_000_000_600}, "bad_times"),
    "another audience": ({"aud": "someone"}, "wrong_audience"),
    "another azp": ({"azp": "someone"}, "wrong_audience"),
    "two audiences, no azp": ({"aud": ["client-1", "b"]}, "wrong_audience"),
    "another issuer": ({"iss": "https://evil.example"}, "wrong_issuer"),
    "unknown deployment": ({"DEPLOYMENT_ID": "dep-9"}, "unknown_deployment"),
    "another target": ({"TARGET_LINK_URI": LAUNCH + "/elsewhere"}, "target_link_mismatch"),
    "a foreign target": ({"TARGET_LINK_URI": "https://evil.example/"}, "target_link_mismatch"),
    "no target": ({"TARGET_LINK_URI": ABSENT}, "missing_claim"),
    "no nonce": ({"nonce": ABSENT}, "missing_claim"),
    "another nonce": ({"nonce": "mine"}, "wrong_nonce"),
}


def test_launches_whose_claims_are_not_in_order_are_refused(browser, lms, deps, tenant, subtests):
    for name, (changes, wanted) in BAD_CLAIMS.items():
        with subtests.test(name):
            assert refused(lms.launch(browser(), **changes), wanted)
    assert rows(deps, tenant) == []


def test_tokens_that_prove_nothing_are_refused(browser, lms, deps, tenant, subtests):
    no_kid = jwk.SigningKey("", lms.key.key)
    other = jwk.SigningKey(lms.key.kid, ROGUE.key)

    def tokens(nonce):
        good = lms.sign(nonce)
        head, body, signature = good.split(".")
        yield (
            "unsigned",
            "eyJhbGciOiJub25lIn0." + body + ".",
            {"algorithm_refused", "token_malformed"},
        )
        yield (
            "tampered",
            f"{head}.{body[:-4]}AAAA.{signature}",
            {"bad_signature", "token_malformed"},
        )
        yield "another's key under our kid", lms.sign(nonce, key=other), {"bad_signature"}
        yield "a key nobody publishes", lms.sign(nonce, key=ROGUE), {"unknown_kid"}
        yield "no kid", lms.sign(nonce, key=no_kid), {"missing_kid"}
        yield "oversized", lms.sign(nonce, padding="x" * 70_000), {"token_too_large"}
        yield "HMAC with the public key", hmac_signed(lms, nonce), {"algorithm_refused"}
        yield "no token", "nonsense", {"token_malformed"}
        yield "not ASCII", "é.é.é", {"token_malformed"}

    client = browser()
    state, nonce = lms.begin(client)
    for name, token, wanted in tokens(nonce):
        with subtests.test(name):
            assert refused(post(client, token, state), *wanted)
    assert rows(deps, tenant) == []
    assert post(client, lms.sign(nonce), state).status_code == 303


def hmac_signed(lms, nonce):
    public = json.dumps(lms.key.public_jwk()).encode()
    header = {"alg": "HS256", "kid": lms.key.kid}
    return jose.encode(header, lms.claims(nonce), OctKey.import_key(public), algorithms=["HS256"])


# What it wants accepted (§6.1.2-3), as a learner and as an instructor.

GOOD_CLAIMS = {
    "plain": {},
    "several roles": {"more": [ROLE + "Mentor", "http://purl.imsglobal.org/vocab/lis/v2/system/person#User"]},
    "unknown role": {"more": ["http://purl.imsglobal.org/vocab/lis/v2/uknownrole/unknown#Helper"]},
    "short role": {"short": True},
    "e-mail only": {"name": ABSENT, "given_name": ABSENT, "family_name": ABSENT},
    "names only": {"email": ABSENT},
    "no personal data": dict.fromkeys(("name", "given_name", "family_name", "email"), ABSENT),
    "e-mail without context": {"CONTEXT": ABSENT, "name": ABSENT},
    "audience list and azp": {"aud": ["b", "client-1"], "azp": "client-1"},
    "no services": {"AGS_ENDPOINT": ABSENT, "NRPS_SERVICE": ABSENT},
    "claims unknown to us": {"https://example.org/claim": {"a": [1]}},
    "a little fast": {"skew": 20},
}  # fmt: skip


def test_launches_that_are_legal_are_accepted(browser, lms, deps, tenant, subtests):
    for role in (LEARNER, INSTRUCTOR):
        for name, changes in GOOD_CLAIMS.items():
            with subtests.test(name, role=role):
                given = dict(changes)
                mine = role.rpartition("#")[2] if given.pop("short", False) else role
                given["ROLES"] = [mine, *given.pop("more", [])]
                if skew := given.pop("skew", 0):
                    given["iat"] = int(deps.clock().timestamp()) + skew
                answer = lms.launch(browser(), **given)
                assert answer.status_code == 303, answer.text
                assert answer.location.startswith("/learn/")
                _, launch_id = credential.unscoped(answer.location.removeprefix("/learn/"))
                (row,) = (row for row in rows(deps, tenant) if row.id == launch_id)
                assert row.instructor is (role == INSTRUCTOR)


def test_an_empty_list_of_roles_is_legal_and_nobodys_teacher(browser, lms, deps, tenant):
    assert lms.launch(browser(), ROLES=[]).status_code == 303
    assert [row.instructor for row in rows(deps, tenant)] == [False]


def test_roles_of_a_system_or_an_institution_make_no_teacher(browser, lms, deps, tenant):
    elsewhere = "http://purl.imsglobal.org/vocab/lis/v2/institution/person#Instructor"
    assert lms.launch(browser(), ROLES=[elsewhere, LEARNER]).status_code == 303
    assert [row.instructor for row in rows(deps, tenant)] == [False]


# The login


def test_a_login_may_come_by_get_or_post(browser, lms):
    for method in ("get", "post"):
        client = browser()
        state, nonce = lms.begin(client, method=method)
        assert post(client, lms.sign(nonce), state).status_code == 303


BAD_LOGINS = {
    "no issuer": ({"iss": ABSENT}, "missing_parameter"),
    "no hint": ({"login_hint": ABSENT}, "missing_parameter"),
    "no target": ({"target_link_uri": ABSENT}, "missing_parameter"),
    "unknown issuer": ({"iss": "https://evil.example"}, "unknown_platform"),
    "unknown client": ({"client_id": "client-2"}, "unknown_platform"),
    "foreign target": (
        {"target_link_uri": "https://evil.example/lti/launch"},
        "target_link_mismatch",
    ),
    "beside the launch": ({"target_link_uri": LAUNCH + "x"}, "target_link_mismatch"),
    "climbing target": ({"target_link_uri": LAUNCH + "/../../admin"}, "target_link_mismatch"),
    "long hint": ({"login_hint": "x" * 5000}, "bad_parameter"),
    "NUL": ({"login_hint": "a\0b"}, "bad_parameter"),
    "twice": ({"iss": [ISSUER, ISSUER]}, "repeated_parameter"),
}


def test_logins_that_are_not_in_order_are_refused_and_give_no_cookie(browser, lms, subtests):
    for name, (changes, wanted) in BAD_LOGINS.items():
        for method in ("get", "post"):
            with subtests.test(name, method=method):
                answer = lms.login(browser(), method=method, **changes)
                assert refused(answer, wanted)
                assert "Set-Cookie" not in answer.headers


def test_without_client_id_the_issuer_must_say_enough(browser, lms, deps, http):
    lms.begin(browser(), client_id=ABSENT)
    Lms(deps, http, client_id="client-2").register("acme")
    assert refused(lms.login(browser(), client_id=ABSENT), "missing_parameter")
    lms.begin(browser(), client_id="client-2")


def test_a_target_under_the_launch_url_is_ours(browser, lms):
    client = browser()
    target = LAUNCH + "/pricing?x=1"
    state, nonce = lms.begin(client, target_link_uri=target)
    answer = post(client, lms.sign(nonce, TARGET_LINK_URI=target), state)
    assert answer.status_code == 303


# Odds and ends


def test_our_keys_are_public_for_less_than_an_overlap(browser, lms, deps):
    answer = browser().get("/lti/jwks/acme")
    assert [one["kty"] for one in answer.json["keys"]] == ["RSA"]
    assert not {"d", "p", "q"} & set(answer.json["keys"][0])
    assert answer.headers["Cache-Control"] == "public, max-age=3600"
    assert deps.settings.key_overlap_hours * 3600 > 3600
    for nobody in ("nobody", "a%00b", "%ff", "%ed%a0%80", "x" * 3000):
        assert browser().get(f"/lti/jwks/{nobody}").status_code == 404


def test_visiting_the_launch_address_explains_it(browser, lms):
    for path in ("/lti/launch", "/lti/launch/pricing"):
        answer = browser().get(path)
        assert answer.status_code == 405
        assert answer.headers["Allow"] == "POST"
        assert "learning platforms" in answer.text


def test_what_the_platform_says_in_place_of_a_token_is_passed_on_as_text(browser, lms):
    client = browser()
    state, _ = lms.begin(client)
    said = {"error": "login_required", "error_description": "<script>x</script>", "state": state}
    answer = client.post("/lti/launch", data=said)
    assert refused(answer, "platform_error")
    assert "&lt;script&gt;" in answer.text


def test_a_host_with_a_semicolon_adds_nothing_to_the_policy(browser, lms):
    client = browser()
    back = {"return_url": "https://evil;script-src/x"}
    page = lms.launch(client, CUSTOM=ABSENT, LAUNCH_PRESENTATION=back).location
    policy = client.get(page).headers["Content-Security-Policy"]
    assert f"frame-ancestors {ISSUER}" in policy
    assert "evil" not in policy


TEXT = st.text(max_size=60)
FIELDS = st.dictionaries(
    st.sampled_from(["iss", "login_hint", "target_link_uri", "client_id", "lti_message_hint", "state",
                     "id_token", "error", "again", "cookies"]) | TEXT,
    TEXT | st.lists(TEXT, max_size=3), max_size=8,
)  # fmt: skip


@drawn(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(fields=FIELDS, claims=st.dictionaries(TEXT, st.none() | TEXT | st.integers(), max_size=4))
def test_hostile_parameters_never_break_anything(browser, lms, fields, claims):
    client = browser()
    for path in ("/lti/login", "/lti/launch", "/lti/launch/x"):
        assert client.post(path, data=fields).status_code < 500
        assert client.get(path, query_string=fields).status_code < 500
    state, nonce = lms.begin(client)
    token = jwt.sign({**lms.claims(nonce), **claims}, lms.key)
    assert post(client, token, state).status_code < 500


def test_every_claim_of_the_wrong_type_is_no_fault_of_ours(browser, lms, subtests):
    wild = (
        None,
        True,
        7,
        -1.5,
        "",
        "x" * 5000,
        [],
        [1],
        {},
        {"id": 5},
        {"a": {"b": []}},
        ["\u202e"],
    )
    client = browser()
    for name in lms.claims("n"):
        for value in wild:
            state, nonce = lms.begin(client)
            with subtests.test(name, value=value):
                answer = post(client, jwt.sign({**lms.claims(nonce), name: value}, lms.key), state)
                assert answer.status_code < 500, answer.text
