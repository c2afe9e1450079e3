"""What a request handler may reach: this process's Deps, and values bound to this request."""

from __future__ import annotations

from typing import Final, cast

from flask import current_app, request

from app.deps import Deps

LINE: Final = "ostiary.line"
"""Under this name a request's environment holds the fields of its log line."""


def deps() -> Deps:
    """Return the Deps that the factory assembled."""
    return cast(Deps, current_app.extensions["ostiary"])


def request_id() -> str:
    """Return the id under which this request is logged; pages show it beside an error."""
    return cast(str, request.environ[LINE]["request_id"])


def note(**fields: str | int | None) -> None:
    """Add fields to this request's log line: ids and codes, never secrets."""
    request.environ[LINE].update(fields)
