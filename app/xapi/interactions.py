"""The answers' formats: xAPI Data 1.0.3 §2.4.4.1 and its appendix C on response patterns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal

from app.xapi.errors import StatementInvalid

_PLAIN = Decimal("1E+15")


@dataclass(frozen=True, slots=True)
class ChoiceInteraction:
    """Single or multiple choice. choices: text by id, in order · correct: the right ids."""

    choices: Mapping[str, str]
    correct: Sequence[str]


@dataclass(frozen=True, slots=True)
class FillIn:
    """Any one of `accepted` is right."""

    accepted: Sequence[str]
    case_matters: bool = False


@dataclass(frozen=True, slots=True)
class Numeric:
    """Right from `least` to `most`, both included."""

    least: Decimal
    most: Decimal


Interaction = ChoiceInteraction | FillIn | Numeric


def definition(interaction: Interaction, language: str) -> dict[str, Any]:
    """The interaction's part of an activity definition."""
    match interaction:
        case ChoiceInteraction(choices, correct):
            described = [
                {"id": key, "description": {language: text}} for key, text in choices.items()
            ]
            return _definition("choice", [picked(interaction, correct)], choices=described)
        case FillIn(accepted, case_matters):
            for text in accepted:
                if "[,]" in text:
                    raise StatementInvalid("correctResponsesPattern", "'[,]' parts the blanks")
            prefix = f"{{case_matters={str(case_matters).lower()}}}"
            return _definition("fill-in", [prefix + text for text in accepted])
        case Numeric(least, most):
            return _definition("numeric", [f"{number(least)}[:]{number(most)}"])


def picked(interaction: ChoiceInteraction, ids: Sequence[str]) -> str:
    """A response or pattern of choice ids, in the order in which the choices stand."""
    for key in ids:
        if key not in interaction.choices:
            raise StatementInvalid("response", f"{key[:64]!r} is none of the choices")
    return "[,]".join(key for key in interaction.choices if key in ids)


def number(value: Decimal) -> str:
    """A decimal without an exponent, such as 12.5."""
    if not value.is_finite() or abs(value) > _PLAIN:
        raise StatementInvalid("response", "is not a number of a usable size")
    text = format(value, "f")
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text in ("-0", "") else text


def _definition(
    kind: Literal["choice", "fill-in", "numeric"], patterns: list[str], **parts: Any
) -> dict[str, Any]:
    return {"interactionType": kind, "correctResponsesPattern": patterns, **parts}
