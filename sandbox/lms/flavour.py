"""Where learning platforms differ, as data.

`standard` follows the specifications to the letter; `moodle` answers as Moodle 5.1 was seen to.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Flavour:
    """One platform's manners."""

    name: str
    family: str
    """tool_platform.product_family_code"""
    precision_ms: int
    """Score timestamps are stored, and compared, this coarsely."""
    teacher_score_status: int
    unknown_user_status: int
    short_names: bool
    """context.type and NRPS roles come without their URN."""
    query_in_line_item: bool
    """Line item URLs bear a query, so /scores belongs before the question mark."""
    token_media_type: str
    page_past_the_end: bool
    """A full last page of members offers a next one, which is empty."""
    blank_unresolved: bool
    """A custom variable nobody knows arrives as "" and not as itself."""
    unfinished_erases: bool
    """A score that is not FullyGraded removes the grade that stood there."""
    empty_success: bool
    """A score is answered 200 with no body at all."""


STANDARD = Flavour(
    name="standard",
    family="campus",
    precision_ms=1,
    teacher_score_status=422,
    unknown_user_status=404,
    short_names=False,
    query_in_line_item=False,
    token_media_type="application/json",
    page_past_the_end=False,
    blank_unresolved=False,
    unfinished_erases=False,
    empty_success=False,
)

MOODLE = Flavour(
    name="moodle",
    family="moodle",
    precision_ms=1000,
    teacher_score_status=400,
    unknown_user_status=400,
    short_names=True,
    query_in_line_item=True,
    token_media_type="text/html",
    page_past_the_end=True,
    blank_unresolved=True,
    unfinished_erases=True,
    empty_success=True,
)

FLAVOURS = {flavour.name: flavour for flavour in (STANDARD, MOODLE)}
