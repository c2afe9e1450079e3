"""A launch's login: begun here, carried through the platform in a sealed state, and opened again.

Nothing is stored: the state is sealed into the `state` parameter and bound to the browser's cookie.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from app.deps import Deps
from app.store import platforms
from app.store.platforms import Platform
from keys.errors import SealBroken
from lti import login
from lti.errors import LaunchRefused, LoginRefused, Refusal
from lti.login import LoginRequest, LoginState

_STATE = "lti login"
_STATE_LIFE = timedelta(minutes=10)
_LONGEST_HINTS = 1_500
"""Longer hints are not kept for a second try: the state travels in an address."""


@dataclass(frozen=True, slots=True)
class Begun:
    """A login that comes back: its state, its platform, and the request that can begin it again."""

    state: LoginState
    platform: Platform
    again: Mapping[str, str] | None


def launch_url(deps: Deps) -> str:
    """Return where platforms send launches: our redirect_uri and the root of every target."""
    return f"{deps.settings.base_url}/lti/launch"


def platform_of(deps: Deps, request: LoginRequest) -> Platform:
    """Find the platform that a login request names; raises LoginRefused where none or several fit."""
    with deps.db.system() as system:
        found = platforms.matching(system, request.iss, request.client_id)
    if not found:
        raise LoginRefused("unknown_platform", "This platform is not registered here.")
    if len(found) > 1:
        raise LoginRefused(
            Refusal.MISSING_PARAMETER,
            "Several registrations fit; the login request needs a client_id.",
        )
    return found[0]


def begin(deps: Deps, request: LoginRequest, platform: Platform, browser: str) -> str:
    """Return the platform's address to send this browser to; raises LoginRefused where it is off."""
    if not platform.enabled or (platform.owner and not platform.owner.enabled):
        raise LoginRefused("platform_disabled", "This platform is switched off here.")
    now = deps.clock()
    now = now.replace(microsecond=now.microsecond // 1000 * 1000)
    state = LoginState(
        jti=deps.ids.secret().hex(),
        registration_id=platform.registration.id,
        nonce=deps.ids.secret().hex(),
        target_link_uri=request.target_link_uri,
        browser=login.browser_binding(browser),
        deployment_id=request.lti_deployment_id,
        created_at=now,
        expires_at=now + _STATE_LIFE,
    )
    return login.authentication_request(
        platform.registration, request, redirect_uri=launch_url(deps),
        state=_sealed(deps, state, request), nonce=state.nonce,
    )  # fmt: skip


def begun(deps: Deps, sealed: str) -> Begun:
    """Open the state that a launch brings back; raises LaunchRefused unless it is ours and in time."""
    state, hints = _opened(deps, sealed)
    if deps.clock() >= state.expires_at:
        raise LaunchRefused(
            Refusal.STATE_EXPIRED, "The launch took too long. Please open the link once more."
        )
    with deps.db.system() as system:
        platform = platforms.by_id(system, state.registration_id)
    if platform is None:
        raise LaunchRefused("unknown_platform", "This platform is no longer registered here.")
    return Begun(state, platform, _again(state, platform, hints))


def _sealed(deps: Deps, state: LoginState, request: LoginRequest) -> str:
    hints = [request.login_hint, request.lti_message_hint]
    if sum(len(hint or "") for hint in hints) > _LONGEST_HINTS:
        hints = []
    carried = json.dumps([state.to_bytes().decode(), *hints], separators=(",", ":"))
    return deps.seal.seal(_STATE, carried.encode())


def _opened(deps: Deps, sealed: str) -> tuple[LoginState, list[str | None]]:
    try:
        state, *hints = json.loads(deps.seal.open(_STATE, sealed))
    except SealBroken:
        raise LaunchRefused(
            Refusal.STATE_INVALID, "This launch was not begun here. Please start again."
        ) from None
    return LoginState.from_bytes(state.encode()), hints


def _again(
    state: LoginState, platform: Platform, hints: list[str | None]
) -> Mapping[str, str] | None:
    if not hints:
        return None
    of = platform.registration
    request = {
        "iss": of.issuer, "client_id": of.client_id, "target_link_uri": state.target_link_uri,
        "login_hint": hints[0], "lti_message_hint": hints[1], "lti_deployment_id": state.deployment_id,
    }  # fmt: skip
    return {name: value for name, value in request.items() if value is not None}
