"""What a tenant says of its own SCIM: its schemas and its identity provider

Revision ID: 0004_since_0003
Revises: 0003_since_0002
"""

import sqlalchemy as sa
from alembic import op

revision = "0004_since_0003"
down_revision = "0003_since_0002"
branch_labels = None
depends_on = None

STR = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.add_column("tenant", sa.Column("scim_idp", STR, nullable=False, server_default="auto"))
    op.add_column("tenant", sa.Column("scim_schemas", sa.Integer(), nullable=False, server_default="0"))
    op.create_table(
        "scim_schema",
        sa.Column("tenant_id", STR, nullable=False),
        sa.Column("urn", STR, nullable=False),
        sa.Column("type", STR, nullable=False),
        sa.Column("document", sa.JSON(), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("updated_at", TIME, nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenant.id"], name=op.f("fk_scim_schema_tenant_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("tenant_id", "urn", name=op.f("pk_scim_schema")),
    )
