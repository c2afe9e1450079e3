"""One way to say no, for pages and machines alike."""

from __future__ import annotations


class Refused(Exception):
    """A request that is not served: an HTTP status, a wire code and a sentence to act on."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message


class OutsideError(Exception):
    """A neighbour could not be reached, or did not answer in a form that can be read."""
