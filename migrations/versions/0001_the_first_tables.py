"""The first tables

Revision ID: 0001
Revises:
"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

STR = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
TIME = sa.DateTime(timezone=True)
SEQ = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "cached_document",
        sa.Column("url", STR, nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("fetched_at", TIME, nullable=False),
        sa.Column("tried_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("url", name=op.f("pk_cached_document")),
    )
    op.create_table(
        "deployment",
        sa.Column("id", STR, nullable=False),
        sa.Column("registration_id", STR, nullable=False),
        sa.Column("deployment_id", STR, nullable=False),
        sa.Column("tenant_id", STR, nullable=True),
        sa.Column("anonymous", sa.Boolean(), nullable=False),
        sa.Column("first_seen_at", TIME, nullable=False),
        sa.Column("approved_at", TIME, nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_deployment")),
    )
    op.create_index(
        "uq_deployment", "deployment", ["registration_id", "deployment_id"], unique=True
    )
    op.create_table(
        "event",
        sa.Column("seq", SEQ, autoincrement=True, nullable=False),
        sa.Column("tenant_id", STR, nullable=False),
        sa.Column("id", STR, nullable=False),
        sa.Column("type", STR, nullable=False),
        sa.Column("subject", STR, nullable=False),
        sa.Column("payload", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_event")),
        sa.UniqueConstraint("id", name=op.f("uq_event_id")),
    )
    op.create_table(
        "once",
        sa.Column("tenant_id", STR, nullable=False),
        sa.Column("kind", STR, nullable=False),
        sa.Column("key", STR, nullable=False),
        sa.Column("expires_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "kind", "key", name=op.f("pk_once")),
    )
    op.create_index("ix_once_expires_at", "once", ["expires_at"], unique=False)
    op.create_table(
        "registration",
        sa.Column("id", STR, nullable=False),
        sa.Column("tenant_id", STR, nullable=True),
        sa.Column("name", STR, nullable=False),
        sa.Column("issuer", STR, nullable=False),
        sa.Column("client_id", STR, nullable=False),
        sa.Column("auth_login_url", STR, nullable=False),
        sa.Column("auth_token_url", STR, nullable=False),
        sa.Column("auth_audience", STR, nullable=True),
        sa.Column("jwks_url", STR, nullable=False),
        sa.Column("link_by", STR, nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_registration")),
    )
    op.create_index("uq_registration", "registration", ["issuer", "client_id"], unique=True)
    op.create_table(
        "signing_key",
        sa.Column("owner", STR, nullable=False),
        sa.Column("kid", STR, nullable=False),
        sa.Column("tenant_id", STR, nullable=True),
        sa.Column("public_jwk", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("sealed_private", STR, nullable=False),
        sa.Column("published_at", TIME, nullable=False),
        sa.Column("signs_from", TIME, nullable=False),
        sa.Column("retires_at", TIME, nullable=True),
        sa.Column("gone_at", TIME, nullable=True),
        sa.PrimaryKeyConstraint("owner", "kid", name=op.f("pk_signing_key")),
    )
    op.create_table(
        "statement",
        sa.Column("seq", SEQ, autoincrement=True, nullable=False),
        sa.Column("txid", sa.BigInteger(), nullable=False),
        sa.Column("tenant_id", STR, nullable=False),
        sa.Column("id", STR, nullable=False),
        sa.Column("person_id", STR, nullable=True),
        sa.Column("body", STR, nullable=False),
        sa.Column("stored_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_statement")),
    )
    op.create_index("ix_statement_order", "statement", ["tenant_id", "txid", "seq"], unique=False)
    op.create_index("uq_statement_id", "statement", ["tenant_id", "id"], unique=True)
    op.create_table(
        "tenant",
        sa.Column("id", STR, nullable=False),
        sa.Column("slug", STR, nullable=False),
        sa.Column("name", STR, nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("home_page", STR, nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tenant")),
        sa.UniqueConstraint("slug", name=op.f("uq_tenant_slug")),
    )
    op.create_table(
        "access_token",
        sa.Column("tenant_id", STR, nullable=False),
        sa.Column("registration_id", STR, nullable=False),
        sa.Column("scope", STR, nullable=False),
        sa.Column("sealed_token", STR, nullable=False),
        sa.Column("expires_at", TIME, nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenant.id"], name=op.f("fk_access_token_tenant_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint(
            "tenant_id", "registration_id", "scope", name=op.f("pk_access_token")
        ),
    )
    op.create_table(
        "activity",
        sa.Column("tenant_id", STR, nullable=False),
        sa.Column("id", STR, nullable=False),
        sa.Column("slug", STR, nullable=False),
        sa.Column("title", STR, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("updated_at", TIME, nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenant.id"], name=op.f("fk_activity_tenant_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_activity")),
    )
    op.create_index("uq_activity_slug", "activity", ["tenant_id", "slug"], unique=True)
    op.create_table(
        "audit",
        sa.Column("tenant_id", STR, nullable=False),
        sa.Column("id", STR, nullable=False),
        sa.Column("at", TIME, nullable=False),
        sa.Column("actor", STR, nullable=False),
        sa.Column("action", STR, nullable=False),
        sa.Column("subject", STR, nullable=False),
        sa.Column("detail", sa.JSON(none_as_null=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenant.id"], name=op.f("fk_audit_tenant_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_audit")),
    )
    op.create_index("ix_audit_subject", "audit", ["tenant_id", "subject", "at"], unique=False)
    op.create_table(
        "connection",
        sa.Column("tenant_id", STR, nullable=False),
        sa.Column("id", STR, nullable=False),
        sa.Column("kind", STR, nullable=False),
        sa.Column("name", STR, nullable=False),
        sa.Column("issuer", STR, nullable=False),
        sa.Column("settings", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("sealed_secret", STR, nullable=True),
        sa.Column("link_by", STR, nullable=False),
        sa.Column("jit", sa.Boolean(), nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenant.id"], name=op.f("fk_connection_tenant_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_connection")),
    )
    op.create_index("uq_connection_id", "connection", ["id"], unique=True)
    op.create_table(
        "context",
        sa.Column("tenant_id", STR, nullable=False),
        sa.Column("id", STR, nullable=False),
        sa.Column("registration_id", STR, nullable=False),
        sa.Column("deployment_id", STR, nullable=False),
        sa.Column("context_id", STR, nullable=False),
        sa.Column("label", STR, nullable=True),
        sa.Column("title", STR, nullable=True),
        sa.Column("memberships_url", STR, nullable=True),
        sa.Column("updated_at", TIME, nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenant.id"], name=op.f("fk_context_tenant_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_context")),
    )
    op.create_index(
        "uq_context", "context", ["tenant_id", "deployment_id", "context_id"], unique=True
    )
    op.create_table(
        "delivery",
        sa.Column("tenant_id", STR, nullable=False),
        sa.Column("id", STR, nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("event_id", STR, nullable=False),
        sa.Column("kind", STR, nullable=False),
        sa.Column("destination", STR, nullable=False),
        sa.Column("ordering_key", STR, nullable=False),
        sa.Column("status", STR, nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("next_at", TIME, nullable=False),
        sa.Column("lease", STR, nullable=True),
        sa.Column("lease_until", TIME, nullable=True),
        sa.Column("last_error", STR, nullable=True),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("finished_at", TIME, nullable=True),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenant.id"], name=op.f("fk_delivery_tenant_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_delivery")),
    )
    op.create_index(
        "ix_delivery_due",
        "delivery",
        ["next_at"],
        unique=False,
        sqlite_where=sa.text("status = 'waiting'"),
        postgresql_where=sa.text("status = 'waiting'"),
    )
    op.create_index(
        "ix_delivery_key",
        "delivery",
        ["tenant_id", "destination", "ordering_key", "seq"],
        unique=False,
        sqlite_where=sa.text("status = 'waiting'"),
        postgresql_where=sa.text("status = 'waiting'"),
    )
    op.create_table(
        "delivery_attempt",
        sa.Column("tenant_id", STR, nullable=False),
        sa.Column("id", STR, nullable=False),
        sa.Column("delivery_id", STR, nullable=False),
        sa.Column("at", TIME, nullable=False),
        sa.Column("outcome", STR, nullable=False),
        sa.Column("status", sa.Integer(), nullable=True),
        sa.Column("error", STR, nullable=True),
        sa.Column("took_ms", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id"],
            ["tenant.id"],
            name=op.f("fk_delivery_attempt_tenant_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_delivery_attempt")),
    )
    op.create_index(
        "ix_delivery_attempt", "delivery_attempt", ["tenant_id", "delivery_id", "at"], unique=False
    )
    op.create_table(
        "destination",
        sa.Column("tenant_id", STR, nullable=False),
        sa.Column("id", STR, nullable=False),
        sa.Column("kind", STR, nullable=False),
        sa.Column("url", STR, nullable=False),
        sa.Column("sealed_secret", STR, nullable=True),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("cursor_txid", sa.BigInteger(), nullable=False),
        sa.Column("cursor_seq", sa.BigInteger(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("next_at", TIME, nullable=False),
        sa.Column("lease", STR, nullable=True),
        sa.Column("lease_until", TIME, nullable=True),
        sa.Column("last_error", STR, nullable=True),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenant.id"], name=op.f("fk_destination_tenant_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_destination")),
    )
    op.create_index("ix_destination_due", "destination", ["next_at"], unique=False)
    op.create_table(
        "domain",
        sa.Column("tenant_id", STR, nullable=False),
        sa.Column("domain", STR, nullable=False),
        sa.Column("verified_at", TIME, nullable=True),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenant.id"], name=op.f("fk_domain_tenant_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("tenant_id", "domain", name=op.f("pk_domain")),
    )
    op.create_index(
        "uq_domain_verified",
        "domain",
        ["domain"],
        unique=True,
        sqlite_where=sa.text("verified_at IS NOT NULL"),
        postgresql_where=sa.text("verified_at IS NOT NULL"),
    )
    op.create_table(
        "line_item",
        sa.Column("tenant_id", STR, nullable=False),
        sa.Column("id", STR, nullable=False),
        sa.Column("registration_id", STR, nullable=False),
        sa.Column("resource_link_id", STR, nullable=True),
        sa.Column("url", STR, nullable=False),
        sa.Column("lineitems_url", STR, nullable=True),
        sa.Column("scopes", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenant.id"], name=op.f("fk_line_item_tenant_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_line_item")),
    )
    op.create_index(
        "uq_line_item", "line_item", ["tenant_id", "registration_id", "url"], unique=True
    )
    op.create_table(
        "membership",
        sa.Column("tenant_id", STR, nullable=False),
        sa.Column("group_id", STR, nullable=False),
        sa.Column("person_id", STR, nullable=False),
        sa.Column("kind", STR, nullable=False),
        sa.Column("since", TIME, nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenant.id"], name=op.f("fk_membership_tenant_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("tenant_id", "group_id", "person_id", name=op.f("pk_membership")),
    )
    op.create_index("ix_membership_person", "membership", ["tenant_id", "person_id"], unique=False)
    op.create_table(
        "person",
        sa.Column("tenant_id", STR, nullable=False),
        sa.Column("id", STR, nullable=False),
        sa.Column("user_name", STR, nullable=True),
        sa.Column("user_name_folded", STR, nullable=True),
        sa.Column("display_name", STR, nullable=True),
        sa.Column("given_name", STR, nullable=True),
        sa.Column("family_name", STR, nullable=True),
        sa.Column("email", STR, nullable=True),
        sa.Column("email_folded", STR, nullable=True),
        sa.Column("email_verified", sa.Boolean(), nullable=False),
        sa.Column("locale", STR, nullable=True),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("sources", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("updated_at", TIME, nullable=False),
        sa.Column("deleted_at", TIME, nullable=True),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenant.id"], name=op.f("fk_person_tenant_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_person")),
    )
    op.create_index("ix_person_email", "person", ["tenant_id", "email_folded"], unique=False)
    op.create_index(
        "uq_person_user_name",
        "person",
        ["tenant_id", "user_name_folded"],
        unique=True,
        sqlite_where=sa.text("deleted_at IS NULL"),
        postgresql_where=sa.text("deleted_at IS NULL"),
    )
    op.create_table(
        "resource_link",
        sa.Column("tenant_id", STR, nullable=False),
        sa.Column("id", STR, nullable=False),
        sa.Column("deployment_id", STR, nullable=False),
        sa.Column("context_id", STR, nullable=True),
        sa.Column("resource_link_id", STR, nullable=False),
        sa.Column("title", STR, nullable=True),
        sa.Column("activity_id", STR, nullable=True),
        sa.Column("updated_at", TIME, nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id"],
            ["tenant.id"],
            name=op.f("fk_resource_link_tenant_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_resource_link")),
    )
    op.create_index(
        "uq_resource_link",
        "resource_link",
        ["tenant_id", "deployment_id", "resource_link_id"],
        unique=True,
    )
    op.create_table(
        "scim_count",
        sa.Column("tenant_id", STR, nullable=False),
        sa.Column("type", STR, nullable=False),
        sa.Column("live", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenant.id"], name=op.f("fk_scim_count_tenant_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("tenant_id", "type", name=op.f("pk_scim_count")),
    )
    op.create_table(
        "scim_external_id",
        sa.Column("tenant_id", STR, nullable=False),
        sa.Column("client", STR, nullable=False),
        sa.Column("type", STR, nullable=False),
        sa.Column("resource_id", STR, nullable=False),
        sa.Column("external_id", STR, nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id"],
            ["tenant.id"],
            name=op.f("fk_scim_external_id_tenant_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint(
            "resource_id", "tenant_id", "client", "type", name=op.f("pk_scim_external_id")
        ),
    )
    op.create_index(
        "ix_scim_external_id",
        "scim_external_id",
        ["tenant_id", "external_id", "client", "type"],
        unique=False,
    )
    op.create_table(
        "scim_resource",
        sa.Column("tenant_id", STR, nullable=False),
        sa.Column("id", STR, nullable=False),
        sa.Column("type", STR, nullable=False),
        sa.Column("body", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("updated_at", TIME, nullable=False),
        sa.Column("deleted_at", TIME, nullable=True),
        sa.ForeignKeyConstraint(
            ["tenant_id"],
            ["tenant.id"],
            name=op.f("fk_scim_resource_tenant_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_scim_resource")),
    )
    op.create_index(
        "ix_scim_resource_page",
        "scim_resource",
        ["tenant_id", "type", "id"],
        unique=False,
        sqlite_where=sa.text("deleted_at IS NULL"),
        postgresql_where=sa.text("deleted_at IS NULL"),
    )
    op.create_table(
        "scim_value",
        sa.Column("tenant_id", STR, nullable=False),
        sa.Column("resource_id", STR, nullable=False),
        sa.Column("path", STR, nullable=False),
        sa.Column("item", sa.Integer(), nullable=False),
        sa.Column("type", STR, nullable=False),
        sa.Column("head", STR, nullable=False),
        sa.Column("tail", STR, nullable=False),
        sa.Column("number", sa.Float(), nullable=True),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenant.id"], name=op.f("fk_scim_value_tenant_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint(
            "resource_id", "tenant_id", "path", "item", name=op.f("pk_scim_value")
        ),
        sqlite_with_rowid=False,
    )
    op.create_index(
        "ix_scim_value_head", "scim_value", ["tenant_id", "type", "path", "head"], unique=False
    )
    op.create_table(
        "token",
        sa.Column("tenant_id", STR, nullable=False),
        sa.Column("id", STR, nullable=False),
        sa.Column("kind", STR, nullable=False),
        sa.Column("client", STR, nullable=False),
        sa.Column("digest", STR, nullable=False),
        sa.Column("scope", STR, nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("expires_at", TIME, nullable=True),
        sa.Column("revoked_at", TIME, nullable=True),
        sa.Column("last_used_at", TIME, nullable=True),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenant.id"], name=op.f("fk_token_tenant_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_token")),
    )
    op.create_table(
        "activity_version",
        sa.Column("tenant_id", STR, nullable=False),
        sa.Column("activity_id", STR, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("content", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("digest", STR, nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "activity_id"],
            ["activity.tenant_id", "activity.id"],
            name=op.f("fk_activity_version_tenant_id_activity_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id"],
            ["tenant.id"],
            name=op.f("fk_activity_version_tenant_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint(
            "tenant_id", "activity_id", "version", name=op.f("pk_activity_version")
        ),
    )
    op.create_table(
        "assignment",
        sa.Column("tenant_id", STR, nullable=False),
        sa.Column("id", STR, nullable=False),
        sa.Column("person_id", STR, nullable=False),
        sa.Column("activity_id", STR, nullable=False),
        sa.Column("source", STR, nullable=False),
        sa.Column("assigned_at", TIME, nullable=False),
        sa.Column("due_at", TIME, nullable=True),
        sa.Column("dropped_at", TIME, nullable=True),
        sa.ForeignKeyConstraint(
            ["tenant_id", "activity_id"],
            ["activity.tenant_id", "activity.id"],
            name=op.f("fk_assignment_tenant_id_activity_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "person_id"],
            ["person.tenant_id", "person.id"],
            name=op.f("fk_assignment_tenant_id_person_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenant.id"], name=op.f("fk_assignment_tenant_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_assignment")),
    )
    op.create_index("ix_assignment_person", "assignment", ["tenant_id", "person_id"], unique=False)
    op.create_table(
        "attempt",
        sa.Column("tenant_id", STR, nullable=False),
        sa.Column("id", STR, nullable=False),
        sa.Column("person_id", STR, nullable=False),
        sa.Column("identity_id", STR, nullable=True),
        sa.Column("activity_id", STR, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("parameters", STR, nullable=False),
        sa.Column("registration", STR, nullable=False),
        sa.Column("practice", sa.Boolean(), nullable=False),
        sa.Column("state", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("status", STR, nullable=False),
        sa.Column("score", sa.Float(), nullable=False),
        sa.Column("answers", sa.Integer(), nullable=False),
        sa.Column("active_ms", sa.BigInteger(), nullable=False),
        sa.Column("decision_id", STR, nullable=False),
        sa.Column("started_at", TIME, nullable=False),
        sa.Column("updated_at", TIME, nullable=False),
        sa.Column("completed_at", TIME, nullable=True),
        sa.ForeignKeyConstraint(
            ["tenant_id", "activity_id"],
            ["activity.tenant_id", "activity.id"],
            name=op.f("fk_attempt_tenant_id_activity_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "person_id"],
            ["person.tenant_id", "person.id"],
            name=op.f("fk_attempt_tenant_id_person_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenant.id"], name=op.f("fk_attempt_tenant_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_attempt")),
    )
    op.create_index(
        "ix_attempt_person",
        "attempt",
        ["tenant_id", "person_id", "activity_id", "started_at"],
        unique=False,
    )
    op.create_index(
        "uq_attempt_open",
        "attempt",
        ["tenant_id", "person_id", "activity_id"],
        unique=True,
        sqlite_where=sa.text("status = 'open'"),
        postgresql_where=sa.text("status = 'open'"),
    )
    op.create_table(
        "identity",
        sa.Column("tenant_id", STR, nullable=False),
        sa.Column("id", STR, nullable=False),
        sa.Column("person_id", STR, nullable=False),
        sa.Column("source", STR, nullable=False),
        sa.Column("issuer", STR, nullable=False),
        sa.Column("subject", STR, nullable=False),
        sa.Column("joined_by", STR, nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "person_id"],
            ["person.tenant_id", "person.id"],
            name=op.f("fk_identity_tenant_id_person_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenant.id"], name=op.f("fk_identity_tenant_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_identity")),
    )
    op.create_index("ix_identity_person", "identity", ["tenant_id", "person_id"], unique=False)
    op.create_index(
        "uq_identity", "identity", ["tenant_id", "source", "issuer", "subject"], unique=True
    )
    op.create_table(
        "launch",
        sa.Column("tenant_id", STR, nullable=False),
        sa.Column("id", STR, nullable=False),
        sa.Column("registration_id", STR, nullable=False),
        sa.Column("deployment_id", STR, nullable=False),
        sa.Column("person_id", STR, nullable=False),
        sa.Column("identity_id", STR, nullable=False),
        sa.Column("context_id", STR, nullable=True),
        sa.Column("resource_link_id", STR, nullable=True),
        sa.Column("line_item_id", STR, nullable=True),
        sa.Column("activity_id", STR, nullable=True),
        sa.Column("user_id", STR, nullable=True),
        sa.Column("roles", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("instructor", sa.Boolean(), nullable=False),
        sa.Column("browser_digest", STR, nullable=False),
        sa.Column("return_url", STR, nullable=True),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("expires_at", TIME, nullable=False),
        sa.Column("ended_at", TIME, nullable=True),
        sa.Column("ended_by", STR, nullable=True),
        sa.ForeignKeyConstraint(
            ["tenant_id", "person_id"],
            ["person.tenant_id", "person.id"],
            name=op.f("fk_launch_tenant_id_person_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenant.id"], name=op.f("fk_launch_tenant_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_launch")),
    )
    op.create_index("ix_launch_browser", "launch", ["browser_digest", "created_at"], unique=False)
    op.create_index(
        "ix_launch_person", "launch", ["tenant_id", "person_id", "ended_at"], unique=False
    )
    op.create_table(
        "learner_state",
        sa.Column("tenant_id", STR, nullable=False),
        sa.Column("person_id", STR, nullable=False),
        sa.Column("activity_id", STR, nullable=False),
        sa.Column("state", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("answers", sa.Integer(), nullable=False),
        sa.Column("score", sa.Float(), nullable=False),
        sa.Column("completed_at", TIME, nullable=True),
        sa.Column("updated_at", TIME, nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "activity_id"],
            ["activity.tenant_id", "activity.id"],
            name=op.f("fk_learner_state_tenant_id_activity_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "person_id"],
            ["person.tenant_id", "person.id"],
            name=op.f("fk_learner_state_tenant_id_person_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id"],
            ["tenant.id"],
            name=op.f("fk_learner_state_tenant_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint(
            "tenant_id", "person_id", "activity_id", name=op.f("pk_learner_state")
        ),
    )
    op.create_table(
        "line_item_score",
        sa.Column("tenant_id", STR, nullable=False),
        sa.Column("line_item_id", STR, nullable=False),
        sa.Column("user_id", STR, nullable=False),
        sa.Column("timestamp", TIME, nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "line_item_id"],
            ["line_item.tenant_id", "line_item.id"],
            name=op.f("fk_line_item_score_tenant_id_line_item_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id"],
            ["tenant.id"],
            name=op.f("fk_line_item_score_tenant_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint(
            "tenant_id", "line_item_id", "user_id", name=op.f("pk_line_item_score")
        ),
    )
    op.create_table(
        "local_password",
        sa.Column("tenant_id", STR, nullable=False),
        sa.Column("person_id", STR, nullable=False),
        sa.Column("hash", STR, nullable=False),
        sa.Column("changed_at", TIME, nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "person_id"],
            ["person.tenant_id", "person.id"],
            name=op.f("fk_local_password_tenant_id_person_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id"],
            ["tenant.id"],
            name=op.f("fk_local_password_tenant_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("tenant_id", "person_id", name=op.f("pk_local_password")),
    )
    op.create_table(
        "parameters",
        sa.Column("tenant_id", STR, nullable=False),
        sa.Column("activity_id", STR, nullable=False),
        sa.Column("content_version", sa.Integer(), nullable=False),
        sa.Column("version", STR, nullable=False),
        sa.Column("levels", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "activity_id"],
            ["activity.tenant_id", "activity.id"],
            name=op.f("fk_parameters_tenant_id_activity_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenant.id"], name=op.f("fk_parameters_tenant_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint(
            "tenant_id", "activity_id", "content_version", "version", name=op.f("pk_parameters")
        ),
    )
    op.create_table(
        "role_grant",
        sa.Column("tenant_id", STR, nullable=False),
        sa.Column("person_id", STR, nullable=False),
        sa.Column("role", STR, nullable=False),
        sa.Column("granted_by", STR, nullable=False),
        sa.Column("granted_at", TIME, nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "person_id"],
            ["person.tenant_id", "person.id"],
            name=op.f("fk_role_grant_tenant_id_person_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenant.id"], name=op.f("fk_role_grant_tenant_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("tenant_id", "person_id", "role", name=op.f("pk_role_grant")),
    )
    op.create_table(
        "session",
        sa.Column("tenant_id", STR, nullable=False),
        sa.Column("id", STR, nullable=False),
        sa.Column("person_id", STR, nullable=False),
        sa.Column("identity_id", STR, nullable=True),
        sa.Column("connection_id", STR, nullable=True),
        sa.Column("via", STR, nullable=False),
        sa.Column("digest", STR, nullable=False),
        sa.Column("idp_session", STR, nullable=True),
        sa.Column("sealed_id_token", STR, nullable=True),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("expires_at", TIME, nullable=False),
        sa.Column("seen_at", TIME, nullable=False),
        sa.Column("ended_at", TIME, nullable=True),
        sa.Column("ended_by", STR, nullable=True),
        sa.ForeignKeyConstraint(
            ["tenant_id", "person_id"],
            ["person.tenant_id", "person.id"],
            name=op.f("fk_session_tenant_id_person_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenant.id"], name=op.f("fk_session_tenant_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_session")),
    )
    op.create_index(
        "ix_session_idp", "session", ["tenant_id", "connection_id", "idp_session"], unique=False
    )
    op.create_index(
        "ix_session_person", "session", ["tenant_id", "person_id", "ended_at"], unique=False
    )
    op.create_table(
        "answer",
        sa.Column("tenant_id", STR, nullable=False),
        sa.Column("id", STR, nullable=False),
        sa.Column("attempt_id", STR, nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("person_id", STR, nullable=False),
        sa.Column("identity_id", STR, nullable=True),
        sa.Column("launch_id", STR, nullable=True),
        sa.Column("item_key", STR, nullable=False),
        sa.Column("skill_key", STR, nullable=False),
        sa.Column("response", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("correct", sa.Boolean(), nullable=False),
        sa.Column("score", sa.Float(), nullable=False),
        sa.Column("duration_ms", sa.BigInteger(), nullable=True),
        sa.Column("decision_id", STR, nullable=False),
        sa.Column("answered_at", TIME, nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "attempt_id"],
            ["attempt.tenant_id", "attempt.id"],
            name=op.f("fk_answer_tenant_id_attempt_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenant.id"], name=op.f("fk_answer_tenant_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_answer")),
    )
    op.create_index("ix_answer_person", "answer", ["tenant_id", "person_id"], unique=False)
    op.create_index("uq_answer_decision", "answer", ["tenant_id", "decision_id"], unique=True)
    op.create_index("uq_answer_seq", "answer", ["tenant_id", "attempt_id", "seq"], unique=True)
    op.create_table(
        "decision",
        sa.Column("tenant_id", STR, nullable=False),
        sa.Column("id", STR, nullable=False),
        sa.Column("attempt_id", STR, nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("person_id", STR, nullable=False),
        sa.Column("explanation", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("decided_at", TIME, nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "attempt_id"],
            ["attempt.tenant_id", "attempt.id"],
            name=op.f("fk_decision_tenant_id_attempt_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenant.id"], name=op.f("fk_decision_tenant_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_decision")),
    )
    op.create_index("uq_decision_seq", "decision", ["tenant_id", "attempt_id", "seq"], unique=True)


def downgrade() -> None:
    op.drop_index("uq_decision_seq", table_name="decision")
    op.drop_table("decision")
    op.drop_index("uq_answer_seq", table_name="answer")
    op.drop_index("uq_answer_decision", table_name="answer")
    op.drop_index("ix_answer_person", table_name="answer")
    op.drop_table("answer")
    op.drop_index("ix_session_person", table_name="session")
    op.drop_index("ix_session_idp", table_name="session")
    op.drop_table("session")
    op.drop_table("role_grant")
    op.drop_table("parameters")
    op.drop_table("local_password")
    op.drop_table("line_item_score")
    op.drop_table("learner_state")
    op.drop_index("ix_launch_person", table_name="launch")
    op.drop_index("ix_launch_browser", table_name="launch")
    op.drop_table("launch")
    op.drop_index("uq_identity", table_name="identity")
    op.drop_index("ix_identity_person", table_name="identity")
    op.drop_table("identity")
    op.drop_index(
        "uq_attempt_open",
        table_name="attempt",
        sqlite_where=sa.text("status = 'open'"),
        postgresql_where=sa.text("status = 'open'"),
    )
    op.drop_index("ix_attempt_person", table_name="attempt")
    op.drop_table("attempt")
    op.drop_index("ix_assignment_person", table_name="assignment")
    op.drop_table("assignment")
    op.drop_table("activity_version")
    op.drop_table("token")
    op.drop_index("ix_scim_value_head", table_name="scim_value")
    op.drop_table("scim_value")
    op.drop_index(
        "ix_scim_resource_page",
        table_name="scim_resource",
        sqlite_where=sa.text("deleted_at IS NULL"),
        postgresql_where=sa.text("deleted_at IS NULL"),
    )
    op.drop_table("scim_resource")
    op.drop_index("ix_scim_external_id", table_name="scim_external_id")
    op.drop_table("scim_external_id")
    op.drop_table("scim_count")
    op.drop_index("uq_resource_link", table_name="resource_link")
    op.drop_table("resource_link")
    op.drop_index(
        "uq_person_user_name",
        table_name="person",
        sqlite_where=sa.text("deleted_at IS NULL"),
        postgresql_where=sa.text("deleted_at IS NULL"),
    )
    op.drop_index("ix_person_email", table_name="person")
    op.drop_table("person")
    op.drop_index("ix_membership_person", table_name="membership")
    op.drop_table("membership")
    op.drop_index("uq_line_item", table_name="line_item")
    op.drop_table("line_item")
    op.drop_index(
        "uq_domain_verified",
        table_name="domain",
        sqlite_where=sa.text("verified_at IS NOT NULL"),
        postgresql_where=sa.text("verified_at IS NOT NULL"),
    )
    op.drop_table("domain")
    op.drop_index("ix_destination_due", table_name="destination")
    op.drop_table("destination")
    op.drop_index("ix_delivery_attempt", table_name="delivery_attempt")
    op.drop_table("delivery_attempt")
    op.drop_index(
        "ix_delivery_key",
        table_name="delivery",
        sqlite_where=sa.text("status = 'waiting'"),
        postgresql_where=sa.text("status = 'waiting'"),
    )
    op.drop_index(
        "ix_delivery_due",
        table_name="delivery",
        sqlite_where=sa.text("status = 'waiting'"),
        postgresql_where=sa.text("status = 'waiting'"),
    )
    op.drop_table("delivery")
    op.drop_index("uq_context", table_name="context")
    op.drop_table("context")
    op.drop_index("uq_connection_id", table_name="connection")
    op.drop_table("connection")
    op.drop_index("ix_audit_subject", table_name="audit")
    op.drop_table("audit")
    op.drop_index("uq_activity_slug", table_name="activity")
    op.drop_table("activity")
    op.drop_table("access_token")
    op.drop_table("tenant")
    op.drop_index("uq_statement_id", table_name="statement")
    op.drop_index("ix_statement_order", table_name="statement")
    op.drop_table("statement")
    op.drop_table("signing_key")
    op.drop_index("uq_registration", table_name="registration")
    op.drop_table("registration")
    op.drop_index("ix_once_expires_at", table_name="once")
    op.drop_table("once")
    op.drop_table("event")
    op.drop_index("uq_deployment", table_name="deployment")
    op.drop_table("deployment")
    op.drop_table("cached_document")
