"""The identity provider's sign-in: the code flow, and what it refuses."""

import base64
import hashlib
import re
from urllib.parse import parse_qs, urlsplit

import pytest
from joserfc import jwt
from joserfc.jwk import KeySet

CALLBACK = "http://127.0.0.1:8000/sso/c1/callback"
BYE = "http://127.0.0.1:8000/"
VERIFIER = "v" * 43
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).decode()[:43]
SECRET = "s3cret:with%colon"


@pytest.fixture
def party(visit):
    """The visitor's browser, once a relying party is registered."""
    for name in ("rp", "other"):
        body = {
            "redirect_uris": [CALLBACK],
            "secret": SECRET,
            "post_logout_redirect_uris": [BYE],
        }
        assert visit.put(f"/control/idp/clients/{name}", json=body).status_code == 200
    return visit


def asked(**changed):
    query = {
        "client_id": "rp",
        "redirect_uri": CALLBACK,
        "response_type": "code",
        "scope": "openid profile email",
        "state": "st",
        "nonce": "no",
        "code_challenge": CHALLENGE,
        "code_challenge_method": "S256",
    } | changed
    return {name: value for name, value in query.items() if value is not None}


def authorize(browser, **changed):
    return browser.get("/idp/authorize", query_string=asked(**changed))


def sign_in(browser, page, email="ada@campus.example", password="open-sesame"):
    ticket = re.search(r'name="ticket" value="([^"]+)"', page.text)[1]
    form = {"ticket": ticket, "email": email, "password": password}
    return browser.post("/idp/sign-in", data=form)


def sent(answer):
    """The query that the client's callback gets."""
    url = urlsplit(answer.headers["Location"])
    assert url._replace(query="").geturl() == CALLBACK
    return {name: held[0] for name, held in parse_qs(url.query).items()}


def code_for(browser, **changed):
    page = authorize(browser, **changed)
    return sent(page if page.status_code == 302 else sign_in(browser, page))["code"]


def redeem(browser, code, /, basic=None, **changed):
    form = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": CALLBACK,
        "code_verifier": VERIFIER,
        "client_id": "rp",
        "client_secret": SECRET,
    } | changed
    form = {name: value for name, value in form.items() if value is not None}
    headers = (
        {"Authorization": "Basic " + base64.b64encode(basic.encode()).decode()} if basic else {}
    )
    return browser.post("/idp/token", data=form, headers=headers)


def test_discovery_speaks_of_itself(party):
    found = party.get("/idp/.well-known/openid-configuration").json
    assert found["issuer"] == "http://127.0.0.1:8100/idp"
    assert found["code_challenge_methods_supported"] == ["S256"]
    for name in ("jwks_uri", "authorization_endpoint", "token_endpoint", "end_session_endpoint"):
        assert found[name].startswith(found["issuer"] + "/")


def test_a_sign_in_brings_claims(party, clock):
    back = sent(sign_in(party, authorize(party)))
    assert (back["state"], back["iss"]) == ("st", "http://127.0.0.1:8100/idp")
    tokens = redeem(party, back["code"]).json
    keys = KeySet.import_key_set(party.get("/idp/jwks").json)
    claims = jwt.decode(tokens["id_token"], keys, algorithms=["RS256"]).claims
    assert (claims["iss"], claims["aud"]) == ("http://127.0.0.1:8100/idp", "rp")
    assert (claims["nonce"], claims["auth_time"]) == ("no", int(clock()))
    assert claims["preferred_username"] == claims["email"] == "ada@campus.example"
    assert claims["email_verified"] is True
    digest = hashlib.sha256(tokens["access_token"].encode()).digest()[:16]
    assert claims["at_hash"] == base64.urlsafe_b64encode(digest).decode().rstrip("=")
    header = {"Authorization": f"Bearer {tokens['access_token']}"}
    info = party.get("/idp/userinfo", headers=header).json
    assert (info["sub"], info["oid"]) == (claims["sub"], claims["oid"])


def test_sub_differs_between_clients_and_oid_does_not(party):
    found = []
    for name in ("rp", "other"):
        tokens = redeem(party, code_for(party, client_id=name), client_id=name).json
        header = {"Authorization": f"Bearer {tokens['access_token']}"}
        found.append(party.get("/idp/userinfo", headers=header).json)
    assert found[0]["sub"] != found[1]["sub"]
    assert found[0]["oid"] == found[1]["oid"]


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"code_challenge": None, "code_challenge_method": None}, "invalid_request"),
        ({"code_challenge": None}, "invalid_request"),
        ({"code_challenge_method": "plain", "code_challenge": VERIFIER}, "invalid_request"),
        ({"code_challenge": "short"}, "invalid_request"),
        ({"response_type": "id_token"}, "unsupported_response_type"),
        ({"response_mode": "fragment"}, "invalid_request"),
        ({"scope": "profile"}, "invalid_scope"),
        ({"prompt": "none"}, "login_required"),
        ({"request": "x"}, "request_not_supported"),
        ({"nonce": "n" * 4_001}, "invalid_request"),
    ],
)
def test_a_request_out_of_order_goes_back_with_an_error(party, changed, code):
    back = sent(authorize(party, **changed))
    assert (back["error"], back["state"]) == (code, "st")
    assert back["iss"] == "http://127.0.0.1:8100/idp"


@pytest.mark.parametrize(
    "changed",
    [{"client_id": "x"}, {"redirect_uri": CALLBACK + "/"}, {"redirect_uri": None}],
)
def test_nobody_is_sent_to_an_address_that_is_not_registered(party, changed):
    assert authorize(party, **changed).status_code == 400


def test_a_session_spares_the_form_unless_it_is_asked_for(party, clock):
    sign_in(party, authorize(party))
    assert "code" in sent(authorize(party))
    assert "code" in sent(authorize(party, prompt="none"))
    assert authorize(party, prompt="login").status_code == 200
    clock.seconds += 120
    assert authorize(party, max_age="60").status_code == 200
    assert "code" in sent(authorize(party, max_age="600"))


@pytest.mark.parametrize(
    ("email", "password"),
    [("ada@campus.example", "wrong"), ("nobody@campus.example", "open-sesame"), ("", "")],
)
def test_a_wrong_password_signs_nobody_in(party, email, password):
    answer = sign_in(party, authorize(party), email, password)
    assert answer.status_code == 401
    assert authorize(party).status_code == 200


def test_a_sign_in_page_is_bound_to_its_browser(party, another):
    assert sign_in(another, authorize(party)).status_code == 400


def test_the_session_gets_a_new_name_at_sign_in(party):
    page = authorize(party)
    before = party.get_cookie("campus_idp", "127.0.0.1", "/idp").value
    sign_in(party, page)
    assert party.get_cookie("campus_idp", "127.0.0.1", "/idp").value != before


def test_who_is_switched_off_is_out_at_once(party):
    code = code_for(party)
    tokens = redeem(party, code_for(party)).json
    party.put("/control/people/ada", json={"active": False})
    assert redeem(party, code).json["error"] == "invalid_grant"
    header = {"Authorization": f"Bearer {tokens['access_token']}"}
    assert party.get("/idp/userinfo", headers=header).status_code == 401
    answer = sign_in(party, authorize(party))
    assert answer.status_code == 401
    assert "switched off" in answer.text


@pytest.mark.parametrize(
    "changed",
    [
        {"code_verifier": None},
        {"code_verifier": "w" * 43},
        {"code_verifier": CHALLENGE},
        {"redirect_uri": CALLBACK + "/"},
        {"redirect_uri": None},
        {"client_id": "other"},
    ],
)
def test_a_code_is_only_for_whom_it_was_given_to(party, changed):
    answer = redeem(party, code_for(party), **changed)
    assert (answer.status_code, answer.json["error"]) == (400, "invalid_grant")


def test_a_code_works_once_and_a_second_try_takes_back_its_tokens(party):
    code = code_for(party)
    header = {"Authorization": f"Bearer {redeem(party, code).json['access_token']}"}
    assert party.get("/idp/userinfo", headers=header).status_code == 200
    assert redeem(party, code).json["error"] == "invalid_grant"
    assert party.get("/idp/userinfo", headers=header).status_code == 401


def test_a_code_ends(party, clock):
    code = code_for(party)
    clock.seconds += 61
    assert redeem(party, code).json["error"] == "invalid_grant"


def test_a_client_proves_itself_in_one_way(party):
    none = {"client_id": None, "client_secret": None}
    encoded = "rp:s3cret%3Awith%25colon"
    assert redeem(party, code_for(party), basic=encoded, **none).status_code == 200
    both = redeem(party, code_for(party), basic=encoded)
    assert both.json["error"] == "invalid_request"
    for changed in ({"client_secret": "x"}, {"client_secret": None}, {"client_id": "x"}, none):
        answer = redeem(party, code_for(party), **changed)
        assert (answer.status_code, answer.json["error"]) == (401, "invalid_client")


def test_sign_out_by_a_good_hint_needs_no_question(party):
    token = redeem(party, code_for(party)).json["id_token"]
    query = {"id_token_hint": token, "post_logout_redirect_uri": BYE, "state": "a b"}
    answer = party.get("/idp/logout", query_string=query)
    assert answer.headers["Location"] == f"{BYE}?state=a+b"
    assert authorize(party).status_code == 200


def test_sign_out_without_a_hint_asks_first(party):
    sign_in(party, authorize(party))
    assert "Sign out?" in party.get("/idp/logout").text
    assert authorize(party).status_code == 302
    foreign = {"Origin": "http://127.0.0.1:9"}
    answer = party.post("/idp/logout", data={"answer": "yes"}, headers=foreign)
    assert answer.status_code == 403
    party.post("/idp/logout", data={"answer": "yes"})
    assert authorize(party).status_code == 200


def test_sign_out_sends_nobody_elsewhere(party):
    token = redeem(party, code_for(party)).json["id_token"]
    query = {"id_token_hint": token, "post_logout_redirect_uri": "http://127.0.0.1:9/"}
    assert party.get("/idp/logout", query_string=query).status_code == 400
    assert party.get("/idp/logout", query_string={"id_token_hint": "a.b.c"}).status_code == 400
