"""Fetching SCIM events over HTTP (RFC 8936), and what the gateway says of them (RFC 9967 §4)."""

from __future__ import annotations

import json
from dataclasses import replace

import jwt
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.flows import bearers, event_streams, tenancy
from app.flows.event_streams import Wanted
from app.store import tokens
from app.web import ssf
from scim import events
from scim.set_delivery import LARGEST_PAGE, MOST_VERDICTS
from tests.provisioning import Idp
from tests.receiver import opened


@pytest.fixture
def idp(site, tenant, deps):
    return Idp(site, tenancy.issue_token(deps, tenant.slug, "scim")[1])


@pytest.fixture
def stream(deps, tenant):
    return event_streams.add(deps, "acme", Wanted())


@pytest.fixture
def poll(site, stream):
    def send(body=None, token=stream.token, **more):
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        sent = {"returnImmediately": True} if body is None else body
        data = sent if isinstance(sent, bytes) else json.dumps(sent)
        headers |= {"Content-Type": "application/json"} | more
        return site.test_client().post("/ssf/poll", data=data, headers=headers)

    return send


@pytest.fixture
def set_to(site, deps, monkeypatch):
    """Changes settings of the site."""

    def change(**settings):
        changed = replace(deps, settings=deps.settings.model_copy(update=settings))
        monkeypatch.setitem(site.extensions, "ostiary", changed)

    return change


def refused(answer, status, code):
    assert answer.status_code == status, answer.text
    assert answer.content_type == "application/json"
    assert answer.json["err"] == code
    assert answer.json["description"].endswith(".")


def test_events_are_fetched_verified_and_acknowledged(idp, poll, site, stream):
    key = idp.user()
    first = poll()
    assert first.status_code == 200
    assert first.content_type == "application/json"
    ((jti, token),) = first.json["sets"].items()
    assert first.json["moreAvailable"] is False
    jwks = site.test_client().get(stream.jwks_url).json
    claims = opened(token, jwks)
    assert (claims["jti"], claims["iss"], claims["aud"]) == (jti, stream.issuer, stream.audience)
    assert claims["sub_id"]["uri"] == f"/Users/{key}"
    assert poll().json == first.json
    assert poll({"ack": [jti], "returnImmediately": True}).json == {
        "sets": {}, "moreAvailable": False,
    }  # fmt: skip


def test_what_was_done_first_stands_first(idp, poll):
    """Also of what was done within one moment, where the ids do not tell."""
    key = idp.user()
    for number in range(9):
        idp.patch(key, {"op": "replace", "path": "title", "value": str(number)})
    given = list(poll().json["sets"].values())
    bodies = [jwt.decode(one, options={"verify_signature": False})["events"] for one in given]
    versions = [payload["version"] for one in bodies for payload in one.values()]
    assert versions == [f'W/"{number}"' for number in range(1, 11)]


def test_a_poll_may_only_acknowledge(idp, poll):
    idp.user()
    idp.user("b@x.com")
    first, second = poll().json["sets"]
    answer = poll({"maxEvents": 0, "ack": [first]})
    assert answer.json == {"sets": {}, "moreAvailable": True}
    assert list(poll().json["sets"]) == [second]


def test_what_is_refused_comes_no_more(idp, poll):
    idp.user()
    (jti,) = poll().json["sets"]
    said = {
        jti: {"err": "authentication_failed", "description": "The SET could not be authenticated"}
    }
    assert poll({"setErrs": said, "returnImmediately": True}).json["sets"] == {}


def test_who_does_not_want_an_answer_at_once_waits_for_an_event(idp, poll, monkeypatch):
    """The event comes while it waits: it is made where the wait would sleep."""
    slept = []

    def meanwhile(seconds):
        slept.append(seconds)
        if len(slept) == 3:
            idp.user()

    monkeypatch.setattr(ssf.time, "sleep", meanwhile)
    assert len(poll({}).json["sets"]) == 1
    assert slept == [ssf._LOOK_EVERY] * 3


def come_again(answer):
    """An answer at once would only bring the next question at once."""
    assert answer.status_code == 429
    assert answer.content_type == "application/problem+json"
    assert answer.headers["Retry-After"] == "5"


def test_one_poll_of_a_receiver_waits_and_a_quarter_of_the_threads(
    poll, set_to, deps, stream, other_tenant, monkeypatch
):
    """The others come again: whoever waits holds a thread that others would work in."""
    set_to(web_threads=8)
    others = [event_streams.add(deps, other_tenant.slug, Wanted()) for _ in range(2)]
    seen = []

    def meanwhile(_):
        monkeypatch.setattr(ssf, "_LONGEST_WAIT", -1)
        if seen:
            return
        seen.append(set(ssf._WAITING))
        come_again(poll({}))
        assert poll({}, token=others[0].token).json["sets"] == {}
        ssf._WAITING[others[0].id] = other_tenant.id
        come_again(poll({}, token=others[1].token))
        del ssf._WAITING[others[0].id]
        assert poll({"returnImmediately": True}).json["sets"] == {}

    monkeypatch.setattr(ssf.time, "sleep", meanwhile)
    assert poll({}).json == {"sets": {}, "moreAvailable": False}
    assert seen == [{stream.id}]
    assert not ssf._WAITING


def test_a_token_for_reading_acknowledges_nothing(idp, poll, deps, tenant, stream):
    idp.user()
    with deps.db.tx(tenant.id) as tx:
        reads = bearers.issue(
            deps, tx, "operator", bearers.Wanted(kind="set", client=stream.id, scope="read")
        )[1]
    (jti,) = poll(token=reads).json["sets"]
    for said in ({"ack": [jti]}, {"setErrs": {jti: {"err": "invalid_key"}}}):
        answer = poll(said, token=reads)
        refused(answer, 403, "access_denied")
        assert 'error="insufficient_scope"' in answer.headers["WWW-Authenticate"]
    assert list(poll().json["sets"]) == [jti]


def test_that_it_is_to_wait_is_no_fault_of_the_receiver_s_words(poll, set_to):
    set_to(scim_rate=1)
    answers = [poll() for _ in range(4)]
    throttled = next(one for one in answers if one.status_code == 429)
    assert throttled.content_type == "application/problem+json"
    assert throttled.headers["Retry-After"] == "1"
    assert "err" not in throttled.json


def test_a_wait_ends(poll, monkeypatch):
    monkeypatch.setattr(ssf, "_LONGEST_WAIT", 0.1)
    monkeypatch.setattr(ssf, "_LOOK_EVERY", 0.05)
    assert poll({}).json == {"sets": {}, "moreAvailable": False}


def test_a_token_that_is_revoked_meanwhile_ends_the_wait(poll, deps, tenant, monkeypatch):
    with deps.db.read(tenant.id) as read:
        (row,) = (one for one in tokens.listed(read, deps.clock(), 9) if one["kind"] == "set")
    monkeypatch.setattr(ssf.time, "sleep", lambda _: tenancy.revoke_token(deps, "acme", row["id"]))
    refused(poll({}), 401, "authentication_failed")


@pytest.mark.parametrize("token", ["", "nonsense", "ost_set_a.b.c"])
def test_without_a_token_there_is_nothing(poll, token):
    answer = poll(token=token)
    refused(answer, 401, "authentication_failed")
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")


def test_another_kind_of_token_opens_nothing(poll, deps, idp, stream):
    scim = tenancy.issue_token(deps, "acme", "scim")[1]
    refused(poll(token=scim), 401, "authentication_failed")
    assert Idp(idp._client.application, stream.token).send("GET", "/Users").status_code == 401


def test_a_token_is_for_its_own_receiver(poll, deps, tenant, idp):
    other = event_streams.add(deps, "acme", Wanted())
    idp.user()
    assert poll().json["sets"].keys().isdisjoint(poll(token=other.token).json["sets"])


def test_tokens_can_be_changed_without_a_gap(poll, deps, stream):
    fresh = tenancy.issue_token(deps, "acme", "set", stream.id)[1]
    assert poll(token=fresh).status_code == poll().status_code == 200


@pytest.mark.parametrize(
    "body",
    [
        b"{", b"[]", b"null", b"\xff", b'"x"', {"maxEvents": -1}, {"maxEvents": True}, {"maxEvents": "3"},
        {"maxEvents": 1.5}, {"returnImmediately": "yes"}, {"ack": "x"}, {"ack": [7]}, {"ack": [None]},
        {"ack": ["\x00"]}, {"ack": ["x" * 256]}, {"setErrs": []}, {"setErrs": {"\x00": {}}},
        {"ack": [str(n) for n in range(MOST_VERDICTS + 1)]},
    ],
)  # fmt: skip
def test_what_is_no_poll(poll, body):
    refused(poll(body), 400, "invalid_request")


def test_a_poll_has_a_largest_size(poll):
    refused(poll(b'{"x":"' + b"x" * ssf._LARGEST_BODY + b'"}'), 413, "invalid_request")


def test_a_poll_is_json(poll):
    refused(
        poll(b"a=b", **{"Content-Type": "application/x-www-form-urlencoded"}),
        415,
        "invalid_request",
    )


def test_a_page_has_a_bound(idp, poll):
    for number in range(LARGEST_PAGE + 1):
        idp.user(f"u{number}@x.com")
    answer = poll({"maxEvents": 10_000, "returnImmediately": True})
    assert len(answer.json["sets"]) == LARGEST_PAGE
    assert answer.json["moreAvailable"] is True


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=6,
)
NAMES = st.sampled_from(["maxEvents", "ack", "setErrs", "x"])


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60
)
@given(body=st.dictionaries(NAMES, JSON, max_size=4))
def test_whatever_is_sent_is_answered(poll, body):
    answer = poll({**body, "returnImmediately": True})
    assert answer.status_code in {200, 400}, answer.text


def test_the_gateway_says_which_events_it_tells_of_where_it_tells_anybody(idp, deps, tenant):
    assert "securityEvents" not in idp.get("/ServiceProviderConfig")
    event_streams.add(deps, "acme", Wanted())
    said = idp.get("/ServiceProviderConfig")["securityEvents"]
    assert said == {"asyncRequest": "none", "eventUris": list(events.URIS)}
    assert all(one.startswith("urn:ietf:params:scim:event:prov:") for one in said["eventUris"])


def test_other_methods_are_not_taken(site):
    refused(site.test_client().get("/ssf/poll"), 405, "invalid_request")
