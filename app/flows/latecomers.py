"""Sign-ins that were under way when the provider ended what they rest on: they must not enter afterwards."""

from __future__ import annotations

from datetime import datetime

from app.store import once
from app.store.db import Tx
from app.store.sql import exclusive
from sso.assertion import VerifiedAssertion
from sso.logout import VerifiedLogout
from sso.state import STATE_LIFETIME

_KEPT = 2 * STATE_LIFETIME
"""Longer than a sign-in can be under way."""


def refuse(tx: Tx, connection_id: str, notice: VerifiedLogout, now: datetime) -> None:
    """Remember what the provider has ended: one session of its own, or all that its subject began before."""
    if notice.session_index is not None:
        _one_at_a_time(tx, connection_id, notice.session_index)
        once.claim(tx, _session(connection_id), notice.session_index, now + _KEPT)
    elif notice.subject is not None:
        _alone_with(tx, connection_id, notice.subject)
        once.renew(tx, _subject(connection_id), notice.subject, now + _KEPT)


def is_over(tx: Tx, said: VerifiedAssertion, begun_at: datetime) -> bool:
    """Tell whether the provider has ended what a sign-in, begun at `begun_at`, rests on."""
    of, index = said.connection_id, said.session_index
    _alone_with(tx, of, said.subject)
    until = once.until(tx, _subject(of), said.subject)
    if until is not None and begun_at < until - _KEPT:
        return True
    if index is None:
        return False
    _one_at_a_time(tx, of, index)
    return once.claimed(tx, _session(of), index)


def _one_at_a_time(tx: Tx, connection_id: str, name: str) -> None:
    exclusive(tx.conn, tx.tenant, "provider session", connection_id, name)


def _alone_with(tx: Tx, connection_id: str, subject: str) -> None:
    # The lock under which a sign-in makes its person: it ends with the logout, or begins after it.
    exclusive(tx.conn, tx.tenant, "oidc", connection_id, subject)


def _session(connection_id: str) -> str:
    return f"provider session:{connection_id}"


def _subject(connection_id: str) -> str:
    return f"provider subject:{connection_id}"
