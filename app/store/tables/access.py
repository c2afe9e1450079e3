"""Signing in: connections to identity providers, and signed-in sessions."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, Index, Integer

from app.store.types import Json, Str, Time, tenant_table, to

connection = tenant_table(
    "connection",
    Column("kind", Str, nullable=False),
    Column("name", Str, nullable=False),
    Column("issuer", Str, nullable=False),
    Column("settings", Json, nullable=False),
    Column("sealed_secret", Str),
    Column("link_by", Str, nullable=False),
    Column("jit", Boolean, nullable=False),
    Column("enabled", Boolean, nullable=False),
    Column("epoch", Integer, nullable=False, server_default="0"),
    Column("cut_at", Time),
    Column("created_at", Time, nullable=False),
)
"""One tenant's trust in one identity provider: kind oidc or saml; `settings` is that kind's own.

`epoch` counts how often it was switched off; what came by it in an earlier epoch is over for good.
`cut_at` is when; a sign-in that was begun before leads nowhere.
"""
Index("uq_connection_id", connection.c.id, unique=True)

session = tenant_table(
    "session",
    Column("person_id", Str, nullable=False),
    Column("identity_id", Str),
    Column("connection_id", Str),
    Column("via", Str, nullable=False),
    Column("digest", Str, nullable=False),
    Column("idp_session", Str),
    Column("sealed_id_token", Str),
    Column("created_at", Time, nullable=False),
    Column("expires_at", Time, nullable=False),
    Column("seen_at", Time, nullable=False),
    Column("ended_at", Time),
    Column("ended_by", Str),
    Column("tenant_epoch", Integer, nullable=False, server_default="0"),
    Column("connection_epoch", Integer, nullable=False, server_default="0"),
    to("person", "person_id"),
)
"""A signed-in session: via oidc, saml or local. Ended ones are kept and never revive."""
Index("ix_session_person", session.c.tenant_id, session.c.person_id, session.c.ended_at)
Index("ix_session_idp", session.c.tenant_id, session.c.connection_id, session.c.idp_session)
Index(
    "ix_session_standing",
    session.c.tenant_id,
    session.c.connection_id,
    session.c.tenant_epoch,
    session.c.connection_epoch,
    session.c.expires_at,
    sqlite_where=session.c.ended_at.is_(None),
    postgresql_where=session.c.ended_at.is_(None),
)
"""Holds all that counting the standing sessions of a tenant or a connection needs."""
