"""A tenant's schemas are added, changed and removed while clients write values of them, in several processes.

Whatever was acknowledged with a value has it, no value is kept that no schema describes or as another type than
the schema's, and the index says what the resources say.
"""

from __future__ import annotations

import itertools
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from sqlalchemy import select

from app.config import load
from app.deps import Deps, assemble
from app.flows import schemas, tenancy
from app.kernel.errors import Conflict, NotFound
from app.store import scim_schemas
from app.store.tables.scim import resource as resources
from app.store.tables.scim import value as values
from scim import custom, resource
from scim.values import index_values
from tests.served import USER, Served

B = "urn:example:badge"
DOCUMENTS = [
    {"id": B, "attributes": [{"name": "level", "type": kind}, {"name": "code"}]}
    for kind in ("integer", "string")
]
WRITERS = 4
ROUNDS = 30


@pytest.fixture
def served(tmp_path: Path, database_environ: dict[str, str]) -> Iterator[Served]:
    made = Served(tmp_path, **database_environ, OSTIARY_SCIM_RATE="0", OSTIARY_WEB_PROCESSES="2")
    made.start()
    yield made
    assert made.stop() == 0


@pytest.fixture
def deps(served: Served) -> Iterator[Deps]:
    made = assemble(load(served.environ))
    yield made
    made.db.close()


class Writer(threading.Thread):
    """Makes people with values, changes these and takes them away again, so that the schema may go.

    `said`: what the last acknowledged answer of each says of the extension, by id
    """

    def __init__(self, url: str, token: str, number: int) -> None:
        super().__init__()
        self._number, self._root, self._line = number, url + "/scim/v2/Users", requests.Session()
        kind = "application/scim+json"
        self._line.headers.update({"Authorization": f"Bearer {token}", "Content-Type": kind})
        self.said: dict[str, Any] = {}
        self.put_off, self.kept = 0, 0
        self.fault: BaseException | None = None

    def run(self) -> None:
        try:
            for n in range(ROUNDS):
                self._life(f"u{self._number}-{n}")
        except BaseException as fault:  # noqa: BLE001 - told to the test
            self.fault = fault

    def _life(self, name: str) -> None:
        whole = {"schemas": [USER], "userName": name, B: {"level": 3, "code": "x"}}
        key = self._sent("POST", "", whole)["id"]
        where = f"/{key}"
        self._sent("PUT", where, whole | {"title": "T"})
        # A path into a schema that is not there (any more) is refused, and nothing changes.
        self._sent("PATCH", where, _patch("replace", f"{B}:code", "y"), {400})
        if self._number % 2 or name.endswith("7"):
            self._sent("PATCH", where, _patch("replace", "title", "U"))
        self._sent("PATCH", where, _patch("remove", B), {400})
        if B in self.said[key]:
            self._sent("PUT", where, {"schemas": [USER], "userName": name})

    def _sent(
        self, method: str, where: str, body: Any, refusals: frozenset[int] | set[int] = frozenset()
    ) -> dict[str, Any]:
        while True:
            answer = self._line.request(method, self._root + where, data=json.dumps(body), timeout=60)  # fmt: skip
            if answer.status_code != 503:
                break
            assert "Send it again" in answer.text
            self.put_off += 1
        if answer.status_code in refusals:
            return {}
        assert answer.status_code in {200, 201}, (method, answer.status_code, answer.text)
        found = answer.json()
        self.said[found["id"]] = found
        self.kept += B in found
        return found


def _patch(op: str, path: str, value: Any = None) -> dict[str, Any]:
    operation = {"op": op, "path": path} | ({} if value is None else {"value": value})
    return {"Operations": [operation]}


def test_no_value_is_lost_and_none_kept_that_no_schema_describes(served: Served, deps: Deps):
    token = served.scim_token()
    tenant = tenancy.of_slug(deps, "acme").id
    writers = [Writer(served.url, token, number) for number in range(WRITERS)]
    schemas.add(deps, tenant, "User", DOCUMENTS[0], "operator")
    for one in writers:
        one.start()
    done = refused = 0
    for turn in itertools.count():
        if not any(one.is_alive() for one in writers):
            break
        try:
            if turn % 3 == 2:
                schemas.remove(deps, tenant, B, "operator")
            else:
                schemas.add(deps, tenant, "User", DOCUMENTS[turn % 3], "operator")
            done += 1
        except (Conflict, NotFound):
            refused += 1
        check(deps, tenant)
    for one in writers:
        one.join()
        assert one.fault is None, one.fault
    assert min(done, refused, sum(one.kept for one in writers)) > 0
    held = check(deps, tenant)
    for one in writers:
        for key, said in one.said.items():
            assert held[key].get(B) == said.get(B), said["userName"]


def check(deps: Deps, tenant: Any) -> dict[str, dict[str, Any]]:
    """Hold every resource to the schemas of the same instant; returns the bodies by id."""
    with deps.db.read(tenant) as read:
        types = custom.types(
            [(one.type, one.schema) for one in scim_schemas.listed(read)], number=1
        )
        rows = read.conn.execute(select(resources.c.id, resources.c.body)).all()
        indexed: dict[str, set[tuple[str, str]]] = {row.id: set() for row in rows}
        for row in read.conn.execute(select(values.c.resource_id, values.c.path, values.c.head)):
            indexed[row.resource_id].add((row.path, row.head))
    for row in rows:
        assert resource.parse(row.body, types.user).resource == row.body
        expected = {(one.path, one.text) for one in index_values(row.body, types.user)}
        assert indexed[row.id] == {one for one in expected if one[0] != "schemas"}
    return {row.id: row.body for row in rows}
