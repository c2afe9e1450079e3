"""How the databases go about pages: by which index they walk, and that they sort nothing whole."""

from __future__ import annotations

import psycopg
import pytest
from sqlalchemy import event, make_url, select

from app.flows import provision
from app.flows.provision_act import Client
from app.store import memberships, prepared, scim_page
from app.store.scim_page import Listing, Place, Start, part
from app.store.tables.scim import resource
from scim.custom import STANDARD
from scim.filters import parse_filter
from scim.listing import Sort
from scim.schemas import GROUP, USER
from tests.provisioning import Desk, refs

BY_TIME = "ix_scim_resource_modified"
BY_VALUE, BY_ID = "ix_scim_value_head", "ix_scim_resource_page"
BY_GROUP = ("pk_membership", "USING PRIMARY KEY (group_id=?")
ALL_OF_TENANT = "(tenant_id=?)"
"""What SQLite says where it walks all rows of a tenant."""

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
    listing = Listing(USER, "default", "https://x", node, sort)

    def page(read):
        assert len(part(read, listing, Start(after, total=1500), 20).found) == 20

    return [
        plan
        for asked, plan in said_of(deps, client, page)
        if " LIMIT " in asked and "body" not in asked
    ]


def said_of(deps, client, ask):
    """Each statement of a read, and its plan."""
    with deps.db.read(client.tenant) as read:
        return explained_all(read.conn, lambda: ask(read))


def explained_all(conn, ask):
    said, run = [], prepared._Made.run

    def keep(_conn, _cursor, statement, parameters, *_):
        said.append((statement, parameters))

    def noted(made, conn, given):
        bound = made._bound(given)
        said.append((made.sql, tuple(bound) if isinstance(bound, list) else bound))
        return run(made, conn, given)

    event.listen(conn, "before_cursor_execute", keep)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(prepared._Made, "run", noted)
        ask()
    event.remove(conn, "before_cursor_execute", keep)
    assert said
    return [(asked, explained(conn, asked, parameters)) for asked, parameters in said]


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


@pytest.mark.parametrize("descending", [False, True])
def test_what_was_changed_last_is_walked(deps, crowd, descending):
    for after in (None, Place(deps.clock(), "00000000" if not descending else "ffffffff")):
        walk = plans(deps, crowd, None, "meta.lastModified", descending=descending, after=after)[0]
        assert BY_TIME in walk, walk
        for whole in WHOLE:
            assert whole not in walk, walk


def test_what_has_changed_since_is_looked_up(deps, crowd):
    since = parse_filter(f'meta.lastModified gt "{deps.clock().isoformat()}"', USER)
    asked = Listing(USER, "default", "https://x", since, None)
    for _, plan in said_of(deps, crowd, lambda read: part(read, asked, Start(), 10)):
        assert BY_TIME in plan, plan


def test_few_are_looked_up(deps, crowd):
    found = plans(deps, crowd, 'userName sw "u14"', "userName")
    assert BY_VALUE in found[0], found
    for whole in WHOLE:
        assert whole not in found[0], found


@pytest.fixture
def clubs(deps, crowd):
    """Two groups of the crowd, one of everybody; the members of the other."""
    desk = Desk(deps, crowd)
    few = [one["id"] for one in desk.found(count=3)["Resources"]]
    with deps.db.read(crowd.tenant) as read:
        every = read.conn.execute(select(resource.c.id)).scalars().all()
    made = [
        desk.create_raw({"displayName": name, "members": refs(*some)}, GROUP).id
        for name, some in (("All", every), ("Few", few))
    ]
    return *made, few


def test_a_groups_members_are_walked(deps, crowd, clubs):
    every, _, few = clubs
    for after in (None, Place(few[0], few[0])):
        found = plans(deps, crowd, f'groups.value eq "{every}"', None, after=after)[0]
        assert any(name in found for name in BY_GROUP), found
        for whole in (*WHOLE, ALL_OF_TENANT):
            assert whole not in found, found


def test_a_membership_is_found_from_both_sides(deps, crowd, clubs):
    every, small, few = clubs
    groups = Listing(
        GROUP, "default", "https://x", parse_filter(f'id eq "{small}" and members eq "{few[1]}"', GROUP), None
    )  # fmt: skip
    for ask in (
        lambda read: memberships.groups(read, few[:1]),
        lambda read: memberships.members(read, [small]),
        lambda read: part(read, groups, Start(), 10),
    ):
        for _, plan in said_of(deps, crowd, ask):
            assert ALL_OF_TENANT not in plan, plan
    with deps.db.tx(crowd.tenant) as tx, tx.undone():
        for change in (
            lambda: memberships.remove(tx, every, few),
            lambda: memberships.add(tx, every, few, deps.clock()),
            lambda: memberships.forget(tx, few[0]),
        ):
            for _, plan in explained_all(tx.conn, change):
                assert ALL_OF_TENANT not in plan, plan
