"""People who learn, for tests: signed in or launched, and how they answer."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from app.deps import Deps
from app.flows import activities, attempt, study
from app.flows.learner import ByLaunch, BySession, Door
from app.kernel import credential
from app.kernel.credential import Credential
from app.kernel.person import Person
from app.kernel.tenant import Tenant
from app.learning.content import Item, MultipleChoice, ShortNumber, ShortText, SingleChoice
from app.store import courses, launches, people, platforms, sessions
from app.store.people import Identity
from lti import ags
from lti.registration import Registration

ISSUER = "https://lms.example"
LEARNER = "http://purl.imsglobal.org/vocab/lis/v2/membership#Learner"
INSTRUCTOR = "http://purl.imsglobal.org/vocab/lis/v2/membership#Instructor"


def item(
    key: str, skill: str, kind: str, difficulty: float = 0.0, **changes: Any
) -> dict[str, Any]:
    choices = [{"key": k, "text": f"choice {k} of {key}", "feedback": f"about {k}"} for k in "wxyz"]
    shapes: dict[str, dict[str, Any]] = {
        "single_choice": {"choices": choices, "correct": "x"},
        "multiple_choice": {"choices": choices, "correct": ["x", "z"]},
        "text": {"type": "short_answer", "accepted": ["seven"]},
        "number": {
            "type": "short_answer",
            "numeric": {"value": 12.5, "tolerance": 0, "unit": "euro"},
        },
    }
    return {
        "key": key, "skills": [skill], "type": kind, "prompt": f"Ask {key}?", "explanation": "Because.",
        "difficulty": difficulty, **shapes[kind], **changes,
    }  # fmt: skip


def document(slug: str = "pricing", **changes: Any) -> dict[str, Any]:
    """Two skills, b after a, of all kinds of questions, a resource each."""
    kinds = (
        "single_choice",
        "multiple_choice",
        "text",
        "number",
        "single_choice",
        "multiple_choice",
    )
    return {
        "format": "ostiary.activity/1", "slug": slug, "title": "Prices & plans", "language": "en",
        "description": "What it costs.\n\nAnd *for whom*.",
        "skills": [{"key": "a", "title": "Skill A"}, {"key": "b", "title": "Skill B", "prerequisites": ["a"]}],
        "items": [item(f"{s}{i}", s, kind, i / 4 - 0.5) for s in "ab" for i, kind in enumerate(kinds)],
        "resources": [{"key": f"r{s}", "title": f"Read {s}", "body": "Text.", "skills": [s]} for s in "ab"],
        **changes,
    }  # fmt: skip


def publish(deps: Deps, tenant: Tenant, slug: str = "pricing", **changes: Any) -> str:
    """Publish the test activity; gives its id."""
    return activities.publish(deps, tenant.slug, json.dumps(document(slug, **changes))).id


def person(deps: Deps, tenant: Tenant, name: str = "Ada") -> Person:
    made = Person(deps.ids.new(), user_name=name, display_name=name)
    with deps.db.tx(tenant.id) as tx:
        people.add(tx, made, deps.clock())
    return made


def signed_in(deps: Deps, tenant: Tenant, who: Person, slug: str = "pricing") -> BySession:
    session_id, secret, now = deps.ids.new(), deps.ids.secret(), deps.clock()
    with deps.db.tx(tenant.id) as tx:
        sessions.add(tx, session_id, who.id, secret, "local", now, now + timedelta(hours=12))
    return BySession(Credential(tenant.id, session_id, secret), slug)


@dataclass
class Course:
    """A platform with one deployment in a tenant, and the launches that come from it."""

    deps: Deps
    tenant: Tenant
    issuer: str = ISSUER
    registration: str = ""
    deployment: str = ""

    def __post_init__(self) -> None:
        ids, now = self.deps.ids, self.deps.clock()
        at, self.registration, self.deployment = self.issuer, ids.new(), ids.new()
        made = Registration(
            self.registration, at, "client-1", f"{at}/auth", f"{at}/token", f"{at}/jwks"
        )
        with self.deps.db.system(write=True) as system:
            owned = platforms.Platform(made, self.tenant, "The LMS", "none", enabled=True)
            assert platforms.add(system, owned, now)
            platforms.approve(system, self.deployment, made.id, "1", self.tenant.id, now)

    def launch(
        self, who: Person, activity_id: str | None, *, link: str = "link-1", role: str = LEARNER,
        browser: str = "b" * 48, members: bool = False,
    ) -> ByLaunch:  # fmt: skip
        """Open a launch session for a person, with a line item of its link's own."""
        deps, now = self.deps, self.deps.clock()
        seen = courses.Seen(
            self.registration, self.deployment, link, context_id="course-1", context_title="Sales",
            line_item_url=f"{self.issuer}/{link}/item", scopes=[ags.SCOPE_SCORE],
            memberships_url=f"{self.issuer}/members" if members else None,
        )  # fmt: skip
        launch_id = deps.ids.new()
        with deps.db.tx(self.tenant.id) as tx:
            known = people.identified(tx, "lti", self.registration, f"sub-{who.user_name}")
            identity = (
                known[0]
                if known
                else Identity(
                    deps.ids.new(), who.id, "lti", self.registration, f"sub-{who.user_name}"
                )
            )
            people.identify(tx, identity, "new", now)
            place = courses.settle(tx, seen, deps.ids.new, now)
            launches.add(
                tx, launch_id, now, now + timedelta(hours=6), registration_id=self.registration,
                deployment_id=self.deployment, person_id=who.id, identity_id=identity.id,
                context_id=place.context_id, resource_link_id=place.resource_link_id,
                line_item_id=place.line_item_id, activity_id=activity_id, user_id=identity.subject,
                roles=[role], browser_digest=credential.digest(browser.encode()),
                return_url=f"{self.issuer}/course/1",
            )  # fmt: skip
        return ByLaunch(self.tenant.id, launch_id)


def right(asked: Item) -> list[str]:
    """What a learner sends who knows."""
    match asked.question:
        case SingleChoice(correct=key):
            return [key]
        case MultipleChoice(correct=keys):
            return list(keys)
        case ShortText(accepted=texts):
            return [texts[0]]
        case ShortNumber(value=value):
            return [str(value)]


def wrong(asked: Item) -> list[str]:
    """What a learner sends who does not."""
    match asked.question:
        case SingleChoice(choices=choices) | MultipleChoice(choices=choices):
            return [next(one.key for one in choices if one.key not in right(asked))]
        case ShortText():
            return ["something else"]
        case ShortNumber(value=value):
            return [str(value + 1000)]


def question(deps: Deps, door: Door) -> study.Asked:
    asked = study.look(deps, door).asked
    assert asked is not None
    return asked


def give(deps: Deps, door: Door, answers: Any = right) -> str:
    """Answer the present question; gives its decision's id."""
    asked = question(deps, door)
    done = attempt.answer(deps, door, asked.decision_id, answers(asked.item), deps.clock())
    assert done.outcome == "scored"
    return asked.decision_id


def finish(deps: Deps, door: Door, answers: Any = right, most: int = 60) -> int:
    """Answer until the attempt ends; gives how many answers that took."""
    for count in range(most):
        if study.look(deps, door).asked is None:
            return count
        give(deps, door, answers)
    raise AssertionError("the attempt does not end")


def off(deps: Deps, tenant: Tenant, who: Person) -> None:
    """Switch a person off, as a provisioning client does."""
    with deps.db.tx(tenant.id) as tx:
        held = people.lock(tx, who.id)
        assert held is not None
        people.save(tx, replace(held, active=False), deps.clock())
        sessions.end_all(tx, who.id, "test", deps.clock())
