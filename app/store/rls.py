"""Row-level security on PostgreSQL: grants and policies for the three roles, set after each migration.

The application role sees rows only of the tenant that its transaction has named. The system and owner
roles have policies of their own; no role has BYPASSRLS, and the owner is held to the policies too.
"""

from __future__ import annotations

from sqlalchemy import Connection, text

from app.store.tables import metadata

_ROOT = "tenant"
_OPERATORS_PLATFORMS = (
    "tenant_id IS NULL AND EXISTS (SELECT 1 FROM deployment WHERE deployment.registration_id = "
    "registration.id AND deployment.tenant_id = current_setting('ostiary.tenant', true))"
)
"""The operator's registrations that a tenant may read: those with a deployment approved into it."""


def secure(conn: Connection, app_role: str, system_role: str, owner_role: str) -> None:
    """Grant and police every table; safe to repeat."""
    quote = conn.dialect.identifier_preparer.quote
    app, system, owner = quote(app_role), quote(system_role), quote(owner_role)
    schema = quote(conn.execute(text("SELECT current_schema()")).scalar_one())
    conn.execute(text(f"GRANT USAGE ON SCHEMA {schema} TO {app}, {system}"))
    for table in metadata.tables.values():
        name = quote(table.name)
        conn.execute(text(f"GRANT SELECT, INSERT, UPDATE, DELETE ON {name} TO {app}, {system}"))
        if (
            table.name == "audit"
        ):  # its triggers refuse too; this also holds where they are switched off
            conn.execute(text(f"REVOKE UPDATE, DELETE, TRUNCATE ON {name} FROM {app}, {system}"))
        conn.execute(text(f"ALTER TABLE {name} ENABLE ROW LEVEL SECURITY"))
        conn.execute(text(f"ALTER TABLE {name} FORCE ROW LEVEL SECURITY"))
        column = "id" if table.name == _ROOT else "tenant_id"
        if column in table.c:
            _policy(
                conn, name, "of_tenant", app, f"{column} = current_setting('ostiary.tenant', true)"
            )
        if table.name == "registration":
            conn.execute(text(f"DROP POLICY IF EXISTS of_operator ON {name}"))
            conn.execute(
                text(
                    f"CREATE POLICY of_operator ON {name} FOR SELECT TO {app} USING ({_OPERATORS_PLATFORMS})"
                )
            )
        _policy(conn, name, "of_system", system, "true")
        if owner_role != system_role:
            _policy(conn, name, "of_owner", owner, "true")
    conn.execute(text(f"GRANT USAGE ON ALL SEQUENCES IN SCHEMA {schema} TO {app}, {system}"))
    conn.execute(text(f"GRANT SELECT ON alembic_version TO {app}, {system}"))


def _policy(conn: Connection, table: str, policy: str, role: str, condition: str) -> None:
    conn.execute(text(f"DROP POLICY IF EXISTS {policy} ON {table}"))
    conn.execute(
        text(
            f"CREATE POLICY {policy} ON {table} TO {role} USING ({condition}) WITH CHECK ({condition})"
        )
    )
