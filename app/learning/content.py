"""What an activity is made of: skills, items, resources and the policy of mastery.

Texts are plain, with a tiny safe subset that the page renders: a blank line parts paragraphs,
`code` and *emphasis*. Nothing else is markup. `document.py` reads these values from JSON.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cached_property
from typing import Any

FORMAT = "ostiary.activity/1"


@dataclass(frozen=True, slots=True)
class Policy:
    """When a skill counts as mastered, and how items are picked.

    mastery: how sure it must be that a skill is mastered, 0.6 to 0.99
    min_answers: different items answered on a skill before it can be mastered
    target_success: the chance of success the next item should have
    max_answers: questions on one skill in one attempt before the engine stops asking
    remediate_after: errors in a row on a skill before a resource is offered
    """

    mastery: float = 0.95
    min_answers: int = 3
    target_success: float = 0.7
    max_answers: int = 15
    remediate_after: int = 2

    def to_json(self) -> dict[str, Any]:
        return {
            "mastery": self.mastery,
            "min_answers": self.min_answers,
            "target_success": self.target_success,
            "max_answers": self.max_answers,
            "remediate_after": self.remediate_after,
        }


@dataclass(frozen=True, slots=True)
class Skill:
    """Something to be able to do; asked about only once its prerequisites are mastered."""

    key: str
    title: str
    prerequisites: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        return {"key": self.key, "title": self.title, "prerequisites": list(self.prerequisites)}


@dataclass(frozen=True, slots=True)
class Choice:
    """One option; `feedback` is shown to who picked it."""

    key: str
    text: str
    feedback: str = ""

    def to_json(self) -> dict[str, Any]:
        feedback = {"feedback": self.feedback} if self.feedback else {}
        return {"key": self.key, "text": self.text, **feedback}


@dataclass(frozen=True, slots=True)
class SingleChoice:
    """One option is right."""

    choices: tuple[Choice, ...]
    correct: str

    def to_json(self) -> dict[str, Any]:
        choices = [choice.to_json() for choice in self.choices]
        return {"type": "single_choice", "choices": choices, "correct": self.correct}


@dataclass(frozen=True, slots=True)
class MultipleChoice:
    """Some options are right, at least one; `correct` is in the order of the choices."""

    choices: tuple[Choice, ...]
    correct: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        choices = [choice.to_json() for choice in self.choices]
        return {"type": "multiple_choice", "choices": choices, "correct": list(self.correct)}


@dataclass(frozen=True, slots=True)
class ShortText:
    """A word or a few; any of `accepted` is right."""

    accepted: tuple[str, ...]
    case_sensitive: bool = False

    def to_json(self) -> dict[str, Any]:
        return {
            "type": "short_answer",
            "accepted": list(self.accepted),
            "case_sensitive": self.case_sensitive,
        }


@dataclass(frozen=True, slots=True)
class ShortNumber:
    """A number, right within ± `tolerance`; the learner may write `unit` or leave it out."""

    value: float
    tolerance: float = 0.0
    unit: str = ""

    @property
    def bounds(self) -> tuple[Decimal, Decimal]:
        """The least and the greatest right answer, reckoned in decimals as the author wrote."""
        value, tolerance = Decimal(repr(self.value)), Decimal(repr(self.tolerance))
        return value - tolerance, value + tolerance

    def to_json(self) -> dict[str, Any]:
        numeric: dict[str, Any] = {"value": self.value, "tolerance": self.tolerance}
        if self.unit:
            numeric["unit"] = self.unit
        return {"type": "short_answer", "numeric": numeric}


Question = SingleChoice | MultipleChoice | ShortText | ShortNumber


@dataclass(frozen=True, slots=True)
class Item:
    """One question.

    difficulty: logits on the scale of ability; 0 where half of the newcomers are right,
        +1 harder (about 27%), -1 easier (about 73%)
    feedback_right, feedback_wrong: shown beside the feedback of the choices that were picked
    explanation: why the right answer is right, shown to everyone who answered
    """

    key: str
    skills: tuple[str, ...]
    prompt: str
    question: Question
    explanation: str
    difficulty: float = 0.0
    feedback_right: str = ""
    feedback_wrong: str = ""

    def to_json(self) -> dict[str, Any]:
        feedback = {"right": self.feedback_right, "wrong": self.feedback_wrong}
        return {
            "key": self.key,
            "skills": list(self.skills),
            "difficulty": self.difficulty,
            "prompt": self.prompt,
            **self.question.to_json(),
            "explanation": self.explanation,
            "feedback": {name: text for name, text in feedback.items() if text},
        }


@dataclass(frozen=True, slots=True)
class Resource:
    """Something to read when a skill does not come."""

    key: str
    title: str
    body: str
    skills: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        return {
            "key": self.key,
            "title": self.title,
            "body": self.body,
            "skills": list(self.skills),
        }


@dataclass(frozen=True)
class Activity:
    """An immutable version of an activity; made by `document.parse`, which checks it whole."""

    slug: str
    title: str
    description: str
    language: str
    skills: tuple[Skill, ...]
    items: tuple[Item, ...]
    resources: tuple[Resource, ...] = ()
    policy: Policy = field(default_factory=Policy)

    def to_json(self) -> dict[str, Any]:
        """The document of this activity; `parse` of it gives an equal value."""
        return {
            "format": FORMAT,
            "slug": self.slug,
            "title": self.title,
            "description": self.description,
            "language": self.language,
            "policy": self.policy.to_json(),
            "skills": [skill.to_json() for skill in self.skills],
            "items": [item.to_json() for item in self.items],
            "resources": [resource.to_json() for resource in self.resources],
        }

    @cached_property
    def digest(self) -> str:
        """SHA-256 (hex) of the canonical document: the same content has the same digest."""
        text = json.dumps(self.to_json(), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        return hashlib.sha256(text.encode()).hexdigest()

    @cached_property
    def _items(self) -> dict[str, Item]:
        return {item.key: item for item in self.items}

    @cached_property
    def _skills(self) -> dict[str, Skill]:
        return {skill.key: skill for skill in self.skills}

    def item(self, key: str) -> Item | None:
        return self._items.get(key)

    def skill(self, key: str) -> Skill | None:
        return self._skills.get(key)

    def items_of(self, skill: str) -> tuple[Item, ...]:
        return tuple(item for item in self.items if skill in item.skills)

    def resources_of(self, skill: str) -> tuple[Resource, ...]:
        return tuple(resource for resource in self.resources if skill in resource.skills)
