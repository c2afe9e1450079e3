"""The run's database, as its administrator sees it: connections broken, the server restarted, time moved on."""

from __future__ import annotations

import random
from datetime import timedelta

import psycopg
from sqlalchemy import exists, func, select, tuple_, update

from app.deps import Deps
from app.store.tables.learning import statement
from app.store.tables.outbox import delivery, destination
from tests.postgres import Server


class Base:
    """SQLite in a file, or a database of a PostgreSQL server of ours."""

    def __init__(self, environ: dict[str, str], server: Server | None) -> None:
        self.environ = environ
        self._server = server

    @property
    def is_postgres(self) -> bool:
        return self._server is not None

    def break_connections(self, share: float, seed: int) -> int:
        """Terminate a share of the gateway's connections on PostgreSQL; returns how many."""
        assert self._server is not None
        name = self.environ["OSTIARY_DATABASE_URL"].rpartition("/")[2].partition("?")[0]
        with psycopg.connect(self._server.admin_url(), autocommit=True) as admin:
            rows = admin.execute(
                "SELECT pid FROM pg_stat_activity WHERE datname = %s ORDER BY pid", (name,)
            ).fetchall()
            struck = [pid for (pid,) in rows if random.Random(f"{seed} {pid}").random() < share]
            for pid in struck:
                admin.execute("SELECT pg_terminate_backend(%s)", (pid,))
        return len(struck)

    def restart(self) -> None:
        """Stop the PostgreSQL server hard and start it again."""
        assert self._server is not None
        self._server.restart()


def let_leases_run_out(deps: Deps) -> None:
    """Move time on for every lease, those whose holder is dead or stopped and those still held.

    A lease lasts 90 seconds; waiting for it would be most of a run.
    """
    over = deps.clock() - timedelta(seconds=1)
    with deps.db.system(write=True) as system:
        for table in (delivery, destination):
            held = table.c.lease_until.is_not(None)
            system.conn.execute(update(table).where(held).values(lease_until=over))


def lapsed(deps: Deps) -> int:
    """How many leases have run out and were not taken over yet."""
    now = deps.clock()
    with deps.db.system() as system:
        return sum(
            system.conn.scalar(
                select(func.count()).select_from(table).where(table.c.lease_until < now)
            )
            or 0
            for table in (delivery, destination)
        )


def waiting(deps: Deps) -> int:
    """How many deliveries and streams are not through yet."""
    behind = exists().where(
        statement.c.tenant_id == destination.c.tenant_id,
        tuple_(statement.c.txid, statement.c.seq)
        > tuple_(destination.c.cursor_txid, destination.c.cursor_seq),
    )
    with deps.db.system() as system:
        deliveries = select(func.count()).where(delivery.c.status == "waiting")
        streams = select(func.count()).select_from(destination).where(behind)
        return sum(system.conn.scalar(each) or 0 for each in (deliveries, streams))
