import copy
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.xapi import formats
from app.xapi.errors import StatementInvalid
from app.xapi.validate import validated

AGENT = {"mbox": "mailto:ann@example.com"}
UUID = "0f8fad5b-d9cb-469f-a165-70867728950e"
MINIMAL = {"actor": AGENT, "verb": {"id": "http://example.com/v"}, "object": {"id": "http://a.b/c"}}
HASH = "a" * 64
ATTACHMENT = {
    "usageType": "http://example.com/u",
    "display": {"en": "A"},
    "contentType": "text/plain; charset=utf-8",
    "length": 3,
    "sha2": HASH,
}
FULL = {
    **MINIMAL,
    "id": UUID,
    "result": {
        "score": {"scaled": -0.5, "raw": 3, "min": 0, "max": 10},
        "success": False,
        "completion": True,
        "response": "",
        "duration": "P1Y2M3DT4H5M6.78S",
        "extensions": {"http://example.com/x": {"deep": [None, True, 1.5]}},
    },
    "context": {
        "registration": UUID.upper(),
        "instructor": {"objectType": "Group", "member": [AGENT]},
        "team": {"objectType": "Group", "openid": "https://example.com/team"},
        "contextActivities": {"parent": {"id": "http://a.b/p"}, "other": [{"id": "urn:x:y"}]},
        "revision": "1",
        "platform": "LMS",
        "language": "zh-Hant-TW",
        "statement": {"objectType": "StatementRef", "id": UUID},
        "extensions": {"tag:example.com,2026:x": None},
    },
    "timestamp": "2026-03-04T09:30:00.123456789+05:30",
    "stored": "2026-03-04T09:30:00Z",
    "authority": {"objectType": "Group", "member": [AGENT, AGENT]},
    "version": "1.0.0",
    "attachments": [ATTACHMENT],
}
SUB = {"objectType": "SubStatement", **MINIMAL}
CHOICE = {
    "id": "http://a.b/q",
    "definition": {
        "interactionType": "choice",
        "correctResponsesPattern": ["a[,]b"],
        "choices": [{"id": "a"}, {"id": "b", "description": {"en": "B"}}],
    },
}


def changed(base, path, value):
    """A copy with one member set, or taken away by `...`."""
    copied = copy.deepcopy(base)
    *way, last = path.split(".")
    target = copied
    for step in way:
        target = target.setdefault(step, {})
    if value is ...:
        del target[last]
    else:
        target[last] = value
    return copied


def test_accepts_what_the_specification_does():
    for statement in (MINIMAL, FULL):
        assert validated(statement) is statement


@pytest.mark.parametrize(
    "thing",
    [
        {"objectType": "Agent", **AGENT},
        {"objectType": "Group", "name": "x", "member": [AGENT]},
        {"objectType": "StatementRef", "id": UUID},
        SUB,
        CHOICE,
        {"id": "http://a.b/q", "definition": {"interactionType": "numeric", "correctResponsesPattern": ["-1[:]2.5", "4", "[:]4", "4[:]"]}},
        {"id": "http://a.b/q", "definition": {"interactionType": "true-false", "correctResponsesPattern": ["true"]}},
        {"id": "http://a.b/q", "definition": {"interactionType": "matching", "source": [{"id": "1"}], "target": [{"id": "1"}]}},
    ],
)  # fmt: skip
def test_accepts_objects(thing):
    validated({**MINIMAL, "object": thing})


@pytest.mark.parametrize(
    ("path", "value", "place"),
    [
        ("actor", ..., "statement: 'actor' is missing"),
        ("verb", ..., "statement: 'verb' is missing"),
        ("object", ..., "statement: 'object' is missing"),
        ("extra", 1, "statement: 'extra' is not known here"),
        ("Actor", AGENT, "statement: 'Actor' is not known here"),
        ("result", None, "statement.result: must not be null"),
        ("id", "not-a-uuid", "statement.id: must be a UUID"),
        ("id", UUID.replace("-", ""), "statement.id: must be a UUID"),
        ("id", 5, "statement.id: must be a string"),
        ("actor", {}, "statement.actor: an agent has exactly one"),
        ("actor", {**AGENT, "openid": "http://a.b"}, "statement.actor: an agent has exactly one"),
        ("actor", {"mbox": "ann@example.com"}, "statement.actor.mbox: must be a mailto"),
        ("actor", {"mbox_sha1sum": "abc"}, "statement.actor.mbox_sha1sum: must be a SHA-1"),
        ("actor", {"account": {"name": "x"}}, "statement.actor.account: 'homePage' is missing"),
        ("actor", {"account": {"homePage": "x", "name": "x"}}, "statement.actor.account.homePage"),
        ("actor", {"account": {"homePage": "http://a.b", "name": 5}}, "statement.actor.account.name"),
        ("actor", {"objectType": "Group"}, "statement.actor: an anonymous group has members"),
        ("actor", {"objectType": "Group", "member": [{"objectType": "Group"}]}, "statement.actor.member[0]"),
        ("actor", {"objectType": "agent", **AGENT}, "statement.actor.objectType"),
        ("verb", {"id": "experienced"}, "statement.verb.id: must be an absolute IRI"),
        ("verb.display", {"english please": "x"}, "statement.verb.display: 'english please'"),
        ("verb.display", {"en": 1}, "statement.verb.display.en: must be a string"),
        ("object.id", "http://a.b/ c", "statement.object.id: must be an absolute IRI"),
        ("object", {"objectType": "Thing", "id": "http://a.b"}, "statement.object.objectType"),
        ("object", {"objectType": [], "id": "http://a.b"}, "statement.object.objectType"),
        ("object", {"objectType": "StatementRef", "id": "x"}, "statement.object.id: must be a UUID"),
        ("object", {**SUB, "id": UUID}, "statement.object: 'id' is not known here"),
        ("object", {**SUB, "object": SUB}, "statement.object.object: a sub-statement"),
        ("object.definition", {"moreInfo": "x"}, "statement.object.definition.moreInfo"),
        ("object.definition", {"interactionType": "essay"}, "statement.object.definition.interactionType"),
        ("object.definition", {"correctResponsesPattern": ["x"]}, "statement.object.definition.correct"),
        ("object.definition", {"interactionType": "numeric", "choices": []}, "statement.object.definition.choices"),
        ("object.definition", {"interactionType": "numeric", "correctResponsesPattern": ["1e5"]}, "statement.object.definition.correctResponsesPattern[0]"),
        ("object.definition", {"interactionType": "choice", "choices": [{"id": "a"}, {"id": "a"}]}, "statement.object.definition.choices: two"),
        ("object.definition", {"interactionType": "choice", "choices": [{"id": "a b"}]}, "statement.object.definition.choices[0].id"),
        ("object.definition", {**CHOICE["definition"], "correctResponsesPattern": ["a,b"]}, "statement.object.definition.correctResponsesPattern[0]: 'a,b' is not"),
        ("result.score", {"scaled": 1.01}, "statement.result.score.scaled: must lie"),
        ("result.score", {"scaled": "1"}, "statement.result.score.scaled: must be a number"),
        ("result.score", {"scaled": True}, "statement.result.score.scaled: must be a number"),
        ("result.score", {"scaled": float("nan")}, "statement.result.score.scaled: must be a finite"),
        ("result.score", {"min": 5, "max": 5}, "statement.result.score.min: must be less"),
        ("result.score", {"raw": 11, "max": 10}, "statement.result.score.raw: must lie"),
        ("result.success", "true", "statement.result.success: must be true or false"),
        ("result.duration", "1 hour", "statement.result.duration: must be an ISO 8601"),
        ("result.extensions", {"relative": 1}, "statement.result.extensions: 'relative'"),
        ("result.extensions", {"http://a.b": float("inf")}, "statement.result.extensions.http://a.b"),
        ("context.registration", "1", "statement.context.registration: must be a UUID"),
        ("context.team", AGENT, "statement.context.team: 'objectType' is missing"),
        ("context.language", "en_US", "statement.context.language: must be an RFC 5646"),
        ("context.contextActivities", {"parents": []}, "statement.context.contextActivities: 'parents'"),
        ("context.contextActivities", {"parent": [{"objectType": "Agent", **AGENT}]}, "statement.context.contextActivities.parent[0]"),
        ("context.contextAgents", [], "statement.context: 'contextAgents' is not known"),
        ("timestamp", "2026-02-30T00:00:00Z", "statement.timestamp: must be an ISO 8601"),
        ("version", "2.0.0", "statement.version: must be a version 1.0"),
        ("authority", {"objectType": "Group", "member": [AGENT]}, "statement.authority: an authority"),
        ("attachments", [{**ATTACHMENT, "sha2": "x"}], "statement.attachments[0].sha2"),
        ("attachments", [{**ATTACHMENT, "length": -1}], "statement.attachments[0].length"),
        ("attachments", {}, "statement.attachments: must be an array"),
    ],
)  # fmt: skip
def test_refuses_and_names_the_place(path, value, place):
    with pytest.raises(StatementInvalid) as caught:
        validated(changed(MINIMAL, path, value))
    assert str(caught.value).startswith(place)


def test_platform_and_revision_are_for_activities_only():
    for name in ("platform", "revision"):
        statement = {**MINIMAL, "context": {name: "x"}, "object": {"objectType": "Agent", **AGENT}}
        with pytest.raises(StatementInvalid, match=name):
            validated(statement)
        within = {**SUB, "context": {name: "x"}, "object": {"objectType": "Agent", **AGENT}}
        with pytest.raises(StatementInvalid, match=name):
            validated({**MINIMAL, "object": within})


def test_voiding_points_to_a_statement():
    voiding = {**MINIMAL, "verb": {"id": "http://adlnet.gov/expapi/verbs/voided"}}
    with pytest.raises(StatementInvalid, match="voiding"):
        validated(voiding)
    validated({**voiding, "object": {"objectType": "StatementRef", "id": UUID}})


def test_version_2_knows_context_agents():
    people = {
        "contextAgents": [
            {"objectType": "contextAgent", "agent": AGENT, "relevantTypes": ["http://a.b/t"]}
        ],
        "contextGroups": [
            {"objectType": "contextGroup", "group": {"objectType": "Group", "member": [AGENT]}}
        ],
    }
    validated({**MINIMAL, "context": people, "version": "2.0.0"}, "2.0.0")
    with pytest.raises(StatementInvalid, match=r"contextAgents\[0\].relevantTypes"):
        validated(
            {**MINIMAL, "context": {"contextAgents": [{**people["contextAgents"][0], "relevantTypes": []}]}},
            "2.0.0",
        )  # fmt: skip


@pytest.mark.parametrize(
    ("text", "good"),
    [
        ("2026-03-04T09:30:00Z", True),
        ("2026-03-04T09:30:00.1+0530", True),
        ("2026-03-04T09:30:00-03", True),
        ("2024-02-29T23:59:60Z", True),
        ("2026-03-04T09:30:00", False),
        ("2026-03-04", False),
        ("2026-03-04 09:30:00Z", False),
        ("2026-03-04T09:30:00-00:00", False),
        ("2026-03-04T09:30:00-0000", False),
        ("2026-03-04T09:30:00-00", False),
        ("2026-03-04T24:00:00Z", False),
        ("2026-13-04T09:30:00Z", False),
        ("0000-03-04T09:30:00Z", False),
        ("2026-03-04T09:30:00+24:00", False),
        ("٢٠٢٦-03-04T09:30:00Z", False),
        ("2026-03-04T09:30:00Z\n", False),
    ],
)
def test_timestamps(text, good):
    assert formats.is_timestamp(text) is good


@pytest.mark.parametrize(
    ("text", "good"),
    [
        ("PT0S", True),
        ("P4W", True),
        ("PT1H30M", True),
        ("PT0.001S", True),
        ("P", False),
        ("PT", False),
        ("P1DT", False),
        ("1H", False),
        ("PT1.5H", False),
        ("-PT1S", False),
        ("P1W2D", False),
        ("pt1s", False),
    ],
)
def test_durations(text, good):
    assert formats.is_duration(text) is good


@pytest.mark.parametrize(
    ("text", "good"),
    [
        ("en", True),
        ("en-US", True),
        ("zh-Hant-TW", True),
        ("de-CH-1996", True),
        ("sl-rozaj-biske", True),
        ("en-a-bbb-x-c", True),
        ("x-klingon", True),
        ("und", True),
        ("", False),
        ("e", False),
        ("en_US", False),
        ("en-", False),
        ("english language", False),
        ("a" * 200, False),
    ],
)
def test_language_tags(text, good):
    assert formats.is_language(text) is good


wild = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text() | st.just(AGENT),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.text() | st.sampled_from(["objectType", "id", "member", "extensions"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(wild, st.sampled_from([*FULL, "context.team", "object.definition", "result.score"]))
def test_any_value_is_valid_or_refused(value, path):
    for version in ("1.0.3", "2.0.0"):
        with suppress(StatementInvalid):
            validated(changed(FULL, path, value), version)


def test_deep_extensions_are_refused_without_a_crash():
    deep = []
    for _ in range(5000):
        deep = [deep]
    with pytest.raises(StatementInvalid, match="too deep"):
        validated({**MINIMAL, "result": {"extensions": {"http://a.b/x": deep}}})
