"""What the browser brings back from the provider (RFC 6749 §4.1.2, RFC 9207)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import NewType

from sso.connection import OidcConnection
from sso.discovery import Discovery, require_ready
from sso.errors import (
    BrowserMismatch,
    CallbackRefused,
    ProviderRefused,
    ResponseIssuer,
    StateExpired,
    StateInvalid,
)
from sso.state import SignInState

AuthorizationCode = NewType("AuthorizationCode", str)
"""A code that came with a good state from the right provider; worth redeeming once."""

_LIMITS = {"state": 4_000, "code": 4_000, "iss": 2_000, "error": 100}
_VISIBLE = re.compile(r"[\x20-\x7e]+", re.ASCII)  # VSCHAR of RFC 6749, appendix A
_KNOWN_ERRORS = frozenset({
    "access_denied",
    "account_selection_required",
    "consent_required",
    "interaction_required",
    "invalid_request",
    "invalid_scope",
    "login_required",
    "server_error",
    "temporarily_unavailable",
    "unauthorized_client",
    "unsupported_response_type",
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class Callback:
    """The parameters that we read, bounded, not yet believed. `state` is still sealed."""

    state: str = field(repr=False)
    code: str | None = field(repr=False)
    iss: str | None
    error: str | None


def parse_callback(parameters: Iterable[tuple[str, str]]) -> Callback:
    """Read the query of the callback, all pairs in order. Raises CallbackRefused.

    A parameter that occurs twice is refused (RFC 6749 §3.1); unknown ones are ignored.
    """
    found: dict[str, str] = {}
    for name, value in parameters:
        if name not in _LIMITS:
            continue
        if name in found:
            raise CallbackRefused(f"The answer holds {name} twice.")
        if len(value) > _LIMITS[name] or not _VISIBLE.fullmatch(value):
            raise CallbackRefused(f"The answer's {name} is empty, too long or not plain text.")
        found[name] = value
    if "state" not in found:
        raise StateInvalid("The answer belongs to no sign-in that we began: it has no state.")
    return Callback(found["state"], found.get("code"), found.get("iss"), found.get("error"))


def authorization_code(
    callback: Callback,
    sign_in: SignInState,
    *,
    connection: OidcConnection,
    discovery: Discovery,
    browser_cookie: str,
    now: datetime,
) -> AuthorizationCode:
    """Check that this answer ends that sign-in, and return its code. Raises CallbackRefused.

    `sign_in` is the opened `callback.state`, `connection` the one whose callback URL was called:
    each has its own, so that a provider can't answer for another one (RFC 9700 §4.4.2.2).
    """
    require_ready(connection, discovery)
    if sign_in.connection_id != connection.id:
        raise StateInvalid("This sign-in was begun with another provider.")
    if not sign_in.is_from(browser_cookie):
        raise BrowserMismatch("This sign-in was begun in another browser, or its cookie is gone.")
    if now >= sign_in.expires_at:
        raise StateExpired("The sign-in took too long. Please start again.")
    _check_issuer(callback, discovery)
    if callback.error is not None:
        error = callback.error if callback.error in _KNOWN_ERRORS else "other"
        raise ProviderRefused(f"The identity provider refused the sign-in ({error}).", error)
    if callback.code is None:
        raise CallbackRefused("The identity provider's answer holds no code.")
    return AuthorizationCode(callback.code)


def _check_issuer(callback: Callback, discovery: Discovery) -> None:
    """RFC 9207 §2.4: compared character by character, and missed where it was announced."""
    if callback.iss is None:
        if discovery.iss_parameter:
            raise ResponseIssuer("The answer does not name its issuer, as this provider promises.")
    elif callback.iss != discovery.issuer:
        raise ResponseIssuer("The answer comes from another provider.")
