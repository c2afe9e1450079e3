"""What a sign-in remembers between its two halves, without the gateway storing anything.

The caller seals `SignInState.to_bytes()` and sends it as the `state` parameter; the browser keeps
a random cookie whose hash stands in the state. One browser may keep one cookie for several
sign-ins at once. The nonce is claimed once, when the assertion is.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from sso.bounds import json_object, text
from sso.errors import StateInvalid

STATE_LIFETIME = timedelta(minutes=10)
MAX_RETURN_TO = 500
_MAX_STATE_BYTES = 4_000
_RANDOM = re.compile(r"[A-Za-z0-9\-._~]{43,128}", re.ASCII)  # RFC 7636 §4.1


@dataclass(frozen=True, slots=True)
class SignInState:
    """One sign-in under way. `browser` is the SHA-256 of the browser's cookie, in hex; `max_age`
    is the greatest age in seconds of the authentication that was asked for, if any was. `issued_at` is
    kept to the millisecond, since access may end a moment later.
    """

    connection_id: str
    browser: str
    nonce: str = field(repr=False)
    code_verifier: str = field(repr=False)
    return_to: str
    issued_at: datetime
    max_age: int | None = None

    @property
    def expires_at(self) -> datetime:
        return self.issued_at + STATE_LIFETIME

    def is_from(self, browser_cookie: str) -> bool:
        """Whether this browser began the sign-in, in constant time."""
        return hmac.compare_digest(browser_hash(browser_cookie), self.browser)

    def to_bytes(self) -> bytes:
        """For sealing; secret, since it carries the code verifier."""
        return json.dumps(
            {
                "c": self.connection_id,
                "b": self.browser,
                "n": self.nonce,
                "v": self.code_verifier,
                "r": self.return_to,
                "t": _millis(self.issued_at),
                "m": self.max_age,
            },
            separators=(",", ":"),
        ).encode()

    @classmethod
    def from_bytes(cls, data: bytes) -> SignInState:
        """Read what `to_bytes` wrote, once the seal is opened. Raises StateInvalid."""
        values = json_object(
            data, limit=_MAX_STATE_BYTES, what="The sign-in state", refusal=StateInvalid
        )
        issued_at, max_age = values.get("t"), values.get("m")
        connection_id, browser, nonce, code_verifier, return_to = (
            text(values.get(name), MAX_RETURN_TO) for name in "cbnvr"
        )
        if not connection_id or not browser or not nonce or not code_verifier or not return_to:
            raise StateInvalid("The sign-in state lacks a value.")
        if type(issued_at) is not int or not (max_age is None or type(max_age) is int):
            raise StateInvalid("The sign-in state holds a value of the wrong type.")
        try:
            issued = datetime.fromtimestamp(issued_at // 1000, UTC) + timedelta(
                milliseconds=issued_at % 1000
            )
        except (ValueError, OverflowError, OSError):
            raise StateInvalid("The sign-in state holds no time.") from None
        return cls(connection_id, browser, nonce, code_verifier, return_to, issued, max_age)


def begin_sign_in(
    *,
    connection_id: str,
    browser_cookie: str,
    nonce: str,
    code_verifier: str,
    return_to: str | None,
    now: datetime,
    max_age: int | None = None,
) -> SignInState:
    """A new sign-in. `nonce`, `code_verifier` and `browser_cookie` are random, 43 to 128
    characters of RFC 7636's alphabet, the first two made anew each time. `return_to` becomes
    "/" unless it is a path of our own.
    """
    for name, value in (
        ("nonce", nonce),
        ("code_verifier", code_verifier),
        ("cookie", browser_cookie),
    ):
        if not _RANDOM.fullmatch(value):
            raise ValueError(f"{name} must be 43 to 128 random characters")
    return SignInState(
        connection_id=connection_id,
        browser=browser_hash(browser_cookie),
        nonce=nonce,
        code_verifier=code_verifier,
        return_to=local_path(return_to),
        issued_at=now.replace(microsecond=now.microsecond // 1000 * 1000),
        max_age=max_age,
    )


def _millis(instant: datetime) -> int:
    return int(instant.timestamp()) * 1000 + instant.microsecond // 1000


def browser_hash(browser_cookie: str) -> str:
    return hashlib.sha256(browser_cookie.encode(errors="replace")).hexdigest()


def local_path(value: str | None, default: str = "/") -> str:
    """`value` if a redirect to it stays on our own site, else `default`."""
    path = text(value, MAX_RETURN_TO)
    if path is None or not path.isascii() or not path.startswith("/"):
        return default
    # Browsers read "//host" and "/\host" as another site.
    return default if path.startswith("//") or "\\" in path or " " in path else path
