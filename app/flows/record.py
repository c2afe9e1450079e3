"""What is written on record: the facts of an attempt as xAPI statements, in the fact's own transaction."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from app.flows.learner import Learner
from app.kernel.tenant import Tenant
from app.learning.content import Activity, Item, MultipleChoice, ShortText, SingleChoice, Skill
from app.learning.score import Response, as_number
from app.store.learning import Answer, Attempt
from app.xapi import interactions, statements, verbs
from app.xapi.interactions import ChoiceInteraction, FillIn, Interaction, Numeric
from app.xapi.statements import Actor, Fact, Scene, Thing
from app.xapi.validate import Statement

_NAME = 80
_LARGEST = 10**15


def activity_iri(tenant: Tenant, slug: str) -> str:
    """Name an activity for ever: items, skills and courses of the tenant have their IRIs alike."""
    return f"{tenant.home_page}/activities/{slug}"


@dataclass(frozen=True, slots=True)
class Record:
    """One learner's attempt, seen by whoever reads the record."""

    learner: Learner
    attempt: Attempt
    content: Activity

    @property
    def scene(self) -> Scene:
        """What the attempt's statements share: the actor is the tenant's account, never a name."""
        tenant, launch = self.learner.tenant, self.learner.launch
        course = launch.context_id if launch else None
        grouping = [Thing(f"{tenant.home_page}/contexts/{course}", "Course", verbs.COURSE)]
        return Scene(
            namespace=uuid.UUID(tenant.id),
            actor=Actor(tenant.home_page, self.learner.person.id),
            registration=uuid.UUID(self.attempt.registration),
            attempt=self.attempt.id,
            activity=Thing(
                activity_iri(tenant, self.content.slug), self.content.title, verbs.LESSON,
                self.content.description,
            ),
            language=self.content.language,
            platform=launch.issuer if launch else "",
            grouping=tuple(grouping if course else ()),
        )  # fmt: skip

    def launched(self, now: datetime) -> Statement:
        """Once for each launch and attempt; by sign-in once for the attempt."""
        launch = self.learner.launch
        fact = Fact(launch.id, launch.created_at) if launch else Fact(self.attempt.id, now)
        return statements.launched(self.scene, fact)

    def initialized(self) -> Statement:
        """Once for each attempt."""
        return statements.initialized(self.scene, Fact(self.attempt.id, self.attempt.started_at))

    def answered(self, answer: Answer, item: Item, response: Response) -> Statement:
        """One answer, under its row's id."""
        name = item.prompt if len(item.prompt) <= _NAME else item.prompt[: _NAME - 1].rstrip() + "…"
        base = activity_iri(self.learner.tenant, self.content.slug)
        thing = Thing(f"{base}/items/{item.key}", name, verbs.INTERACTION, item.prompt)
        kind = _interaction(item)
        took = answer.duration_ms
        return statements.answered(
            self.scene, Fact(answer.id, answer.answered_at), thing, kind,
            _response(item, response, kind), answer.score,
            None if took is None else timedelta(milliseconds=took),
        )  # fmt: skip

    def mastered(self, answer: Answer, skills: Iterable[Skill]) -> list[Statement]:
        """The skills that this answer brought to mastery."""
        base = activity_iri(self.learner.tenant, self.content.slug)
        fact = Fact(answer.id, answer.answered_at)
        return [
            statements.mastered(
                self.scene, fact, Thing(f"{base}/skills/{one.key}", one.title, verbs.COMPETENCY)
            )
            for one in skills
        ]

    def ended(self, now: datetime) -> list[Statement]:
        """Completed and passed with every skill mastered; otherwise only terminated."""
        took = timedelta(milliseconds=self.attempt.active_ms)
        fact = Fact(self.attempt.id, now)
        if self.attempt.status != "mastered":
            return [statements.terminated(self.scene, fact, took)]
        return [
            statements.completed(self.scene, fact, took),
            statements.passed(self.scene, fact, self.attempt.score, took),
        ]


def _interaction(item: Item) -> Interaction:
    question = item.question
    match question:
        case SingleChoice():
            choices = {choice.key: choice.text for choice in question.choices}
            return ChoiceInteraction(choices, [question.correct])
        case MultipleChoice():
            choices = {choice.key: choice.text for choice in question.choices}
            return ChoiceInteraction(choices, question.correct)
        case ShortText():
            return FillIn(question.accepted, question.case_sensitive)
        case _:
            return Numeric(*question.bounds)


def _response(item: Item, response: Response, kind: Interaction) -> str:
    if isinstance(kind, ChoiceInteraction):
        return interactions.picked(kind, response.picked)
    number = as_number(item, response)
    # What is too large for a record of numbers is kept as it was written.
    if number is None or abs(number) > _LARGEST:
        return response.text
    return interactions.number(number)
