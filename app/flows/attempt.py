"""An attempt: begun, answered question by question, ended. Each step is one write transaction.

score → estimate → choose → explain; answer, decision, learner's state, statements and grade are saved
together, so that what was acknowledged is whole and survives.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal

from app.deps import Deps
from app.flows import grades
from app.flows.learner import Door, Learner, enter
from app.flows.record import Record
from app.kernel.tenant import Tenant
from app.learning import explain, mastery
from app.learning.choose import Answered, Ask, Decision, choose
from app.learning.content import Activity, Item, MultipleChoice
from app.learning.estimate import Parameters
from app.learning.explain import Inputs, Oversight
from app.learning.progress import progress
from app.learning.score import Response, read_response, score
from app.learning.state import LearnerState
from app.store import activities, launches, learning, statements
from app.store.db import Tx
from app.store.learning import OPEN, Answer, Attempt, Decided, Learned
from app.store.sql import exclusive

_IDLE = timedelta(minutes=30)
"""Nobody is taken to think longer about one question."""


@dataclass(frozen=True, slots=True)
class Given:
    """What came of a submission.

    scored    it counts, from now on
    repeated  the same answer had come before, and counts once
    kept      another answer to this question had come before, and stands
    moved_on  the page is of a question that is no longer asked
    """

    outcome: Literal["scored", "repeated", "kept", "moved_on"]


@dataclass(frozen=True, slots=True)
class _Desk:
    """What a step works with, read inside its transaction."""

    deps: Deps
    tx: Tx
    learner: Learner
    now: datetime
    content: Activity
    parameters: Parameters
    known: Learned


def begin(deps: Deps, door: Door, *, after: str | None = None) -> None:
    """Let the learner go on with their open attempt, or start the first one.

    `after` is a finished attempt's id, when its person asks for another; repeated, it starts no more.
    Raises as `learner.enter` does.
    """
    now = deps.clock()
    with deps.db.tx(door.tenant_id) as tx:
        learner = enter(tx, door, now)
        exclusive(tx.conn, tx.tenant, "attempt", learner.person.id, learner.activity.id)
        attempt = learning.latest(tx, learner.person.id, learner.activity.id)
        if attempt is None or (not attempt.open and attempt.id == after):
            activity = learner.activity
            newest = activities.newest_parameters(tx, activity.id, activity.version)
            desk = _desk(deps, tx, learner, now, activity.version, newest)
            attempt = _start(desk)
        else:
            desk = _desk(deps, tx, learner, now, attempt.version, attempt.parameters)
        record = Record(learner, attempt, desk.content)
        found = [record.launched(now)] + ([record.initialized()] if attempt.answers == 0 else [])
        statements.add(tx, found, learner.person.id, now)
        if learner.launch and desk.known.score > 0 and after is None:
            # What was shown elsewhere counts in this course too.
            _grade(desk, [learner.launch], desk.known)


def answer(
    deps: Deps, door: Door, decision_id: str, given: Sequence[str], shown_at: datetime | None
) -> Given:
    """Take an answer to the question of a decision, once.

    `given`: the keys of the choices, or one text, as the learner sent them; `shown_at`: when the page
    showed the question. Raises ResponseInvalid, and then nothing has changed; else as `learner.enter`.
    """
    now = deps.clock()
    with deps.db.tx(door.tenant_id) as tx:
        learner = enter(tx, door, now)
        attempt = learning.latest(tx, learner.person.id, learner.activity.id)
        earlier = learning.answer_to(tx, learner.person.id, decision_id)
        if earlier is not None:
            return Given("repeated" if _same(earlier, given) else "kept")
        asked = learning.decided(tx, decision_id)
        if attempt is None or not attempt.open or attempt.decision_id != decision_id or not asked:
            return Given("moved_on")
        desk = _desk(deps, tx, learner, now, attempt.version, attempt.parameters)
        _take(desk, attempt, asked, given, shown_at)
        return Given("scored")


def _desk(
    deps: Deps, tx: Tx, learner: Learner, now: datetime, version: int, parameters: str
) -> _Desk:
    person_id, activity_id = learner.person.id, learner.activity.id
    known = learning.learned(tx, person_id, activity_id) or Learned(
        person_id, activity_id, LearnerState(), answers=0, score=0.0, completed_at=None, updated_at=now
    )  # fmt: skip
    return _Desk(
        deps, tx, learner, now, activities.content(tx, activity_id, version),
        activities.parameters_at(tx, activity_id, version, parameters), known,
    )  # fmt: skip


def _start(desk: _Desk) -> Attempt:
    learner, now = desk.learner, desk.now
    # Who has shown every skill already begins anew, for practice; what was shown stays shown.
    practice = progress(desk.content, desk.known.state).mastered
    state = LearnerState() if practice else desk.known.state
    attempt = Attempt(
        id=desk.deps.ids.new(), person_id=learner.person.id, identity_id=learner.identity_id,
        activity_id=learner.activity.id, version=learner.activity.version,
        parameters=desk.parameters.version, registration=desk.deps.ids.new(), practice=practice,
        state=state.to_json() if practice else None, status=OPEN,
        score=progress(desk.content, state).score, answers=0, active_ms=0,
        decision_id=desk.deps.ids.new(), started_at=now, updated_at=now, completed_at=None,
    )  # fmt: skip
    learning.add_attempt(desk.tx, attempt)
    _decide(desk, attempt, state, ())
    return attempt


def _take(
    desk: _Desk, attempt: Attempt, asked: Decided, sent: Sequence[str], shown_at: datetime | None
) -> None:
    tx, now, content = desk.tx, desk.now, desk.content
    item = _item(content, asked)
    one = sent[0] if len(sent) == 1 else None
    several = isinstance(item.question, MultipleChoice)
    response = read_response(item, list(sent) if several else one)
    given = _answer(desk, attempt, asked, item, response, shown_at)
    before = LearnerState.from_json(attempt.state) if attempt.practice else desk.known.state
    state = mastery.update(desk.parameters, before, item, given.score, content.policy)
    earlier = learning.answers(tx, attempt.id)
    learning.add_answer(tx, given)
    after = replace(
        attempt, state=state.to_json() if attempt.practice else None, answers=given.seq + 1,
        score=progress(content, state).score, active_ms=attempt.active_ms + (given.duration_ms or 0),
        decision_id=desk.deps.ids.new(), updated_at=now,
    )  # fmt: skip
    decision = _decide(desk, after, state, [_history(one) for one in (*earlier, given)])
    if not isinstance(decision, Ask):
        after = replace(after, status=decision.reason, completed_at=now)
    learning.save_attempt(tx, after)
    _write_record(desk, after, given, item, response, _new_skills(before, state), earlier)
    if not attempt.practice:
        _learn(desk, after, state)


def _answer(
    desk: _Desk, attempt: Attempt, asked: Decided, item: Item, response: Response,
    shown_at: datetime | None,
) -> Answer:  # fmt: skip
    scored, learner, took = score(item, response), desk.learner, None
    if shown_at is not None:
        span = desk.now - max(shown_at, asked.decided_at)
        took = int(min(max(span, timedelta()), _IDLE) / timedelta(milliseconds=1))
    picked, text = list(response.picked), response.text
    return Answer(
        id=desk.deps.ids.new(), attempt_id=attempt.id, seq=attempt.answers, person_id=attempt.person_id,
        identity_id=learner.identity_id, launch_id=learner.launch.id if learner.launch else None,
        item_key=item.key, skill_key=str(asked.explanation["decision"]["skill"]),
        response={"picked": picked} if picked else {"text": text}, correct=scored.correct,
        score=scored.score, duration_ms=took, decision_id=asked.id, answered_at=desk.now,
    )  # fmt: skip


def _decide(
    desk: _Desk, attempt: Attempt, state: LearnerState, history: Sequence[Answered]
) -> Decision:
    """Choose what comes next, and store why: the attempt's id is the seed."""
    decision = choose(desk.content, desk.parameters, state, history, attempt.id)
    inputs = Inputs(
        desk.content, attempt.version, desk.parameters, state, tuple(history), attempt.id
    )
    why = explain.explain(
        attempt.decision_id, inputs, decision, desk.now, _oversight(desk.learner.tenant)
    )
    learning.add_decision(desk.tx, Decided(
        attempt.decision_id, attempt.id, attempt.answers, attempt.person_id, why, desk.now,
    ))  # fmt: skip
    return decision


def _learn(desk: _Desk, attempt: Attempt, state: LearnerState) -> None:
    known = desk.known
    done = desk.now if attempt.status == "mastered" else None
    after = replace(
        known, state=state, answers=known.answers + 1, score=max(known.score, attempt.score),
        completed_at=known.completed_at or done, updated_at=desk.now,
    )  # fmt: skip
    learning.save_learned(desk.tx, after)
    # An end that moved nothing is no news to a gradebook, but for the nothing of who never scored.
    empty_handed = not attempt.open and after.score == 0
    if after.score > known.score or after.completed_at != known.completed_at or empty_handed:
        person_id, activity_id = desk.learner.person.id, desk.learner.activity.id
        _grade(desk, launches.to_grade(desk.tx, person_id, activity_id), after)


def _grade(desk: _Desk, to: Sequence[launches.Launch], known: Learned) -> None:
    """The grade never falls: it is the best so far, in every course that led here."""
    for launch in to:
        grades.enqueue(
            desk.deps, desk.tx, launch=launch, score=known.score,
            completed=known.completed_at is not None, submitted_at=known.completed_at, now=desk.now,
        )  # fmt: skip


def _write_record(
    desk: _Desk, attempt: Attempt, given: Answer, item: Item, response: Response,
    mastered: Sequence[str], earlier: Sequence[Answer],
) -> None:  # fmt: skip
    record = Record(desk.learner, attempt, desk.content)
    found = [record.answered(given, item, response)]
    launch = desk.learner.launch
    if launch and launch.id not in {one.launch_id for one in earlier}:
        # Its page may have been open since before this attempt.
        found.insert(0, record.launched(desk.now))
    found += record.mastered(given, [one for one in desk.content.skills if one.key in mastered])
    if not attempt.open:
        found += record.ended(desk.now)
    statements.add(desk.tx, found, desk.learner.person.id, desk.now)


def _item(content: Activity, asked: Decided) -> Item:
    item = content.item(asked.explanation["decision"]["item"])
    if item is None:
        raise LookupError(f"decision {asked.id} asks for an item that its version does not hold")
    return item


def _history(one: Answer) -> Answered:
    return Answered(one.id, one.item_key, one.skill_key, one.score, one.answered_at)


def _new_skills(before: LearnerState, after: LearnerState) -> list[str]:
    return [
        key
        for key, skill in after.skills.items()
        if skill.mastered and not before.skill(key).mastered
    ]


def _same(earlier: Answer, given: Sequence[str]) -> bool:
    if "picked" in earlier.response:
        return set(earlier.response["picked"]) == set(given)
    return [earlier.response["text"]] == [" ".join(text.split()) for text in given]


def _oversight(tenant: Tenant) -> Oversight:
    return Oversight(
        override=f"The teacher of the course and the administrators of {tenant.name} can set this aside.",
        contest=(
            "If you think that a question or its scoring is wrong, tell your teacher or an administrator of"
            f" {tenant.name}, and give them the number of this decision. A person will look at it."
        ),
    )
