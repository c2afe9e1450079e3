"""What SCIM in full needs: credentials with names, OAuth clients, what groups give, and the trace

Revision ID: 0003_since_0002
Revises: 0002
"""

import sqlalchemy as sa
from alembic import op

revision = "0003_since_0002"
down_revision = "0002"
branch_labels = None
depends_on = None

STR = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "oauth_client",
        sa.Column("tenant_id", STR, nullable=False),
        sa.Column("id", STR, nullable=False),
        sa.Column("name", STR, nullable=False),
        sa.Column("client", STR, nullable=False),
        sa.Column("scope", STR, nullable=False),
        sa.Column("digest", STR, nullable=True),
        sa.Column("jwks", STR, nullable=True),
        sa.Column("jwks_url", STR, nullable=True),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("cut_at", TIME, nullable=True),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("created_by", STR, nullable=False),
        sa.Column("last_used_at", TIME, nullable=True),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenant.id"], name=op.f("fk_oauth_client_tenant_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_oauth_client")),
    )
    for name in ("name", "created_by", "oauth_client_id"):
        op.add_column("token", sa.Column(name, STR, nullable=True))
    op.create_index(
        "ix_token_oauth_client", "token", ["tenant_id", "oauth_client_id"], unique=False
    )
    op.create_index(
        "ix_token_given",
        "token",
        ["expires_at"],
        unique=False,
        sqlite_where=sa.text("oauth_client_id IS NOT NULL"),
        postgresql_where=sa.text("oauth_client_id IS NOT NULL"),
    )
    op.create_table(
        "group_grant",
        sa.Column("tenant_id", STR, nullable=False),
        sa.Column("group_id", STR, nullable=False),
        sa.Column("gives", STR, nullable=False),
        sa.Column("what", STR, nullable=False),
        sa.Column("granted_by", STR, nullable=False),
        sa.Column("granted_at", TIME, nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenant.id"], name=op.f("fk_group_grant_tenant_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint(
            "tenant_id", "group_id", "gives", "what", name=op.f("pk_group_grant")
        ),
    )
    op.create_table(
        "scim_trace",
        sa.Column("tenant_id", STR, nullable=False),
        sa.Column("subject", STR, nullable=False),
        sa.Column("id", STR, nullable=False),
        sa.Column("at", TIME, nullable=False),
        sa.Column("client", STR, nullable=False),
        sa.Column("method", STR, nullable=False),
        sa.Column("status", sa.Integer(), nullable=False),
        sa.Column("refusal", STR, nullable=True),
        sa.Column("sent", STR, nullable=True),
        sa.Column("before", STR, nullable=True),
        sa.Column("after", STR, nullable=True),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenant.id"], name=op.f("fk_scim_trace_tenant_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("tenant_id", "subject", "id", name=op.f("pk_scim_trace")),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_scim_trace_at", "scim_trace", ["tenant_id", "at"], unique=False)
    op.create_index(
        "ix_scim_resource_deleted",
        "scim_resource",
        ["deleted_at"],
        unique=False,
        sqlite_where=sa.text("deleted_at IS NOT NULL"),
        postgresql_where=sa.text("deleted_at IS NOT NULL"),
    )
