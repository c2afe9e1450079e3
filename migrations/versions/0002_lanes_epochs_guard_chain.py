"""Delivery by lanes, cut-off by epochs, a guard, and an audit log that is a chain

Revision ID: 0002
Revises: 0001
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

STR = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
TIME = sa.DateTime(timezone=True)

LANES = """
INSERT INTO lane (tenant_id, destination, open_at, failures)
SELECT DISTINCT tenant_id, destination, CURRENT_TIMESTAMP, 0 FROM delivery WHERE status = 'waiting'
"""
NEWEST_ONLY = "UPDATE delivery SET newest_only = true WHERE kind = 'ags_score'"
CLIENTS = """
UPDATE scim_resource SET client = coalesce(
  (SELECT min(client) FROM scim_external_id e WHERE e.tenant_id = scim_resource.tenant_id
   AND e.resource_id = scim_resource.id AND e.type = scim_resource.type),
  (SELECT min(client) FROM token t WHERE t.tenant_id = scim_resource.tenant_id AND t.kind = 'scim'
   HAVING count(DISTINCT client) = 1), 'default')
"""
TALLY = """
INSERT INTO scim_tally (tenant_id, type, client, live, active)
SELECT r.tenant_id, r.type, r.client, count(*), sum(CASE WHEN p.active THEN 1 ELSE 0 END)
FROM scim_resource r LEFT JOIN person p ON p.tenant_id = r.tenant_id AND p.id = r.id
WHERE r.deleted_at IS NULL GROUP BY r.tenant_id, r.type, r.client
"""
CUT_OFF = [
    f"UPDATE {table} SET epoch = 1, cut_at = CURRENT_TIMESTAMP WHERE NOT enabled"
    for table in ("tenant", "connection", "registration")
]
"""Until now what was switched off ended its sessions when it was switched on again; that is over."""
REFUSED = "entries of the audit log are never changed or removed"
ON_SQLITE = [
    f"CREATE TRIGGER audit_no_{what.lower()} BEFORE {what} ON audit "
    f"BEGIN SELECT RAISE(ABORT, '{REFUSED}'); END"
    for what in ("UPDATE", "DELETE")
]
ON_POSTGRES = [
    f"CREATE FUNCTION audit_is_append_only() RETURNS trigger LANGUAGE plpgsql AS "
    f"$$ BEGIN RAISE EXCEPTION '{REFUSED}'; END $$",
    "CREATE TRIGGER audit_append_only BEFORE UPDATE OR DELETE ON audit "
    "FOR EACH ROW EXECUTE FUNCTION audit_is_append_only()",
    "CREATE TRIGGER audit_no_truncate BEFORE TRUNCATE ON audit "
    "FOR EACH STATEMENT EXECUTE FUNCTION audit_is_append_only()",
]


def upgrade() -> None:
    op.create_table(
        "audit_head",
        sa.Column("tenant_id", STR, nullable=False),
        sa.Column("n", sa.BigInteger(), nullable=False),
        sa.Column("mac", STR, nullable=False),
        sa.Column("seal", STR, nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenant.id"], name=op.f("fk_audit_head_tenant_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("tenant_id", name=op.f("pk_audit_head")),
    )
    op.create_table(
        "hold",
        sa.Column("tenant_id", STR, nullable=False),
        sa.Column("id", STR, nullable=False),
        sa.Column("client", STR, nullable=False),
        sa.Column("status", STR, nullable=False),
        sa.Column("active", sa.Integer(), nullable=False),
        sa.Column("allowed", sa.Integer(), nullable=False),
        sa.Column("opened_at", TIME, nullable=False),
        sa.Column("closed_at", TIME, nullable=True),
        sa.Column("closed_by", STR, nullable=True),
        sa.Column("admits_until", TIME, nullable=True),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenant.id"], name=op.f("fk_hold_tenant_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_hold")),
    )
    op.create_index(
        "uq_hold_open",
        "hold",
        ["tenant_id", "client"],
        unique=True,
        sqlite_where=sa.text("status = 'open'"),
        postgresql_where=sa.text("status = 'open'"),
    )
    op.create_table(
        "lane",
        sa.Column("tenant_id", STR, nullable=False),
        sa.Column("destination", STR, nullable=False),
        sa.Column("open_at", TIME, nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("failing_since", TIME, nullable=True),
        sa.Column("throttled", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("last_error", STR, nullable=True),
        sa.Column("refusals", sa.Integer(), server_default="0", nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenant.id"], name=op.f("fk_lane_tenant_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("tenant_id", "destination", name=op.f("pk_lane")),
    )
    op.create_table(
        "lease",
        sa.Column("tenant_id", STR, nullable=False),
        sa.Column("name", STR, nullable=False),
        sa.Column("holder", STR, nullable=False),
        sa.Column("until", TIME, nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenant.id"], name=op.f("fk_lease_tenant_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("tenant_id", "name", name=op.f("pk_lease")),
    )
    op.create_table(
        "rate",
        sa.Column("tenant_id", STR, nullable=False),
        sa.Column("name", STR, nullable=False),
        sa.Column("window", sa.BigInteger(), nullable=False),
        sa.Column("taken", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenant.id"], name=op.f("fk_rate_tenant_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("tenant_id", "name", name=op.f("pk_rate")),
    )
    op.create_table(
        "scim_tally",
        sa.Column("tenant_id", STR, nullable=False),
        sa.Column("type", STR, nullable=False),
        sa.Column("client", STR, nullable=False),
        sa.Column("live", sa.Integer(), nullable=False),
        sa.Column("active", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenant.id"], name=op.f("fk_scim_tally_tenant_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("tenant_id", "type", "client", name=op.f("pk_scim_tally")),
    )
    op.create_table(
        "departure",
        sa.Column("tenant_id", STR, nullable=False),
        sa.Column("id", STR, nullable=False),
        sa.Column("client", STR, nullable=False),
        sa.Column("person_id", STR, nullable=False),
        sa.Column("kind", STR, nullable=False),
        sa.Column("group_id", STR, nullable=True),
        sa.Column("before", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("at", TIME, nullable=False),
        sa.Column("hold_id", STR, nullable=True),
        sa.Column("settled_at", TIME, nullable=True),
        sa.Column("restored_at", TIME, nullable=True),
        sa.Column("failed", STR, nullable=True),
        sa.ForeignKeyConstraint(
            ["tenant_id", "person_id"],
            ["person.tenant_id", "person.id"],
            name=op.f("fk_departure_tenant_id_person_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenant.id"], name=op.f("fk_departure_tenant_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_departure")),
    )
    op.create_index("ix_departure_client", "departure", ["tenant_id", "client", "at"], unique=False)
    op.create_index("ix_departure_hold", "departure", ["tenant_id", "hold_id", "at"], unique=False)
    op.add_column("audit", sa.Column("n", sa.BigInteger(), nullable=True))
    op.add_column("audit", sa.Column("mac", STR, nullable=True))
    op.create_index("uq_audit_n", "audit", ["tenant_id", "n"], unique=True)
    op.add_column(
        "connection", sa.Column("epoch", sa.Integer(), server_default="0", nullable=False)
    )
    op.add_column("connection", sa.Column("cut_at", TIME, nullable=True))
    op.add_column(
        "delivery",
        sa.Column("newest_only", sa.Boolean(), server_default=sa.false(), nullable=False),
    )
    op.drop_index("ix_delivery_due", table_name="delivery")
    op.create_index(
        "ix_delivery_due",
        "delivery",
        ["tenant_id", "destination", "next_at", "seq"],
        unique=False,
        sqlite_where=sa.text("status = 'waiting'"),
        postgresql_where=sa.text("status = 'waiting'"),
    )
    op.drop_index("ix_delivery_key", table_name="delivery")
    op.create_index(
        "ix_delivery_key",
        "delivery",
        ["tenant_id", "destination", "ordering_key", "seq"],
        unique=False,
    )
    op.create_index("ix_delivery_status", "delivery", ["tenant_id", "status", "seq"], unique=False)
    op.create_index(
        "ix_delivery_finished",
        "delivery",
        ["status", "finished_at"],
        unique=False,
        sqlite_where=sa.text("finished_at IS NOT NULL"),
        postgresql_where=sa.text("finished_at IS NOT NULL"),
    )
    op.add_column("destination", sa.Column("failing_since", TIME, nullable=True))
    op.add_column(
        "destination", sa.Column("refusals", sa.Integer(), server_default="0", nullable=False)
    )
    op.add_column(
        "launch", sa.Column("tenant_epoch", sa.Integer(), server_default="0", nullable=False)
    )
    op.add_column(
        "launch", sa.Column("registration_epoch", sa.Integer(), server_default="0", nullable=False)
    )
    op.create_index(
        "ix_launch_standing",
        "launch",
        ["tenant_id", "registration_id", "tenant_epoch", "registration_epoch", "expires_at"],
        unique=False,
        sqlite_where=sa.text("ended_at IS NULL"),
        postgresql_where=sa.text("ended_at IS NULL"),
    )
    op.add_column("person", sa.Column("cut_at", TIME, nullable=True))
    op.add_column("person", sa.Column("blocked_at", TIME, nullable=True))
    op.add_column(
        "registration", sa.Column("epoch", sa.Integer(), server_default="0", nullable=False)
    )
    op.add_column("registration", sa.Column("cut_at", TIME, nullable=True))
    op.add_column("scim_resource", sa.Column("client", STR, nullable=True))
    op.add_column(
        "session", sa.Column("tenant_epoch", sa.Integer(), server_default="0", nullable=False)
    )
    op.add_column(
        "session", sa.Column("connection_epoch", sa.Integer(), server_default="0", nullable=False)
    )
    op.create_index(
        "ix_session_standing",
        "session",
        ["tenant_id", "connection_id", "tenant_epoch", "connection_epoch", "expires_at"],
        unique=False,
        sqlite_where=sa.text("ended_at IS NULL"),
        postgresql_where=sa.text("ended_at IS NULL"),
    )
    op.add_column("tenant", sa.Column("epoch", sa.Integer(), server_default="0", nullable=False))
    op.add_column("tenant", sa.Column("cut_at", TIME, nullable=True))
    op.add_column("token", sa.Column("person_id", STR, nullable=True))
    op.create_index("ix_token_person", "token", ["tenant_id", "person_id"], unique=False)
    for fill in (LANES, NEWEST_ONLY, CLIENTS, TALLY, *CUT_OFF):
        op.execute(fill)
    op.drop_table("scim_count")
    for trigger in ON_SQLITE if op.get_bind().dialect.name == "sqlite" else ON_POSTGRES:
        op.execute(trigger)
