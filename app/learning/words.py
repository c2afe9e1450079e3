"""The sentences of an explanation: one voice to the learner, one to the manager."""

from __future__ import annotations

from app.learning.choose import Ask, Decision
from app.learning.content import Activity
from app.learning.mastery import mastery
from app.learning.state import LearnerState

_COUNT = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
_OFTEN = 3


def for_learner(
    activity: Activity, state: LearnerState, decision: Decision, ahead: int | None
) -> str:
    """Why this question, to who is asked it; `ahead` right answers would master the skill."""
    if not isinstance(decision, Ask):
        if decision.reason == "mastered":
            return "You have shown every skill of this activity. There is nothing left to prove."
        return (
            f"You have had all the questions we ask in one go about {_unfinished(activity, state)}."
            " Read the resources, take a break and start again: what you have shown is kept."
        )
    title = _title(activity, decision.skill)
    known = state.skill(decision.skill)
    parts = [f"This question is about “{title}”."]
    if known.answers == 0:
        parts.append("It is the first one on this skill, so we are finding out where you stand.")
    else:
        parts.append(
            f"So far you have {known.right} right of {known.answers} on it, and we are"
            f" {_percent(state, decision.skill)} sure that you have mastered it."
        )
    needed = _needed(activity, decision.skill)
    if needed and known.answers == 0:
        parts.append(f"It builds on {needed}, which you have shown.")
    if decision.resource:
        parts.append("The last answers missed, so there is something to read beside it.")
    parts.append(
        f"We picked it because your chance to be right is about {decision.probability:.0%}:"
        " neither too easy nor out of reach."
    )
    if ahead:
        parts.append(f"{_answers(ahead)} from here would complete this skill.")
    return " ".join(parts)


def for_manager(
    activity: Activity, state: LearnerState, decision: Decision, ahead: int | None
) -> str:
    """The same to who answers for the learner's training: figures and rules, no judgement."""
    policy = activity.policy
    if not isinstance(decision, Ask):
        if decision.reason == "mastered":
            return (
                f"Ended: each of the {len(activity.skills)} skills reached the threshold of"
                f" {policy.mastery:.0%} with at least {policy.min_answers} different questions."
            )
        return (
            f"Ended without mastery of {_unfinished(activity, state)}: the limit of"
            f" {policy.max_answers} questions on a skill in one attempt was reached."
        )
    known = state.skill(decision.skill)
    parts = [
        f"Asked “{decision.item}” for the skill “{_title(activity, decision.skill)}”.",
        (
            f"Mastery estimate {_percent(state, decision.skill)}, threshold {policy.mastery:.0%},"
            f" {known.items} of at least {policy.min_answers} different questions answered."
        ),
        f"Predicted success {decision.probability:.0%}, target {policy.target_success:.0%}.",
    ]
    if decision.resource:
        parts.append(
            f"{decision.errors_in_a_row} errors in a row: the resource"
            f" “{decision.resource}” was offered."
        )
    if ahead:
        parts.append(f"{_answers(ahead)} in a row would reach mastery.")
    parts.append("Only answers in this activity were used; no personal attribute was.")
    return " ".join(parts)


def _title(activity: Activity, key: str) -> str:
    skill = activity.skill(key)
    return skill.title if skill else key


def _needed(activity: Activity, key: str) -> str:
    skill = activity.skill(key)
    return " and ".join(f"“{_title(activity, k)}”" for k in (skill.prerequisites if skill else ()))


def _unfinished(activity: Activity, state: LearnerState) -> str:
    titles = [f"“{s.title}”" for s in activity.skills if not state.skill(s.key).mastered]
    if len(titles) > _OFTEN:
        return f"{', '.join(titles[:_OFTEN])} and {len(titles) - _OFTEN} more"
    return " and ".join(titles)


def _percent(state: LearnerState, key: str) -> str:
    """A probability in whole per cent, never a false 100% or 0%."""
    return f"{min(max(mastery(state, key).probability, 0.01), 0.99):.0%}"


def _answers(count: int) -> str:
    word = _COUNT[count].capitalize() if count < len(_COUNT) else str(count)
    return f"{word} right answer{'' if count == 1 else 's'}"
