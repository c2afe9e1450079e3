"""What a SCIM request can be refused with (RFC 7644 §3.12).

ScimError
├── BadRequest 400: InvalidFilter, TooMany, InvalidSyntax, InvalidPath, NoTarget, InvalidValue,
│                   InvalidVersion, MutabilityError
├── Unauthorized 401, Forbidden 403 (Sensitive), NotFound 404, MethodNotAllowed 405
├── Uniqueness 409, PreconditionFailed 412, PayloadTooLarge 413
└── TooManyRequests 429, NotImplementedByServer 501
"""

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

    def to_document(self) -> dict[str, object]:
        """The error body of RFC 7644 §3.12; the status is a JSON string there."""
        document: dict[str, object] = {
            "schemas": [ERROR_URN],
            "status": str(self.status),
            "detail": self.message,
        }
        if self.scim_type is not None:
            document["scimType"] = self.scim_type
        return document


class BadRequest(ScimError):
    pass


class InvalidFilter(BadRequest):
    scim_type = "invalidFilter"


class TooMany(BadRequest):
    """The filter or query would yield, or cost, more than the server will do."""

    scim_type = "tooMany"


class InvalidSyntax(BadRequest):
    scim_type = "invalidSyntax"


class InvalidPath(BadRequest):
    scim_type = "invalidPath"


class NoTarget(BadRequest):
    scim_type = "noTarget"


class InvalidValue(BadRequest):
    scim_type = "invalidValue"


class InvalidVersion(BadRequest):
    scim_type = "invalidVers"


class MutabilityError(BadRequest):
    scim_type = "mutability"


class Unauthorized(ScimError):
    status = 401


class Forbidden(ScimError):
    status = 403


class Sensitive(Forbidden):
    """The request put personal or secret data into a URI (RFC 7644 §7.5.2)."""

    scim_type = "sensitive"


class NotFound(ScimError):
    status = 404


class MethodNotAllowed(ScimError):
    status = 405


class Uniqueness(ScimError):
    status = 409
    scim_type = "uniqueness"


class PreconditionFailed(ScimError):
    status = 412


class PayloadTooLarge(ScimError):
    status = 413


class TooManyRequests(ScimError):
    status = 429


class NotImplementedByServer(ScimError):
    status = 501
