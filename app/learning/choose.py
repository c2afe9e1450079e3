"""What comes next: one question, or the end.

The rules, in order. A skill is open while it is not mastered, all its prerequisites are, and it
has been asked about less than `max_answers` times in this attempt. The engine stays with the
skill of the last question until that is mastered; after three errors in a row it rests the skill
for a question if another is open. Of the items that ask only for skills the learner has reached,
those seen least come first, then those whose chance of success is nearest the target; never the
item just answered. Ties are broken by a hash of the seed, so that two learners differ and one
learner's attempt can be replayed. Each question counts towards its skill's limit, so that every
attempt ends.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from app.learning import graph
from app.learning.content import Activity, Choice, Item, MultipleChoice, SingleChoice
from app.learning.estimate import Parameters, predict
from app.learning.state import LearnerState

_REST_AFTER = 3
_NEAR = 0.05
_MAX_REJECTED = 8


@dataclass(frozen=True, slots=True)
class Answered:
    """One answer of the attempt, oldest first in a history.

    id: of the stored answer · item, skill: asked and meant · score: 0 to 1 · at: aware, UTC
    """

    id: str
    item: str
    skill: str
    score: float
    at: datetime


@dataclass(frozen=True, slots=True)
class Rejected:
    """An alternative that was not taken, and why.

    kind: skill or item · reason: mastered, locked, exhausted, resting or later for a skill;
    just_answered, beyond_reach, seen or further_from_target for an item
    because: the skill that decided (a missing prerequisite), or empty
    """

    kind: Literal["skill", "item"]
    key: str
    reason: str
    because: str = ""

    def to_json(self) -> dict[str, Any]:
        return {"kind": self.kind, "key": self.key, "reason": self.reason, "because": self.because}


@dataclass(frozen=True, slots=True)
class Ask:
    """The next question. `resource` is offered beside it after repeated errors."""

    item: str
    skill: str
    probability: float
    rejected: tuple[Rejected, ...]
    resource: str | None = None
    errors_in_a_row: int = 0


@dataclass(frozen=True, slots=True)
class Done:
    """The end of the attempt: everything mastered, or nothing left to ask for now."""

    reason: Literal["mastered", "exhausted"]
    rejected: tuple[Rejected, ...]


Decision = Ask | Done


def choose(
    activity: Activity,
    parameters: Parameters,
    state: LearnerState,
    history: Sequence[Answered],
    seed: str,
) -> Decision:
    """The next step of an attempt; the same arguments always give the same decision."""
    asked = Counter(answer.skill for answer in history)
    refused: list[Rejected] = []
    open_skills: list[str] = []
    for key in graph.in_order(activity):
        why = _closed(activity, state, asked, key)
        if why:
            refused.append(why)
        else:
            open_skills.append(key)
    if not open_skills:
        mastered = all(why.reason == "mastered" for why in refused)
        return Done("mastered" if mastered else "exhausted", tuple(refused))
    skill, others = _pick_skill(open_skills, history)
    item, passed_over = _pick_item(activity, parameters, state, history, skill, seed)
    errors = errors_in_a_row(history, skill)
    return Ask(
        item=item.key,
        skill=skill,
        probability=predict(parameters, state, item.key, item.skills).probability,
        rejected=(*refused, *others, *passed_over),
        resource=_remedy(activity, skill, errors),
        errors_in_a_row=errors,
    )


def shuffled(item: Item, seed: str) -> tuple[Choice, ...]:
    """The choices in the order this learner sees them; empty for a short answer."""
    question = item.question
    if not isinstance(question, SingleChoice | MultipleChoice):
        return ()
    return tuple(sorted(question.choices, key=lambda c: _lot(seed, f"{item.key}/{c.key}")))


def errors_in_a_row(history: Sequence[Answered], skill: str) -> int:
    """How many of the latest answers meant for this skill were not right."""
    count = 0
    for answer in reversed(history):
        if answer.skill == skill:
            if answer.score >= 1:
                break
            count += 1
    return count


def _closed(
    activity: Activity, state: LearnerState, asked: Counter[str], key: str
) -> Rejected | None:
    if state.skill(key).mastered:
        return Rejected("skill", key, "mastered")
    skill = activity.skill(key)
    for needed in skill.prerequisites if skill else ():
        if not state.skill(needed).mastered:
            return Rejected("skill", key, "locked", because=needed)
    if asked[key] >= activity.policy.max_answers:
        return Rejected("skill", key, "exhausted")
    return None


def _pick_skill(open_skills: list[str], history: Sequence[Answered]) -> tuple[str, list[Rejected]]:
    last = history[-1].skill if history else ""
    tail = history[-_REST_AFTER:]
    tired = len(tail) == _REST_AFTER and all(a.skill == last and a.score < 1 for a in tail)
    rested = [key for key in open_skills if key != last] if tired else []
    taken = last if last in open_skills and not rested else (rested or open_skills)[0]
    others = [
        Rejected("skill", key, "resting" if rested and key == last else "later")
        for key in open_skills
        if key != taken
    ]
    return taken, others


def _pick_item(
    activity: Activity,
    parameters: Parameters,
    state: LearnerState,
    history: Sequence[Answered],
    skill: str,
    seed: str,
) -> tuple[Item, list[Rejected]]:
    above = graph.ancestors(activity)
    reached = {skill, *above[skill]}
    for other in activity.skills:
        if all(state.skill(needed).mastered for needed in other.prerequisites):
            reached.add(other.key)
    just = history[-1].item if history else ""

    def rank(item: Item) -> tuple[int, int, str]:
        chance = predict(parameters, state, item.key, item.skills).probability
        # Near enough is equal: else everyone would meet the items in one order.
        away = round(abs(chance - activity.policy.target_success) / _NEAR)
        return state.seen.get(item.key, 0), away, _lot(seed, item.key)

    ranked = sorted(activity.items_of(skill), key=rank)
    fit = [i for i in ranked if i.key != just and graph.usable(i, frozenset(reached))]
    taken = fit[0]
    passed_over: list[Rejected] = []
    for item in ranked:
        if item is taken or len(passed_over) == _MAX_REJECTED:
            continue
        beyond = next((key for key in item.skills if key not in reached), "")
        reason = "further_from_target"
        if beyond:
            reason = "beyond_reach"
        elif item.key == just:
            reason = "just_answered"
        elif state.seen.get(item.key, 0) > state.seen.get(taken.key, 0):
            reason = "seen"
        passed_over.append(Rejected("item", item.key, reason, beyond))
    return taken, passed_over


def _remedy(activity: Activity, skill: str, errors: int) -> str | None:
    """A resource at every `remediate_after`-th error in a row, each time the next one."""
    after = activity.policy.remediate_after
    resources = activity.resources_of(skill)
    if not resources or errors == 0 or errors % after:
        return None
    return resources[(errors // after - 1) % len(resources)].key


def _lot(seed: str, key: str) -> str:
    return hashlib.sha256(f"{len(seed)}:{seed}{key}".encode()).hexdigest()
