"""Delivering Security Event Tokens: what a receiver's poll says (RFC 8936), and its answer to a push (RFC 8935)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from scim.errors import InvalidSyntax, InvalidValue

MEDIA_TYPE: Final = "application/secevent+jwt"
TYPE: Final = "secevent+jwt"
"""The `typ` in a token's header (RFC 8417 §2.3)."""

LARGEST_PAGE: Final = 100
MOST_VERDICTS: Final = 1000
_LONGEST_ID: Final = 255
_LONGEST_WORD: Final = 500
_OF_ITS_TOKEN: Final = "invalid_request"  # noqa: S105 - an error's code


@dataclass(frozen=True, slots=True)
class Poll:
    """`most` tokens at once, 0 for none · `at_once` or only when there are some · what it took, and what it
    refuses and why, by `jti`.
    """

    most: int
    at_once: bool
    acknowledged: tuple[str, ...]
    refused: Mapping[str, str]


def parse_poll(body: Any) -> Poll:
    """Read a poll (RFC 8936 §2.2, §2.4). Raises InvalidSyntax, InvalidValue."""
    if not isinstance(body, dict):
        raise InvalidSyntax("A poll is a JSON object.")
    most = body.get("maxEvents", LARGEST_PAGE)
    at_once, taken, errors = (
        body.get("returnImmediately", False),
        body.get("ack", []),
        body.get("setErrs", {}),
    )
    if isinstance(most, bool) or not isinstance(most, int) or most < 0:
        raise InvalidValue("maxEvents is a number from 0.")
    if not isinstance(at_once, bool):
        raise InvalidValue("returnImmediately is true or false.")
    if not isinstance(taken, list) or not isinstance(errors, dict):
        raise InvalidValue("ack is a list of jti, setErrs an object by jti.")
    if len(taken) + len(errors) > MOST_VERDICTS:
        raise InvalidValue(f"ack and setErrs may name {MOST_VERDICTS} tokens at most.")
    for key in (*taken, *errors):
        if not isinstance(key, str) or len(key) > _LONGEST_ID or not key.isprintable():
            raise InvalidValue("A jti is a text, as the token has it.")
    refused = {key: said(error) for key, error in errors.items()}
    return Poll(
        min(most, LARGEST_PAGE),
        at_once,
        tuple(dict.fromkeys(k for k in taken if k not in refused)),
        refused,
    )


def said(error: Any) -> str:
    """What a receiver says is wrong, `{"err": code, "description": text}` (RFC 8935 §2.3), in a line."""
    if not isinstance(error, dict):
        return "The receiver refuses it."
    words = [str(error[name]) for name in ("err", "description") if error.get(name)]
    line = "The receiver refuses it: " + ": ".join(words) if words else "The receiver refuses it."
    return "".join(c if c.isprintable() else " " for c in line)[:_LONGEST_WORD]


def refusal(status: int, body: bytes) -> tuple[bool, str] | None:
    """A push's answer that speaks of its token (RFC 8935 §2.3): whether it is for good, and what it says.

    Only a token that can't be read is refused for good: keys, addresses and rights are mended at a side. None
    where the answer is not of that kind.
    """
    if status != 400:  # noqa: PLR2004 - HTTP's own number
        return None
    try:
        told = json.loads(body)
    except (ValueError, RecursionError):
        return None
    if not isinstance(told, dict) or not isinstance(told.get("err"), str):
        return None
    return told["err"] == _OF_ITS_TOKEN, said(told)
