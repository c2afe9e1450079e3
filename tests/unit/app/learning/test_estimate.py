import json
import math
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.learning.content import Policy
from app.learning.document import parse
from app.learning.errors import StateInvalid
from app.learning.estimate import Parameters, learn, logistic, parameters_of, predict
from app.learning.mastery import believed, evidence, guess, mastery, threshold, update
from app.learning.state import BOUND, LearnerState, Level
from tests.unit.app.learning.factories import document, item

BOTH = [item(f"c{i}", ("a", "b"), difficulty=1.3) for i in range(2)]
ACTIVITY = parse(document(items=document()["items"] + BOTH))
PARAMETERS = Parameters(
    "test", {"a": Level(0.3, 5), "b": Level(-0.7, 9)}, parameters_of(ACTIVITY).items
)
POLICY = ACTIVITY.policy
answers = st.lists(
    st.tuples(st.sampled_from(ACTIVITY.items), st.sampled_from([0.0, 0.5, 1.0]) | st.floats(0, 1)),
    max_size=40,
)


def after(given_answers, policy=POLICY):
    state = LearnerState()
    for asked, score in given_answers:
        state = update(PARAMETERS, state, asked, score, policy)
    return state


@given(answers, st.sampled_from(ACTIVITY.items))
def test_contributions_sum_exactly_in_any_order(given_answers, asked):
    state = after(given_answers)
    for estimate in (
        predict(PARAMETERS, state, asked.key, asked.skills),
        mastery(state, "a"),
        mastery(state, "b"),
    ):
        values = [part.value for part in estimate.contributions]
        assert all(sum(order) == estimate.logit for order in permutations(values))
        assert estimate.probability == logistic(estimate.logit)
        assert 0 < estimate.probability < 1


@given(answers, st.sampled_from(ACTIVITY.items), st.floats(0, 1, exclude_max=True))
def test_nothing_rises_after_an_answer_that_is_not_right(given_answers, asked, score):
    before = after(given_answers)
    now = update(PARAMETERS, before, asked, score, POLICY)
    assert now.ability.value <= before.ability.value
    for key in asked.skills:
        assert now.skill(key).ability.value <= before.skill(key).ability.value
        assert mastery(now, key).logit <= mastery(before, key).logit
        assert now.skill(key).mastered == before.skill(key).mastered


@given(answers, st.sampled_from(ACTIVITY.items))
def test_nothing_falls_after_a_right_answer(given_answers, asked):
    before = after(given_answers)
    now = update(PARAMETERS, before, asked, 1.0, POLICY)
    assert now.ability.value >= before.ability.value
    for key in asked.skills:
        assert now.skill(key).ability.value >= before.skill(key).ability.value
        assert mastery(now, key).logit >= mastery(before, key).logit


@given(answers)
def test_state_survives_json(given_answers):
    state = after(given_answers)
    assert LearnerState.from_json(json.loads(json.dumps(state.to_json()))) == state


def test_every_skill_of_an_item_is_updated():
    state = after([(ACTIVITY.item("c0"), 1.0)])
    for key in ("a", "b"):
        assert state.skill(key).ability.value > 0
        assert state.skill(key).right == 1
        assert mastery(state, key).logit > mastery(LearnerState(), key).logit


def test_a_thousand_answers_one_way_stay_bounded():
    for score in (0.0, 1.0):
        state = after([(ACTIVITY.items[0], score)] * 1000)
        values = [state.ability.value, state.skill("a").ability.value, mastery(state, "a").logit]
        assert all(math.isfinite(value) for value in values)
        assert abs(state.ability.value) <= BOUND
        assert LearnerState.from_json(state.to_json()) == state
        back = update(PARAMETERS, state, ACTIVITY.items[1], 1 - score, POLICY)
        assert mastery(back, "a").logit != mastery(state, "a").logit, "it can still turn"


def test_mastery_needs_different_items():
    one = ACTIVITY.items[0]
    assert not after([(one, 1.0)] * 50).skill("a").mastered
    assert after([(each, 1.0) for each in ACTIVITY.items[:4]]).skill("a").mastered


def test_mastery_is_never_taken_back_and_progress_never_falls():
    steps = [(each, 1.0) for each in ACTIVITY.items[:4]] + [(ACTIVITY.items[0], 0.0)] * 5
    state = after(steps)
    assert mastery(state, "a").probability < POLICY.mastery
    assert state.skill("a").mastered
    assert state.skill("a").progress == 1
    assert not state.skill("b").mastered, "and no skill is mastered without an answer"


@given(answers)
def test_progress_never_falls_and_is_whole_only_at_mastery(given_answers):
    state, last = LearnerState(), 0.0
    for asked, score in given_answers:
        state = update(PARAMETERS, state, asked, score, POLICY)
        skill = state.skill("a")
        assert last <= skill.progress <= 1
        assert (skill.progress == 1) == skill.mastered
        last = skill.progress


def test_a_guessable_item_proves_less_and_a_hopeless_one_nothing_false():
    single, open_ended = evidence(0.0, 0.25), evidence(0.0, 0.02)
    assert 0 < single[0] < open_ended[0]
    for difficulty in (-4.0, -1.0, 0.0, 1.0, 4.0):
        for chance in (0.02, 0.25, 0.5):
            right, wrong = evidence(difficulty, chance)
            assert right >= 0 >= wrong
    assert guess(ACTIVITY.items[0].question) == 0.25


def test_a_second_answer_to_an_item_proves_less():
    once = after([(ACTIVITY.items[0], 1.0)])
    twice = update(PARAMETERS, once, ACTIVITY.items[0], 1.0, POLICY)
    fresh = update(PARAMETERS, once, ACTIVITY.items[1], 1.0, POLICY)
    assert twice.skill("a").belief.right < fresh.skill("a").belief.right
    assert twice.skill("a").items == 1


def test_uncertainty_shrinks_with_evidence():
    states = [after([(each, 1.0) for each in ACTIVITY.items[:n]]) for n in range(4)]
    errors = [state.skill("a").uncertainty for state in states]
    assert errors == sorted(errors, reverse=True)
    assert errors[0] == 1


def test_an_able_learner_begins_a_new_skill_a_little_higher_but_never_mastered():
    able = after([(each, 1.0) for each in ACTIVITY.items[:4]] * 5)
    assert believed(able, "b").prior > believed(LearnerState(), "b").prior
    assert believed(able, "b").logit < threshold(Policy(mastery=0.65))


@pytest.mark.parametrize("score", [-0.1, 1.1, float("nan")])
def test_a_score_out_of_bounds_is_a_bug(score):
    with pytest.raises(ValueError, match="between 0 and 1"):
        learn(PARAMETERS, LearnerState(), "a0", ("a",), score)


@pytest.mark.parametrize(
    "change",
    [
        {"ability": float("nan")},
        {"ability": 7},
        {"ability": "1"},
        {"answers": -1},
        {"answers": 1.5},
        {"model": "elo-sprt/2"},
        {"seen": {"a0": 0}},
        {"seen": {"../x": 1}},
        {"seen": []},
        {"skills": {"a": {}}},
        {"skills": None},
        {"more": 1},
    ],
)
def test_a_state_that_is_not_ours_is_refused(change):
    with pytest.raises(StateInvalid):
        LearnerState.from_json({**after([(ACTIVITY.items[0], 1.0)]).to_json(), **change})


@pytest.mark.parametrize(
    "change",
    [{"belief": [0, 0, 0]}, {"belief": [0, 0, 0, float("inf")]}, {"items": 9}, {"progress": 2}],
)
def test_a_skill_state_that_is_not_ours_is_refused(change):
    state = after([(ACTIVITY.items[0], 1.0)]).to_json()
    state["skills"]["a"] |= change
    with pytest.raises(StateInvalid):
        LearnerState.from_json(state)
