import json
import uuid
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.xapi import formats, statements, verbs
from app.xapi.errors import StatementInvalid
from app.xapi.interactions import ChoiceInteraction, FillIn, Numeric, number, picked
from app.xapi.statements import Actor, Fact, Scene, Thing
from app.xapi.validate import validated

AT = datetime(2026, 3, 4, 10, 30, 0, 123456, tzinfo=timezone(timedelta(hours=1)))
BASE = "https://ostiary.example/t/1"
ACTIVITY = Thing(f"{BASE}/activities/relay", "Relay 5", verbs.LESSON)
ITEM = Thing(f"{BASE}/activities/relay/items/q1", "Question 1", verbs.INTERACTION, "Which?")
SKILL = Thing(f"{BASE}/activities/relay/skills/pricing", "Pricing", verbs.COMPETENCY)
COURSE = Thing("https://lms.example/course/7", "Course 7", verbs.COURSE)
SCENE = Scene(
    namespace=uuid.UUID(int=5),
    actor=Actor(BASE, "p-1"),
    registration=uuid.UUID("00000000-0000-4000-8000-000000000001"),
    attempt="attempt-1",
    activity=ACTIVITY,
    language="en",
    platform="Campus LMS",
    grouping=(COURSE,),
)
FACT = Fact("fact-1", AT)
TOOK = timedelta(seconds=62.35)
CHOICE = ChoiceInteraction({"x": "one", "y": "two", "z": "three"}, ("z", "x"))


def every():
    return [
        statements.launched(SCENE, FACT),
        statements.initialized(SCENE, FACT),
        statements.answered(SCENE, FACT, ITEM, CHOICE, "x[,]z", 1.0, TOOK),
        statements.answered(SCENE, FACT, ITEM, FillIn(("Fax",)), "fax", 0.0),
        statements.answered(SCENE, FACT, ITEM, Numeric(Decimal(1), Decimal(2)), "1.5", 0.5),
        statements.progressed(SCENE, FACT, 0.999),
        statements.mastered(SCENE, FACT, SKILL),
        statements.completed(SCENE, FACT, TOOK),
        statements.passed(SCENE, FACT, 1.0, TOOK),
        statements.failed(SCENE, FACT, 1 / 3, TOOK),
        statements.terminated(SCENE, FACT, TOOK),
    ]


@pytest.mark.parametrize("version", ["1.0.3", "2.0.0"])
def test_every_statement_is_valid_json_under_both_versions(version):
    for statement in every():
        assert validated(json.loads(json.dumps(statement)), version) == statement


def test_answered_in_full():
    assert statements.answered(SCENE, FACT, ITEM, CHOICE, "x[,]z", 1.0, TOOK) == {
        "id": statements.statement_id(
            SCENE.namespace, verbs.ANSWERED.iri, ITEM.iri, str(SCENE.registration), "fact-1"
        ),
        "actor": {"objectType": "Agent", "account": {"homePage": BASE, "name": "p-1"}},
        "verb": {"id": "http://adlnet.gov/expapi/verbs/answered", "display": {"en": "answered"}},
        "object": {
            "objectType": "Activity",
            "id": ITEM.iri,
            "definition": {
                "type": "http://adlnet.gov/expapi/activities/cmi.interaction",
                "name": {"en": "Question 1"},
                "description": {"en": "Which?"},
                "interactionType": "choice",
                "correctResponsesPattern": ["x[,]z"],
                "choices": [
                    {"id": "x", "description": {"en": "one"}},
                    {"id": "y", "description": {"en": "two"}},
                    {"id": "z", "description": {"en": "three"}},
                ],
            },
        },
        "result": {
            "response": "x[,]z",
            "success": True,
            "score": {"scaled": 1.0},
            "duration": "PT1M2.35S",
        },
        "context": {
            "registration": "00000000-0000-4000-8000-000000000001",
            "language": "en",
            "platform": "Campus LMS",
            "extensions": {"https://w3id.org/xapi/cmi5/context/extensions/sessionid": "attempt-1"},
            "contextActivities": {
                "parent": [ACTIVITY.to_json("en")],
                "grouping": [COURSE.to_json("en")],
            },
        },
        "timestamp": "2026-03-04T09:30:00.123Z",
    }


def definition(interaction, response):
    return statements.answered(SCENE, FACT, ITEM, interaction, response, 0)["object"]["definition"]


def test_response_patterns():
    fill_in = definition(FillIn(("Fax", "Telefax")), "x")
    assert fill_in["interactionType"] == "fill-in"
    assert fill_in["correctResponsesPattern"] == [
        "{case_matters=false}Fax",
        "{case_matters=false}Telefax",
    ]
    assert definition(FillIn(("SSO",), case_matters=True), "x")["correctResponsesPattern"] == [
        "{case_matters=true}SSO"
    ]
    numeric = definition(Numeric(Decimal("-1E+2"), Decimal("265.20")), "1")
    assert numeric["interactionType"] == "numeric"
    assert numeric["correctResponsesPattern"] == ["-100[:]265.2"]


def test_responses_are_written_in_the_order_of_the_choices():
    assert picked(CHOICE, ["z", "y"]) == "y[,]z"
    with pytest.raises(StatementInvalid):
        picked(CHOICE, ["q"])
    with pytest.raises(StatementInvalid):
        definition(FillIn(("a[,]b",)), "x")


@pytest.mark.parametrize(
    ("value", "text"), [("1E+3", "1000"), ("0.10", "0.1"), ("-0", "0"), ("-0.0", "0"), ("7", "7")]
)
def test_numbers_have_no_exponent(value, text):
    assert number(Decimal(value)) == text


@pytest.mark.parametrize("value", ["NaN", "Infinity", "1E+400"])
def test_numbers_that_cannot_be_written_are_refused(value):
    with pytest.raises(StatementInvalid):
        number(Decimal(value))


def test_ids_are_fixed_and_know_their_object():
    assert statements.launched(SCENE, FACT)["id"] == statements.launched(SCENE, FACT)["id"]
    base = [SCENE.namespace, "v", "o", "r", "f"]
    ids = {statements.statement_id(*base)}
    for i, other in enumerate([uuid.UUID(int=6), "w", "p", "s", "g"]):
        ids.add(statements.statement_id(*base[:i], other, *base[i + 1 :]))
    assert len(ids) == 6
    ids = {every_one["id"] for every_one in every()}
    assert len(ids) == len(every()) - 2, "only the three answers to one item share a fact"


@given(st.lists(st.text(), min_size=4, max_size=4), st.lists(st.text(), min_size=4, max_size=4))
def test_no_two_facts_share_an_id_by_how_their_parts_join(one, two):
    same = statements.statement_id(uuid.UUID(int=1), *one) == statements.statement_id(
        uuid.UUID(int=1), *two
    )
    assert same == (one == two)


def test_mastered_is_about_a_competency_inside_the_activity():
    statement = statements.mastered(SCENE, FACT, SKILL)
    assert statement["object"]["definition"]["type"].endswith("tla/activity-types/competency")
    assert statement["context"]["contextActivities"]["parent"][0]["id"] == ACTIVITY.iri
    assert "parent" not in statements.passed(SCENE, FACT, 1, TOOK)["context"]["contextActivities"]


def test_progress_is_never_rounded_up_to_done():
    extensions = statements.progressed(SCENE, FACT, 0.999)["result"]["extensions"]
    assert extensions == {"https://w3id.org/xapi/cmi5/result/extensions/progress": 99}


@pytest.mark.parametrize("score", [-1.5, 1.01, float("nan")])
def test_a_score_beyond_its_range_never_leaves(score):
    with pytest.raises(StatementInvalid):
        statements.passed(SCENE, FACT, score, TOOK)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "PT0S"),
        (0.004, "PT0S"),
        (0.05, "PT0.05S"),
        (60, "PT1M"),
        (3600, "PT1H"),
        (3661.5, "PT1H1M1.50S"),
        (90000, "PT25H"),
    ],
)
def test_durations(seconds, text):
    assert formats.duration(timedelta(seconds=seconds)) == text
    assert formats.is_duration(text)


def test_naive_times_and_negative_spans_are_bugs():
    with pytest.raises(ValueError, match="time zone"):
        formats.timestamp(AT.replace(tzinfo=None))
    with pytest.raises(ValueError, match="negative"):
        formats.duration(timedelta(seconds=-1))


@given(st.datetimes(timezones=st.just(UTC)))
def test_every_time_we_write_is_valid(at):
    assert formats.is_timestamp(formats.timestamp(at))
