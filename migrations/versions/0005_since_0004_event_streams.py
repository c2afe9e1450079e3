"""Destinations of SCIM events; keys and counts for many people and groups

Revision ID: 0005_since_0004
Revises: 0004_since_0003
"""

import sqlalchemy as sa
from alembic import op

revision = "0005_since_0004"
down_revision = "0004_since_0003"
branch_labels = None
depends_on = None

STR = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
TIME = sa.DateTime(timezone=True)


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
    op.create_table(
        "departure_tally",
        sa.Column("tenant_id", STR, nullable=False),
        sa.Column("client", STR, nullable=False),
        sa.Column("minute", sa.BigInteger(), nullable=False),
        sa.Column("noted", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenant.id"], name=op.f("fk_departure_tally_tenant_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("tenant_id", "client", "minute", name=op.f("pk_departure_tally")),
        sqlite_with_rowid=False,
    )
    op.create_index(
        "ix_scim_resource_modified",
        "scim_resource",
        ["tenant_id", "type", "updated_at", "id"],
        unique=False,
        sqlite_where=sa.text("deleted_at IS NULL"),
        postgresql_where=sa.text("deleted_at IS NULL"),
    )
    _key_memberships_by_what_they_are_asked_by()


def _key_memberships_by_what_they_are_asked_by() -> None:
    """The same rows, under a key that doesn't begin with the tenant."""
    key = ["group_id", "tenant_id", "person_id"]
    if op.get_bind().dialect.name == "sqlite":
        op.drop_index("ix_membership_person", table_name="membership")
        op.rename_table("membership", "membership_before")
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
            sa.PrimaryKeyConstraint(*key, name=op.f("pk_membership")),
            sqlite_with_rowid=False,
        )
        columns = "tenant_id, group_id, person_id, kind, since"
        op.execute(f"INSERT INTO membership ({columns}) SELECT {columns} FROM membership_before")  # noqa: S608
        op.drop_table("membership_before")
        op.create_index("ix_membership_person", "membership", ["tenant_id", "person_id"], unique=False)
    else:
        op.drop_constraint("pk_membership", "membership", type_="primary")
        op.create_primary_key("pk_membership", "membership", key)
