"""Item difficulties and skill eases learned from a log of answers.

A pass over the log in time order, in which learners, skills and items move together. What comes
out is a new version of the parameters; attempts in progress keep theirs, so that no past result
changes by itself.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from app.learning.estimate import (
    ITEM,
    SKILL,
    Parameters,
    learn,
    predict,
    surprise,
)
from app.learning.state import LearnerState, Level


@dataclass(frozen=True, slots=True)
class Observation:
    """An answer as the log holds it; score 0 to 1."""

    learner: str
    item: str
    skills: tuple[str, ...]
    score: float


def calibrate(start: Parameters, log: Iterable[Observation], version: str) -> Parameters:
    """The parameters after this log (oldest first), under a version of their own."""
    skills, items = dict(start.skills), dict(start.items)
    moving = Parameters(version, skills, items)
    learners: dict[str, LearnerState] = {}
    for seen in log:
        state = learners.get(seen.learner, LearnerState())
        learners[seen.learner] = learn(moving, state, seen.item, seen.skills, seen.score)
        expected = predict(moving, state, seen.item, seen.skills).probability
        gap = surprise(seen.score, expected)
        for key in seen.skills:
            skills[key] = skills.get(key, Level()).moved(SKILL, gap)
        items[seen.item] = items.get(seen.item, Level()).moved(ITEM, -gap)
    return Parameters(version, skills, items)
