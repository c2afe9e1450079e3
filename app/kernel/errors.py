"""The gateway's own errors. A class carries its wire code and its HTTP status; `web/errors.py` renders them.

OstiaryError
├── Invalid        400  the request cannot be understood
├── Unauthenticated 401 no credential, or one that no longer stands
├── Refused        403  understood, and not allowed
├── NotFound       404
├── Conflict       409
├── NeighbourFailed 424 another system did not answer usably
├── Throttled      429
└── Unavailable    503  try again later; the message says if anything may have been changed
"""

from __future__ import annotations

from typing import ClassVar, Final

UNEXPECTED: Final = (
    "Something went wrong on our side. Nothing you sent was at fault; please try again."
)
"""What a caller is told of any other exception; the log has the rest."""


class OstiaryError(Exception):
    """Base of the errors that a caller is told about: `code` is stable, `message` is for a person."""

    status: ClassVar[int] = 400
    code: ClassVar[str] = "error"

    def __init__(
        self, message: str, *, code: str | None = None, retry_after: int | None = None
    ) -> None:
        super().__init__(message)
        self.message = message
        self.wire_code = code or self.code
        self.retry_after = retry_after


class Invalid(OstiaryError):
    """The request cannot be understood as it stands."""

    status = 400
    code = "invalid_request"


class Unauthenticated(OstiaryError):
    """No credential came, or it is unknown, expired or revoked."""

    status = 401
    code = "unauthenticated"


class Refused(OstiaryError):
    """Understood, and not allowed."""

    status = 403
    code = "refused"


class NotFound(OstiaryError):
    """No such thing in this tenant."""

    status = 404
    code = "not_found"


class Conflict(OstiaryError):
    """The state has moved on, or the name is taken."""

    status = 409
    code = "conflict"


class NeighbourFailed(OstiaryError):
    """Another system that this step needs is away or answers nonsense: no fault of ours or the caller's.

    Sign-ins and launches end with a 4xx whoever is at fault, so that no platform takes us for broken.
    """

    status = 424
    code = "neighbour_failed"


class Throttled(OstiaryError):
    """Too many requests for now."""

    status = 429
    code = "throttled"


class Unavailable(OstiaryError):
    """The same request may succeed later. Nothing was changed, unless the message says that it is not known."""

    status = 503
    code = "unavailable"
