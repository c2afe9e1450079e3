"""Makes PostgreSQL's three roles from one administrator's URL, for practice."""

from __future__ import annotations

import secrets

import psycopg

from app.store.engines import parse_url


def make_roles(admin_url: str) -> dict[str, str] | None:
    """Create an application, a system and an owner role; returns their URLs.

    None when the given role may not create roles.
    """
    parsed = parse_url(admin_url).set(drivername="postgresql")
    with psycopg.connect(parsed.render_as_string(hide_password=False), autocommit=True) as admin:
        found = admin.execute(
            "SELECT rolsuper OR rolcreaterole FROM pg_roles WHERE rolname = current_user"
        ).fetchone()
        if not found or not found[0]:
            return None
        tag, urls = secrets.token_hex(4), {}
        for part in ("app", "system", "owner"):
            role, password = f"ostiary_{part}_{tag}", secrets.token_urlsafe(24)
            admin.execute(f"CREATE ROLE {role} LOGIN NOBYPASSRLS PASSWORD '{password}'".encode())
            made = parsed.set(username=role, password=password)
            urls[part] = made.render_as_string(hide_password=False)
        admin.execute(f"GRANT USAGE, CREATE ON SCHEMA public TO ostiary_owner_{tag}".encode())
    return urls
