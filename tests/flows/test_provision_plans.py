"""How the databases go about pages: by which index they walk, and that they sort nothing whole."""

from __future__ import annotations

import psycopg
import pytest
from sqlalchemy import event, make_url

from app.flows import provision
from app.flows.provision_act import Client
from app.store import scim_page
from app.store.scim_page import Listing, Place, Start, part
from scim.custom import STANDARD
from scim.filters import parse_filter
from scim.listing import Sort
from scim.schemas import USER

BY_VALUE, BY_ID = "ix_scim_value_head", "ix_scim_resource_page"
WHOLE = ("SCAN", "Seq Scan", "\nUSE TEMP B-TREE FOR ORDER BY", "Hash Join", "Merge Join")


@pytest.fixture
def crowd(deps, tenant, database_environ):
    """A thousand and a half, and PostgreSQL has counted them."""
    made = Client(tenant.id, "default", types=STANDARD)
    bodies = (
        {"userName": f"u{n}", "emails": [{"type": "work", "value": f"u{n}@x.example"}]}
        for n in range(1500)
    )
    provision.create_many(deps, made.tenant, made.name, bodies)
    if not deps.db.is_sqlite:
        owner = make_url(database_environ["OSTIARY_DATABASE_OWNER_URL"])
        url = owner.set(drivername="postgresql").render_as_string(hide_password=False)
        with psycopg.connect(url, autocommit=True) as conn:
            conn.execute("VACUUM ANALYZE")
    return made


def plans(deps, client, text, by, *, descending=False, after=None):
    """What the database says of each statement that a page takes, but the loading of the resources."""
    node = None if text is None else parse_filter(text, USER)
    sort = None if by is None else Sort(USER.find(by), descending)
    said = []
    with deps.db.read(client.tenant) as read:

        def keep(_conn, _cursor, statement, parameters, *_):
            said.append((statement, parameters))

        event.listen(read.conn, "before_cursor_execute", keep)
        page = part(
            read, Listing(USER, "default", "https://x", node, sort), Start(after, total=1500), 20
        )
        event.remove(read.conn, "before_cursor_execute", keep)
        assert len(page.found) == 20
        return [
            explained(read.conn, asked, parameters)
            for asked, parameters in said
            if " LIMIT " in asked and "body" not in asked
        ]


def explained(conn, asked, parameters):
    """The plan, a line for each step; those for each row of another are set in."""
    if conn.dialect.name != "sqlite":
        rows = conn.exec_driver_sql(f"EXPLAIN {asked}", parameters)
        return "\n".join(row[0] for row in rows)
    rows = conn.exec_driver_sql(f"EXPLAIN QUERY PLAN {asked}", parameters)
    return "\n".join(f"  {detail}" if parent else detail for _, parent, _, detail in rows)


@pytest.mark.parametrize("text", [None, "active eq true", 'emails[type eq "work"]'])
@pytest.mark.parametrize("descending", [False, True])
@pytest.mark.parametrize(
    ("by", "value", "index"),
    [(None, None, BY_ID), ("userName", "u14", BY_VALUE), ("emails.value", "u14@x.example", BY_VALUE)],
)  # fmt: skip
def test_the_order_is_walked(deps, crowd, monkeypatch, text, by, value, descending, index):
    monkeypatch.setattr(scim_page, "FEW", 0)
    if by is None and descending:
        return
    nobody = "00000000" if not descending else "ffffffff"
    for after in (None, Place(value or nobody, nobody)):
        found = plans(deps, crowd, text, by, descending=descending, after=after)
        walk = found[-1] if not descending or after is None else found[0]
        assert index in walk, walk
        for whole in WHOLE:
            assert whole not in walk, walk


def test_few_are_looked_up(deps, crowd):
    found = plans(deps, crowd, 'userName sw "u14"', "userName")
    assert BY_VALUE in found[0], found
    for whole in WHOLE:
        assert whole not in found[0], found
