"""Authors' texts on a page: a blank line parts paragraphs, `code` and *emphasis*; nothing else is markup."""

from __future__ import annotations

import re

from markupsafe import Markup, escape

_CODE = re.compile(r"`([^`\n]+)`")
_EMPHASIS = re.compile(r"\*(?=\S)([^*\n]+?)(?<=\S)\*")
_BLANK = re.compile(r"\n[ \t]*\n")


def inline(text: str) -> Markup:
    """A text without paragraphs; what an author wrote is escaped before it is read."""
    parts = _CODE.split(text)
    return Markup().join(
        Markup("<code>%s</code>") % part if i % 2 else _emphasised(part)
        for i, part in enumerate(parts)
    )


def prose(text: str) -> Markup:
    """A text as paragraphs."""
    paragraphs = (part.strip() for part in _BLANK.split(text))
    return Markup("\n").join(Markup("<p>%s</p>") % inline(part) for part in paragraphs if part)


def _emphasised(text: str) -> Markup:
    # Escaping leaves the asterisks where they are and adds none.
    return Markup(_EMPHASIS.sub(r"<em>\1</em>", str(escape(text))))  # noqa: S704 - escaped just now
