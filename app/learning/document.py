"""Reading an activity from its JSON document, format `ostiary.activity/1`.

    {"format": "ostiary.activity/1", "slug", "title", "description", "language": "en",
     "policy": {"mastery", "min_answers", "target_success", "max_answers", "remediate_after"},
     "skills":    [{"key", "title", "prerequisites": [skill key, ...]}],
     "items":     [{"key", "skills": [...], "difficulty": logits, "prompt", "explanation",
                    "feedback": {"right", "wrong"}, "type", and by type
                    single_choice:   "choices": [{"key", "text", "feedback"}], "correct": key
                    multiple_choice: "choices" alike, "correct": [key, ...]
                    short_answer:    "accepted": [text, ...], "case_sensitive": false
                                     or "numeric": {"value", "tolerance", "unit"}}],
     "resources": [{"key", "title", "body", "skills": [...]}]}

Optional are policy and each of its members, prerequisites, difficulty (0), feedback,
case_sensitive, tolerance (0), unit, resources. Everything else is required, anything unknown
is refused, everything has a bound.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any, TypeVar

from app.learning import graph
from app.learning.content import (
    FORMAT,
    Activity,
    Choice,
    Item,
    MultipleChoice,
    Policy,
    Question,
    Resource,
    ShortNumber,
    ShortText,
    SingleChoice,
    Skill,
)
from app.learning.errors import ContentInvalid, Malformed, Problem
from app.learning.reader import Node

MAX_BYTES = 2_000_000
MAX_SKILLS = 100
MAX_ITEMS = 2000
MAX_RESOURCES = 200
MAX_PROBLEMS = 20
MAX_DIFFICULTY = 4.0
MAX_NUMBER = 1e12
_TITLE, _TEXT, _BODY, _ANSWER = 200, 4000, 20_000, 200
_LANGUAGE = re.compile(r"[a-z]{2,3}(-[A-Za-z0-9]{2,8}){0,3}")
_REQUIRED = ("format", "slug", "title", "description", "language", "skills", "items")

T = TypeVar("T")


def load(text: str | bytes) -> Activity:
    """Parse a document as it was uploaded (UTF-8). Raises ContentInvalid."""
    if len(text) > MAX_BYTES:
        raise ContentInvalid((Problem("document", f"is larger than {MAX_BYTES} bytes"),))
    try:
        value = json.loads(text, object_pairs_hook=_no_duplicates, parse_constant=_no_constant)
    except Malformed as error:
        raise ContentInvalid((error.problem,)) from error
    except (ValueError, RecursionError) as error:
        raise ContentInvalid((Problem("document", f"is not JSON: {error}"),)) from error
    return parse(value)


def parse(document: object) -> Activity:
    """A decoded document to a checked activity. Raises ContentInvalid with every problem."""
    problems: list[Problem] = []
    root = Node(document, "")
    try:
        activity = _activity(root, problems)
    except Malformed as error:
        raise ContentInvalid((*problems, error.problem)[:MAX_PROBLEMS]) from error
    # The parts must be sound one by one before it means anything to compare them.
    problems = problems or graph.problems(activity)
    if problems:
        raise ContentInvalid(tuple(problems[:MAX_PROBLEMS]))
    return activity


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise Malformed("document", f"the member {twice[:64]!r} stands twice in one object")
    return value


def _no_constant(name: str) -> None:
    raise Malformed("document", f"{name} is not a JSON number")


def _activity(root: Node, problems: list[Problem]) -> Activity:
    part = root.members(_REQUIRED, ("policy", "resources"))
    if part["format"].value != FORMAT:
        part["format"].fail(f"must be {FORMAT!r}")
    language = part["language"].text(35)
    if not _LANGUAGE.fullmatch(language):
        part["language"].fail("must be a language tag such as en or pt-BR")

    def each(node: Node, least: int, most: int, read: Callable[[Node], T]) -> tuple[T, ...]:
        found = []
        for element in node.elements(least, most):
            try:
                found.append(read(element))
            except Malformed as error:
                problems.append(error.problem)
        return tuple(found)

    return Activity(
        slug=part["slug"].key(),
        title=part["title"].text(_TITLE),
        description=part["description"].text(_TEXT, least=0),
        language=language,
        policy=_policy(part["policy"]) if "policy" in part else Policy(),
        skills=each(part["skills"], 1, MAX_SKILLS, _skill),
        items=each(part["items"], 1, MAX_ITEMS, _item),
        resources=each(part["resources"], 0, MAX_RESOURCES, _resource)
        if "resources" in part
        else (),
    )


def _policy(node: Node) -> Policy:
    usual = Policy()
    part = node.members((), tuple(usual.to_json()))

    def get(name: str) -> Node:
        return part.get(name, Node(usual.to_json()[name], f"{node.place}.{name}"))

    policy = Policy(
        mastery=get("mastery").number(0.6, 0.99),
        min_answers=get("min_answers").integer(1, 20),
        target_success=get("target_success").number(0.3, 0.95),
        max_answers=get("max_answers").integer(1, 100),
        remediate_after=get("remediate_after").integer(1, 10),
    )
    if policy.max_answers < policy.min_answers:
        get("max_answers").fail("must not be less than min_answers")
    return policy


def _skill(node: Node) -> Skill:
    part = node.members(("key", "title"), ("prerequisites",))
    prerequisites = part["prerequisites"].keys(0, 20) if "prerequisites" in part else ()
    return Skill(part["key"].key(), part["title"].text(_TITLE), prerequisites)


def _resource(node: Node) -> Resource:
    part = node.members(("key", "title", "body", "skills"))
    return Resource(
        key=part["key"].key(),
        title=part["title"].text(_TITLE),
        body=part["body"].text(_BODY),
        skills=part["skills"].keys(1, 20),
    )


_COMMON = ("key", "skills", "prompt", "explanation", "type")
_SPARE = ("difficulty", "feedback")


def _item(node: Node) -> Item:
    if not isinstance(node.value, dict):
        node.fail("must be an object")
    kind = Node(node.value.get("type"), f"{node.place}.type").one_of(_QUESTIONS)
    question, names, optional = _QUESTIONS[kind]
    part = node.members((*_COMMON, *names), (*_SPARE, *optional))
    feedback = part["feedback"].members((), ("right", "wrong")) if "feedback" in part else {}
    return Item(
        key=part["key"].key(),
        skills=part["skills"].keys(1, 5),
        prompt=part["prompt"].text(_TEXT),
        question=question(node, part),
        explanation=part["explanation"].text(_TEXT),
        difficulty=part["difficulty"].number(-MAX_DIFFICULTY, MAX_DIFFICULTY)
        if "difficulty" in part
        else 0.0,
        feedback_right=feedback["right"].text(_TEXT) if "right" in feedback else "",
        feedback_wrong=feedback["wrong"].text(_TEXT) if "wrong" in feedback else "",
    )


def _choices(node: Node) -> tuple[Choice, ...]:
    found: dict[str, Choice] = {}
    for element in node.elements(2, 12):
        part = element.members(("key", "text"), ("feedback",))
        choice = Choice(
            key=part["key"].key(),
            text=part["text"].text(1000),
            feedback=part["feedback"].text(_TEXT) if "feedback" in part else "",
        )
        if choice.key in found:
            part["key"].fail(f"{choice.key!r} stands twice")
        if choice.text.strip() in {other.text.strip() for other in found.values()}:
            part["text"].fail("says the same as another choice")
        found[choice.key] = choice
    return tuple(found.values())


def _single(_: Node, part: dict[str, Node]) -> Question:
    choices = _choices(part["choices"])
    return SingleChoice(choices, part["correct"].one_of([choice.key for choice in choices]))


def _multiple(_: Node, part: dict[str, Node]) -> Question:
    choices = _choices(part["choices"])
    correct = part["correct"].keys(1, len(choices))
    known = [choice.key for choice in choices]
    for key in correct:
        if key not in known:
            part["correct"].fail(f"{key!r} is none of the choices")
    return MultipleChoice(choices, tuple(key for key in known if key in correct))


def _short(node: Node, part: dict[str, Node]) -> Question:
    if ("accepted" in part) == ("numeric" in part):
        node.fail("a short answer has either 'accepted' or 'numeric'")
    if "numeric" in part:
        if "case_sensitive" in part:
            part["case_sensitive"].fail("has no meaning for a number")
        number = part["numeric"].members(("value",), ("tolerance", "unit"))
        return ShortNumber(
            value=number["value"].number(-MAX_NUMBER, MAX_NUMBER),
            tolerance=number["tolerance"].number(0, MAX_NUMBER) if "tolerance" in number else 0.0,
            unit=number["unit"].text(20).strip() if "unit" in number else "",
        )
    accepted = []
    for element in part["accepted"].elements(1, 20):
        text = element.text(_ANSWER)
        # The record of the answer (xAPI fill-in) keeps this sign for itself.
        if "[,]" in text:
            element.fail("must not hold '[,]'")
        accepted.append(text)
    sensitive = part["case_sensitive"].boolean() if "case_sensitive" in part else False
    return ShortText(tuple(accepted), case_sensitive=sensitive)


_Read = Callable[[Node, dict[str, Node]], Question]
_QUESTIONS: dict[str, tuple[_Read, tuple[str, ...], tuple[str, ...]]] = {
    "single_choice": (_single, ("choices", "correct"), ()),
    "multiple_choice": (_multiple, ("choices", "correct"), ()),
    "short_answer": (_short, (), ("accepted", "numeric", "case_sensitive")),
}
