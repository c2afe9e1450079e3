"""Backup and restore as processes: beside a gateway that serves, and killed in the middle."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert

from app import config
from app.deps import Deps, assemble
from app.store.tables.learning import statement
from tests.archives import contents, is_empty
from tests.conftest import SECRET, new_tenant
from tests.demo import Demo, eventually

KINDS = ["sqlite", "postgresql"]
MEGABYTE = 1 << 20
USER = "urn:ietf:params:scim:schemas:core:2.0:User"

KILLED = """
import os, signal, sys
from pathlib import Path
from app import config
from app.deps import assemble
from app.flows import backup

def told(table, rows):
    if table == sys.argv[3]:
        os.kill(os.getpid(), signal.SIGKILL)

getattr(backup, sys.argv[1])(assemble(config.load()), Path(sys.argv[2]), told)
"""
"""Makes or restores a backup until it has come to a table, and there is no more at once."""


class Place:
    """A database of its own, and commands on it."""

    def __init__(self, request: pytest.FixtureRequest, kind: str, folder: Path) -> None:
        urls = {"OSTIARY_DATABASE_URL": f"sqlite:///{folder / 'ostiary.db'}"}
        folder.mkdir()
        if kind == "postgresql":
            urls = request.getfixturevalue("postgres").database().environ()
        self.kind, self.folder, self.urls = kind, folder, urls
        self.secrets = {
            "OSTIARY_BASE_URL": "http://127.0.0.1:8000", "OSTIARY_SECRET_KEYS": SECRET,
        }  # fmt: skip

    @property
    def environ(self) -> dict[str, str]:
        carried = {name: one for name, one in os.environ.items() if not name.startswith("OSTIARY_")}
        return {**carried, **self.secrets, **self.urls}

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, *command],
            env=self.environ,
            capture_output=True,
            text=True,
            check=False,
        )

    def ostiary(self, *command: str) -> Any:
        done = self.run("-m", "app", *command, "--json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def peak(self, *command: str) -> int:
        """Run a command; returns the most memory that it had, in bytes."""
        with subprocess.Popen([sys.executable, "-m", "app", *command], env=self.environ) as running:
            _, status, used = os.wait4(running.pid, 0)
            running.returncode = os.waitstatus_to_exitcode(status)
        assert running.returncode == 0
        return used.ru_maxrss * 1024

    def deps(self) -> Deps:
        return assemble(config.load(self.environ))


@pytest.fixture(params=KINDS)
def place(request, tmp_path) -> Place:
    made = Place(request, request.param, tmp_path / "here")
    made.ostiary("db", "upgrade")
    return made


# Killed


@pytest.mark.parametrize("table", ["tenant", "person", "decision"])
def test_a_backup_that_is_killed_leaves_no_file_under_its_name(place, tmp_path, table):
    place.ostiary("tenant", "create", "acme", "--name", "Acme")
    file, part = tmp_path / "acme.ostiary", tmp_path / "acme.ostiary.part"
    killed = place.run("-c", KILLED, "make", str(file), table)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert part.exists()
    assert not file.exists()
    refused = place.run("-m", "app", "backup", str(file))
    assert refused.returncode == 1
    assert "is in the way" in refused.stderr
    assert "Traceback" not in refused.stderr
    part.unlink()
    assert place.ostiary("backup", str(file))["rows"] > 0


@pytest.mark.parametrize("table", ["tenant", "person", "decision"])
def test_a_restoration_that_is_killed_leaves_an_empty_database(place, request, tmp_path, table):
    place.ostiary("tenant", "create", "acme", "--name", "Acme")
    file = tmp_path / "acme.ostiary"
    made = place.ostiary("backup", str(file))
    other = next(kind for kind in KINDS if kind != place.kind)
    target = Place(request, other, tmp_path / "there")
    target.ostiary("db", "upgrade")
    killed = target.run("-c", KILLED, "restore", str(file), table)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    deps = target.deps()
    assert is_empty(deps)
    assert target.ostiary("restore", str(file))["rows"] == made["rows"]
    assert [row["slug"] for row in contents(deps)["tenant"]] == ["acme"]
    deps.db.close()
    again = target.run("-m", "app", "restore", str(file))
    assert (again.returncode, again.stdout) == (1, "")
    assert "in use" in again.stderr


# While serving


class Joiners(threading.Thread):
    """Provisions one person after the other over HTTP, and remembers who was acknowledged."""

    def __init__(self, demo: Demo) -> None:
        super().__init__()
        self._demo, self._stop_now = demo, threading.Event()
        self.acknowledged: list[str] = []

    def run(self) -> None:
        while not self._stop_now.is_set() and len(self.acknowledged) < 20_000:
            number = len(self.acknowledged)
            body = {"schemas": [USER], "userName": f"joiner{number:05d}@campus.example"}
            made = self._demo.scim("POST", "/Users", body)
            if made.status_code == 429:  # one tenant may not take all that there is
                self._stop_now.wait(1)
                continue
            assert made.status_code == 201, made.text
            self.acknowledged.append(made.json()["id"])

    def stop(self) -> None:
        self._stop_now.set()
        self.join()


def settings_of(demo: Demo) -> dict[str, str]:
    pairs = [
        one.partition("=") for one in shlex.split((demo.directory / "ostiary.env").read_text())
    ]
    return {name: value for name, _, value in pairs if "DATABASE" not in name}


def test_a_gateway_is_backed_up_while_it_serves_and_goes_on_with_the_other_database(
    place, request, tmp_path
):
    demo = Demo(place.folder, place.urls, "--no-campus")
    file = tmp_path / "harbour.ostiary"
    joiners = Joiners(demo)
    joiners.start()
    try:
        eventually(lambda: len(joiners.acknowledged) >= 20)
        before = len(joiners.acknowledged)
        made = demo.ostiary("backup", str(file))
        after = len(joiners.acknowledged)
        eventually(lambda: len(joiners.acknowledged) > after + 1)
    finally:
        joiners.stop()
        assert demo.stop() == 0
    assert after > before, "writers went on"

    other = next(kind for kind in KINDS if kind != place.kind)
    target = Place(request, other, tmp_path / "there")
    target.secrets = settings_of(demo)
    target.ostiary("db", "upgrade")
    assert target.ostiary("restore", str(file))["made_at"] == made["made_at"]
    assert all(row["ok"] for row in target.ostiary("audit", "verify"))

    # The demo's own notes: its credentials, and on which port it served.
    shutil.copy(place.folder / "state.json", target.folder)
    moved = Demo(target.folder, target.urls, "--no-campus")
    try:
        assert moved.note == demo.note
        found = moved.scim("GET", "/Users?count=1").json()["totalResults"]
        assert before <= found <= after + 1
        for number in (0, found - 1):
            one = moved.scim("GET", f"/Users/{joiners.acknowledged[number]}")
            assert one.json()["userName"] == f"joiner{number:05d}@campus.example"
        lost = joiners.acknowledged[found]
        assert moved.scim("GET", f"/Users/{lost}").status_code == 404
        again = {"schemas": [USER], "userName": f"joiner{found:05d}@campus.example"}
        assert moved.scim("POST", "/Users", again).status_code == 201
        assert moved.ostiary("backup", str(tmp_path / "again.ostiary"))["rows"] > made["rows"]
    finally:
        assert moved.stop() == 0


@pytest.mark.parametrize("verb", ["backup", "restore"])
def test_memory_does_not_grow_with_the_rows(place, request, tmp_path, verb):
    """160 MB of statements go through a process that takes no more for them than for 40."""
    peaks = []
    for count in (2_000, 8_000):
        deps = place.deps()
        fill(deps, count)
        deps.db.close()
        file, here = tmp_path / f"{count}.ostiary", place
        peak = here.peak("backup", str(file))
        if verb == "restore":
            here = Place(request, place.kind, tmp_path / f"{count}")
            here.ostiary("db", "upgrade")
            peak = here.peak("restore", str(file))
        peaks.append(peak)
    assert peaks[1] < peaks[0] + 20 * MEGABYTE


def fill(deps: Deps, count: int) -> None:
    tenant = new_tenant(deps, f"t{count}")
    row = {"txid": 0, "tenant_id": tenant.id, "body": "x" * 20_000, "stored_at": deps.clock()}
    with deps.db.tx(tenant.id) as tx:
        tx.conn.execute(insert(statement), [row | {"id": str(number)} for number in range(count)])
