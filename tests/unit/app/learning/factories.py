"""Small activities and attempts for the engine's tests."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from app.learning.choose import Answered, Ask, Decision, choose
from app.learning.content import Activity, Item
from app.learning.document import parse
from app.learning.estimate import parameters_of
from app.learning.mastery import update
from app.learning.state import LearnerState

NOW = datetime(2026, 3, 4, 9, 30, tzinfo=UTC)


def item(key: str = "q1", skills: tuple[str, ...] = ("a",), **changes: Any) -> dict[str, Any]:
    choices = [{"key": k, "text": f"choice {k}", "feedback": f"about {k}"} for k in "wxyz"]
    return {
        "key": key,
        "skills": list(skills),
        "type": "single_choice",
        "prompt": "Which?",
        "choices": choices,
        "correct": "x",
        "explanation": "Because.",
        **changes,
    }


def document(**changes: Any) -> dict[str, Any]:
    """Two skills, b after a, four items each, one resource each."""
    return {
        "format": "ostiary.activity/1",
        "slug": "demo",
        "title": "Demo",
        "description": "",
        "language": "en",
        "skills": [
            {"key": "a", "title": "Skill A"},
            {"key": "b", "title": "Skill B", "prerequisites": ["a"]},
        ],
        "items": [item(f"{s}{i}", (s,), difficulty=i / 2 - 1) for s in "ab" for i in range(4)],
        "resources": [
            {"key": f"r{s}{i}", "title": "Read", "body": "Text.", "skills": [s]}
            for s in "ab"
            for i in range(2)
        ],
        **changes,
    }


def wide(skills: int = 5, items: int = 8, **policy: Any) -> Activity:
    """A course of several skills with some prerequisites, difficulties from -1.2 to 1.2."""
    keys = [f"s{i}" for i in range(skills)]
    needs = {"s1": ["s0"], "s3": ["s1", "s2"]}
    return parse(
        document(
            policy=policy,
            skills=[{"key": k, "title": k, "prerequisites": needs.get(k, [])} for k in keys],
            items=[
                item(f"{k}-{j}", (k,), difficulty=-1.2 + 2.4 * j / (items - 1))
                for k in keys
                for j in range(items)
            ],
            resources=[],
        )
    )


def attempt(
    activity: Activity,
    respond: Callable[[Item], float],
    seed: str = "seed",
    state: LearnerState | None = None,
) -> tuple[list[Answered], LearnerState, Decision, list[Decision]]:
    """Answer until the engine ends the attempt; gives all decisions too."""
    parameters, now = parameters_of(activity), state or LearnerState()
    history: list[Answered] = []
    decisions: list[Decision] = []
    while True:
        decision = choose(activity, parameters, now, history, seed)
        decisions.append(decision)
        if not isinstance(decision, Ask):
            return history, now, decision, decisions
        asked = activity.item(decision.item)
        assert asked is not None
        score = respond(asked)
        now = update(parameters, now, asked, score, activity.policy)
        history.append(Answered(str(len(history)), asked.key, decision.skill, score, NOW))
        assert len(history) <= 1000, "the engine does not end"
