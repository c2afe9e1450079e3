import json
from contextlib import suppress
from importlib.resources import files

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.learning.content import MultipleChoice, ShortNumber, ShortText, SingleChoice
from app.learning.document import MAX_BYTES, load, parse
from app.learning.errors import ContentInvalid
from tests.unit.app.learning.factories import document, item


def refused(value: object) -> list[str]:
    with pytest.raises(ContentInvalid) as caught:
        parse(value)
    return [str(problem) for problem in caught.value.problems]


def with_item(**changes):
    items = document()["items"]
    items[3] = {k: v for k, v in {**items[3], **changes}.items() if v is not ...}
    return document(items=items)


def test_round_trip_and_digest():
    activity = parse(document())
    again = parse(activity.to_json())
    assert again == activity
    assert again.digest == activity.digest
    assert parse(document(title="Other")).digest != activity.digest


def test_all_question_types_round_trip():
    items = document()["items"]
    common = {"choices": ..., "correct": ...}
    short = {
        k: v for k, v in {**items[0], **common, "type": "short_answer"}.items() if v is not ...
    }
    items[0] = {**short, "accepted": ["Fax"], "case_sensitive": True}
    items[1] = {**short, "key": "a1", "numeric": {"value": 0.1, "tolerance": 0.05, "unit": "€"}}
    items[2] = {**items[2], "type": "multiple_choice", "correct": ["z", "w"]}
    activity = parse(document(items=items))
    assert parse(json.loads(json.dumps(activity.to_json()))) == activity
    kinds = [type(i.question) for i in activity.items[:4]]
    assert kinds == [ShortText, ShortNumber, MultipleChoice, SingleChoice]
    assert activity.items[2].question.correct == ("w", "z"), "in the order of the choices"


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"choices": []}, "items[3].choices: must hold 2 to 12 elements, not 0"),
        ({"choices": "w"}, "items[3].choices: must be an array"),
        ({"correct": "q"}, "items[3].correct: must be one of w, x, y, z"),
        ({"correct": ["x"]}, "items[3].correct: must be one of"),
        ({"type": "essay"}, "items[3].type: must be one of multiple_choice, short_answer"),
        ({"type": ["single_choice"]}, "items[3].type: must be one of"),
        ({"prompt": "  "}, "items[3].prompt: must not be blank"),
        ({"prompt": "a\x00b"}, "items[3].prompt: holds a control character"),
        ({"prompt": "a\ud800b"}, "items[3].prompt: holds a control character"),
        ({"prompt": "a\u202eb"}, "items[3].prompt: holds a control character"),
        ({"prompt": "x" * 4001}, "items[3].prompt: is longer than 4000 characters"),
        ({"difficulty": float("nan")}, "items[3].difficulty: must be a finite number"),
        ({"difficulty": 10**400}, "items[3].difficulty: must lie between"),
        ({"difficulty": True}, "items[3].difficulty: must be a number"),
        ({"skills": []}, "items[3].skills: must hold 1 to 5 elements"),
        ({"skills": ["a", "a"]}, "items[3].skills[1]: 'a' stands twice"),
        ({"skills": ["ghost"]}, "items[3].skills: 'ghost' is no skill"),
        ({"key": "A B"}, "items[3].key: must be 1 to 64"),
        ({"key": "a0"}, "items[3].key: 'a0' stands twice"),
        ({"explanation": ...}, "items[3]: 'explanation' is missing"),
        ({"hint": "x"}, "items[3]: 'hint' is not known here"),
        ({"feedback": {"rigth": "x"}}, "items[3].feedback: 'rigth' is not known here"),
    ],
)
def test_names_the_place_of_a_faulty_item(change, place):
    assert any(problem.startswith(place) for problem in refused(with_item(**change)))


def test_choices_must_differ():
    twice = [{"key": "x", "text": "one"}, {"key": "x", "text": "two"}]
    assert "items[3].choices[1].key: 'x' stands twice" in refused(with_item(choices=twice))
    same = [{"key": "x", "text": "one"}, {"key": "y", "text": " one "}]
    problems = refused(with_item(choices=same))
    assert "items[3].choices[1].text: says the same as another choice" in problems


def short(**parts):
    gone = {"choices": ..., "correct": ...}
    return refused(with_item(type="short_answer", **gone, **parts))


def test_short_answers_are_text_or_number_never_both():
    either = "items[3]: a short answer has either 'accepted' or 'numeric'"
    assert short() == [either]
    assert short(accepted=["x"], numeric={"value": 1}) == [either]
    assert short(numeric={"value": 1, "tolerance": -1})[0].startswith("items[3].numeric.tolerance")
    assert short(numeric={"value": 1}, case_sensitive=True)[0].startswith("items[3].case_sensitive")
    assert short(accepted=["a[,]b"]) == ["items[3].accepted[0]: must not hold '[,]'"]


def test_reports_every_problem_at_once():
    items = document()["items"]
    items[0]["prompt"] = ""
    items[5]["correct"] = "nope"
    problems = refused(document(items=items))
    assert [p.split(":")[0] for p in problems] == ["items[0].prompt", "items[5].correct"]


def test_refuses_cycles_and_names_them():
    skills = [
        {"key": "a", "title": "A", "prerequisites": ["b"]},
        {"key": "b", "title": "B", "prerequisites": ["a"]},
    ]
    assert refused(document(skills=skills)) == ["skills[0].prerequisites: is a cycle: a -> b -> a"]
    own = [{"key": "a", "title": "A", "prerequisites": ["a"]}, {"key": "b", "title": "B"}]
    assert refused(document(skills=own)) == ["skills[0].prerequisites: is a cycle: a -> a"]


def test_every_skill_needs_items_that_its_learner_can_reach():
    assert (
        "needs at least 4 items"
        in refused(document(policy={"min_answers": 4}) | {"items": document()["items"][:7]})[0]
    )
    # Items of a that also ask for b, which comes after it, can't prove a.
    items = [item(f"a{i}", ("a", "b")) for i in range(4)] + [
        item(f"b{i}", ("b",)) for i in range(4)
    ]
    assert "'a' needs at least 3 items" in refused(document(items=items))[0]


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"format": "ostiary.activity/2"}, "format: must be 'ostiary.activity/1'"),
        ({"language": "english please"}, "language: must be a language tag"),
        ({"slug": "../etc"}, "slug: must be"),
        ({"policy": {"mastery": 1}}, "policy.mastery: must lie between"),
        ({"policy": {"min_answers": 9, "max_answers": 8}}, "policy.max_answers: must not be less"),
        ({"policy": {"min_answers": 2.5}}, "policy.min_answers: must be a whole number"),
        ({"skills": []}, "skills: must hold 1 to 100"),
        ({"extra": 1}, "document: 'extra' is not known here"),
        ({"resources": [{"key": "r"}]}, "resources[0]: 'title' is missing"),
    ],
)
def test_names_the_place_in_the_rest(change, place):
    assert any(problem.startswith(place) for problem in refused(document(**change)))


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"format": NaN}',
        b'{"format": 1, "format": 2}',
        b"null",
        b"9" * 5000,
        b" " * (MAX_BYTES + 1),
    ],
)
def test_load_refuses_what_is_not_a_document(text):
    with pytest.raises(ContentInvalid):
        load(text)


json_values = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
)


@given(json_values, st.sampled_from(sorted(document())))
def test_wild_values_are_refused_and_nothing_else(value, name):
    with suppress(ContentInvalid):
        parse(document(**{name: value}))


@given(json_values, st.sampled_from(sorted(item())))
def test_wild_items_are_refused_and_nothing_else(value, name):
    with suppress(ContentInvalid):
        parse(with_item(**{name: value}))


def seed():
    return load(files("app.learning").joinpath("seed/product_update.json").read_bytes())


def test_the_seeded_activity_is_worth_its_time():
    activity = seed()
    assert len(activity.skills) >= 4
    assert sum(bool(skill.prerequisites) for skill in activity.skills) >= 2
    assert len(activity.items) >= 24
    assert {type(i.question) for i in activity.items} == {
        SingleChoice, MultipleChoice, ShortText, ShortNumber
    }  # fmt: skip
    assert len(activity.resources) >= 3
    for skill in activity.skills:
        assert activity.resources_of(skill.key), skill.key
    for asked in activity.items:
        question = asked.question
        if isinstance(question, SingleChoice | MultipleChoice):
            right = (
                {question.correct} if isinstance(question, SingleChoice) else {*question.correct}
            )
            wrong = [c for c in question.choices if c.key not in right]
            assert wrong, asked.key
            assert all(choice.feedback for choice in wrong), asked.key
        else:
            assert asked.feedback_wrong, asked.key
