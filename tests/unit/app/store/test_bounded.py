"""The bound on how long reading may take, by a statement that would never end."""

from __future__ import annotations

import pytest
from sqlalchemy import Integer, literal_column, select, text
from sqlalchemy.exc import DBAPIError

from app.kernel.errors import Unavailable
from app.store.bounded import TooLong, within
from app.store.prepared import Prepared

ENDLESS = text(
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 - i / 100 * 100 FROM n) SELECT count(*) FROM n"
)
A_MILLION = text(
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000000) SELECT count(*) FROM n"
)


def test_what_takes_too_long_is_ended(deps, tenant):
    with pytest.raises(TooLong), deps.db.read(tenant.id) as read, within(read, 0.05):
        read.conn.execute(ENDLESS)


def test_rows_that_never_end_are_ended_too(deps, tenant):
    rows = "(WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 - i / 100 * 100 FROM n) SELECT i FROM n) m"
    streamed = Prepared(select(literal_column("i", Integer).label("i")).select_from(text(rows)))
    with pytest.raises(TooLong), deps.db.read(tenant.id) as read, within(read, 0.05):
        streamed.all(read.conn, {})


def test_the_connection_is_as_good_as_before(deps, tenant):
    for _ in range(30):  # more than the pool holds
        with pytest.raises(TooLong), deps.db.read(tenant.id) as read, within(read, 0.001):
            read.conn.execute(ENDLESS)
    with deps.db.read(tenant.id) as read:
        assert read.conn.execute(A_MILLION).scalar_one() == 1_000_000
        assert read.conn.execute(text("SELECT count(*) FROM person")).scalar_one() == 0
    with deps.db.tx(tenant.id) as tx:
        assert tx.conn.execute(A_MILLION).scalar_one() == 1_000_000


def test_what_comes_after_is_not_bound(deps, tenant):
    with deps.db.read(tenant.id) as read, within(read, 0.001):
        pass
    with deps.db.read(tenant.id) as read:
        assert read.conn.execute(A_MILLION).scalar_one() == 1_000_000


def test_another_fault_inside_is_told_as_it_is(deps, tenant):
    with pytest.raises((DBAPIError, Unavailable)) as raised:  # noqa: SIM117
        with deps.db.read(tenant.id) as read, within(read, 10):
            read.conn.execute(text("SELECT * FROM nowhere"))
    assert not isinstance(raised.value, TooLong)
