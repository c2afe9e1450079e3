"""What the record refuses.

XapiError               400, see the kernel's errors
└── StatementInvalid    a statement that the specification does not allow, with the place
"""

from __future__ import annotations

from app.kernel.errors import Invalid


class XapiError(Invalid):
    """Base of the record's errors."""

    code = "xapi_error"


class StatementInvalid(XapiError):
    """A statement that xAPI forbids; `place` names where, such as `result.score.scaled`."""

    code = "statement_invalid"

    def __init__(self, place: str, message: str) -> None:
        self.place = place
        super().__init__(f"{place}: {message}")
