import random
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.learning.choose import Answered, Ask, Done, choose, errors_in_a_row, shuffled
from app.learning.document import parse
from app.learning.estimate import parameters_of, predict
from app.learning.mastery import update
from app.learning.progress import progress
from app.learning.state import LearnerState
from tests.unit.app.learning.factories import NOW, attempt, document, item, wide

ACTIVITY = parse(document())


def test_who_knows_everything_is_soon_done():
    history, state, end, _ = attempt(ACTIVITY, lambda _: 1.0)
    assert isinstance(end, Done)
    assert end.reason == "mastered"
    assert len(history) <= 8
    assert progress(ACTIVITY, state).score == 1
    assert progress(ACTIVITY, state).mastered


def test_who_knows_nothing_is_let_go_and_may_come_back():
    history, state, end, _ = attempt(ACTIVITY, lambda _: 0.0)
    assert isinstance(end, Done)
    assert end.reason == "exhausted"
    assert len(history) == ACTIVITY.policy.max_answers
    assert {answer.skill for answer in history} == {"a"}, "b stays locked behind a"
    again = choose(ACTIVITY, parameters_of(ACTIVITY), state, [], "second attempt")
    assert isinstance(again, Ask)


@given(st.integers(), st.floats(0, 1), st.integers(1, 6), st.integers(2, 5))
def test_every_attempt_ends_and_respects_its_rules(seed, chance, most, items):
    luck = random.Random(seed)
    activity = wide(skills=4, items=items, min_answers=min(2, most), max_answers=most)
    history, state, _, decisions = attempt(
        activity, lambda _: float(luck.random() < chance), str(seed)
    )
    assert len(history) <= most * 4
    pairs = pairwise(history)
    assert all(one.item != two.item for one, two in pairs), "never twice in a row"
    assert 0 <= progress(activity, state).score <= 1
    assert (progress(activity, state).score == 1) == progress(activity, state).mastered
    for decision in decisions:
        if isinstance(decision, Ask):
            locked = {why.key for why in decision.rejected if why.reason == "locked"}
            assert decision.skill not in locked


@given(st.integers(0, 1000), st.integers(0, 30))
def test_is_deterministic(seed, steps):
    def run():
        luck = random.Random(seed)
        return attempt(wide(), lambda _: float(luck.random() < 0.6), str(seed))[3]

    assert run()[:steps] == run()[:steps]


def test_learners_meet_different_orders():
    activity = wide(items=20)
    parameters = parameters_of(activity)
    firsts = {
        choose(activity, parameters, LearnerState(), [], str(seed)).item for seed in range(40)
    }
    assert len(firsts) > 1


def test_the_item_is_near_the_target():
    activity = wide(target_success=0.7)
    parameters = parameters_of(activity)
    decision = choose(activity, parameters, LearnerState(), [], "x")
    assert isinstance(decision, Ask)
    chances = {
        i.key: abs(predict(parameters, LearnerState(), i.key, i.skills).probability - 0.7)
        for i in activity.items_of(decision.skill)
    }
    assert chances[decision.item] <= min(chances.values()) + 0.05


def test_says_what_was_rejected_and_the_deciding_prerequisite():
    decision = choose(ACTIVITY, parameters_of(ACTIVITY), LearnerState(), [], "x")
    reasons = {(why.kind, why.key): (why.reason, why.because) for why in decision.rejected}
    assert reasons["skill", "b"] == ("locked", "a")
    assert sum(kind == "item" for kind, _ in reasons) == 3


def test_an_item_beyond_the_reached_skills_waits():
    items = [*document()["items"], item("both", ("a", "b"), difficulty=-0.85)]
    activity = parse(document(items=items))
    asked = []
    attempt(activity, lambda i: asked.append(i.key) or 0.0)
    assert "both" not in asked


def test_offers_a_resource_after_repeated_errors_each_time_another():
    _, _, _, decisions = attempt(ACTIVITY, lambda _: 0.0)
    offered = [d.resource for d in decisions if isinstance(d, Ask)]
    assert offered[:7] == [None, None, "ra0", None, "ra1", None, "ra0"]


def test_a_right_answer_ends_the_row_of_errors():
    history = [Answered("1", "a0", "a", 0, NOW), Answered("2", "a1", "a", 0.5, NOW)]
    assert errors_in_a_row(history, "a") == 2
    assert errors_in_a_row([*history, Answered("3", "b0", "b", 0, NOW)], "a") == 2
    assert errors_in_a_row([*history, Answered("3", "a0", "a", 1, NOW)], "a") == 0


def test_a_skill_that_does_not_come_rests_for_a_while():
    history, _, _, _ = attempt(wide(), lambda i: 0.0 if i.skills == ("s0",) else 1.0)
    skills = [answer.skill for answer in history]
    assert skills[:4] == ["s0", "s0", "s0", "s2"]
    assert skills.count("s0") == 15, "and is taken up again"


def test_choices_are_shuffled_by_seed_alone():
    asked = ACTIVITY.items[0]
    orders = {tuple(c.key for c in shuffled(asked, str(seed))) for seed in range(50)}
    assert len(orders) > 5
    assert shuffled(asked, "1") == shuffled(asked, "1")
    assert {c.key for c in shuffled(asked, "1")} == set("wxyz")


@pytest.mark.parametrize("answered", [1, 5, 12])
def test_an_attempt_goes_on_where_it_was_left(answered):
    history, _, _, decisions = attempt(wide(), lambda i: float(hash(i.difficulty) % 3 != 0))
    state = LearnerState()
    for answer in history[:answered]:
        asked = wide().item(answer.item)
        state = update(parameters_of(wide()), state, asked, answer.score, wide().policy)
    kept = LearnerState.from_json(state.to_json())
    resumed = choose(wide(), parameters_of(wide()), kept, history[:answered], "seed")
    assert resumed == decisions[answered]
