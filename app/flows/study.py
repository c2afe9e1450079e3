"""What a learner's page shows: the present state of their attempt, read in one snapshot."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from app.deps import Deps
from app.flows.learner import BySession, Door, Learner, enter
from app.flows.record import Record
from app.kernel.errors import Unauthenticated
from app.kernel.person import Person
from app.kernel.tenant import Tenant
from app.learning.choose import shuffled
from app.learning.content import (
    Activity,
    Choice,
    Item,
    MultipleChoice,
    Resource,
    ShortNumber,
    ShortText,
    SingleChoice,
    Skill,
)
from app.learning.progress import Progress, progress
from app.learning.score import Response, Scored, score
from app.learning.state import LearnerState
from app.store import activities, learning, sessions, statements
from app.store.activities import Published
from app.store.db import Read
from app.store.learning import Answer, Attempt, Learned
from app.xapi import interactions


@dataclass(frozen=True, slots=True)
class Asked:
    """The question on the page; `choices` in this learner's order, `resource` offered beside it."""

    decision_id: str
    number: int
    item: Item
    choices: tuple[Choice, ...]
    resource: Resource | None


@dataclass(frozen=True, slots=True)
class Feedback:
    """An answer that was taken. `mastered`: the skills that it completed · `right`: what is right"""

    answer: Answer
    item: Item
    scored: Scored
    given: tuple[str, ...]
    right: tuple[str, ...]
    mastered: tuple[Skill, ...]


@dataclass(frozen=True, slots=True)
class Study:
    """One learner at one activity. `attempt` is None before the first one.

    arrived: this launch is on record, so that a page needs to write nothing · why: the explanation
    of the present decision · best: the grade, 0 to 1 · completed: every skill was shown once ·
    newer: content that came out after a finished attempt
    """

    learner: Learner
    content: Activity
    progress: Progress
    arrived: bool
    attempt: Attempt | None = None
    asked: Asked | None = None
    feedback: Feedback | None = None
    why: dict[str, Any] | None = None
    best: float = 0.0
    completed: bool = False
    newer: bool = False


@dataclass(frozen=True, slots=True)
class Shelf:
    """One activity on a learner's list. status: new, open, done · share: 0 to 1"""

    activity: Published
    status: str
    share: float
    assigned: bool
    due_at: datetime | None


def look(deps: Deps, door: Door, answered: str | None = None) -> Study:
    """Show the learner's present state; `answered` names the decision whose answer to tell about.

    Raises as `learner.enter` does.
    """
    now = deps.clock()
    with deps.db.read(door.tenant_id) as read:
        learner = enter(read, door, now)
        activity = learner.activity
        attempt = learning.latest(read, learner.person.id, activity.id)
        known = learning.learned(read, learner.person.id, activity.id)
        version = attempt.version if attempt else activity.version
        content = activities.content(read, activity.id, version)
        if attempt is None:
            state = known.state if known else LearnerState()
            return Study(learner, content, progress(content, state), arrived=False)
        return _at_work(read, learner, content, attempt, known, answered)


def shelves(deps: Deps, door: BySession) -> tuple[Person, Tenant, list[Shelf]]:
    """List what the person can learn: what is assigned to them or begun; else everything on offer.

    An activity never leaves the list because another was begun: only an assignment narrows it.
    """
    now = deps.clock()
    with deps.db.read(door.tenant_id) as read:
        session = sessions.standing(read, door.presented, now)
        if session is None:
            raise Unauthenticated("Sign in first.", code="sign_in_first")
        found = activities.listed(read)
        assigned = learning.assigned(read, session.person.id)
        begun: dict[str, Attempt] = {}
        for attempt in learning.attempts(read, session.person.id):
            begun[attempt.activity_id] = attempt
        scores = {
            one.activity_id: one for one in learning.standings(read, person_ids=[session.person.id])
        }
    wanted = {*assigned, *begun} if assigned else {one.id for one in found}
    shelves = [
        _shelf(one, begun.get(one.id), scores.get(one.id), assigned)
        for one in found
        if one.id in wanted
    ]
    order = {"open": 0, "new": 1, "done": 2}
    shelves.sort(key=lambda one: (order[one.status], not one.assigned))
    return session.person, session.tenant, shelves


def _shelf(
    activity: Published, attempt: Attempt | None, known: Learned | None, assigned: Any
) -> Shelf:
    status = "new"
    if known and known.completed_at:
        status = "done"
    elif attempt:
        status = "open"
    share = known.score if known else 0.0
    return Shelf(
        activity, status, share, assigned=activity.id in assigned, due_at=assigned.get(activity.id)
    )


def _at_work(
    read: Read, learner: Learner, content: Activity, attempt: Attempt, known: Learned | None,
    answered: str | None,
) -> Study:  # fmt: skip
    state = known.state if known else LearnerState()
    if attempt.practice:
        state = LearnerState.from_json(attempt.state)
    decided = learning.decided(read, attempt.decision_id)
    why = decided.explanation if decided else None
    launched = Record(learner, attempt, content).launched(attempt.started_at)
    return Study(
        learner, content, progress(content, state),
        arrived=learner.launch is None or statements.known(read, str(launched["id"])),
        attempt=attempt,
        asked=_asked(content, attempt, why) if attempt.open and why else None,
        feedback=_feedback(read, content, attempt, answered) if answered else None,
        why=why, best=known.score if known else 0.0,
        completed=known is not None and known.completed_at is not None,
        newer=not attempt.open and attempt.version != learner.activity.version,
    )  # fmt: skip


def _asked(content: Activity, attempt: Attempt, why: dict[str, Any]) -> Asked | None:
    item = content.item(why["decision"]["item"])
    if item is None:
        return None
    offered = why["decision"]["resource"]
    resource = next((one for one in content.resources if one.key == offered), None)
    return Asked(
        attempt.decision_id, attempt.answers + 1, item, shuffled(item, attempt.id), resource
    )


def _feedback(read: Read, content: Activity, attempt: Attempt, answered: str) -> Feedback | None:
    """Tell about an answer of this attempt, and of no other."""
    answer = learning.answer_to(read, attempt.person_id, answered)
    item = content.item(answer.item_key) if answer else None
    if answer is None or item is None or answer.attempt_id != attempt.id:
        return None
    response = Response(tuple(answer.response.get("picked", ())), answer.response.get("text", ""))
    before, after = _mastered(read, answered), _mastered(read, attempt.decision_id)
    # What later answers have completed is not this one's doing.
    fresh = after - before if answer.seq == attempt.answers - 1 else set()
    return Feedback(
        answer, item, score(item, response), _words(item, response.picked) or (response.text,),
        _right(item), tuple(skill for skill in content.skills if skill.key in fresh),
    )  # fmt: skip


def _mastered(read: Read, decision_id: str) -> set[str]:
    """Return the skills that were mastered when a decision was taken."""
    decided = learning.decided(read, decision_id)
    skills = decided.explanation["inputs"]["state"]["skills"] if decided else {}
    return {key for key, skill in skills.items() if skill["mastered"]}


def _words(item: Item, picked: tuple[str, ...]) -> tuple[str, ...]:
    question = item.question
    if not isinstance(question, SingleChoice | MultipleChoice):
        return ()
    return tuple(choice.text for choice in question.choices if choice.key in picked)


def _right(item: Item) -> tuple[str, ...]:
    question = item.question
    match question:
        case SingleChoice():
            return _words(item, (question.correct,))
        case MultipleChoice():
            return _words(item, question.correct)
        case ShortText():
            return question.accepted[:1]
        case ShortNumber():
            value = interactions.number(Decimal(repr(question.value)))
            return (f"{value} {question.unit}".strip(),)
