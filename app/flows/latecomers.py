"""Sign-ins that were under way when the provider ended what they rest on: they must not enter afterwards."""

from __future__ import annotations

from datetime import datetime

from app.store import once, people
from app.store.db import Tx
from app.store.sql import exclusive
from sso.logout import VerifiedLogout
from sso.state import STATE_LIFETIME


def refuse(tx: Tx, connection_id: str, notice: VerifiedLogout, now: datetime) -> None:
    """Remember what the provider has ended for as long as a sign-in can be under way."""
    if notice.session_index is not None:
        _one_at_a_time(tx, connection_id, notice.session_index)
        once.claim(tx, _kind(connection_id), notice.session_index, now + 2 * STATE_LIFETIME)
    elif notice.subject is not None:
        # As a sign-in does: one that is just making the person ends with it, or begins after it.
        exclusive(tx.conn, tx.tenant, "oidc", connection_id, notice.subject)
        known = people.identified(tx, "oidc", connection_id, notice.subject)
        if known is not None and people.lock(tx, known[1].id) is not None:
            people.cut(tx, known[1].id, now)


def is_over(tx: Tx, connection_id: str, session_index: str) -> bool:
    """Tell whether the provider has ended the session by which somebody signs in just now."""
    _one_at_a_time(tx, connection_id, session_index)
    return once.claimed(tx, _kind(connection_id), session_index)


def _one_at_a_time(tx: Tx, connection_id: str, session_index: str) -> None:
    exclusive(tx.conn, tx.tenant, "provider session", connection_id, session_index)


def _kind(connection_id: str) -> str:
    return f"provider session:{connection_id}"
