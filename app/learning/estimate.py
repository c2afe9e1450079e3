"""How likely a learner is to answer an item right: multivariate Elo, online, additive in logits.

The chance of success is the logistic of a sum: the learner's global ability, and of each of the
item's skills (their mean) the learner's own ability and the skill's ease, less the item's
difficulty. After an answer every term moves by K = k/(1+c·n) times the surprise.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from app.learning.content import Activity
from app.learning.state import MOST, LearnerState, Level, Rate, settle

GLOBAL = Rate(0.6, 0.03)
SKILL = Rate(0.3, 0.01)
ITEM = Rate(0.5, 0.05)
# An item answered before proves less each time: its explanation was read.
_REPEAT = 0.5
_LEVEL = Level()


@dataclass(frozen=True, slots=True)
class Parameters:
    """What holds for all learners: the ease of each skill, the difficulty of each item."""

    version: str
    skills: Mapping[str, Level]
    items: Mapping[str, Level]


def parameters_of(activity: Activity) -> Parameters:
    """The authors' difficulties, before any calibration from answers."""
    return Parameters(
        version="authored",
        skills={},
        items={item.key: Level(settle(item.difficulty)) for item in activity.items},
    )


@dataclass(frozen=True, slots=True)
class Contribution:
    """One signed term of an estimate, in logits.

    term: global, learner_skill, skill, item; or prior, right, wrong, practice for mastery
    key: of which skill or item, else empty
    """

    term: str
    key: str
    value: float

    def to_json(self) -> dict[str, Any]:
        return {"term": self.term, "key": self.key, "logits": self.value}


@dataclass(frozen=True, slots=True)
class Estimate:
    """A probability and what it is made of: the contributions sum exactly to its logit."""

    contributions: tuple[Contribution, ...]

    @property
    def logit(self) -> float:
        return sum(part.value for part in self.contributions)

    @property
    def probability(self) -> float:
        return logistic(self.logit)

    def to_json(self) -> dict[str, Any]:
        return {
            "probability": self.probability,
            "logits": self.logit,
            "contributions": [part.to_json() for part in self.contributions],
        }


def predict(
    parameters: Parameters, state: LearnerState, item: str, skills: Sequence[str]
) -> Estimate:
    """The chance that the learner answers this item right."""
    parts = [Contribution("global", "", state.ability.value)]
    for key in skills:
        own = settle(state.skill(key).ability.value / len(skills))
        ease = settle(parameters.skills.get(key, _LEVEL).value / len(skills))
        parts.append(Contribution("learner_skill", key, own))
        parts.append(Contribution("skill", key, ease))
    difficulty = parameters.items.get(item, _LEVEL).value
    return Estimate((*parts, Contribution("item", item, -difficulty)))


def surprise(score: float, expected: float) -> float:
    """What an answer teaches, -1 to 1. Only a fully right answer may raise an ability."""
    return score - expected if score >= 1 else min(0.0, score - expected)


def novelty(state: LearnerState, item: str) -> float:
    """How much a right answer to this item proves: 1 at first, half as much each time after."""
    return float(_REPEAT ** min(state.seen.get(item, 0), 20))


def learn(
    parameters: Parameters, state: LearnerState, item: str, skills: Sequence[str], score: float
) -> LearnerState:
    """The abilities after an answer scored 0 to 1 (1 is right); every skill of the item moves."""
    if not 0 <= score <= 1:
        raise ValueError("a score lies between 0 and 1")
    expected = predict(parameters, state, item, skills).probability
    weight = novelty(state, item)
    moved = surprise(score, expected) * (weight if score >= 1 else 1.0)
    seen = state.seen.get(item, 0)
    after = dict(state.skills)
    for key in skills:
        old = state.skill(key)
        after[key] = replace(
            old,
            ability=old.ability.moved(SKILL, moved),
            right=min(old.right + (score >= 1), MOST),
            wrong=min(old.wrong + (score < 1), MOST),
            items=old.items + (seen == 0),
            information=min(old.information + weight * expected * (1 - expected), MOST),
        )
    return LearnerState(
        ability=state.ability.moved(GLOBAL, moved),
        skills=after,
        seen={**state.seen, item: min(seen + 1, MOST)},
    )


def logistic(logit: float) -> float:
    return 1 / (1 + math.exp(-logit))
