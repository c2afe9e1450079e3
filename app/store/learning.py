"""What people have done: the learner's state, attempts, answers, and the decisions behind them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, and_, bindparam, insert, select, update

from app.learning.state import LearnerState
from app.store.db import Read, Tx
from app.store.prepared import Prepared
from app.store.sql import any_of, as_array, locked, upsert
from app.store.tables.learning import answer, assignment, attempt, decision, learner_state

OPEN = "open"


@dataclass(frozen=True, slots=True)
class Learned:
    """A person's standing in one activity, over all attempts.

    score: the best share so far, 0 to 1, as graded · answers: counted over all attempts
    """

    person_id: str
    activity_id: str
    state: LearnerState
    answers: int
    score: float
    completed_at: datetime | None
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class Attempt:
    """One go at an activity; see the table for its columns' meaning."""

    id: str
    person_id: str
    identity_id: str | None
    activity_id: str
    version: int
    parameters: str
    registration: str
    practice: bool
    state: dict[str, Any] | None
    status: str
    score: float
    answers: int
    active_ms: int
    decision_id: str
    started_at: datetime
    updated_at: datetime
    completed_at: datetime | None

    @property
    def open(self) -> bool:
        """A question is on the page."""
        return self.status == OPEN


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer as given and scored. response: {"picked": [key, ...]} or {"text": str}"""

    id: str
    attempt_id: str
    seq: int
    person_id: str
    identity_id: str | None
    launch_id: str | None
    item_key: str
    skill_key: str
    response: dict[str, Any]
    correct: bool
    score: float
    duration_ms: int | None
    decision_id: str
    answered_at: datetime


@dataclass(frozen=True, slots=True)
class Decided:
    """A decision and the explanation that was stored with it."""

    id: str
    attempt_id: str
    seq: int
    person_id: str
    explanation: dict[str, Any]
    decided_at: datetime


def learned(read: Read, person_id: str, activity_id: str) -> Learned | None:
    """Find a person's standing in an activity. Raises StateInvalid where it can't be read."""
    found = standings(read, activity_id=activity_id, person_ids=[person_id])
    return found[0] if found else None


def standings(
    read: Read, *, person_ids: Collection[str], activity_id: str | None = None
) -> list[Learned]:
    """Return where people stand, in one activity or in all that they have begun."""
    statement = select(learner_state).where(
        learner_state.c.tenant_id == read.tenant,
        learner_state.c.person_id.in_(sorted(person_ids)),
    )
    if activity_id is not None:
        statement = statement.where(learner_state.c.activity_id == activity_id)
    return [
        Learned(
            row.person_id, row.activity_id, LearnerState.from_json(row.state), row.answers,
            row.score, row.completed_at, row.updated_at,
        )
        for row in read.conn.execute(statement)
    ]  # fmt: skip


def save_learned(tx: Tx, one: Learned) -> None:
    """Write a standing, new or known."""
    row = {
        "tenant_id": tx.tenant, "person_id": one.person_id, "activity_id": one.activity_id,
        "state": one.state.to_json(), "answers": one.answers, "score": one.score,
        "completed_at": one.completed_at, "updated_at": one.updated_at,
    }  # fmt: skip
    upsert(tx.conn, learner_state, row, ("tenant_id", "person_id", "activity_id"))


def latest(read: Read, person_id: str, activity_id: str) -> Attempt | None:
    """Find the open attempt, else the newest; inside a write transaction its row is locked."""
    statement = (
        select(attempt)
        .where(
            attempt.c.tenant_id == read.tenant,
            attempt.c.person_id == person_id,
            attempt.c.activity_id == activity_id,
        )
        # A second lock would wait for nothing: only the one open attempt ever changes.
        .order_by((attempt.c.status == OPEN).desc(), attempt.c.started_at.desc(), attempt.c.id.desc())
        .limit(1)
    )  # fmt: skip
    if isinstance(read, Tx):
        statement = locked(read.conn, statement)
    row = read.conn.execute(statement).first()
    return None if row is None else Attempt(**_values(row))


def attempts(read: Read, person_id: str) -> list[Attempt]:
    """Return a person's attempts, oldest first."""
    statement = (
        select(attempt)
        .where(attempt.c.tenant_id == read.tenant, attempt.c.person_id == person_id)
        .order_by(attempt.c.started_at, attempt.c.id)
    )
    return [Attempt(**_values(row)) for row in read.conn.execute(statement)]


def add_attempt(tx: Tx, one: Attempt) -> None:
    """Insert an attempt; raises an integrity error when the person has an open one already."""
    tx.conn.execute(insert(attempt).values(tenant_id=tx.tenant, **asdict(one)))


def save_attempt(tx: Tx, one: Attempt) -> None:
    """Write an attempt back."""
    mine = (attempt.c.tenant_id == tx.tenant) & (attempt.c.id == one.id)
    tx.conn.execute(update(attempt).where(mine).values(**asdict(one)))


def answers(read: Read, attempt_id: str) -> list[Answer]:
    """Return an attempt's answers, oldest first."""
    statement = (
        select(answer)
        .where(answer.c.tenant_id == read.tenant, answer.c.attempt_id == attempt_id)
        .order_by(answer.c.seq)
    )
    return [Answer(**_values(row)) for row in read.conn.execute(statement)]


def answer_to(read: Read, person_id: str, decision_id: str) -> Answer | None:
    """Find this person's answer to a decision's question."""
    row = read.conn.execute(
        select(answer).where(
            answer.c.tenant_id == read.tenant,
            answer.c.decision_id == decision_id,
            answer.c.person_id == person_id,
        )
    ).first()
    return None if row is None else Answer(**_values(row))


def add_answer(tx: Tx, one: Answer) -> None:
    """Insert an answer; raises an integrity error when its decision was answered already."""
    tx.conn.execute(insert(answer).values(tenant_id=tx.tenant, **asdict(one)))


def decided(read: Read, decision_id: str) -> Decided | None:
    """Find a decision."""
    mine = (decision.c.tenant_id == read.tenant) & (decision.c.id == decision_id)
    row = read.conn.execute(select(decision).where(mine)).first()
    return None if row is None else Decided(**_values(row))


def decisions(read: Read, attempt_id: str) -> list[Decided]:
    """Return an attempt's decisions, in order."""
    statement = (
        select(decision)
        .where(decision.c.tenant_id == read.tenant, decision.c.attempt_id == attempt_id)
        .order_by(decision.c.seq)
    )
    return [Decided(**_values(row)) for row in read.conn.execute(statement)]


def add_decision(tx: Tx, one: Decided) -> None:
    """Insert a decision with its explanation."""
    tx.conn.execute(insert(decision).values(tenant_id=tx.tenant, **asdict(one)))


def assigned(read: Read, person_id: str) -> Mapping[str, datetime | None]:
    """Return the activities that stand assigned to a person, with the day they are due."""
    rows = read.conn.execute(
        select(assignment.c.activity_id, assignment.c.due_at).where(
            assignment.c.tenant_id == read.tenant,
            assignment.c.person_id == person_id,
            assignment.c.dropped_at.is_(None),
        )
    )
    return {row.activity_id: row.due_at for row in rows}


def drop_assignments(tx: Tx, person_ids: Sequence[str], now: datetime) -> None:
    """Drop what stands assigned to people who have left."""
    if person_ids:
        who = as_array(tx.conn, person_ids)
        _DROPPED.run(tx.conn, {"of": tx.tenant, "who": who, "dropped_at": now})


_DROPPED = Prepared(
    lambda dialect: update(assignment).where(
        assignment.c.tenant_id == bindparam("of"),
        any_of(dialect, assignment.c.person_id, "who"),
        assignment.c.dropped_at.is_(None),
    ),
    "dropped_at",
)


def take_up_assignments(tx: Tx, person_id: str, dropped_at: datetime) -> None:
    """Let a person's assignments stand again that were dropped at that instant."""
    mine = and_(
        assignment.c.tenant_id == tx.tenant,
        assignment.c.person_id == person_id,
        assignment.c.dropped_at == dropped_at,
    )
    tx.conn.execute(update(assignment).where(mine).values(dropped_at=None))


def _values(row: Row[*tuple[Any, ...]]) -> dict[str, Any]:
    values = dict(row._mapping)  # noqa: SLF001 - SQLAlchemy's public name
    del values["tenant_id"]
    return values
