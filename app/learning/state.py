"""What the engine remembers of a learner in one activity.

All stored logits are multiples of 2**-20 and bounded, so that their sums are exact in any order
and no answer, however odd, leads to an infinity or NaN.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from app.learning.errors import Malformed, StateInvalid
from app.learning.reader import Node

MODEL = "elo-sprt/1"
BOUND = 6.0
MOST = 1_000_000
_QUANTUM = 2.0**-20
MAX_PART = 256.0
_MAX_SKILLS, _MAX_ITEMS = 1000, 10_000
# Before any answer an ability is thought to lie within ±1 logit (one standard error).
_PRIOR_INFORMATION = 1.0


def settle(logits: float, bound: float = BOUND) -> float:
    """The nearest multiple of 2**-20 within the bound."""
    return round(min(bound, max(-bound, logits)) / _QUANTUM) * _QUANTUM


@dataclass(frozen=True, slots=True)
class Rate:
    """How fast a parameter learns: K = k/(1+c·n) after n answers."""

    k: float
    c: float

    def at(self, n: int) -> float:
        return self.k / (1 + self.c * n)


@dataclass(frozen=True, slots=True)
class Level:
    """A parameter in logits and the number of answers it has learned from."""

    value: float = 0.0
    n: int = 0

    def moved(self, rate: Rate, surprise: float) -> Level:
        return Level(settle(self.value + rate.at(self.n) * surprise), min(self.n + 1, MOST))


@dataclass(frozen=True, slots=True)
class Belief:
    """Log-odds that a skill is mastered, kept as its parts.

    prior: before the answers that are kept apart · right, wrong: what the answers say · practice: what is
    learned by answering. Their sum is the belief.
    """

    prior: float = 0.0
    right: float = 0.0
    wrong: float = 0.0
    practice: float = 0.0

    @property
    def logit(self) -> float:
        return self.prior + self.right + self.wrong + self.practice

    def condensed(self) -> Belief:
        """The same belief, its history folded into the prior once a part has grown too long."""
        parts = (self.right, self.wrong, self.practice)
        return Belief(prior=self.logit) if max(map(abs, parts)) > MAX_PART else self


@dataclass(frozen=True, slots=True)
class SkillState:
    """A learner on one skill.

    ability: logits, beside the global one · right, wrong: answers · items: different ones
    information: Fisher information of the answers · mastered: never taken back
    progress: the furthest towards mastery so far, 0 to 1, and 1 only when mastered
    """

    ability: Level = field(default_factory=Level)
    belief: Belief = field(default_factory=Belief)
    right: int = 0
    wrong: int = 0
    items: int = 0
    information: float = 0.0
    mastered: bool = False
    progress: float = 0.0

    @property
    def answers(self) -> int:
        return self.right + self.wrong

    @property
    def uncertainty(self) -> float:
        """Standard error of the ability, in logits; 1 before any answer."""
        return 1 / math.sqrt(_PRIOR_INFORMATION + self.information)

    def to_json(self) -> dict[str, Any]:
        belief = self.belief
        return {
            "ability": self.ability.value,
            "belief": [belief.prior, belief.right, belief.wrong, belief.practice],
            "right": self.right,
            "wrong": self.wrong,
            "items": self.items,
            "information": self.information,
            "mastered": self.mastered,
            "progress": self.progress,
        }


_BLANK = SkillState()


@dataclass(frozen=True, slots=True)
class LearnerState:
    """A learner in one activity, over all attempts; a JSON value of bounded size.

    ability: global, logits · seen: how often each item was answered
    """

    ability: Level = field(default_factory=Level)
    skills: Mapping[str, SkillState] = field(default_factory=dict)
    seen: Mapping[str, int] = field(default_factory=dict)

    def skill(self, key: str) -> SkillState:
        return self.skills.get(key, _BLANK)

    def to_json(self) -> dict[str, Any]:
        return {
            "model": MODEL,
            "ability": self.ability.value,
            "answers": self.ability.n,
            "skills": {key: skill.to_json() for key, skill in sorted(self.skills.items())},
            "seen": dict(sorted(self.seen.items())),
        }

    @staticmethod
    def from_json(value: object) -> LearnerState:
        """The inverse of `to_json`. Raises StateInvalid."""
        try:
            return _read_state(Node(value, "state"))
        except Malformed as error:
            raise StateInvalid(error.problem.place, error.problem.message) from error


def _read_state(node: Node) -> LearnerState:
    part = node.members(("model", "ability", "answers", "skills", "seen"))
    part["model"].one_of((MODEL,))
    ability = Level(_logits(part["ability"], BOUND), part["answers"].integer(0, MOST))
    skills = {key: _read_skill(entry) for key, entry in part["skills"].entries(_MAX_SKILLS)}
    seen = {key: entry.integer(1, MOST) for key, entry in part["seen"].entries(_MAX_ITEMS)}
    return LearnerState(ability, skills, seen)


def _logits(node: Node, bound: float) -> float:
    return settle(node.number(-bound, bound), bound)


def _read_skill(node: Node) -> SkillState:
    part = node.members(_BLANK.to_json())
    right, wrong = part["right"].integer(0, MOST), part["wrong"].integer(0, MOST)
    belief = [_logits(each, MAX_PART) for each in part["belief"].elements(4, 4)]
    return SkillState(
        ability=Level(_logits(part["ability"], BOUND), min(right + wrong, MOST)),
        belief=Belief(*belief),
        right=right,
        wrong=wrong,
        items=part["items"].integer(0, right + wrong),
        information=part["information"].number(0, MOST),
        mastered=part["mastered"].boolean(),
        progress=part["progress"].number(0, 1),
    )
