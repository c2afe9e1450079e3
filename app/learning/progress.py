"""How far a learner is, for the page and the gradebook.

The score is the mean of the skills' progress, from 0 to 1. A skill's progress is the way its
belief has come from the prior to the threshold times the share of the needed items, at most 0.95
until it is mastered and 1 then. Within one content version it never falls, and it is exactly 1 when, and only when, every
skill is mastered.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from app.learning.content import Activity
from app.learning.mastery import mastery
from app.learning.state import LearnerState


@dataclass(frozen=True, slots=True)
class SkillProgress:
    """probability: that the skill is mastered · uncertainty: of the ability, logits"""

    key: str
    title: str
    progress: float
    mastered: bool
    answers: int
    probability: float
    uncertainty: float


@dataclass(frozen=True, slots=True)
class Progress:
    """score: 0 to 1 for the gradebook · mastered: every skill is"""

    score: float
    mastered: bool
    skills: tuple[SkillProgress, ...]


def progress(activity: Activity, state: LearnerState) -> Progress:
    skills = tuple(
        SkillProgress(
            key=skill.key,
            title=skill.title,
            progress=state.skill(skill.key).progress,
            mastered=state.skill(skill.key).mastered,
            answers=state.skill(skill.key).answers,
            probability=mastery(state, skill.key).probability,
            uncertainty=state.skill(skill.key).uncertainty,
        )
        for skill in activity.skills
    )
    mastered = all(skill.mastered for skill in skills)
    mean = math.fsum(skill.progress for skill in skills) / len(skills)
    return Progress(1.0 if mastered else min(mean, 0.999), mastered, skills)
