"""Whether a skill is mastered: a sequential test of two levels (Wald), with learning between.

A master's and a beginner's chance of success on an item follow from its difficulty and from how
well it can be guessed. Each answer adds the log of their ratio to the belief, so that a hard
item answered right proves much and an easy one missed speaks loudly; each answer also teaches a
little. A skill is mastered at a right answer that brings the belief to the policy's threshold,
with enough different items behind it; it is never taken back, and no answer to another skill
can bring it about.
"""

from __future__ import annotations

import math
from dataclasses import replace

from app.learning.content import Item, MultipleChoice, Policy, Question, SingleChoice
from app.learning.estimate import Contribution, Estimate, Parameters, learn, logistic, novelty
from app.learning.state import Belief, LearnerState, SkillState, settle

_MASTER, _BEGINNER = 1.9, -1.3
_SLIP = 0.07
_MIN_GUESS = 0.02
# A quarter or so are masters before they begin; a strong learner a little likelier.
_PRIOR, _PRIOR_BY_ABILITY, _PRIOR_MOST = -1.0, 0.5, 0.5
_LEARNS = 0.12
_BELIEF_BOUND = 8.0
_UNFINISHED = 0.95


def update(
    parameters: Parameters, state: LearnerState, item: Item, score: float, policy: Policy
) -> LearnerState:
    """The state after an answer scored 0 to 1 (1 is right): abilities, beliefs and mastery."""
    after = learn(parameters, state, item.key, item.skills, score)
    weight = novelty(state, item.key)
    skills = dict(after.skills)
    for key in item.skills:
        belief = _weighed(parameters, state, key, item, score, weight)
        skills[key] = _judged(replace(skills[key], belief=belief), score, policy)
    return replace(after, skills=skills)


def mastery(state: LearnerState, skill: str) -> Estimate:
    """The belief that the skill is mastered, and its parts."""
    belief = believed(state, skill)
    parts = {
        "prior": belief.prior,
        "right": belief.right,
        "wrong": belief.wrong,
        "practice": belief.practice,
    }
    return Estimate(tuple(Contribution(term, skill, value) for term, value in parts.items()))


def believed(state: LearnerState, skill: str) -> Belief:
    """The belief as it stands, or the prior where nothing was answered yet."""
    known = state.skill(skill)
    if known.answers:
        return known.belief
    prior = _PRIOR + _PRIOR_BY_ABILITY * state.ability.value
    return Belief(prior=settle(min(prior, _PRIOR_MOST)))


def threshold(policy: Policy) -> float:
    """The policy's mastery as log-odds."""
    return math.log(policy.mastery / (1 - policy.mastery))


def guess(question: Question) -> float:
    """The chance to be right by picking blindly."""
    match question:
        case SingleChoice(choices=choices):
            return 1 / len(choices)
        case MultipleChoice(choices=choices):
            return max(_MIN_GUESS, float(1 / (2 ** len(choices) - 1)))
        case _:
            return _MIN_GUESS


def evidence(difficulty: float, guessed: float) -> tuple[float, float]:
    """What a right and a wrong answer add to the belief, in logits: above and below 0."""
    master = min(1 - _SLIP, logistic(_MASTER - difficulty))
    beginner = max(guessed, logistic(_BEGINNER - difficulty))
    # A very hard item that is easily guessed tells nothing; it must not tell the contrary.
    beginner = min(beginner, master)
    return math.log(master / beginner), math.log((1 - master) / (1 - beginner))


def _weighed(
    parameters: Parameters, state: LearnerState, key: str, item: Item, score: float, weight: float
) -> Belief:
    old = believed(state, key)
    level = parameters.items.get(item.key)
    difficulty = item.difficulty if level is None else level.value
    for_right, for_wrong = evidence(difficulty, guess(item.question))
    # An item of several skills says less about each of them.
    share = 1 / math.sqrt(len(item.skills))
    if score >= 1:
        seen = settle(for_right * weight * share)
        belief = replace(old, right=_bounded(old.right, seen, old))
    else:
        seen = settle(for_wrong * (1 - score) * share)
        belief = replace(old, wrong=_bounded(old.wrong, seen, old))
    return _practised(old, belief, right=score >= 1).condensed()


def _bounded(part: float, change: float, belief: Belief) -> float:
    """The part moved so far that the whole stays within ±8 logits."""
    low, high = -_BELIEF_BOUND - belief.logit, _BELIEF_BOUND - belief.logit
    return part + min(max(change, low), high)


def _practised(before: Belief, belief: Belief, *, right: bool) -> Belief:
    """Learning by answering: a part of what is not mastered becomes so.

    After a wrong answer it may soften the fall but never make a rise of it.
    """
    p = logistic(belief.logit)
    p += (1 - p) * _LEARNS
    gain = math.log(p / (1 - p)) - belief.logit
    room = _BELIEF_BOUND - belief.logit if right else before.logit - belief.logit
    return replace(belief, practice=belief.practice + settle(min(gain, max(0.0, room))))


def _judged(skill: SkillState, score: float, policy: Policy) -> SkillState:
    """Mastery and progress; both only ever go up."""
    belief, need = skill.belief, threshold(policy)
    enough = skill.items >= policy.min_answers
    if skill.mastered or (score >= 1 and enough and belief.logit >= need):
        return replace(skill, mastered=True, progress=1.0)
    share = (belief.logit - belief.prior) / max(need - belief.prior, 0.1)
    answered = min(1.0, skill.items / policy.min_answers)
    now = min(_UNFINISHED, max(0.0, share) * answered)
    return replace(skill, progress=max(skill.progress, now))
