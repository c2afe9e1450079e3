"""What the engine refuses.

LearningError         400, see the kernel's errors
├── Malformed         a JSON value that is not of the shape it should be
│   └── StateInvalid    a stored learner state
├── ContentInvalid    an activity document, with every problem and its place
└── ResponseInvalid   a learner's answer that cannot be scored
"""

from __future__ import annotations

from dataclasses import dataclass

from app.kernel.errors import Invalid


class LearningError(Invalid):
    """Base of the engine's errors; `message` is for people, `code` for programs."""

    code = "learning_error"


@dataclass(frozen=True, slots=True)
class Problem:
    """One fault of a document and where it lies, such as `items[3].choices`."""

    place: str
    message: str

    def __str__(self) -> str:
        return f"{self.place}: {self.message}"


class Malformed(LearningError):
    """A JSON value of the wrong shape, at one named place."""

    code = "malformed"

    def __init__(self, place: str, message: str) -> None:
        self.problem = Problem(place, message)
        super().__init__(str(self.problem))


class StateInvalid(Malformed):
    """A stored learner state that this version cannot read."""

    code = "learner_state_invalid"


class ContentInvalid(LearningError):
    """An activity document that was refused; `problems` holds each fault, at most twenty."""

    code = "activity_invalid"

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        self.problems = problems
        super().__init__("\n".join(str(problem) for problem in problems))


class ResponseInvalid(LearningError):
    """An answer of the wrong kind or size; nothing was scored and the learner may try again."""

    code = "response_invalid"
