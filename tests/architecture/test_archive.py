"""No table is forgotten in a backup: whoever adds one says here what becomes of it."""

from __future__ import annotations

from app.store import archive
from app.store.tables import metadata

CARRIED = {
    "activity", "activity_version", "answer", "assignment", "attempt", "audit", "audit_head", "connection",
    "context", "decision", "delivery", "delivery_attempt", "departure", "departure_tally", "deployment",
    "destination", "domain", "event", "group_grant", "hold", "identity", "lane", "launch", "learner_state", "line_item",
    "line_item_score", "local_password", "membership", "oauth_client", "once", "parameters", "person",
    "registration", "resource_link", "role_grant", "scim_external_id", "scim_resource", "scim_schema",
    "scim_tally", "scim_trace", "scim_value",
    "session", "signing_key", "statement", "tenant", "token",
}  # fmt: skip
"""Before you add one: what must not be as it was, once it is restored? See `archive._to_the_present`."""


def test_every_table_is_carried_or_left_out_with_a_reason():
    assert {table.name for table in archive.TABLES} == CARRIED
    assert set(archive.LEFT_OUT) == set(metadata.tables) - CARRIED
    assert all(archive.LEFT_OUT.values())


def test_every_column_has_a_spelling():
    for table in archive.TABLES:
        assert archive._timed(table) is not None


def test_a_row_comes_after_those_it_refers_to():
    names = [table.name for table in archive.TABLES]
    for table in archive.TABLES:
        for key in table.foreign_keys:
            assert names.index(key.column.table.name) < names.index(table.name)
    # A destination's cursor is a statement's number, which must be known by then.
    assert names.index("statement") < names.index("destination")


def test_what_a_process_holds_is_named_so_that_a_restoration_lets_go_of_it():
    named = {column.name for table in archive.TABLES for column in table.c}
    assert {name for name in named if "lease" in name} == {"lease", "lease_until"}
    for table in archive.TABLES:
        assert ("ended_at" in table.c) == ("ended_by" in table.c), table.name
