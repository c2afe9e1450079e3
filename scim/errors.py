"""What a SCIM request can be refused with (RFC 7644 §3.12, RFC 9865 §2.1).

ScimError
├── BadRequest 400: InvalidFilter, InvalidSyntax, InvalidPath, NoTarget, InvalidValue, MutabilityError,
│                   TooMany, InvalidCursor, ExpiredCursor, InvalidCount
├── Forbidden 403, NotFound 404
└── Uniqueness 409, PreconditionFailed 412, PayloadTooLarge 413
"""

from __future__ import annotations

from typing import ClassVar

ERROR_URN = "urn:ietf:params:scim:api:messages:2.0:Error"


class ScimError(Exception):
    """A refusal. `status` is the HTTP status, `scim_type` the wire code or None,
    `message` a sentence for the administrator who reads the response.
    """

    status: ClassVar[int] = 400
    scim_type: ClassVar[str | None] = None

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class BadRequest(ScimError):
    pass


class InvalidFilter(BadRequest):
    scim_type = "invalidFilter"


class InvalidSyntax(BadRequest):
    scim_type = "invalidSyntax"


class InvalidPath(BadRequest):
    scim_type = "invalidPath"


class NoTarget(BadRequest):
    scim_type = "noTarget"


class InvalidValue(BadRequest):
    scim_type = "invalidValue"


class MutabilityError(BadRequest):
    scim_type = "mutability"


class TooMany(BadRequest):
    scim_type = "tooMany"


class InvalidCursor(BadRequest):
    scim_type = "invalidCursor"


class ExpiredCursor(BadRequest):
    scim_type = "expiredCursor"


class InvalidCount(BadRequest):
    scim_type = "invalidCount"


class Forbidden(ScimError):
    status = 403


class NotFound(ScimError):
    status = 404


class Uniqueness(ScimError):
    status = 409
    scim_type = "uniqueness"


class PreconditionFailed(ScimError):
    status = 412


class PayloadTooLarge(ScimError):
    status = 413


def error_document(status: int, message: str, scim_type: str | None = None) -> dict[str, object]:
    """The error body of RFC 7644 §3.12; the status is a JSON string there."""
    document: dict[str, object] = {
        "schemas": [ERROR_URN],
        "status": str(status),
        "detail": message,
    }
    if scim_type is not None:
        document["scimType"] = scim_type
    return document
