"""Destinations of SCIM events

Revision ID: 0005_since_0004
Revises: 0004_since_0003
"""

import sqlalchemy as sa
from alembic import op

revision = "0005_since_0004"
down_revision = "0004_since_0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("destination", sa.Column("options", sa.JSON()))
    op.create_index(
        "ix_delivery_open",
        "delivery",
        ["tenant_id", "destination", "ordering_key", "seq"],
        unique=False,
        sqlite_where=sa.text("finished_at IS NULL"),
        postgresql_where=sa.text("finished_at IS NULL"),
    )
