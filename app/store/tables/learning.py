"""Activities and what people do in them: versions, parameters, state, attempts, answers, statements."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Float, Index, Integer, Table

from app.store.types import Json, Str, Time, metadata, tenant_table, to

activity = tenant_table(
    "activity",
    Column("slug", Str, nullable=False),
    Column("title", Str, nullable=False),
    Column("version", Integer, nullable=False),
    Column("created_at", Time, nullable=False),
    Column("updated_at", Time, nullable=False),
)
"""`version` is the one that new attempts start on."""
Index("uq_activity_slug", activity.c.tenant_id, activity.c.slug, unique=True)

activity_version = tenant_table(
    "activity_version",
    Column("activity_id", Str, primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("content", Json, nullable=False),
    Column("digest", Str, nullable=False),
    Column("created_at", Time, nullable=False),
    to("activity", "activity_id"),
    row_id=False,
)
"""Immutable content: skills, items and resources as one document (format `ostiary.activity/1`)."""

parameters = tenant_table(
    "parameters",
    Column("activity_id", Str, primary_key=True),
    Column("content_version", Integer, primary_key=True),
    Column("version", Str, primary_key=True),
    Column("levels", Json, nullable=False),
    Column("created_at", Time, nullable=False),
    to("activity", "activity_id"),
    row_id=False,
)
"""The engine's parameters for one content version, whole and immutable: {skills, items: {key: [logits, n]}}."""

learner_state = tenant_table(
    "learner_state",
    Column("person_id", Str, primary_key=True),
    Column("activity_id", Str, primary_key=True),
    Column("state", Json, nullable=False),
    Column("answers", Integer, nullable=False),
    Column("score", Float, nullable=False),
    Column("completed_at", Time),
    Column("updated_at", Time, nullable=False),
    to("person", "person_id"),
    to("activity", "activity_id"),
    row_id=False,
)
"""The estimate, derivable again from the answers. `score` is the best so far, the one that was graded."""

attempt = tenant_table(
    "attempt",
    Column("person_id", Str, nullable=False),
    Column("identity_id", Str),
    Column("activity_id", Str, nullable=False),
    Column("version", Integer, nullable=False),
    Column("parameters", Str, nullable=False),
    Column("registration", Str, nullable=False),
    Column("practice", Boolean, nullable=False),
    Column("state", Json),
    Column("status", Str, nullable=False),
    Column("score", Float, nullable=False),
    Column("answers", Integer, nullable=False),
    Column("active_ms", BigInteger, nullable=False),
    Column("decision_id", Str, nullable=False),
    Column("started_at", Time, nullable=False),
    Column("updated_at", Time, nullable=False),
    Column("completed_at", Time),
    to("person", "person_id"),
    to("activity", "activity_id"),
)
"""One go at an activity, on one content version with one version of the parameters.

`registration` is xAPI's (a UUID). `status`: open, mastered, exhausted. `decision_id` is the question now
on the page, or the decision that ended it. Practice keeps a `state` of its own and moves no grade.
"""
Index(
    "ix_attempt_person",
    attempt.c.tenant_id,
    attempt.c.person_id,
    attempt.c.activity_id,
    attempt.c.started_at,
)
Index(
    "uq_attempt_open",
    attempt.c.tenant_id,
    attempt.c.person_id,
    attempt.c.activity_id,
    unique=True,
    sqlite_where=attempt.c.status == "open",
    postgresql_where=attempt.c.status == "open",
)

answer = tenant_table(
    "answer",
    Column("attempt_id", Str, nullable=False),
    Column("seq", Integer, nullable=False),
    Column("person_id", Str, nullable=False),
    Column("identity_id", Str),
    Column("launch_id", Str),
    Column("item_key", Str, nullable=False),
    Column("skill_key", Str, nullable=False),
    Column("response", Json, nullable=False),
    Column("correct", Boolean, nullable=False),
    Column("score", Float, nullable=False),
    Column("duration_ms", BigInteger),
    Column("decision_id", Str, nullable=False),
    Column("answered_at", Time, nullable=False),
    to("attempt", "attempt_id"),
)
"""`skill_key` is the skill the question was meant for. A decision is answered once."""
Index("uq_answer_seq", answer.c.tenant_id, answer.c.attempt_id, answer.c.seq, unique=True)
Index("uq_answer_decision", answer.c.tenant_id, answer.c.decision_id, unique=True)
Index("ix_answer_person", answer.c.tenant_id, answer.c.person_id)

decision = tenant_table(
    "decision",
    Column("attempt_id", Str, nullable=False),
    Column("seq", Integer, nullable=False),
    Column("person_id", Str, nullable=False),
    Column("explanation", Json, nullable=False),
    Column("decided_at", Time, nullable=False),
    to("attempt", "attempt_id"),
)
"""Why this item came next, as it was known then; answers point to it by id."""
Index("uq_decision_seq", decision.c.tenant_id, decision.c.attempt_id, decision.c.seq, unique=True)

assignment = tenant_table(
    "assignment",
    Column("person_id", Str, nullable=False),
    Column("activity_id", Str, nullable=False),
    Column("source", Str, nullable=False),
    Column("assigned_at", Time, nullable=False),
    Column("due_at", Time),
    Column("dropped_at", Time),
    to("person", "person_id"),
    to("activity", "activity_id"),
)
Index("ix_assignment_person", assignment.c.tenant_id, assignment.c.person_id)

statement = Table(
    "statement",
    metadata,
    Column(
        "seq", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True
    ),
    Column("txid", BigInteger, nullable=False),
    Column("tenant_id", Str, nullable=False),
    Column("id", Str, nullable=False),
    Column("person_id", Str),
    Column("body", Str, nullable=False),
    Column("stored_at", Time, nullable=False),
)
"""xAPI statements as sent, in commit order by (txid, seq): on SQLite the one writer makes seq enough."""
Index("uq_statement_id", statement.c.tenant_id, statement.c.id, unique=True)
Index("ix_statement_order", statement.c.tenant_id, statement.c.txid, statement.c.seq)
