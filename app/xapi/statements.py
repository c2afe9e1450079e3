"""Facts to statements: xAPI 1.0.3, valid under 2.0 too.

Each statement's id is a UUIDv5, in the tenant's own namespace, of its verb, object, registration
and fact: the same fact told twice is the same statement, so that a repeated delivery is harmless,
and two objects never collide. The builders add nothing about a person but the account.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from app.xapi import formats, interactions, verbs
from app.xapi.interactions import Interaction
from app.xapi.validate import Statement, validated


@dataclass(frozen=True, slots=True)
class Actor:
    """An account: home_page is the tenant's and never changes, name is the person's id."""

    home_page: str
    name: str

    def to_json(self) -> dict[str, Any]:
        account = {"homePage": self.home_page, "name": self.name}
        return {"objectType": "Agent", "account": account}


@dataclass(frozen=True, slots=True)
class Thing:
    """An xAPI activity. iri: for ever the same · type: an IRI of verbs.py or another"""

    iri: str
    name: str
    type: str
    description: str = ""

    def to_json(self, language: str, **more: Any) -> dict[str, Any]:
        definition = {"type": self.type, "name": {language: self.name}, **more}
        if self.description:
            definition["description"] = {language: self.description}
        return {"objectType": "Activity", "id": self.iri, "definition": definition}


@dataclass(frozen=True, slots=True)
class Scene:
    """What all statements of one attempt share.

    namespace: of the tenant's statement ids · registration: UUID of the attempt's registration
    attempt: its id · activity: what is learned · language: of the content
    grouping: what it lies in, such as the LMS's course · platform: where it was launched from
    """

    namespace: uuid.UUID
    actor: Actor
    registration: uuid.UUID
    attempt: str
    activity: Thing
    language: str
    platform: str = ""
    grouping: tuple[Thing, ...] = ()
    category: tuple[Thing, ...] = ()


@dataclass(frozen=True, slots=True)
class Fact:
    """One thing that happened. id: of its row, unique within the tenant · at: aware"""

    id: str
    at: datetime


def statement_id(namespace: uuid.UUID, verb: str, thing: str, registration: str, fact: str) -> str:
    """The fixed id; the parts are joined as JSON so that none can pass for another."""
    return str(uuid.uuid5(namespace, json.dumps([verb, thing, registration, fact])))


def launched(scene: Scene, fact: Fact) -> Statement:
    return _about_activity(scene, fact, verbs.LAUNCHED)


def initialized(scene: Scene, fact: Fact) -> Statement:
    return _about_activity(scene, fact, verbs.INITIALIZED)


def answered(
    scene: Scene,
    fact: Fact,
    item: Thing,
    interaction: Interaction,
    response: str,
    score: float,
    took: timedelta | None = None,
) -> Statement:
    """An answer to one item; response as `interactions` writes it, score 0 to 1, success at 1."""
    result: dict[str, Any] = {"response": response, "success": score >= 1, "score": _score(score)}
    if took is not None:
        result["duration"] = formats.duration(took)
    thing = item.to_json(scene.language, **interactions.definition(interaction, scene.language))
    return _statement(scene, fact, verbs.ANSWERED, thing, result, inside=True)


def progressed(scene: Scene, fact: Fact, share: float) -> Statement:
    """How far the attempt is, 0 to 1; written as a whole number of per cent, rounded down."""
    per_cent = int(min(max(share, 0.0), 1.0) * 100)
    result = {"completion": False, "extensions": {verbs.PROGRESS: per_cent}}
    return _about_activity(scene, fact, verbs.PROGRESSED, result)


def mastered(scene: Scene, fact: Fact, competency: Thing) -> Statement:
    """A skill was mastered; the competency's type should be `verbs.COMPETENCY`."""
    thing = competency.to_json(scene.language)
    return _statement(scene, fact, verbs.MASTERED, thing, {"success": True}, inside=True)


def completed(scene: Scene, fact: Fact, took: timedelta) -> Statement:
    result = {"completion": True, "duration": formats.duration(took)}
    return _about_activity(scene, fact, verbs.COMPLETED, result)


def passed(scene: Scene, fact: Fact, score: float, took: timedelta) -> Statement:
    return _judged(scene, fact, verbs.PASSED, score, took, success=True)


def failed(scene: Scene, fact: Fact, score: float, took: timedelta) -> Statement:
    return _judged(scene, fact, verbs.FAILED, score, took, success=False)


def terminated(scene: Scene, fact: Fact, took: timedelta) -> Statement:
    result = {"duration": formats.duration(took)}
    return _about_activity(scene, fact, verbs.TERMINATED, result)


def _judged(
    scene: Scene, fact: Fact, verb: verbs.Verb, score: float, took: timedelta, *, success: bool
) -> Statement:
    result = {"success": success, "score": _score(score), "duration": formats.duration(took)}
    return _about_activity(scene, fact, verb, result)


def _score(share: float) -> dict[str, Any]:
    return {"scaled": round(share, 6)}


def _about_activity(
    scene: Scene, fact: Fact, verb: verbs.Verb, result: Mapping[str, Any] | None = None
) -> Statement:
    return _statement(scene, fact, verb, scene.activity.to_json(scene.language), result)


def _statement(
    scene: Scene,
    fact: Fact,
    verb: verbs.Verb,
    thing: dict[str, Any],
    result: Mapping[str, Any] | None,
    *,
    inside: bool = False,
) -> Statement:
    registration = str(scene.registration)
    statement: dict[str, Any] = {
        "id": statement_id(scene.namespace, verb.iri, thing["id"], registration, fact.id),
        "actor": scene.actor.to_json(),
        "verb": verb.to_json(),
        "object": thing,
        "context": _context(scene, inside=inside),
        "timestamp": formats.timestamp(fact.at),
    }
    if result:
        statement["result"] = dict(result)
    return validated(statement)


def _context(scene: Scene, *, inside: bool) -> dict[str, Any]:
    """`inside`: the object is a part of the activity, which is then its parent."""
    others = {
        "parent": [scene.activity] if inside else [],
        "grouping": scene.grouping,
        "category": scene.category,
    }
    context: dict[str, Any] = {
        "registration": str(scene.registration),
        "language": scene.language,
        "extensions": {verbs.SESSION: scene.attempt},
    }
    if scene.platform:
        context["platform"] = scene.platform
    found = {
        name: [thing.to_json(scene.language) for thing in things]
        for name, things in others.items()
        if things
    }
    if found:
        context["contextActivities"] = found
    return context
