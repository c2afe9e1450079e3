"""Canaille, an identity provider that we did not write, provisions what its operator does by its own SCIM client.

Canaille sends when its own commands are done: each is a process of its own, and asks us anew what we are
(discovery), then whom we have by externalId. Its access to us is the token that its database keeps for the
client that we are to it.

The version is the last whose updates reach a server with ETags: from 0.2.4 on it sends an entity tag of its
own making as If-Match (412). Its scim2-models is a later one than it asks for, since those refuse a
ServiceProviderConfig that speaks of `pagination` (RFC 9865 §4).
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from scim.schemas import ENTERPRISE_URN
from tests.interop.gateway import Gateway

pytestmark = pytest.mark.interop

CANAILLE = Path(__file__).parent / "peers" / ".venv" / "bin" / "canaille"
SETTINGS = """
SECRET_KEY = "only for the interop tests"
SERVER_NAME = "canaille.example"
[CANAILLE]
DATABASE = "sql"
[CANAILLE_SQL]
DATABASE_URI = "sqlite:///{home}/canaille.db"
[CANAILLE_OIDC]
TRUSTED_DOMAINS = ["127.0.0.1"]
[CANAILLE_SCIM]
ENABLE_CLIENT = true
"""


class Canaille:
    """Its command line, which its administrators use."""

    def __init__(self, home: Path, service: str, token: str) -> None:
        self._settings = home / "canaille.toml"
        self._settings.write_text(SETTINGS.format(home=home))
        self._run("db", "upgrade")
        self.create("client", client_id="ostiary", client_name="Ostiary", client_uri=service)
        self.create(
            "token", token_id="ours", access_token=token, type="access_token", client="ostiary",
            issue_date="2026-01-01T00:00:00+00:00", lifetime="3153600000",
        )  # fmt: skip

    def create(self, what: str, **said: Any) -> dict[str, Any]:
        return json.loads(self._run("create", what, *_options(said)))

    def change(self, what: str, which: str, **said: Any) -> None:
        self._run("set", what, which, *_options(said))

    def delete(self, what: str, **which: str) -> None:
        self._run("delete", what, "--noconfirm", *_options(which))

    def _run(self, *command: str) -> str:
        done = subprocess.run(
            [CANAILLE, *command], env={"CANAILLE_CONFIG": str(self._settings)},
            capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        # It goes on when the SCIM server refuses something, and warns.
        assert "WARNING in client" not in done.stderr, done.stderr
        return done.stdout


def _options(said: dict[str, Any]) -> list[str]:
    named = [(f"--{name.replace('_', '-')}", value) for name, value in said.items()]
    return [
        part
        for name, value in named
        for each in (value if isinstance(value, list) else [value])
        for part in (name, each)
    ]


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[Gateway]:
    made = Gateway(tmp_path)
    made.start()
    yield made
    made.stop()


def test_people_and_groups_from_their_first_day_to_their_last(gateway: Gateway, tmp_path: Path):
    token = gateway.ostiary("token", "issue", "--tenant", "acme", "--kind", "scim")["token"]
    canaille = Canaille(tmp_path, f"{gateway.base_url}/scim/v2", token)

    def here(kind: str) -> dict[str, dict[str, Any]]:
        found = gateway.scim(token, "GET", f"/{kind}").json()["Resources"]
        return {one.get("userName") or one["displayName"]: one for one in found}

    bob = canaille.create(
        "user", user_name="bob", given_name="Bob", family_name="Ødegård", formatted_name="Bob Ødegård",
        emails=["bob@acme.example", "b@acme.example"], department="Sales", employee_number="7",
    )  # fmt: skip
    canaille.create("user", user_name="ada", family_name="Byron", password="correct horse battery")
    people = here("Users")
    assert people.keys() == {"ada", "bob"}
    assert people["bob"]["externalId"] == bob["id"]
    assert people["bob"]["active"] is True
    assert people["bob"]["name"] == {"formatted": "Bob Ødegård", "familyName": "Ødegård", "givenName": "Bob"}  # fmt: skip
    assert [one["value"] for one in people["bob"]["emails"]] == ["bob@acme.example", "b@acme.example"]  # fmt: skip
    assert people["bob"][ENTERPRISE_URN] == {"department": "Sales", "employeeNumber": "7"}
    assert "password" not in people["ada"]

    canaille.create("group", display_name="Staff", members=["bob", "ada"])
    keys = {name: one["id"] for name, one in people.items()}
    assert {one["value"] for one in here("Groups")["Staff"]["members"]} == set(keys.values())
    canaille.change("group", "Staff", members=["ada"])
    assert [one["value"] for one in here("Groups")["Staff"]["members"]] == [keys["ada"]]

    canaille.change("user", "bob", given_name="Robert", lock_date="2026-01-01T00:00:00+00:00")
    bob_here = here("Users")["bob"]
    assert (bob_here["id"], bob_here["active"]) == (keys["bob"], False)
    assert bob_here["name"]["givenName"] == "Robert"
    assert [one["value"] for one in here("Groups")["Staff"]["members"]] == [keys["ada"]]

    canaille.delete("user", user_name="bob")
    canaille.delete("group", display_name="Staff")
    assert here("Users").keys() == {"ada"}
    assert here("Groups") == {}
