"""The token endpoint over HTTP: who gets a token, for what, and when it ends."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from datetime import timedelta

import pytest
from authlib.oauth2.rfc8414 import AuthorizationServerMetadata
from joserfc import jwk as jose
from sqlalchemy import select

from app.factory import create_app
from app.flows import acting, clients, grant, tenancy, upkeep
from app.kernel.errors import Conflict, Invalid, NotFound
from app.store import audit, oauth_clients
from app.store.tables import metadata
from app.store.tables.tenants import token as token_table
from tests.lti_platform import Neighbours, with_http
from tests.lti_platform import json_answer as answers
from tests.oauth import (
    ABSENT,
    GRANT,
    Asking,
    basic,
    key,
    key_set,
    made,
    refused,
    switched,
)
from tests.provisioning import Idp
from tests.provisioning import refused as scim_refused

KEYS_URL = "https://idp.example/keys"


@pytest.fixture
def http():
    return Neighbours()


@pytest.fixture
def deps(deps, http):
    return with_http(deps, http)


@pytest.fixture
def site(deps, tenant):
    app = create_app(deps)
    app.testing = True
    return app


@pytest.fixture
def secret(site, deps):
    """A client with a secret, which may write."""
    return Asking(site, deps, made(deps))


@pytest.fixture
def signer(site, deps):
    """A client with keys of its own, kept here."""
    return Asking(site, deps, made(deps, keys=key_set(key(), key("EC"))))


def given(answer):
    assert answer.status_code == 200, answer.text
    return answer.json["access_token"]


def idp(site, answer):
    return Idp(site, given(answer))


def rows(deps, tenant):
    with deps.db.read(tenant.id) as read:
        mine = select(token_table).where(token_table.c.tenant_id == tenant.id)
        return read.conn.execute(mine).all()


# What is given


@pytest.mark.parametrize("way", ["basic", "posted"])
def test_a_client_with_its_secret_gets_a_token_that_opens_scim(site, secret, way):
    answer = getattr(secret, way)()
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["Pragma"] == "no-cache"
    said = dict(answer.json)
    assert said.pop("access_token").startswith("ost_scim_")
    assert said == {
        "token_type": "Bearer", "expires_in": 3600, "scope": "scim.read scim.write",
    }  # fmt: skip
    assert idp(site, answer).send("POST", "/Users", {"userName": "ada"}).status_code == 201


@pytest.mark.parametrize(("by", "alg"), [("RSA", "RS256"), ("RSA", "PS256"), ("EC", "ES256")])
def test_a_client_that_signs_gets_one(site, signer, by, alg):
    issuer = signer.deps.settings.base_url
    for audience in (signer.of.token_url, issuer, ["https://else.example", issuer]):
        assertion = signer.assertion(key(by), alg, aud=audience)
        assert idp(site, signer.signed(assertion)).get("/Users")["totalResults"] == 0
    named = signer.signed(signer.assertion(), client_id=signer.of.client_id)
    assert named.status_code == 200


def test_a_token_acts_as_the_client_s_provisioning_client(site, deps, tenant):
    for name in ("entra", "workday"):
        asking = Asking(site, deps, made(deps, client=name))
        theirs = idp(site, asking.basic())
        theirs.user(f"{name}@x.com", externalId="7")
        assert theirs.get("/Users", filter='externalId eq "7"')["totalResults"] == 1
    assert {row.client for row in rows(deps, tenant)} == {"entra", "workday"}


@pytest.mark.parametrize(
    ("most", "asked", "got", "writes"),
    [
        ("write", {}, "scim.read scim.write", 201),
        ("write", {"scope": "scim.read"}, "scim.read", 403),
        ("write", {"scope": "scim.write"}, "scim.write", 201),
        ("write", {"scope": "scim.write scim.read scim.write"}, "scim.write scim.read", 201),
        ("write", {"scope": ""}, "scim.read scim.write", 201),
        ("read", {}, "scim.read", 403),
        ("read", {"scope": "scim.read"}, "scim.read", 403),
    ],
)
def test_a_client_gets_the_scope_it_asks_for_and_at_most_its_own(
    site, deps, most, asked, got, writes
):
    answer = Asking(site, deps, made(deps, scope=most)).basic(**asked)
    assert answer.json["scope"] == got
    wrote = idp(site, answer).send("POST", "/Users", {"userName": "x"})
    assert wrote.status_code == writes
    assert idp(site, answer).send("GET", "/Users").status_code == 200


@pytest.mark.parametrize(
    ("most", "scope"),
    [
        ("read", "scim.write"), ("read", "scim.read scim.write"), ("write", "admin"),
        ("write", "scim.read openid"), ("write", "SCIM.READ"), ("write", "\x00\u2028é"),
    ],
)  # fmt: skip
def test_who_asks_for_more_than_it_may_have_gets_nothing(site, deps, tenant, most, scope):
    refused(Asking(site, deps, made(deps, scope=most)).basic(scope=scope), "invalid_scope")
    assert rows(deps, tenant) == []


# Who gets nothing


def test_a_wrong_secret_is_answered_like_an_unknown_client(site, deps, secret, signer):
    other = made(deps)
    wrong = secret.of.client_secret[:-4] + "AAAA"
    unknown = replace(secret, of=replace(secret.of, client_id="x" * 43))
    said = {
        refused(answer, "invalid_client", 401)
        for answer in (
            secret.basic(wrong), secret.posted(wrong), secret.basic(other.client_secret),
            unknown.basic(), unknown.posted(), secret.send(client_id=secret.of.client_id),
            secret.send(), signer.posted("x"), signer.basic(secret.of.client_secret),
        )
    }  # fmt: skip
    assert len(said) == 1


@pytest.mark.parametrize(
    "header",
    [
        "Basic", "Basic ", "Basic :", "Basic !!!", "Basic é", "Bearer x", "Digest x", "Basic YQ",
        "Basic " + base64.b64encode(b"\xff\xfe:\xff").decode(),
        "Basic " + base64.b64encode(b"only-a-name").decode(),
        "Basic " + base64.b64encode(b":").decode(),
        "Basic " + base64.b64encode(b"%00:%ff").decode(),
        "Basic " + base64.b64encode(("é" * 40 + ":x").encode()).decode(),
    ],
)  # fmt: skip
def test_a_header_that_can_not_be_read_is_a_wrong_one(secret, header):
    refused(secret.send(headers={"Authorization": header}), "invalid_client", 401)


def test_a_request_that_is_none_is_refused(site, secret):
    client = site.test_client()
    refused(client.post("/oauth/token"), "invalid_request")
    refused(client.post("/oauth/token", json=GRANT), "invalid_request")
    refused(client.post("/oauth/token?grant_type=client_credentials"), "invalid_request")
    right = basic(secret.of.client_id, secret.of.client_secret)
    for other in ("authorization_code", "password", "refresh_token", "é"):
        refused(secret.send(headers=right, grant_type=other), "unsupported_grant_type")
    refused(client.get("/oauth/token"), "invalid_request", 405)
    refused(client.post("/oauth/else"), "invalid_request", 404)
    large = client.post("/oauth/token", data=GRANT | {"client_secret": "x" * 200_000})
    refused(large, "invalid_request", 413)


def test_parameters_in_the_address_count_for_nothing(site, secret):
    at = f"/oauth/token?client_id={secret.of.client_id}&client_secret={secret.of.client_secret}"
    refused(site.test_client().post(at, data=GRANT), "invalid_client", 401)
    right = basic(secret.of.client_id, secret.of.client_secret)
    narrow = site.test_client().post("/oauth/token?scope=scim.read", data=GRANT, headers=right)
    assert narrow.json["scope"] == "scim.read scim.write"


def test_a_parameter_comes_once_and_a_client_proves_itself_in_one_way(site, secret, signer):
    right = basic(secret.of.client_id, secret.of.client_secret)
    twice = {"grant_type": "client_credentials", "scope": ["scim.read", "scim.write"]}
    refused(secret.send(headers=right, **twice), "invalid_request")
    both = {"client_id": secret.of.client_id, "client_secret": secret.of.client_secret}
    refused(secret.send(headers=right, **both), "invalid_request")
    refused(signer.signed(signer.assertion(), **both), "invalid_request")


# Assertions (RFC 7523 §3)


@pytest.mark.parametrize(
    "changes",
    [
        {"iss": "else"}, {"sub": "else"}, {"iss": ABSENT}, {"sub": ABSENT}, {"sub": 7},
        {"aud": "https://else.example/token"}, {"aud": ABSENT}, {"aud": []}, {"aud": {"x": 1}},
        {"aud": "http://127.0.0.1:8000/oauth/token/"},
        {"jti": ABSENT}, {"jti": ""}, {"jti": 7}, {"jti": "x" * 256},
        {"exp": ABSENT}, {"exp": "soon"}, {"exp": True}, {"exp": 1}, {"exp": 9e15}, {"nbf": 9e15},
        {"iat": 9e15}, {"exp": -(10**18)}, {"exp": float("9e300")},
    ],
    ids=str,
)  # fmt: skip
def test_an_assertion_that_says_something_else_is_refused(deps, tenant, signer, changes):
    refused(signer.signed(signer.assertion(**changes)), "invalid_client", 401)
    assert rows(deps, tenant) == []


def test_an_assertion_lives_an_hour_at_most(signer, clock):
    now = int(clock().timestamp())
    refused(signer.signed(signer.assertion(exp=now + 3700)), "invalid_client", 401)
    old = signer.assertion(exp=now + 3600)
    clock.move(seconds=3660)
    refused(signer.signed(old), "invalid_client", 401)
    new = signer.assertion(exp=int(clock().timestamp()) + 3600)
    clock.move(seconds=3659)
    given(signer.signed(new))


def test_nobody_elses_signature_counts(deps, tenant, site, signer, secret):
    public = key_set(key()).encode()
    forged = [
        signer.assertion(key(number=1)),
        signer.assertion(key(number=1), header={"kid": ABSENT}),
        signer.assertion(key(number=1), header={"kid": key().kid}),
        signer.assertion(key("EC", 1), "ES256", header={"kid": key().kid}),
        signer.assertion(jose.OctKey.import_key(public), "HS256", header={"kid": key().kid}),
        signer.assertion(key(), "RS512"),
        _unsigned(signer.assertion()),
        signer.assertion()[:-8] + "AAAAAAAA",
        "x", "a.b.c", "é.é.é", "." * 3, "x" * 90_000,
    ]  # fmt: skip
    for number, assertion in enumerate(forged):
        signer.address = f"192.0.2.{number}"
        refused(signer.signed(assertion), "invalid_client", 401)
    theirs = replace(signer, of=secret.of)
    refused(theirs.signed(theirs.assertion()), "invalid_client", 401)
    wrong_type = signer.send(client_assertion_type="else", client_assertion=signer.assertion())
    refused(wrong_type, "invalid_client", 401)
    other = signer.signed(signer.assertion(), client_id=secret.of.client_id)
    refused(other, "invalid_client", 401)
    assert rows(deps, tenant) == []


def _unsigned(assertion):
    header = base64.urlsafe_b64encode(b'{"alg":"none"}').decode().rstrip("=")
    return f"{header}.{assertion.split('.')[1]}."


def test_an_assertion_is_used_once_over_all_processes(deps, tenant, signer):
    assertion = signer.assertion()
    elsewhere = replace(signer, site=create_app(replace(deps)))
    given(signer.signed(assertion))
    assert "before" in refused(elsewhere.signed(assertion), "invalid_client", 401)
    refused(signer.signed(signer.assertion(jti="id-1")), "invalid_client", 401)
    assert len(rows(deps, tenant)) == 1


def test_one_who_asked_for_too_much_may_ask_again_with_the_same_assertion(signer):
    assertion = signer.assertion()
    refused(signer.signed(assertion, scope="admin"), "invalid_scope")
    given(signer.signed(assertion))


def test_two_clients_may_use_the_same_jti(site, deps, signer):
    other = Asking(site, deps, made(deps, keys=key_set(key())))
    for one in (signer, other):
        given(one.signed(one.assertion(jti="1")))


def test_keys_at_an_address_are_fetched_and_new_ones_serve_at_once(site, deps, http, clock):
    http.answers[KEYS_URL] = answers(_set(key()))
    asking = Asking(site, deps, made(deps, keys=KEYS_URL))
    for _ in range(3):
        given(asking.signed(asking.assertion()))
    assert len(http.to(KEYS_URL)) == 1
    clock.move(seconds=30)
    http.answers[KEYS_URL] = answers(_set(key(number=1)))
    given(asking.signed(asking.assertion(key(number=1))))
    assert len(http.to(KEYS_URL)) == 2
    clock.move(seconds=30)
    http.answers[KEYS_URL] = answers(_set(key("EC"), named=False))
    given(asking.signed(asking.assertion(key("EC"), "ES256", header={"kid": ABSENT})))
    clock.move(seconds=30)
    for _ in range(3):
        refused(asking.signed(asking.assertion(key(number=1))), "invalid_client", 401)
    assert len(http.to(KEYS_URL)) == 4


def _set(*keys, named=True):
    shown = [one.as_dict(private=False) for one in keys]
    return {"keys": [one if named else {**one, "kid": ""} for one in shown]}


def test_while_the_keys_can_not_be_fetched_the_client_waits(site, deps, http):
    asking = Asking(site, deps, made(deps, keys=KEYS_URL))
    refused(asking.signed(asking.assertion()), "temporarily_unavailable", 503)
    http.answers[KEYS_URL] = answers({"keys": "none"})
    answer = asking.signed(asking.assertion())
    refused(answer, "temporarily_unavailable", 503)
    assert int(answer.headers["Retry-After"]) > 0


@pytest.mark.parametrize(
    "keys",
    [
        "x", "{}", '{"keys": []}', '{"keys": {}}', '{"keys": [{"kty": "oct", "k": "c2VjcmV0"}]}',
        "http://idp.example/keys x", "https://idp.example/" + "x" * 2000, "\ud800", "[]",
    ],
)  # fmt: skip
def test_keys_that_can_not_verify_anything_are_refused(deps, tenant, keys):
    with pytest.raises(Invalid):
        made(deps, keys=keys)
    plain = replace(deps, settings=deps.settings.model_copy(update={"insecure_neighbours": False}))
    with pytest.raises(Invalid, match="https"):
        made(plain, keys="http://idp.example/keys")


def test_a_private_key_is_not_taken(deps, tenant):
    with pytest.raises(Invalid, match="private"):
        made(deps, keys=json.dumps({"keys": [key().as_dict(private=True)]}))


@pytest.mark.parametrize(
    "wanted",
    [{"name": ""}, {"name": "x" * 101}, {"name": "a\nb"}, {"client": ""}, {"scope": "all"}],
)
def test_a_client_has_a_name_and_a_scope(deps, tenant, wanted):
    with pytest.raises(Invalid):
        made(deps, **wanted)


# When it ends


def test_a_token_lives_an_hour_and_is_forgotten_then(site, deps, tenant, secret, clock):
    theirs = idp(site, secret.basic())
    clock.move(minutes=59, seconds=59)
    assert theirs.send("GET", "/Users").status_code == 200
    clock.move(seconds=1)
    scim_refused(theirs.send("GET", "/Users"), 401)
    _, lasting = tenancy.issue_token(deps, "acme", "scim")
    clock.move(seconds=1)
    assert not upkeep.forget(deps)
    assert [row.oauth_client_id for row in rows(deps, tenant)] == [None]
    assert Idp(site, lasting).send("GET", "/Users").status_code == 200


def test_forgetting_goes_in_bounded_steps(deps, tenant, secret, clock, monkeypatch):
    monkeypatch.setattr(upkeep, "_STEP", 2)
    monkeypatch.setattr(upkeep, "_STEPS", 2)
    for _ in range(5):
        given(secret.basic())
    clock.move(hours=1, seconds=1)
    assert upkeep.forget(deps)
    assert len(rows(deps, tenant)) == 1
    assert not upkeep.forget(deps)
    assert rows(deps, tenant) == []


def test_switching_a_client_off_ends_its_tokens_and_no_others(site, deps, secret, signer):
    theirs, others = idp(site, secret.basic()), idp(site, signer.signed(signer.assertion()))
    switched(deps, secret.of.id, enabled=False)
    scim_refused(theirs.send("GET", "/Users"), 401)
    assert others.send("GET", "/Users").status_code == 200
    refused(secret.basic(), "invalid_client", 401)
    switched(deps, secret.of.id, enabled=True)
    scim_refused(theirs.send("GET", "/Users"), 401)
    assert idp(site, secret.basic()).send("GET", "/Users").status_code == 200


def test_what_a_client_signed_before_it_was_switched_off_leads_nowhere(deps, signer, clock):
    clock.move(seconds=5)
    before, now = signer.assertion(), int(clock().timestamp())
    undated = signer.assertion(iat=ABSENT, exp=now + 3600)
    clock.move(seconds=5)
    for enabled in (False, True):
        switched(deps, signer.of.id, enabled=enabled)
    clock.move(seconds=5)
    for assertion in (before, undated):
        refused(signer.signed(assertion), "invalid_client", 401)
    given(signer.signed(signer.assertion()))
    clock.move(minutes=5)
    late = int(clock().timestamp()) + 3600
    given(signer.signed(signer.assertion(iat=ABSENT, exp=late)))


def test_a_client_that_is_switched_off_while_its_request_is_under_way_gets_nothing(
    deps, tenant, secret
):
    with deps.db.read(tenant.id) as read:
        found = oauth_clients.standing(read, secret.of.id)
    for enabled in (False, True):
        switched(deps, secret.of.id, enabled=enabled)
        with pytest.raises(grant.Unauthenticated):
            grant.issue(deps, found, "write", None)
    assert rows(deps, tenant) == []


def test_a_new_secret_ends_the_old_one_and_what_it_opened(site, deps, secret, signer):
    theirs = idp(site, secret.basic())
    again = clients.rotate_secret(deps, acting.operator(deps, "acme"), secret.of.id)
    assert again.client_id == secret.of.client_id
    scim_refused(theirs.send("GET", "/Users"), 401)
    refused(secret.basic(), "invalid_client", 401)
    given(replace(secret, of=again).basic())
    with pytest.raises(Conflict):
        clients.rotate_secret(deps, acting.operator(deps, "acme"), signer.of.id)
    with pytest.raises(NotFound):
        clients.rotate_secret(deps, acting.operator(deps, "acme"), deps.ids.new())


def test_a_tenant_that_is_closed_gives_no_tokens_and_takes_none(site, deps, secret):
    theirs = idp(site, secret.basic())
    tenancy.enable(deps, "acme", enabled=False)
    refused(secret.basic(), "invalid_client", 401)
    scim_refused(theirs.send("GET", "/Users"), 401)


def test_a_client_of_one_tenant_opens_nothing_of_another(site, deps, other_tenant, secret):
    theirs = Asking(site, deps, made(deps, "globex"))
    idp(site, theirs.basic()).user("x@globex.com")
    assert idp(site, secret.basic()).get("/Users")["totalResults"] == 0
    refused(secret.basic(theirs.of.client_secret), "invalid_client", 401)
    with pytest.raises(NotFound):
        switched(deps, theirs.of.id, enabled=False)


def test_one_token_can_be_revoked_by_its_id(site, deps, tenant, secret):
    theirs = idp(site, secret.basic())
    tenancy.revoke_token(deps, "acme", rows(deps, tenant)[0].id)
    scim_refused(theirs.send("GET", "/Users"), 401)


# Bounds


def test_failed_tries_are_bounded_by_client_and_address(site, deps, secret, clock):
    other = Asking(site, deps, made(deps))
    for _ in range(10):
        refused(secret.basic("wrong"), "invalid_client", 401)
    answer = secret.basic()
    refused(answer, "temporarily_unavailable", 429)
    assert answer.headers["Retry-After"] == "60"
    given(other.basic())
    given(replace(secret, address="192.0.2.9").basic())
    clock.move(seconds=61)
    given(secret.basic())


def test_an_ipv6_network_is_one_address(secret):
    for number in range(10):
        refused(replace(secret, address=f"2001:db8::{number}").basic("x"), "invalid_client", 401)
    refused(replace(secret, address="2001:db8::ffff").basic(), "temporarily_unavailable", 429)
    given(replace(secret, address="2001:db8:0:1::1").basic())


def test_a_client_gets_so_many_tokens_a_second(site, deps, secret, clock):
    answers = [secret.basic().status_code for _ in range(12)]
    assert answers == [200] * 10 + [429] * 2
    given(Asking(site, deps, made(deps)).basic())
    clock.move(seconds=1)
    given(secret.basic())


def test_the_tenant_s_limit_counts_all_its_tokens_together(deps, tenant):
    limited = replace(deps, settings=deps.settings.model_copy(update={"scim_rate": 4}))
    site = create_app(limited)
    theirs = idp(site, Asking(site, limited, made(limited)).basic())
    lasting = Idp(site, tenancy.issue_token(limited, "acme", "scim")[1])
    for one in (theirs, lasting) * 2:
        assert one.send("GET", "/Users").status_code == 200
    for one in (theirs, lasting):
        answer = one.send("GET", "/Users")
        scim_refused(answer, 429)
        assert answer.headers["Retry-After"] == "1"


# What is told


def test_the_metadata_is_true_and_as_the_standard_wants_it(site, secret, signer):
    answer = site.test_client().get("/.well-known/oauth-authorization-server")
    said = answer.json
    assert said["issuer"] == "http://127.0.0.1:8000"
    assert said["token_endpoint"] == secret.of.token_url
    assert said["grant_types_supported"] == ["client_credentials"]
    assert set(said["token_endpoint_auth_methods_supported"]) == {
        "client_secret_basic", "client_secret_post", "private_key_jwt",
    }  # fmt: skip
    assert set(said["token_endpoint_auth_signing_alg_values_supported"]) == {
        "RS256", "PS256", "ES256",
    }  # fmt: skip
    text = answer.text.replace("http://127.0.0.1:8000", "https://learn.example.org")
    described = AuthorizationServerMetadata(json.loads(text))
    # The library takes no empty list, which is all that a server without an authorization endpoint has.
    assert described.pop("response_types_supported") == []
    for name in set(AuthorizationServerMetadata.REGISTRY_KEYS) - {"response_types_supported"}:
        getattr(described, f"validate_{name}")()
    assert secret.basic(scope=" ".join(said["scopes_supported"])).status_code == 200


def test_what_is_done_to_clients_is_on_record_and_their_use_is_noted(deps, tenant, secret, clock):
    for _ in range(2):
        given(secret.basic())
        clock.move(seconds=20)
    with deps.db.read(tenant.id) as read:
        assert oauth_clients.get(read, secret.of.id).last_used_at == clock() - timedelta(seconds=40)
    clock.move(seconds=60)
    given(secret.basic())
    for enabled in (False, False, True):
        switched(deps, secret.of.id, enabled=enabled)
    with deps.db.read(tenant.id) as read:
        assert oauth_clients.get(read, secret.of.id).last_used_at == clock()
        log = audit.about(read, secret.of.id)
    assert [row["action"] for row in log] == ["client.enabled", "client.disabled", "client.added"]
    assert [row["actor"] for row in log] == ["operator"] * 3
    assert log[1]["detail"]["tokens"] == 3


def test_no_secret_is_kept(deps, tenant, secret):
    text = given(secret.basic())
    with deps.db.read(tenant.id) as read:
        kept = repr([read.conn.execute(select(table)).all() for table in metadata.tables.values()])
    assert secret.of.id in kept
    assert text not in kept
    assert secret.of.client_secret not in kept
