"""The verbs and words that our statements use, each with the vocabulary it comes from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

ADL = "http://adlnet.gov/expapi/"
CMI5 = "https://w3id.org/xapi/cmi5/"
TLA = "https://w3id.org/xapi/tla/"


@dataclass(frozen=True, slots=True)
class Verb:
    """An IRI and its English display."""

    iri: str
    display: str

    def to_json(self) -> dict[str, Any]:
        return {"id": self.iri, "display": {"en": self.display}}


LAUNCHED = Verb(f"{ADL}verbs/launched", "launched")
INITIALIZED = Verb(f"{ADL}verbs/initialized", "initialized")
ANSWERED = Verb(f"{ADL}verbs/answered", "answered")
PROGRESSED = Verb(f"{ADL}verbs/progressed", "progressed")
MASTERED = Verb(f"{ADL}verbs/mastered", "mastered")
COMPLETED = Verb(f"{ADL}verbs/completed", "completed")
PASSED = Verb(f"{ADL}verbs/passed", "passed")
FAILED = Verb(f"{ADL}verbs/failed", "failed")
TERMINATED = Verb(f"{ADL}verbs/terminated", "terminated")
VOIDED = Verb(f"{ADL}verbs/voided", "voided")

COURSE = f"{ADL}activities/course"
LESSON = f"{ADL}activities/lesson"
INTERACTION = f"{ADL}activities/cmi.interaction"
COMPETENCY = f"{TLA}activity-types/competency"

# cmi5, result extensions: an integer from 0 to 100.
PROGRESS = f"{CMI5}result/extensions/progress"
# cmi5, context extensions: names one stretch of work by one learner; here it is the attempt.
SESSION = f"{CMI5}context/extensions/sessionid"
