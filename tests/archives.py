"""An organization with something in every table, and what a database holds, for tests of backup and restore."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from sqlalchemy import func, insert, select

from app.deps import Deps
from app.flows import attempt, grant, groups, local, study, tenancy
from app.flows.learner import ByLaunch, BySession
from app.flows.provision_act import Client
from app.http import Response
from app.kernel import credential
from app.kernel.tenant import Tenant
from app.store import people
from app.store.tables import guard, learning, metadata, outbox, scim, tenants
from app.worker import Worker
from scim.custom import STANDARD
from scim.schemas import GROUP
from tests import learners, oauth
from tests.conftest import new_tenant
from tests.lti_platform import ISSUER, Lms, Neighbours
from tests.provisioning import Desk, arrived_by, refs

SCORES = f"{ISSUER}/items/1/lineitem/scores"
RECORDS = "https://lrs.example/xapi"
ADMINISTRATOR, PASSWORD = "root@acme.example", "correct horse battery"
LEFT_OUT = {"access_token", "cached_document", "lease", "rate"}


@dataclass
class RecordStore:
    """Takes statements in memory; from the `fails_after`th batch on it is out of order."""

    fails_after: int = 1_000_000
    batches: list[list[str]] = field(default_factory=list)

    def __call__(self, request: Any) -> Response:
        if len(self.batches) >= self.fails_after:
            return Response(503, {}, b"")
        self.batches.append([one["id"] for one in json.loads(request.body)])
        return Response(200, {}, json.dumps(self.batches[-1]).encode())

    @property
    def arrived(self) -> list[str]:
        return [one for batch in self.batches for one in batch]


@dataclass
class Organization:
    """One tenant that uses everything, beside another that has hardly begun."""

    deps: Deps
    http: Neighbours
    records: RecordStore = field(default_factory=RecordStore)

    def found(self, browser: Any) -> Organization:
        """Let everything happen that fills a table, once at least."""
        deps, self.http.answers[SCORES] = self.deps, Response(200, {}, b"")
        self.http.answers[f"{RECORDS}/statements"] = self.records
        self.tenant: Tenant = tenancy.found(deps, "acme", "Acme")
        self.other = new_tenant(deps, "globex")
        tenancy.vouch_for_domain(deps, "acme", "acme.example", verified=True)
        tenancy.add_record_store(deps, "acme", RECORDS, "key", "secret")
        self.scim_token = tenancy.issue_token(deps, "acme", "scim")[1]
        asking = grant.find(deps, oauth.made(deps).client_id, None)
        grant.issue(deps, asking, "write", None)
        self.activity = learners.publish(deps, self.tenant)
        self.root = local.create_administrator(deps, "acme", ADMINISTRATOR, PASSWORD)
        self.provision()
        self.lms = Lms(deps, self.http).register("acme")
        self.door = self.launch(deps, browser)
        attempt.begin(deps, self.door)
        for reply in (learners.wrong, learners.right, learners.right):
            learners.give(deps, self.door, reply)
        Worker(deps).run_until_idle()
        self.session = learners.signed_in(deps, self.tenant, self.person())
        learners.give(deps, self.door)
        self.add_what_no_walk_makes()
        return self

    def provision(self) -> None:
        desk = Desk(self.deps, Client(self.tenant.id, "default", types=STANDARD))
        self.ada = desk.create(
            userName="ada@acme.example", externalId="e-1", displayName="Ada “Ä” 李", title="x" * 900
        )["id"]
        self.leaver = desk.create(userName="leaver@acme.example")["id"]
        desk.patch(self.leaver, {"op": "replace", "path": "active", "value": False})
        sales = desk.create(of=GROUP, displayName="Sales", members=refs(self.ada))["id"]
        with self.deps.db.tx(self.tenant.id) as tx:
            groups.give(self.deps, tx, sales, groups.activity(tx, "pricing"), "root")
        arrived_by("oidc", self.deps, self.tenant, "ben@acme.example")

    def launch(self, deps: Deps, browser: Any) -> ByLaunch:
        done = replace_deps(self.lms, deps).launch(browser)
        assert done.status_code == 303, done.text
        return ByLaunch(*credential.unscoped(done.location.rpartition("/")[2]))

    def person(self, deps: Deps | None = None) -> Any:
        """The learner whom the platform sends."""
        with (deps or self.deps).db.read(self.tenant.id) as read:
            return people.identified(read, "lti", self.lms.id, "user-1")[1]

    def add_what_no_walk_makes(self) -> None:
        """Rows of tables that none of the steps above fills, and of those that are left out."""
        now, new = self.deps.clock(), self.deps.ids.new
        who = {"person_id": self.ada}
        rows: dict[Any, dict[str, Any]] = {
            learning.assignment: who | {
                "id": new(), "activity_id": self.activity, "source": "rule", "assigned_at": now,
            },
            guard.hold: {
                "id": new(), "client": "default", "status": "open", "active": 9, "allowed": 5, "opened_at": now,
            },
            guard.departure: who | {
                "id": new(), "client": "default", "kind": "deactivated", "before": {"active": True}, "at": now,
            },
            outbox.lane: {"destination": "registration:x", "open_at": now, "failures": 3},
            scim.schema: {
                "urn": "urn:acme:hr", "type": "User", "document": {}, "created_at": now, "updated_at": now,
            },
            tenants.lease: {"name": "sync", "holder": "me", "until": now},
            tenants.rate: {"name": "login", "window": 1, "taken": 2},
        }  # fmt: skip
        with self.deps.db.tx(self.tenant.id) as tx:
            for table, row in rows.items():
                tx.conn.execute(insert(table).values(tenant_id=tx.tenant, **row))


def replace_deps(lms: Lms, deps: Deps) -> Lms:
    """The same platform as another gateway meets it."""
    return replace(lms, deps=deps)


def answers(deps: Deps, door: ByLaunch | BySession) -> int:
    return study.look(deps, door).attempt.answers


Rows = list[dict[str, Any]]


def contents(deps: Deps) -> dict[str, Rows]:
    """Every row of every table, in the order of the keys."""
    with deps.db.snapshot() as system:
        return {
            table.name: [
                dict(row)
                for row in system.conn.execute(
                    select(table).order_by(*table.primary_key.columns)
                ).mappings()
            ]
            for table in metadata.sorted_tables
        }


def is_empty(deps: Deps) -> bool:
    with deps.db.snapshot() as system:
        counts = [
            system.conn.execute(select(func.count()).select_from(table)).scalar_one()
            for table in metadata.sorted_tables
        ]
    return not any(counts)


def members(file: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(file) as zipped:
        return {name: zipped.read(name) for name in zipped.namelist()}


def rewritten(
    file: Path, change: Callable[[dict[str, bytes]], Any], method: int = zipfile.ZIP_DEFLATED
) -> None:
    """Write a backup's file anew with other members."""
    held = members(file)
    change(held)
    with zipfile.ZipFile(file, "w", method) as zipped:
        for name, content in held.items():
            zipped.writestr(name, content)


def signed(
    deps: Deps, change: Callable[[dict[str, Any]], Any]
) -> Callable[[dict[str, bytes]], None]:
    """A change of the manifest by somebody who holds the keys."""

    def changed(held: dict[str, bytes]) -> None:
        manifest = json.loads(held["manifest.json"])
        change(manifest)
        held["manifest.json"] = json.dumps(manifest).encode()
        held["manifest.mac"] = deps.seal.mac("backup", held["manifest.json"]).encode()

    return changed


def lines(held: dict[str, bytes], name: str) -> Iterator[list[Any]]:
    return map(json.loads, held[f"{name}.ndjson"].splitlines())
