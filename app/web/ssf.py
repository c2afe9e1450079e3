"""Shared signals: receivers come here for their SCIM events (RFC 8936), each with a token of its own."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock
from typing import Any, Final

from flask import Blueprint, Response

from app.flows import event_streams, throttle
from app.kernel.errors import Refused, Throttled
from app.kernel.tenant import TenantId
from app.store.tokens import Token
from app.web import bodies, guard, here
from scim import set_delivery
from scim.set_delivery import Poll
from scim.text import to_json

blueprint = Blueprint("ssf", __name__, url_prefix="/ssf")

_LARGEST_BODY: Final = 512 * 1024
_LONGEST_WAIT: Final = 10.0
_LOOK_EVERY: Final = 0.5
_SHARE: Final = 4
"""One of so many threads of a process may wait for an event to come, at least one; half of them for one tenant, and one for a receiver."""

_COME_AGAIN: Final = 5
_WAITING: Final[dict[str, TenantId]] = {}
_LOCK: Final = Lock()


@blueprint.post("/poll")
def poll() -> Response:
    """Give a receiver what waits for it; where nothing does, wait a while for it unless it says otherwise."""
    deps, token = here.deps(), guard.bearer("set")
    throttle.spend(deps, token.tenant.id, "set", deps.settings.scim_rate)
    asked = set_delivery.parse_poll(bodies.json_of(("application/json",), _LARGEST_BODY))
    if (asked.acknowledged or asked.refused) and token.scope != "write":
        raise Refused("This token may read only, and not acknowledge.", code="insufficient_scope")
    answer = _poll(asked)
    if answer["sets"] or asked.at_once or asked.most == 0:
        return _said(answer)
    with _room(token, max(1, deps.settings.web_threads // _SHARE)):
        answer = _wait(Poll(asked.most, asked.at_once, (), {}), answer)
    return _said(answer)


@contextmanager
def _room(token: Token, most: int) -> Iterator[None]:
    """Wait in here: each holds a thread, and the others are for those who work. Raises Throttled.

    An answer at once would only bring the next question at once.
    """
    with _LOCK:
        of_tenant = sum(one == token.tenant.id for one in _WAITING.values())
        taken = len(_WAITING) >= most or of_tenant >= max(1, most // 2)
        if taken or token.client in _WAITING:
            raise Throttled(
                "Nothing waits for you, and as many wait for an event as can. Come again in some seconds, or "
                "say returnImmediately.", retry_after=_COME_AGAIN,
            )  # fmt: skip
        _WAITING[token.client] = token.tenant.id
    try:
        yield
    finally:
        _WAITING.pop(token.client, None)


def _wait(asked: Poll, answer: dict[str, Any]) -> dict[str, Any]:
    deadline = time.monotonic() + _LONGEST_WAIT
    while not answer["sets"] and time.monotonic() < deadline:
        time.sleep(_LOOK_EVERY)
        answer = _poll(asked)
    return answer


def _poll(asked: Poll) -> dict[str, Any]:
    """One look, at which the token is looked at too."""
    deps, token = here.deps(), guard.bearer("set")
    return event_streams.poll(deps, token.tenant, token.client, asked)


def _said(answer: dict[str, Any]) -> Response:
    # Flask's own way sorts by jti, and what waits longest is to stand first.
    return Response(to_json(answer), mimetype="application/json")
