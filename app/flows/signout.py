"""Signing out: here, at the provider, or because the provider says so."""

from __future__ import annotations

from app.deps import Deps
from app.flows import connections, latecomers, provider, signin
from app.kernel.errors import OstiaryError, Refused
from app.store import audit, once, sessions
from app.store import connections as kept
from app.store.sessions import Session
from sso import oidc
from sso.errors import SignInRefused
from sso.logout import verify_logout_token


def leave(deps: Deps, session: Session) -> str | None:
    """End a session; returns where to go so that the provider's ends too, if there is such a place."""
    now = deps.clock()
    with deps.db.tx(session.tenant.id) as tx:
        if sessions.end(tx, session.id, "signed out", now):
            audit.record(
                tx, deps.ids.new(), now, session.person.id, "session.ended", session.person.id,
                session=session.id, by="signed out",
            )  # fmt: skip
        trust = kept.get(tx, session.connection_id) if session.connection_id else None
    if trust is None:
        return None
    try:
        connection = connections.opened(deps, trust)
        found = provider.discovery(deps, connection)
    except (OstiaryError, SignInRefused):
        return None  # we have left; the provider being away changes nothing about that
    known_there = trust.settings.get("post_logout_redirect")
    back = connections.addresses(deps, trust.id).post_logout_redirect_uri if known_there else None
    hint = signin.id_token_hint(deps, session.sealed_id_token)
    return oidc.logout_url(connection, found, id_token_hint=hint, post_logout_redirect_uri=back)


def told_by_provider(deps: Deps, connection_id: str, logout_token: str) -> int:
    """End the sessions that a logout token names (Back-Channel Logout 1.0 §2.6, §2.7).

    Returns how many ended. Raises sso's SignInRefused, NotFound, Refused or NeighbourFailed.
    """
    trust = connections.find(deps, connection_id)
    connection = connections.opened(deps, trust)
    found = provider.discovery(deps, connection)
    notice = provider.with_keys(deps, found, lambda keys: verify_logout_token(
        logout_token, connection=connection, discovery=found, jwks=keys, now=deps.clock(),
    ))  # fmt: skip
    now = deps.clock()
    with deps.db.tx(trust.tenant.id) as tx:
        if not once.claim(tx, f"logout:{trust.id}", notice.unique_id, notice.claim_until):
            raise Refused("This logout token was used already.", code="replayed")
        latecomers.refuse(tx, trust.id, notice, now)
        ended = sessions.end_by_provider(
            tx, trust.id, "provider", now, idp_session=notice.session_index,
            subject=None if notice.session_index else notice.subject,
        )  # fmt: skip
        audit.record(
            tx, deps.ids.new(), now, f"oidc:{trust.id}", "sessions.ended", trust.id, ended=ended
        )
    return ended
