"""Synthetic learners of two kinds, the same seeds always: does adapting pay, and is it honest?"""

import math
import random

import pytest

from app.learning.calibrate import Observation, calibrate
from app.learning.estimate import logistic, parameters_of
from tests.unit.app.learning.factories import attempt, wide

LEARNERS, SKILLS, ITEMS = 100, 5, 15


class Tracing:
    """Knows a skill or not; slips, guesses, learns at each answer."""

    def __init__(self, luck):
        self.luck = luck
        self.known = {f"s{i}": luck.random() < 0.35 for i in range(SKILLS)}

    def answer(self, item):
        key = item.skills[0]
        right = self.luck.random() < (0.9 if self.known[key] else 0.2)
        self.known[key] = self.known[key] or self.luck.random() < 0.25
        return float(right)

    def has(self, key):
        return self.known[key]


class Logistic:
    """Has an ability in each skill that grows with practice; has mastered it above 70%."""

    def __init__(self, luck):
        self.luck = luck
        general = luck.gauss(0, 0.8)
        self.ability = {f"s{i}": general + luck.gauss(0, 0.8) for i in range(SKILLS)}

    def answer(self, item):
        key = item.skills[0]
        chance = logistic(self.ability[key] - item.difficulty)
        self.ability[key] += 0.35
        return float(self.luck.random() < chance)

    def has(self, key):
        return self.ability[key] > math.log(0.7 / 0.3)


def adaptive(kind, activity):
    """Items asked, skills truly mastered at the end, declared, and falsely declared."""
    asked = true = declared = false = 0
    for n in range(LEARNERS):
        learner = kind(random.Random(n))
        history, state, _, _ = attempt(activity, learner.answer, str(n))
        asked += len(history)
        for skill in activity.skills:
            true += learner.has(skill.key)
            declared += state.skill(skill.key).mastered
            false += state.skill(skill.key).mastered and not learner.has(skill.key)
    return asked, true, declared, false


def fixed(kind, activity, true):
    """Items asked by the shortest fixed order with as much true mastery."""
    for each in range(1, 31):
        reached = 0
        for n in range(LEARNERS):
            learner = kind(random.Random(n))
            for skill in activity.skills:
                items = activity.items_of(skill.key)
                for j in range(each):
                    learner.answer(items[j % len(items)])
                reached += learner.has(skill.key)
        if reached >= true:
            break
    return each * SKILLS * LEARNERS


@pytest.mark.parametrize(
    ("kind", "saving", "false_share"), [(Tracing, 0.40, 0.02), (Logistic, 0.10, 0.06)]
)
def test_mastery_comes_with_fewer_items_and_is_seldom_false(kind, saving, false_share):
    activity = wide(SKILLS, ITEMS)
    asked, true, declared, false = adaptive(kind, activity)
    assert asked <= (1 - saving) * fixed(kind, activity, true)
    assert false <= false_share * declared
    assert declared >= 0.75 * LEARNERS * SKILLS


def test_calibration_finds_the_hard_items():
    activity = wide(SKILLS, ITEMS)
    start = parameters_of(activity)
    flat = type(start)("flat", {}, {})
    luck = random.Random(7)
    log = []
    for n in range(150):
        learner = Logistic(random.Random(n))
        log += [
            Observation(str(n), item.key, item.skills, learner.answer(item))
            for item in luck.sample(activity.items, 20)
        ]
    found = calibrate(flat, log, "2026-03")
    assert found.version == "2026-03"
    assert flat.items == {}, "the old version is untouched"
    true = [i.difficulty for i in activity.items]
    guessed = [found.items[i.key].value for i in activity.items]
    assert _correlation(true, guessed) > 0.75
    assert calibrate(flat, log, "again").items == found.items


def _correlation(xs, ys):
    mean_x, mean_y = sum(xs) / len(xs), sum(ys) / len(ys)
    over = sum((x - mean_x) * (y - mean_y) for x, y in zip(xs, ys, strict=True))
    under = math.sqrt(sum((x - mean_x) ** 2 for x in xs) * sum((y - mean_y) ** 2 for y in ys))
    return over / under
