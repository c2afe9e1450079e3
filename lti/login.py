"""OIDC login initiation by a third party (LTI Security Framework 1.0 §5.1.1)."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from keys.strict_json import StrictJsonError, parse
from lti.errors import LaunchRefused, LoginRefused, Refusal
from lti.registration import Registration
from lti.urls import lies_under, with_query

_LIMITS = {
    "iss": 255,
    "login_hint": 4096,
    "target_link_uri": 2048,
    "lti_message_hint": 8192,
    "client_id": 255,
    "lti_deployment_id": 255,
}
_REQUIRED = ("iss", "login_hint", "target_link_uri")


@dataclass(frozen=True, slots=True)
class LoginRequest:
    """What the platform sent (LTI 1.3 Core §4.1); optional parameters None where absent."""

    iss: str
    login_hint: str
    target_link_uri: str
    lti_message_hint: str | None
    client_id: str | None
    lti_deployment_id: str | None


@dataclass(frozen=True, slots=True)
class LoginState:
    """What we remember of a login until its launch, inside the sealed `state` parameter.

    `browser` is `browser_binding` of the secret in the browser's cookie; `jti` names this state,
    to be claimed once. Times are aware, UTC, whole milliseconds, since access may end a moment later.
    """

    jti: str
    registration_id: str
    nonce: str
    target_link_uri: str
    browser: str
    deployment_id: str | None
    created_at: datetime
    expires_at: datetime

    def to_bytes(self) -> bytes:
        """Plain text: the caller seals it."""
        times = [_millis(self.created_at), _millis(self.expires_at)]
        texts = [self.jti, self.registration_id, self.nonce, self.target_link_uri, self.browser]
        return json.dumps([*texts, self.deployment_id, *times], separators=(",", ":")).encode()

    @classmethod
    def from_bytes(cls, data: bytes) -> LoginState:
        """Read what `to_bytes` wrote. Raises LaunchRefused (`state_invalid`)."""
        try:
            match parse(data):
                case [
                    str(jti),
                    str(registration_id),
                    str(nonce),
                    str(target_link_uri),
                    str(browser),
                    str() | None as deployment_id,
                    int(created_at),
                    int(expires_at),
                ]:
                    created, expires = _instant(created_at), _instant(expires_at)
                case _:
                    raise _invalid_state()
        except (StrictJsonError, OverflowError, ValueError, OSError):
            raise _invalid_state() from None
        return cls(
            jti, registration_id, nonce, target_link_uri, browser, deployment_id, created, expires
        )


def _millis(instant: datetime) -> int:
    return int(instant.timestamp()) * 1000 + instant.microsecond // 1000


def _instant(millis: int) -> datetime:
    return datetime.fromtimestamp(millis // 1000, UTC) + timedelta(milliseconds=millis % 1000)


def parse_login(parameters: Mapping[str, Sequence[str]], launch_url: str) -> LoginRequest:
    """Read a login initiation request: the query of a GET, or the form of a POST, as lists.

    `target_link_uri` must be `launch_url` or lie under it. Unknown parameters are ignored (OIDC
    Core §4). Raises LoginRefused.
    """
    values: dict[str, str | None] = {name: _single(parameters, name) for name in _LIMITS}
    for name in _REQUIRED:
        if not values[name]:
            raise LoginRefused(Refusal.MISSING_PARAMETER, f"The login request has no {name}.")
    target = values["target_link_uri"] or ""
    if not lies_under(target, launch_url):
        raise LoginRefused(
            Refusal.TARGET_LINK_MISMATCH,
            "The link's address (target_link_uri) does not belong to this tool.",
        )
    return LoginRequest(
        iss=values["iss"] or "",
        login_hint=values["login_hint"] or "",
        target_link_uri=target,
        lti_message_hint=values["lti_message_hint"],
        client_id=values["client_id"] or None,
        lti_deployment_id=values["lti_deployment_id"] or None,
    )


def authentication_request(
    registration: Registration, login: LoginRequest, *, redirect_uri: str, state: str, nonce: str
) -> str:
    """The URL that asks the platform to authenticate (Security Framework 1.0 §5.1.1.2).

    `login_hint` and `lti_message_hint` go back unchanged.
    """
    parameters = [
        ("scope", "openid"),
        ("response_type", "id_token"),
        ("response_mode", "form_post"),
        ("prompt", "none"),
        ("client_id", registration.client_id),
        ("redirect_uri", redirect_uri),
        ("login_hint", login.login_hint),
        ("state", state),
        ("nonce", nonce),
    ]
    if login.lti_message_hint is not None:
        parameters.append(("lti_message_hint", login.lti_message_hint))
    return with_query(registration.auth_login_url, parameters)


def browser_binding(secret: str) -> str:
    """What the state holds of the secret in the browser's cookie."""
    return hashlib.sha256(b"ostiary login " + secret.encode(errors="replace")).hexdigest()


def check_browser(state: LoginState, secret: str) -> None:
    """Check that the launch comes from the browser that began the login.

    Otherwise someone could have another's browser finish a login that they began. Raises
    LaunchRefused (`state_mismatch`).
    """
    if not hmac.compare_digest(state.browser, browser_binding(secret)):
        raise LaunchRefused(
            Refusal.STATE_MISMATCH, "This launch was begun in another browser. Please start again."
        )


def _single(parameters: Mapping[str, Sequence[str]], name: str) -> str | None:
    values = parameters.get(name, ())
    if len(values) > 1:
        raise LoginRefused(Refusal.REPEATED_PARAMETER, f"The login request has {name} twice.")
    if not values:
        return None
    if len(values[0]) > _LIMITS[name] or "\0" in values[0] or not _is_text(values[0]):
        raise LoginRefused(Refusal.BAD_PARAMETER, f"The login request's {name} is not usable.")
    return values[0]


def _is_text(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def _invalid_state() -> LaunchRefused:
    return LaunchRefused(
        Refusal.STATE_INVALID, "This launch was not begun here. Please start again."
    )
