"""Backup and restore: what is in the file is one instant, and what comes out of it goes on, and lets nobody in."""

from __future__ import annotations

import errno
import json
import os
import random
import stat
import string
import threading
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest
from click.testing import CliRunner
from sqlalchemy import Engine, event, insert, select, text, update

from app import cli
from app.config import load
from app.deps import Deps, assemble
from app.factory import create_app
from app.flows import attempt, backup, tenancy
from app.kernel.errors import Conflict, Unauthenticated, Unavailable
from app.kernel.person import Person
from app.store import archive, audit, outbox, people, statements
from app.store.archive import BadBackup
from app.store.migrate import SchemaBehind, head
from app.store.outbox import Fact
from app.store.tables import metadata
from app.worker import Worker
from keys.seal import Seal
from tests import archives, learners
from tests.archives import Organization, contents, is_empty, rewritten, signed
from tests.conftest import SECRET, new_tenant
from tests.demo import eventually
from tests.flows.conftest import browser, hidden
from tests.lti_platform import Neighbours, with_http
from tests.provisioning import standing

KINDS = ["sqlite", "postgresql"]


def quiet(_table: str, _rows: int) -> None:
    pass


@pytest.fixture
def http() -> Neighbours:
    return Neighbours()


@pytest.fixture
def deps(deps, http):
    return with_http(deps, http)


@pytest.fixture
def empty(request, tmp_path, clock, http, sqlite_template) -> Iterator[Deps]:
    """Makes gateways on fresh databases of either kind, with the same keys and clock."""
    made: list[Deps] = []

    def of_kind(kind: str, secret: str = SECRET) -> Deps:
        if kind == "sqlite":
            path = tmp_path / f"empty{len(made)}.db"
            path.write_bytes(sqlite_template.read_bytes())
            environ = {"OSTIARY_DATABASE_URL": f"sqlite:///{path}"}
        else:
            environ = request.getfixturevalue("postgres").migrated().environ()
        settings = load({
            **environ, "OSTIARY_BASE_URL": "http://127.0.0.1:8000", "OSTIARY_SECRET_KEYS": secret,
            "OSTIARY_INSECURE_NEIGHBOURS": "true",
        })  # fmt: skip
        made.append(with_http(assemble(settings, clock), http))
        return made[-1]

    yield of_kind
    for each in made:
        each.db.close()


@pytest.fixture(params=KINDS)
def target(request, empty) -> Deps:
    return empty(request.param)


@pytest.fixture
def acme(deps, http, gateway) -> Organization:
    return Organization(deps, http).found(gateway())


@pytest.fixture
def file(tmp_path) -> Path:
    return tmp_path / "acme.ostiary"


def site(deps: Deps):
    app = create_app(deps)
    app.testing = True
    return browser(app)


def brought_over(held: dict[str, archives.Rows], now: datetime) -> dict[str, archives.Rows]:
    """What a database must hold after a restoration of another that held this."""
    order = sorted((row["txid"], row["seq"]) for row in held["statement"])
    place = {key: number for number, key in enumerate(order, 1)}
    after: dict[str, archives.Rows] = {}
    for name, rows in held.items():
        after[name] = [dict(row) for row in rows] if name not in archives.LEFT_OUT else []
        for row in after[name]:
            if name == "statement":
                row |= {"txid": 0, "seq": place[row["txid"], row["seq"]]}
            if name == "destination":
                cursor = (row["cursor_txid"], row["cursor_seq"])
                row |= {"cursor_txid": 0, "cursor_seq": sum(key <= cursor for key in order)}
            if name in {"session", "launch"} and row["ended_at"] is None:
                row |= {"ended_at": now, "ended_by": "restored"}
            if name == "token" and row["oauth_client_id"] is not None:
                row |= {"revoked_at": now}
            if name in {"delivery", "destination"}:
                row |= {"lease": None, "lease_until": None}
            if "epoch" in row:
                row["epoch"] += 1
            if "cut_at" in row:
                row["cut_at"] = now
    after["statement"].sort(key=lambda row: row["seq"])
    return after


def chains(deps: Deps, *tenants):
    """Each tenant's actions, oldest first, once their chains have been found sound."""
    told = []
    for tenant in tenants:
        with deps.db.read(tenant.id) as read:
            assert audit.verify(read, deps.seal).faults == ()
            told.append([row["action"] for row in reversed(audit.page(read, None, 1000))])
    return told


# The whole of it, and on from there


def test_every_row_of_every_table_comes_back(acme, deps, target, file, clock):
    with deps.db.system(write=True) as system:
        held = {"lease": "mine", "lease_until": clock.now.replace(hour=20)}
        for name in ("delivery", "destination"):
            assert system.conn.execute(update(metadata.tables[name]).values(**held)).rowcount
    before = contents(deps)
    assert [name for name, rows in before.items() if not rows] == []
    made = backup.make(deps, file, quiet)
    carried = {name: len(rows) for name, rows in before.items() if name not in archives.LEFT_OUT}
    assert (made.file, made.bytes, made.rows) == (file, file.stat().st_size, sum(carried.values()))
    clock.move(hours=5)
    told = {}
    done = backup.restore(target, file, told.__setitem__)
    assert (done.rows, done.made_at, done.tenants) == (made.rows, made.made_at, ["acme", "globex"])
    assert told == carried
    after, expected = contents(target), brought_over(before, clock())
    assert chains(deps, acme.tenant)[0][-1] == "backup.made"
    for name in ("audit", "audit_head"):
        new = [row for row in after[name] if row not in expected[name]]
        assert len(new) == 2, "an entry for each tenant, and the ends of their chains"
        after[name] = [row for row in after[name] if row not in new]
        expected[name] = expected[name] if name == "audit" else []
    for name in metadata.tables:
        assert after[name] == expected[name], name
    assert [one[-1] for one in chains(target, acme.tenant, acme.other)] == ["backup.restored"] * 2


def test_a_restored_backup_makes_the_same_backup(acme, deps, target, empty, file, tmp_path, clock):
    """What was read from either database spells the same."""
    backup.make(deps, file, quiet)
    backup.restore(target, file, quiet)
    again = tmp_path / "again.ostiary"
    backup.make(target, again, quiet)
    back = empty("sqlite" if deps.db.is_sqlite else "postgresql")
    backup.restore(back, again, quiet)
    once, twice = contents(target), contents(back)
    as_it_is = set(metadata.tables) - {
        "audit",
        "audit_head",
        "tenant",
        "connection",
        "registration",
    }
    assert {name: once[name] for name in as_it_is} == {name: twice[name] for name in as_it_is}


def test_from_a_restored_backup_the_walk_goes_on(acme, deps, target, file, clock, http):
    backup.make(deps, file, quiet)
    clock.move(minutes=1)
    backup.restore(target, file, quiet)
    clock.move(seconds=1)

    # Nobody is inside by what stood then.
    assert standing(deps, acme.session.presented)
    assert not standing(target, acme.session.presented)
    with pytest.raises(Unauthenticated):
        attempt.begin(target, acme.door)

    # The grade and the statements that waited arrive.
    before = len(http.to(archives.SCORES))
    Worker(target).run_until_idle()
    assert len(http.to(archives.SCORES)) == before + 1
    arrived = len(acme.records.arrived)
    with deps.db.read(acme.tenant.id) as read:
        stored = set(read.conn.execute(text("SELECT id FROM statement WHERE tenant_id = :t"), {"t": acme.tenant.id}).scalars())  # fmt: skip
    assert sorted(acme.records.arrived) == sorted(stored)

    # The learner opens the link anew, and goes on where they were, to the end.
    learner = site(target)
    door = acme.launch(target, learner)
    assert acme.person(target).id == acme.person().id
    attempt.begin(target, door)
    assert archives.answers(target, door) == 4
    learners.finish(target, door)
    Worker(target).run_until_idle()
    score = json.loads(http.to(archives.SCORES)[-1].body)
    assert (score["scoreGiven"], score["activityProgress"]) == (100.0, "Completed")
    assert len(acme.records.arrived) == len(set(acme.records.arrived)) > arrived

    # So does the administrator, and the provisioning client's token still speaks for it.
    console = site(target)
    form = hidden(console.get("/login").text) | {
        "email": archives.ADMINISTRATOR, "password": archives.PASSWORD, "organization": "acme",
    }  # fmt: skip
    assert console.post("/login", data=form).location == "/admin"
    bearer = {"Authorization": f"Bearer {acme.scim_token}"}
    assert site(target).get(f"/scim/v2/Users/{acme.ada}", headers=bearer).status_code == 200

    # Who leaves is out at once.
    assert learner.get("/api/v1/me").status_code == 200
    learners.off(target, acme.tenant, acme.person(target))
    assert learner.get("/api/v1/me").status_code == 401
    chains(target, acme.tenant)


def test_a_login_begun_before_the_restoration_leads_nowhere_and_a_claim_stays_claimed(
    acme, deps, target, file, clock
):
    backup.make(deps, file, quiet)
    used = contents(deps)["once"]
    clock.move(seconds=1)
    backup.restore(target, file, quiet)
    assert contents(target)["once"] == used != []
    assert {row["cut_at"] for row in contents(target)["person"]} == {clock()}


# Statements go on where they were


def say(deps, tenant, count=1):
    said = [{"id": deps.ids.new(), "verb": {"id": "http://example.org/v"}} for _ in range(count)]
    for one in said:
        with deps.db.tx(tenant.id) as tx:
            statements.add(tx, [one], "someone", deps.clock())
    return [one["id"] for one in said]


def talk(deps, tenant, other):
    """Statements of two tenants, on PostgreSQL not numbered as they were committed; returns each one's order."""
    ours, theirs = say(deps, tenant, 2), say(deps, other, 1)
    if not deps.db.is_sqlite:  # whose transactions can't cross
        made = [{"id": deps.ids.new(), "verb": {"id": "http://example.org/v"}} for _ in range(4)]
        with deps.db.tx(tenant.id) as first:
            statements.add(first, made[:1], "someone", deps.clock())
            with deps.db.tx(tenant.id) as second, deps.db.tx(other.id) as third:
                statements.add(second, made[2:3], "someone", deps.clock())
                statements.add(third, made[3:], "someone", deps.clock())
            statements.add(first, made[1:2], "someone", deps.clock())
        ours += [one["id"] for one in made[:3]]
        theirs += [one["id"] for one in made[3:]]
    return ours + say(deps, tenant, 1), theirs + say(deps, other, 1)


def test_forwarding_goes_on_exactly_where_it_stood(deps, target, file, clock, http):
    tenant, other = new_tenant(deps), new_tenant(deps, "globex")
    store = archives.RecordStore()
    http.answers[f"{archives.RECORDS}/statements"] = store
    before = say(deps, tenant, 2)
    for slug in ("acme", "globex"):
        tenancy.add_record_store(deps, slug, archives.RECORDS, "key", "secret")
    sent = talk(deps, tenant, other)
    Worker(deps).run_until_idle()
    assert sorted(store.arrived) == sorted([*sent[0], *sent[1]])
    store.fails_after = len(store.batches)
    waiting = talk(deps, tenant, other)
    Worker(deps).run_until_idle()

    backup.make(deps, file, quiet)
    lost = say(deps, tenant, 3)
    clock.move(minutes=1)
    backup.restore(target, file, quiet)
    store.fails_after = 1_000_000
    later = talk(target, tenant, other)
    clock.move(days=1)
    Worker(target).run_until_idle()
    assert not {*before, *lost} & {*store.arrived}
    for of in (0, 1):
        said = [*sent[of], *waiting[of], *later[of]]
        assert [one for one in store.arrived if one in said] == said


@pytest.mark.parametrize("count", [0, 4])
def test_a_new_destination_gets_only_what_comes_after_the_restoration(
    deps, target, file, clock, http, count
):
    tenant = new_tenant(deps)
    store = archives.RecordStore()
    http.answers[f"{archives.RECORDS}/statements"] = store
    say(deps, tenant, count)
    backup.make(deps, file, quiet)
    backup.restore(target, file, quiet)
    tenancy.add_record_store(target, "acme", archives.RECORDS, "key", "secret")
    said = say(target, tenant, 2)
    Worker(target).run_until_idle()
    assert store.arrived == said


# One instant


def pair(deps, tenant, number: int) -> None:
    """One transaction: somebody new, a fact with its delivery, a statement, and an audit entry."""
    with deps.db.tx(tenant.id) as tx:
        now, fact = deps.clock(), Fact(deps.ids.new(), "score", "someone", {"number": number})
        outbox.enqueue(
            tx, deps.ids.new(), fact, now,
            kind="ags_score", destination="registration:a", key=f"{number}",
        )  # fmt: skip
        people.add(tx, Person(deps.ids.new(), user_name=f"p{number}"), now)
        statements.add(tx, [{"id": fact.id}], "someone", now)
        audit.record(tx, fact.id, now, "operator", "tried", fact.id, number=number)


def written(deps) -> list[int]:
    """The numbers of the pairs in a database, once each of them has been found whole."""
    held = contents(deps)
    numbers = sorted(row["payload"]["number"] for row in held["event"])
    facts = {row["id"] for row in held["event"]}
    assert {row["event_id"] for row in held["delivery"]} == facts
    assert {row["id"] for row in held["statement"]} == facts
    assert {row["subject"] for row in held["audit"] if row["action"] == "tried"} == facts
    assert len(held["person"]) == len(facts)
    return numbers


def test_what_is_written_while_tables_are_read_is_not_in_it_and_need_not_wait(
    deps, target, file, tenant
):
    for number in range(5):
        pair(deps, tenant, number)
    after = iter(range(5, 1000))
    backup.make(deps, file, lambda *_: pair(deps, tenant, next(after)))
    assert len(written(deps)) == 5 + len(archive.TABLES)
    backup.restore(target, file, quiet)
    assert written(target) == list(range(5))
    chains(target, tenant)


def test_a_backup_under_writers_holds_what_was_acknowledged_and_nothing_by_half(
    deps, target, file, tenant
):
    stop, done = threading.Event(), [0]

    def write() -> None:
        while not stop.is_set() and done[0] < 20_000:
            pair(deps, tenant, done[0])
            done[0] += 1

    thread = threading.Thread(target=write)
    thread.start()
    try:
        eventually(lambda: done[0] >= 50)
        acknowledged = done[0]
        backup.make(deps, file, quiet)
    finally:
        stop.set()
        thread.join()
    backup.restore(target, file, quiet)
    numbers = written(target)
    assert numbers == list(range(len(numbers))), "what came first is there first"
    assert acknowledged <= len(numbers) <= done[0]
    chains(target, tenant)


# The file


def test_a_file_is_its_owner_s_alone_and_under_its_name_only_once_it_is_whole(
    deps, tenant, file, tmp_path
):
    seen = []
    backup.make(deps, file, lambda *_: seen.append(file.exists()))
    assert seen
    assert not any(seen)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert not list(tmp_path.glob("*.part"))


def test_a_file_is_never_overwritten(deps, tenant, file):
    file.write_text("precious")
    with pytest.raises(Conflict, match="already"):
        backup.make(deps, file, quiet)
    file.unlink()
    with pytest.raises(Conflict, match="by now"):
        backup.make(deps, file, lambda *_: file.write_text("precious"))
    assert file.read_text() == "precious"


def test_without_hard_links_it_gets_its_name_too(deps, tenant, file, monkeypatch):
    def unknown(*_):
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", unknown)
    assert backup.make(deps, file, quiet).bytes == file.stat().st_size
    file.unlink()
    with pytest.raises(Conflict, match="by now"):
        backup.make(deps, file, lambda *_: file.write_text("precious"))
    assert file.read_text() == "precious"


def test_a_backup_under_way_is_not_disturbed_by_another(deps, tenant, file):
    def again(*_):
        with pytest.raises(Conflict, match="in the way"):
            backup.make(deps, file, quiet)

    backup.make(deps, file, again)
    assert zipfile.ZipFile(file).testzip() is None


def test_a_full_disk_leaves_nothing_behind(deps, tenant, file, tmp_path, monkeypatch):
    def full(_descriptor):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    before = set(tmp_path.iterdir())
    with pytest.raises(Unavailable, match="No space left"):
        backup.make(deps, file, quiet)
    assert set(tmp_path.iterdir()) == before
    with deps.db.read(tenant.id) as read:
        assert audit.page(read, None, 10) == []


def test_a_place_that_is_not_there_is_named(deps, tenant, tmp_path):
    with pytest.raises(Unavailable, match="No such file"):
        backup.make(deps, tmp_path / "nowhere" / "x", quiet)


def test_a_backup_that_the_log_could_not_be_told_of_says_so(deps, tenant, file, monkeypatch):
    def away(*_, **__):
        raise Unavailable("The database is away.")

    monkeypatch.setattr(backup.audit, "record", away)
    with pytest.raises(Unavailable, match="The backup is whole, but"):
        backup.make(deps, file, quiet)
    assert file.exists()


# What is refused


@pytest.fixture
def sealed(empty, file, tmp_path) -> Deps:
    """Who made the backup in `file`, of one tenant with a few rows."""
    made = empty("sqlite")
    tenant = new_tenant(made)
    for number in range(3):
        pair(made, tenant, number)
    backup.make(made, file, quiet)
    return made


def refused(target: Deps, file: Path, *words: str) -> None:
    with pytest.raises(BadBackup) as error:
        backup.restore(target, file, quiet)
    assert any(word in error.value.message for word in words), error.value.message
    assert is_empty(target)


@pytest.mark.parametrize("size", [0, 10, 0.3, 0.9])
def test_a_cut_off_file(sealed, target, file, size):
    whole = file.read_bytes()
    file.write_bytes(whole[: int(size * len(whole)) if isinstance(size, float) else size])
    refused(target, file, "not a backup")


def change_a_row(held):
    held["person.ndjson"] = held["person.ndjson"].replace(b'"p1"', b'"p7"')


def cut_a_row(held):
    held["person.ndjson"] = held["person.ndjson"].partition(b"\n")[2]


DAMAGE = {
    "a changed row": (change_a_row, "person"),
    "a missing row": (cut_a_row, "person"),
    "a row more": (lambda held: held.update({"once.ndjson": b"[1]\n"}), "once"),
    "a missing table": (lambda held: held.pop("person.ndjson"), "just the tables"),
    "a table more": (lambda held: held.update({"secret.ndjson": b""}), "just the tables"),
    "a path": (lambda held: held.update({"../../etc/passwd": b"x"}), "just the tables"),
    "an absolute path": (lambda held: held.update({"/etc/passwd": b"x"}), "just the tables"),
    "another manifest": (
        lambda held: held.update({"manifest.json": held["manifest.json"].replace(b"_since_", b"_until_")}),
        "secret keys",
    ),
    "another MAC": (lambda held: held.update({"manifest.mac": b"00" * 32}), "secret keys"),
    "a MAC of no text": (lambda held: held.update({"manifest.mac": b"\xff\x00"}), "secret keys"),
    "no manifest": (lambda held: held.pop("manifest.json"), "no manifest"),
    "no MAC": (lambda held: held.pop("manifest.mac"), "no manifest"),
    "a manifest without end": (
        lambda held: held.update({"manifest.json": b" " * 3_000_000}), "too long",
    ),
    "a member without end": (
        lambda held: held.update({"person.ndjson": b"0" * 50_000_000}), "person",
    ),
}  # fmt: skip


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_file_that_somebody_changed(sealed, target, file, damage):
    change, word = DAMAGE[damage]
    rewritten(file, change)
    refused(target, file, word)


def test_a_name_twice(sealed, target, file):
    with (
        zipfile.ZipFile(file, "a", zipfile.ZIP_DEFLATED) as zipped,
        pytest.warns(UserWarning, match="Duplicate"),
    ):
        zipped.writestr("person.ndjson", b"")
    refused(target, file, "just the tables")


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_another_way_of_packing(sealed, target, file, method):
    rewritten(file, lambda _: None, method)
    refused(target, file, "not a backup")


def test_a_directory_of_absurd_size_is_not_taken_into_memory(sealed, target, file):
    rewritten(file, lambda held: held.update({f"{n:0100}": b"" for n in range(10_000)}))
    refused(target, file, "not a backup")


def test_no_file_at_all(target, tmp_path):
    for path in (tmp_path / "nothing", tmp_path):
        refused(target, path, "can't be read")


def drop(name):
    return lambda said: said.update(tables=[one for one in said["tables"] if one["name"] != name])


def add_table(said):
    said["tables"].append({**said["tables"][0], "name": "secret"})


def add_column(said):
    said["tables"][0]["columns"].append("secret")


def count(said):
    said["tables"][0]["rows"] += 1


FOREIGN = {
    "a newer format": (lambda said: said.update(format="ostiary.backup/2"), "restore it with Ostiary 0.1.0"),
    "an older revision": (lambda said: said.update(revision="0001"), "ostiary db upgrade"),
    "a newer revision": (lambda said: said.update(revision="9999"), "with Ostiary 0.1.0"),
    "another column": (add_column, "other columns"),
    "another number of rows": (count, "not those that were backed up"),
}  # fmt: skip


@pytest.mark.parametrize("what", FOREIGN)
def test_a_file_of_ours_that_does_not_fit_this_version(sealed, target, file, what):
    change, word = FOREIGN[what]
    rewritten(file, signed(sealed, change))
    refused(target, file, word)


@pytest.mark.parametrize(
    ("change", "name", "word"), [(add_table, "secret", "does not know"), (drop("person"), "person", "lacks")]
)  # fmt: skip
def test_other_tables_than_ours(sealed, target, file, change, name, word):
    def both(held):
        held.pop(f"{name}.ndjson", None)
        if name == "secret":
            held["secret.ndjson"] = b""
        signed(sealed, change)(held)

    rewritten(file, both)
    refused(target, file, word)


def test_other_keys(sealed, empty, target, file):
    stranger = replace(target, seal=Seal(["quite another secret that is long enough 98765"]))
    refused(stranger, file, "OSTIARY_SECRET_KEYS")
    rotated = replace(target, seal=Seal(["a new secret in front, long enough 0123456789", SECRET]))
    backup.restore(rotated, file, quiet)
    assert written(target) == [0, 1, 2]


def test_a_row_that_this_database_can_not_store(sealed, target, file):
    """All or nothing: the rows before it are gone again, and the sentence repeats nobody's data."""

    def broken(said):
        for one in said["tables"]:
            if one["name"] == "identity":
                one.update(archived("identity", row))

    def archived(name, content):
        from hashlib import sha256

        return {"rows": 1, "bytes": len(content), "sha256": sha256(content).hexdigest()}

    columns = archive.columns(metadata.tables["identity"])
    row = json.dumps(["nobody" for _ in columns]).encode() + b"\n"
    assert "created_at" in columns

    def both(held):
        held["identity.ndjson"] = row
        signed(sealed, broken)(held)

    rewritten(file, both)
    refused(target, file, "A row of identity")


@pytest.mark.parametrize("kind", KINDS)
def test_a_name_too_long_for_an_index_of_postgresql(empty, file, kind):
    name = "".join(random.Random(1).choices(string.printable, k=4000))
    source = empty("sqlite")
    learners.person(source, new_tenant(source), name)
    backup.make(source, file, quiet)
    target = empty(kind)
    if kind == "sqlite":
        assert backup.restore(target, file, quiet).rows > 0
        return
    refused(target, file, "A row of person")


def test_a_disk_that_fills_up_is_not_a_row_s_fault(sealed, file, empty, tmp_path):
    with sealed.db.system(write=True) as system:
        tenant = system.conn.execute(select(metadata.tables["tenant"].c.id)).scalar_one()
        statements.add(
            system.within(tenant), [{"id": "long", "x": "y" * 1_000_000}], "x", sealed.clock()
        )
    large, target = tmp_path / "large.ostiary", empty("sqlite")
    backup.make(sealed, large, quiet)

    def keep_small(dbapi, _record):
        dbapi.execute("PRAGMA max_page_count = 1")  # which means: no page more than there are

    event.listen(Engine, "connect", keep_small)
    try:
        with pytest.raises(Unavailable):
            backup.restore(target, large, quiet)
    finally:
        event.remove(Engine, "connect", keep_small)
    assert is_empty(target)
    backup.restore(target, large, quiet)


def test_a_database_in_use_is_left_alone(sealed, target, file):
    new_tenant(target, "globex")
    before = contents(target)
    with pytest.raises(Conflict, match="in use: there are rows in tenant"):
        backup.restore(target, file, quiet)
    assert contents(target) == before


def test_a_database_with_an_operator_s_rows_is_in_use_too(sealed, target, file):
    with target.db.system(write=True) as system:
        system.conn.execute(insert(metadata.tables["once"]).values(
            tenant_id="x", kind="k", key="k", expires_at=target.clock()
        ))  # fmt: skip
    with pytest.raises(Conflict, match="rows in once"):
        backup.restore(target, file, quiet)


def test_two_restorations_at_once_make_one(sealed, target, file):
    came: list[str] = []

    def restore() -> None:
        try:
            backup.restore(target, file, quiet)
            came.append("restored")
        except Conflict:
            came.append("in use")

    threads = [threading.Thread(target=restore) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(came) == ["in use", "in use", "restored"]
    assert written(target) == [0, 1, 2]


def test_a_database_of_another_revision_is_refused(
    sealed, target, file, deps, tmp_path, monkeypatch
):
    monkeypatch.setattr(backup, "head", lambda: "9999")
    with pytest.raises(SchemaBehind, match="just 9999"):
        backup.make(deps, tmp_path / "other.ostiary", quiet)
    with pytest.raises(BadBackup, match=head()):
        backup.restore(target, file, quiet)
    rewritten(file, signed(sealed, lambda said: said.update(revision="9999")))
    with pytest.raises(SchemaBehind, match="just 9999"):
        backup.restore(target, file, quiet)
    assert is_empty(target)


# The commands


def test_the_commands_print_one_value_and_what_to_look_after(
    deps, target, tenant, file, monkeypatch
):
    monkeypatch.setattr(cli.backup, "ready", lambda: deps)
    made = CliRunner().invoke(cli.group, ["backup", str(file), "--json"])
    told = json.loads(made.stdout)
    assert made.exit_code == 0
    assert set(told) == {"file", "bytes", "rows", "made_at"}
    assert (told["file"], told["bytes"]) == (str(file), file.stat().st_size)
    assert (told["made_at"], made.stderr) == ("2026-03-02T09:00:00.000000+00:00", "")
    monkeypatch.setattr(cli.backup, "ready", lambda: target)
    done = CliRunner().invoke(cli.group, ["restore", str(file), "--json"])
    assert done.exit_code == 0
    assert json.loads(done.stdout) == {
        "rows": told["rows"], "made_at": told["made_at"], "tenants": ["acme"],
    }  # fmt: skip
    assert told["made_at"] in done.stderr
    assert "full synchronization" in done.stderr


def test_without_json_they_print_it_for_people(deps, target, tenant, file, monkeypatch):
    monkeypatch.setattr(cli.backup, "ready", lambda: deps)
    assert "made_at" in CliRunner().invoke(cli.group, ["backup", str(file)]).stdout
    monkeypatch.setattr(cli.backup, "ready", lambda: target)
    assert "acme" in CliRunner().invoke(cli.group, ["restore", str(file)]).stdout
