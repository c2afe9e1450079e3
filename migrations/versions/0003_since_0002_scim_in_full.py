"""What SCIM in full needs: credentials with names, and OAuth clients

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
