"""Reading and scoring a learner's answer.

A response is a choice's key (single), a list of keys (multiple) or a string (short answer).
Text is compared in Unicode NFKC with spaces collapsed, typographic quotes made plain and, unless
the item says otherwise, letter case folded. Numbers may bear the item's unit or a currency sign,
and either decimal sign. A multiple choice earns (right picks less wrong picks) / right choices, not
below 0; only exactly the right choices earn 1.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

from app.learning.content import (
    Choice,
    Item,
    MultipleChoice,
    Question,
    ShortNumber,
    ShortText,
    SingleChoice,
)
from app.learning.errors import ResponseInvalid

MAX_TEXT = 500
_CURRENCIES = "€$£¥"
_QUOTES = str.maketrans({"\u2018": "'", "\u2019": "'", "\u201c": '"', "\u201d": '"'})
_SIGNS = str.maketrans({"\u2212": "-", "\u2013": "-", "'": "", "\u2019": ""})
_NUMBER = re.compile(r"[+-]?(\d{1,15}([.,]\d{1,12})?|[.,]\d{1,12})", re.ASCII)
_GROUPED = re.compile(
    r"[+-]?\d{1,3}(?P<group>[.,])\d{3}((?P=group)\d{3}){0,4}([.,]\d{1,12})?", re.ASCII
)
_UNPRINTABLE = re.compile("[\x00-\x1f\x7f\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Response:
    """A validated answer: the picked keys in the order of the choices, or the text as trimmed."""

    picked: tuple[str, ...] = ()
    text: str = ""


@dataclass(frozen=True, slots=True)
class Scored:
    """score: 0 to 1 · correct: exactly 1 · feedback: paragraphs for the learner, no explanation."""

    score: float
    feedback: tuple[str, ...]

    @property
    def correct(self) -> bool:
        return self.score >= 1


def read_response(item: Item, raw: object) -> Response:
    """Check what a learner sent. Raises ResponseInvalid with a sentence for the learner."""
    question = item.question
    if isinstance(question, SingleChoice):
        if not isinstance(raw, str):
            raise ResponseInvalid("Choose one of the answers.")
        return Response(picked=_known(question.choices, [raw]))
    if isinstance(question, MultipleChoice):
        if not isinstance(raw, list | tuple) or not raw or len(raw) > len(question.choices):
            raise ResponseInvalid("Choose at least one of the answers.")
        return Response(picked=_known(question.choices, raw))
    if not isinstance(raw, str) or not raw.strip():
        raise ResponseInvalid("Write an answer.")
    if len(raw) > MAX_TEXT:
        raise ResponseInvalid(f"Write no more than {MAX_TEXT} characters.")
    text = " ".join(raw.split())
    if _UNPRINTABLE.search(text):
        raise ResponseInvalid("The answer holds characters that cannot be read.")
    if isinstance(question, ShortNumber) and not list(_numbers(text, question.unit)):
        raise ResponseInvalid("Answer with a number, such as 12 or 12.5.")
    return Response(text=text)


def score(item: Item, response: Response) -> Scored:
    """Score a response that `read_response` made for this item."""
    earned = _earned(item.question, response)
    feedback = [item.feedback_right if earned >= 1 else item.feedback_wrong]
    if isinstance(item.question, SingleChoice | MultipleChoice):
        picked = [choice for choice in item.question.choices if choice.key in response.picked]
        feedback += [choice.feedback for choice in picked]
    return Scored(earned, tuple(text for text in feedback if text))


def _known(
    choices: tuple[Choice, ...], picked: list[object] | tuple[object, ...]
) -> tuple[str, ...]:
    known = [choice.key for choice in choices]
    for key in picked:
        if not isinstance(key, str) or key not in known:
            raise ResponseInvalid("That is none of the answers to this question.")
    return tuple(key for key in known if key in picked)


def _earned(question: Question, response: Response) -> float:
    match question:
        case SingleChoice():
            return float(response.picked == (question.correct,))
        case MultipleChoice():
            right = len(set(response.picked) & set(question.correct))
            wrong = len(response.picked) - right
            return max(0.0, (right - wrong) / len(question.correct))
        case ShortText():
            sensitive = question.case_sensitive
            given = folded(response.text, case_sensitive=sensitive)
            wanted = {folded(text, case_sensitive=sensitive) for text in question.accepted}
            return float(given in wanted)
        case ShortNumber():
            least, most = question.bounds
            readings = _numbers(response.text, question.unit)
            return float(any(least <= reading <= most for reading in readings))


def folded(text: str, *, case_sensitive: bool = False) -> str:
    """The form in which short texts are compared."""
    plain = unicodedata.normalize("NFKC", text).translate(_QUOTES)
    if not case_sensitive:
        plain = unicodedata.normalize("NFKC", plain.casefold())
    return " ".join(plain.split())


def as_number(item: Item, response: Response) -> Decimal | None:
    """The number a learner meant (the reading nearest to the right one), for the record."""
    question = item.question
    if not isinstance(question, ShortNumber):
        return None
    value = Decimal(repr(question.value))
    readings = list(_numbers(response.text, question.unit))
    return min(readings, key=lambda reading: abs(reading - value), default=None)


def _numbers(text: str, unit: str) -> Iterator[Decimal]:
    """Each way to read a text as a number: 1,200 is both 1200 and 1.2."""
    plain = folded(text)
    for sign in (folded(unit), *_CURRENCIES):
        if sign:
            plain = plain.removesuffix(sign).strip().removeprefix(sign).strip()
    # NFKC has made every kind of space plain; inside a number it only groups digits.
    plain = re.sub(r"(?<=\d) (?=\d{3}(\D|$))", "", plain.translate(_SIGNS))
    if _NUMBER.fullmatch(plain):
        yield Decimal(plain.replace(",", "."))
    grouped = _GROUPED.fullmatch(plain)
    if grouped:
        group = grouped["group"]
        rest = plain.replace(group, "")
        yield Decimal(rest.replace(",", "."))
