import json
from fractions import Fraction

import pytest

from app.learning.choose import Ask, choose
from app.learning.document import parse
from app.learning.errors import StateInvalid
from app.learning.estimate import parameters_of
from app.learning.explain import Inputs, Oversight, explain, replay
from app.learning.mastery import update
from app.learning.state import LearnerState
from tests.unit.app.learning.factories import NOW, attempt, document

ACTIVITY = parse(document())
PARAMETERS = parameters_of(ACTIVITY)
OVERSIGHT = Oversight(override="your administrator", contest="write to training@example.com")


def explained(score=1.0, answers=2, activity=ACTIVITY):
    parameters = parameters_of(activity)
    history, _, _, decisions = attempt(activity, lambda _: score)
    state = LearnerState()
    for answer in history[:answers]:
        state = update(parameters, state, activity.item(answer.item), answer.score, activity.policy)
    inputs = Inputs(activity, 3, parameters, state, tuple(history[:answers]), "seed")
    decision = decisions[min(answers, len(decisions) - 1)]
    return explain("d-1", inputs, decision, NOW, OVERSIGHT), decision, inputs


def test_is_json_and_holds_what_it_must():
    explanation, decision, _ = explained()
    assert json.loads(json.dumps(explanation)) == explanation
    assert explanation["decision"]["item"] == decision.item
    assert explanation["at"] == "2026-03-04T09:30:00.000Z"
    assert explanation["evidence"][0] == {
        "source": "answer",
        "id": "1",
        "item": explanation["inputs"]["history"][1]["item"],
        "skill": "a",
        "score": 1.0,
        "at": "2026-03-04T09:30:00.000Z",
    }
    assert explanation["profile"] == []
    assert explanation["inputs"]["content_version"] == 3
    assert explanation["override"] == "your administrator"
    assert "training@example.com" in explanation["contest"]
    assert {"kind": "skill", "key": "b", "reason": "locked", "because": "a"} in explanation[
        "rejected"
    ]


def test_contributions_in_the_stored_form_sum_exactly():
    explanation = json.loads(json.dumps(explained()[0]))
    estimates = explanation["estimates"]
    for estimate in (estimates["success"], estimates["mastery"]["a"]):
        exact = sum(Fraction(part["logits"]) for part in estimate["contributions"])
        assert exact == Fraction(estimate["logits"])


def test_the_counterfactual_is_what_really_happens():
    explanation, decision, inputs = explained(answers=1)
    ahead = explanation["counterfactual"]["right_answers_to_mastery"]
    assert ahead >= 2
    state, history = inputs.state, list(inputs.history)
    for count in range(ahead):
        assert not state.skill("a").mastered, count
        state = update(PARAMETERS, state, ACTIVITY.item(decision.item), 1.0, ACTIVITY.policy)
        history.append(history[-1].__class__("", decision.item, "a", 1.0, NOW))
        decision = choose(ACTIVITY, PARAMETERS, state, history, "seed")
    assert state.skill("a").mastered
    counter = explanation["counterfactual"]
    now = explanation["estimates"]["mastery"]["a"]["probability"]
    assert counter["if_wrong"] < now < counter["if_right"]


def test_speaks_to_the_learner_and_to_the_manager():
    wording = explained(answers=0)[0]["wording"]
    assert "Skill A" in wording["learner"]
    assert "first one on this skill" in wording["learner"]
    assert "threshold 95%" in wording["manager"]
    assert "no personal attribute" in wording["manager"]
    later = explained(score=0.0, answers=2)[0]
    assert later["decision"]["resource"] == "ra0"
    assert "something to read" in later["wording"]["learner"]
    assert "2 errors in a row" in later["wording"]["manager"]


@pytest.mark.parametrize(
    ("score", "word"), [(1.0, "every skill"), (0.0, "“Skill A” and “Skill B”")]
)
def test_explains_the_end_too(score, word):
    explanation, decision, _ = explained(score=score, answers=100)
    assert not isinstance(decision, Ask)
    assert word in explanation["wording"]["learner"]
    assert explanation["counterfactual"] is None
    assert set(explanation["estimates"]["mastery"]) == {"a", "b"}


@pytest.mark.parametrize("answers", [0, 1, 3, 100])
@pytest.mark.parametrize("score", [0.0, 1.0])
def test_can_be_replayed_from_the_record_alone(answers, score):
    explanation, decision, _ = explained(score=score, answers=answers)
    stored = json.loads(json.dumps(explanation))
    assert replay(stored, ACTIVITY, PARAMETERS) == (decision, True)


def test_a_record_that_was_changed_no_longer_replays_the_same():
    stored = explained()[0]
    stored["decision"]["item"] = "a3" if stored["decision"]["item"] != "a3" else "a2"
    assert replay(stored, ACTIVITY, PARAMETERS)[1] is False


def test_refuses_to_replay_with_another_content_version():
    other = parse(document(title="Changed"))
    with pytest.raises(StateInvalid, match="content_digest"):
        replay(explained()[0], other, PARAMETERS)


@pytest.mark.parametrize(
    "change",
    [{"history": [{}]}, {"history": None}, {"seed": 5}, {"model": "bkt"}, {"state": {}}],
)
def test_refuses_a_record_it_cannot_read(change):
    stored = explained()[0]
    stored["inputs"] |= change
    with pytest.raises(StateInvalid):
        replay(stored, ACTIVITY, PARAMETERS)
