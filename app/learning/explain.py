"""Why the engine did what it did, as a JSON value that is stored with the decision.

It holds the decision and the rule behind it, the evidence with dates and sources, the profile
fields used (none: the engine sees answers only), signed contributions that sum exactly to each
estimate, uncertainty and threshold, the alternatives rejected, what would change the outcome,
who can override and how to contest, a wording for the learner and one for the manager, and the
inputs, so that `replay` can take the same decision again.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from app.learning import words
from app.learning.choose import Answered, Ask, Decision, choose
from app.learning.content import Activity
from app.learning.errors import Malformed, StateInvalid
from app.learning.estimate import Parameters, predict
from app.learning.mastery import mastery, threshold, update
from app.learning.reader import Node
from app.learning.state import MODEL, LearnerState

FORMAT = "ostiary.decision/1"
_LOOK_AHEAD = 10
_MAX_EVIDENCE = 20
_MAX_HISTORY = 10_000


@dataclass(frozen=True, slots=True)
class Oversight:
    """Who can override a decision and how a learner contests it, in the tenant's words."""

    override: str
    contest: str


@dataclass(frozen=True, slots=True)
class Inputs:
    """Everything a decision was taken from. content_version: the stored version of the activity."""

    activity: Activity
    content_version: int
    parameters: Parameters
    state: LearnerState
    history: tuple[Answered, ...]
    seed: str


def explain(
    decision_id: str, inputs: Inputs, decision: Decision, now: datetime, oversight: Oversight
) -> dict[str, Any]:
    """The explanation of a decision that `choose` took from these inputs, as a JSON value."""
    ahead = rights_to_mastery(inputs, decision)
    return {
        "format": FORMAT,
        "id": decision_id,
        "at": _iso(now),
        "activity": inputs.activity.slug,
        "decision": _decision(decision),
        "goal": _goal(inputs, decision),
        "evidence": _evidence(inputs, decision),
        "profile": [],
        "estimates": _estimates(inputs, decision),
        "rejected": [why.to_json() for why in decision.rejected],
        "counterfactual": _counterfactual(inputs, decision, ahead),
        "override": oversight.override,
        "contest": oversight.contest,
        "wording": {
            "learner": words.for_learner(inputs.activity, inputs.state, decision, ahead),
            "manager": words.for_manager(inputs.activity, inputs.state, decision, ahead),
        },
        "inputs": {
            "model": MODEL,
            "parameters": inputs.parameters.version,
            "content_version": inputs.content_version,
            "content_digest": inputs.activity.digest,
            "state": inputs.state.to_json(),
            "history": [_answered(answer) for answer in inputs.history],
            "seed": inputs.seed,
        },
    }


def replay(
    explanation: dict[str, Any], activity: Activity, parameters: Parameters
) -> tuple[Decision, bool]:
    """Take a stored decision again; also whether it came out the same.

    `activity` and `parameters` are those of the versions named in the inputs. Raises
    StateInvalid where the record cannot be read or these are of other versions.
    """
    try:
        kept = Node(explanation.get("inputs"), "inputs").members(
            ("model", "parameters", "content_version", "content_digest", "state", "history", "seed")
        )
        kept["model"].one_of((MODEL,))
        kept["parameters"].one_of((parameters.version,))
        kept["content_digest"].one_of((activity.digest,))
        history = [_read_answered(node) for node in kept["history"].elements(0, _MAX_HISTORY)]
        seed = kept["seed"].text(200, least=0)
    except Malformed as error:
        raise StateInvalid(error.problem.place, error.problem.message) from error
    state = LearnerState.from_json(kept["state"].value)
    decision = choose(activity, parameters, state, history, seed)
    same = _decision(decision) == explanation.get("decision")
    return decision, same and [r.to_json() for r in decision.rejected] == explanation.get(
        "rejected"
    )


def rights_to_mastery(inputs: Inputs, decision: Decision) -> int | None:
    """How many right answers from here master the skill asked about; None if over ten."""
    if not isinstance(decision, Ask):
        return None
    state, skill, step = inputs.state, decision.skill, decision
    history = list(inputs.history)
    for count in range(1, _LOOK_AHEAD + 1):
        item = inputs.activity.item(step.item)
        if item is None:
            return None
        state = update(inputs.parameters, state, item, 1.0, inputs.activity.policy)
        if state.skill(skill).mastered:
            return count
        # The time plays no part in a choice; the last answer's or any other will do.
        at = history[-1].at if history else datetime.min.replace(tzinfo=UTC)
        history.append(Answered("", step.item, step.skill, 1.0, at))
        following = choose(inputs.activity, inputs.parameters, state, history, inputs.seed)
        if not isinstance(following, Ask) or following.skill != skill:
            return None
        step = following
    return None


def _decision(decision: Decision) -> dict[str, Any]:
    if isinstance(decision, Ask):
        return {
            "action": "ask",
            "item": decision.item,
            "skill": decision.skill,
            "resource": decision.resource,
        }
    return {"action": "done", "reason": decision.reason}


def _goal(inputs: Inputs, decision: Decision) -> dict[str, Any]:
    policy = inputs.activity.policy
    rule = "all_mastered_or_asked_enough"
    if isinstance(decision, Ask):
        rule = "remediate_and_ask" if decision.resource else "first_open_skill_nearest_target"
    return {
        "rule": rule,
        "policy": policy.to_json(),
        "threshold": {"probability": policy.mastery, "logits": threshold(policy)},
    }


def _evidence(inputs: Inputs, decision: Decision) -> list[dict[str, Any]]:
    """The attempt's answers that bear on the skill (on all where it ends), newest first."""
    found = []
    for answer in reversed(inputs.history):
        item = inputs.activity.item(answer.item)
        touched = item.skills if item else ()
        if isinstance(decision, Ask) and decision.skill not in touched:
            continue
        found.append({"source": "answer", **_answered(answer)})
    return found[:_MAX_EVIDENCE]


def _estimates(inputs: Inputs, decision: Decision) -> dict[str, Any]:
    skills = [skill.key for skill in inputs.activity.skills]
    success = None
    if isinstance(decision, Ask):
        skills = [decision.skill]
        item = inputs.activity.item(decision.item)
        touched = item.skills if item else ()
        success = predict(inputs.parameters, inputs.state, decision.item, touched).to_json()
    return {
        "mastery": {
            key: {
                **mastery(inputs.state, key).to_json(),
                "mastered": inputs.state.skill(key).mastered,
                "answers": inputs.state.skill(key).answers,
                "ability_standard_error": inputs.state.skill(key).uncertainty,
            }
            for key in skills
        },
        "success": success,
    }


def _counterfactual(inputs: Inputs, decision: Decision, ahead: int | None) -> dict[str, Any] | None:
    """Where the belief would stand after a right and after a wrong answer to this question."""
    item = inputs.activity.item(decision.item) if isinstance(decision, Ask) else None
    if item is None or not isinstance(decision, Ask):
        return None
    policy = inputs.activity.policy
    after = [update(inputs.parameters, inputs.state, item, score, policy) for score in (1.0, 0.0)]
    right, wrong = (mastery(state, decision.skill).probability for state in after)
    return {"if_right": right, "if_wrong": wrong, "right_answers_to_mastery": ahead}


def _answered(answer: Answered) -> dict[str, Any]:
    return {
        "id": answer.id,
        "item": answer.item,
        "skill": answer.skill,
        "score": answer.score,
        "at": _iso(answer.at),
    }


def _read_answered(node: Node) -> Answered:
    part = node.members(("id", "item", "skill", "score", "at"))
    try:
        at = datetime.fromisoformat(part["at"].text(40))
    except ValueError:
        part["at"].fail("is not a time")
    return Answered(
        id=part["id"].text(100, least=0),
        item=part["item"].key(),
        skill=part["skill"].key(),
        score=part["score"].number(0, 1),
        at=at,
    )


def _iso(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
