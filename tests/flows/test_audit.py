"""The audit log: whoever changes, adds, removes or cuts off an entry is found out."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from click.testing import CliRunner
from sqlalchemy import Connection, create_engine, text
from sqlalchemy.exc import DatabaseError

from app.cli.audit import audit as cli
from app.config import load
from app.deps import Deps, assemble
from app.flows import tenancy
from app.store import audit
from app.store.chain import End
from app.store.engines import parse_url
from keys.seal import Seal
from tests.conftest import SECRET


def note(deps: Deps, tenant, times: int = 1, **detail) -> None:
    for _ in range(times):
        with deps.db.tx(tenant.id) as tx:
            audit.record(
                tx, deps.ids.new(), deps.clock(), "operator", "tried", deps.ids.new(), **detail
            )


def verdict(deps: Deps, tenant, checkpoint: End | None = None):
    with deps.db.read(tenant.id) as read:
        return audit.verify(read, deps.seal, checkpoint)


@pytest.fixture
def intruder(deps: Deps, database_environ) -> Callable[[], Iterator[Connection]]:
    """Somebody who owns the database, and has switched the triggers off."""

    @contextmanager
    def breaks_in():
        url = database_environ.get("OSTIARY_DATABASE_OWNER_URL") or str(
            database_environ["OSTIARY_DATABASE_URL"]
        )
        engine = create_engine(parse_url(url))
        with engine.begin() as conn:
            if deps.db.is_sqlite:
                conn.execute(text("DROP TRIGGER IF EXISTS audit_no_update"))
                conn.execute(text("DROP TRIGGER IF EXISTS audit_no_delete"))
            else:
                conn.execute(text("ALTER TABLE audit DISABLE TRIGGER USER"))
            yield conn
        engine.dispose()

    return breaks_in


def test_a_chain_that_nobody_touched_holds(deps, tenant, other_tenant):
    note(deps, tenant, 5, count=3, words="é “x”", flag=True, nothing=None)
    note(deps, other_tenant, 2)
    found = verdict(deps, tenant)
    assert (found.entries, found.older, found.faults) == (5, 0, ())
    assert verdict(deps, other_tenant).entries == 2


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        ("UPDATE audit SET actor = 'nobody' WHERE n = 3", "Entry 3 is not as it was written"),
        ("UPDATE audit SET detail = '{}' WHERE n = 3", "Entry 3 is not as it was written"),
        ("UPDATE audit SET at = (SELECT at FROM audit a WHERE a.n = 1) WHERE n = 3", "Entry 3 is"),
        ("DELETE FROM audit WHERE n = 3", "Entries 3 to 3 are missing"),
        ("DELETE FROM audit WHERE n = 1", "Entries 1 to 1 are missing"),
        ("DELETE FROM audit WHERE n = 5", "The last 1 entries are missing"),
        ("DELETE FROM audit WHERE n > 2", "The last 3 entries are missing"),
        ("DELETE FROM audit", "The last 5 entries are missing"),
        ("UPDATE audit SET n = 6 WHERE n = 5", "Entries 5 to 5 are missing"),
        ("UPDATE audit SET n = NULL WHERE n = 5", "outside the chain"),
        ("DELETE FROM audit_head", "The end of the chain is gone"),
        ("UPDATE audit_head SET n = 4", "The end of the chain was not written by us"),
    ],
)
def test_every_harm_is_found(deps, tenant, clock, intruder, harm: str, said: str):
    for number in range(5):
        note(deps, tenant, number=number)
        clock.move(seconds=1)
    with intruder() as conn:
        conn.execute(text(harm))
    faults = verdict(deps, tenant).faults
    assert any(said in fault for fault in faults), faults


def test_cutting_the_tail_and_lowering_the_end_alike_is_found(deps, tenant, intruder):
    note(deps, tenant, 5)
    with intruder() as conn:
        conn.execute(text("DELETE FROM audit WHERE n > 3"))
        conn.execute(text("UPDATE audit_head SET n = 3, mac = (SELECT mac FROM audit WHERE n = 3)"))
    assert verdict(deps, tenant).faults


def test_an_end_put_back_with_its_old_seal_is_found_by_a_checkpoint(deps, tenant, intruder):
    note(deps, tenant, 3)
    with deps.db.read(tenant.id) as read:
        old = read.conn.execute(text("SELECT n, mac, seal FROM audit_head")).one()
    note(deps, tenant, 2)
    with deps.db.read(tenant.id) as read:
        checkpoint = audit.end(read)
    with intruder() as conn:
        conn.execute(text("DELETE FROM audit WHERE n > 3"))
        conn.execute(text("UPDATE audit_head SET n = :n, mac = :mac, seal = :seal"), old._asdict())
    assert verdict(deps, tenant).faults == ()  # the database alone can't tell
    assert "The checkpoint saw 5 entries" in verdict(deps, tenant, checkpoint).faults[0]


def test_a_forged_entry_without_the_key_is_found(deps, tenant, intruder):
    note(deps, tenant, 2)
    forger = Seal(["quite another secret that is long enough 98765"])
    with deps.db.read(tenant.id) as read:
        assert audit.verify(read, forger).faults
    with intruder() as conn:
        conn.execute(text(
            "INSERT INTO audit (tenant_id, id, at, actor, action, subject, detail, n, mac) SELECT tenant_id,"
            " 'forged', at, actor, action, subject, detail, 3, mac FROM audit WHERE n = 2"
        ))  # fmt: skip
    assert any("Entry 3" in fault for fault in verdict(deps, tenant).faults)


def test_the_gateways_own_roles_cannot_change_the_log(deps, tenant):
    note(deps, tenant, 2)
    for statement in ("UPDATE audit SET actor = 'x'", "DELETE FROM audit"):
        for handle in (lambda: deps.db.tx(tenant.id), lambda: deps.db.system(write=True)):
            with (
                pytest.raises(DatabaseError, match=r"never changed|permission"),
                handle() as opened,
            ):
                opened.conn.execute(text(statement))
    assert verdict(deps, tenant).faults == ()


def test_a_new_secret_key_in_front_leaves_the_chain_valid(deps, tenant, settings):
    note(deps, tenant, 2)
    newer = load({
        "OSTIARY_DATABASE_URL": settings.database_url,
        "OSTIARY_BASE_URL": settings.base_url,
        "OSTIARY_SECRET_KEYS": f"a newer secret that is long enough 0123456,{SECRET}",
        **({} if deps.db.is_sqlite else {
            "OSTIARY_DATABASE_SYSTEM_URL": settings.database_system_url,
            "OSTIARY_DATABASE_OWNER_URL": settings.database_owner_url,
        }),
    })  # fmt: skip
    later = assemble(newer, deps.clock)
    note(later, tenant, 2)
    found = verdict(later, tenant)
    assert (found.entries, found.faults) == (4, ())
    later.db.close()


def test_what_is_rolled_back_is_not_on_record(deps, tenant):
    class Stop(Exception):
        pass

    note(deps, tenant)
    with pytest.raises(Stop), deps.db.tx(tenant.id) as tx:
        audit.record(tx, deps.ids.new(), deps.clock(), "operator", "tried", "x")
        raise Stop
    found = verdict(deps, tenant)
    assert (found.entries, found.faults) == (1, ())


def test_many_writers_make_one_chain(deps, tenant, other_tenant):
    def work():
        for _ in range(10):
            note(deps, tenant)
            with deps.db.system(write=True) as system:
                for each in (other_tenant, tenant):
                    tx = system.within(each.id)
                    audit.record(tx, deps.ids.new(), deps.clock(), "operator", "both", each.id)

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = verdict(deps, tenant)
    assert (found.entries, found.faults) == (120, ())
    assert verdict(deps, other_tenant).entries == 60


def test_erasing_a_person_leaves_the_chain_valid(deps, tenant):
    from app.kernel.person import Person
    from app.store import people

    someone = Person(deps.ids.new(), user_name="ada", display_name="Ada")
    with deps.db.tx(tenant.id) as tx:
        people.add(tx, someone, deps.clock())
        audit.record(tx, deps.ids.new(), deps.clock(), someone.id, "session.began", someone.id)
    with deps.db.tx(tenant.id) as tx:
        tx.conn.execute(text("DELETE FROM person WHERE id = :id"), {"id": someone.id})
    found = verdict(deps, tenant)
    assert (found.entries, found.faults) == (1, ())
    with deps.db.read(tenant.id) as read:
        assert "Ada" not in str(audit.page(read, None, 10))


def test_the_log_that_is_kept_elsewhere_gets_checkpoints(deps, tenant):
    from structlog.testing import capture_logs

    from app.flows import upkeep

    note(deps, tenant, 3)
    with capture_logs() as lines:
        assert upkeep.checkpoints(deps) == 1
    with deps.db.read(tenant.id) as read:
        end = audit.end(read)
    assert [(one["tenant"], one["entries"], one["mac"]) for one in lines] == [("acme", 3, end.mac)]


def test_a_log_that_is_gone_altogether_is_missed(deps, intruder):
    tenant = tenancy.found(deps, "initech", "Initech")
    note(deps, tenant, 3)
    assert verdict(deps, tenant).faults == ()
    with intruder() as conn:
        conn.execute(text("DELETE FROM audit"))
        conn.execute(text("DELETE FROM audit_head"))
    assert "not even the one of the founding" in verdict(deps, tenant).faults[0]


def test_no_entry_outside_the_chain_is_older_than_the_founding(deps, intruder):
    tenant = tenancy.found(deps, "initech", "Initech")
    with intruder() as conn:
        conn.execute(text(
            "INSERT INTO audit (tenant_id, id, at, actor, action, subject, detail) "
            "SELECT tenant_id, 'forged', '2001-01-01 00:00:00', actor, 'tried', subject, detail FROM audit"
        ))  # fmt: skip
    assert "since the founding" in verdict(deps, tenant).faults[0]


def test_a_checkpoint_of_a_tenant_that_is_gone_is_no_proof(deps, tenant, monkeypatch, tmp_path):
    note(deps, tenant)
    monkeypatch.setattr("app.cli.audit.ready", lambda: deps)
    kept = tmp_path / "checkpoint.json"
    kept.write_text('{"tenant": "vanished", "entries": 9, "mac": "x"}')
    assert CliRunner().invoke(cli, ["verify"]).exit_code == 0
    run = CliRunner().invoke(cli, ["verify", "--checkpoint", str(kept)])
    assert (run.exit_code, "no tenant 'vanished'" in run.output) == (1, True)
