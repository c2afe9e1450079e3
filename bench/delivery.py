"""`python -m bench.delivery`: scores to an LMS that fails, throttles, loses answers and shows web pages.

Scores are written at a steady rate by the very functions that an answer calls, and `ostiary serve`
delivers them to the practice campus. Afterwards every cell of its gradebook must hold the last score
that was written for it, its history in order and without a duplicate. Reported is also how long it
took from the commit to the first attempt, and how many requests it took.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import func, select

from app.config import load
from app.deps import Deps, assemble
from app.flows import grades, platforms, tenancy
from app.kernel.delivery import REGISTRATION
from app.kernel.person import Person
from app.kernel.tenant import Tenant
from app.store import courses, lanes, people
from app.store import platforms as stored
from app.store.courses import Seen
from app.store.launches import Launch
from app.store.tables.outbox import delivery, delivery_attempt, event
from bench import report
from bench.client import Client
from bench.gateway import DATABASES, TENANT, Gateway, database
from bench.procs import ROOT, Server
from lti import ags
from lti.registration import Registration
from tests.ports import free_port

LEARNER = "http://purl.imsglobal.org/vocab/lis/v2/membership#Learner"
ILL = {"error_rate": 0.2, "slow_ms": 5, "only": "/lms/api/"}
"""All the time; every few seconds `FITS` come on top."""
FITS = (
    {"throttle_next": 2, "retry_after": 1},
    {"html_next": 4},
    {"lose_next": 4},
    {"slow_ms": 50},
)
FIT_SECONDS = 3.0
MOST_SECONDS = 900.0
"""After the last score, for what is still to be delivered."""


@dataclass(frozen=True, slots=True)
class Size:
    """How many scores, how many a second (0: as fast as they can be written), and for how many cells."""

    scores: int
    rate: float
    learners: int
    links: int


class Campus:
    """The practice campus as a process, and its control API."""

    def __init__(self, home: Path, gateway_url: str) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        command = [
            sys.executable, "-m", "sandbox", "--dir", str(home / "campus"), "--port", str(self.port),
            "--gateway", gateway_url,
        ]  # fmt: skip
        self.server = Server(
            "campus", command, {"PYTHONPATH": str(ROOT)}, self.port, home / "campus.log"
        )
        self.server.wait()

    def control(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """Ask the control API; raises client.Wrong on another answer than 200."""
        client = Client(self.port)
        try:
            sent = json.dumps(body).encode() if body is not None else None
            headers = {"Content-Type": "application/json"}
            return json.loads(
                client.send(method, f"/control/{path}", sent, headers).expect(200).body
            )
        finally:
            client.close()


@contextmanager
def standing(home: Path, settings: Mapping[str, str]) -> Iterator[tuple[Deps, Campus]]:
    """Start gateway and campus and make them known to each other; stop them afterwards."""
    with ExitStack() as stack:
        gateway = Gateway(home, **settings)
        campus = Campus(home, gateway.url)
        stack.callback(campus.server.stop)
        deps = assemble(load(gateway.environ))
        stack.callback(deps.db.close)
        at = f"{campus.url}/lms"
        made = Registration(deps.ids.new(), at, "tool", f"{at}/auth", f"{at}/token", f"{at}/jwks")
        _, ours = platforms.add(deps, TENANT, "Campus", made, "deployment")
        campus.control("PUT", "lms/tool", {
            "login_url": ours.login_url, "launch_url": ours.launch_url, "jwks_url": ours.jwks_url,
            "client_id": "tool", "deployment_id": "deployment", "token_lifetime": 3600,
        })  # fmt: skip
        stack.callback(gateway.serve().stop)
        yield deps, campus


def measure(home: Path, settings: Mapping[str, str], size: Size) -> dict[str, Any]:
    """Run once and return the figures; raises Wrong when the gradebook is not as it should be."""
    with standing(home, settings) as (deps, campus):
        tenant = tenancy.of_slug(deps, TENANT)
        cells = _cells(deps, tenant, campus, size)
        # One first, so that both sides are awake and a token is there.
        warm, _ = _write(deps, tenant, cells[-1:], Size(1, 0, 1, 1))
        _drain(deps, tenant)
        campus.control("PUT", "faults/lms", ILL)
        over = threading.Event()
        fits = threading.Thread(target=_fits, args=(campus, over), daemon=True)
        fits.start()
        started = time.monotonic()
        written, late = _write(deps, tenant, cells, size)
        wrote = time.monotonic() - started
        over.set()
        fits.join()
        campus.control("PUT", "faults/lms", ILL)
        left = _drain(deps, tenant)
        took = time.monotonic() - started
        found = {
            (one["line_item"], one["user"]): one for one in campus.control("GET", "lms/gradebook")
        }
        for key, scores in warm.items():
            written[key] = scores + written.get(key, [])
        wrong = _wrong(written, found)
        return {
            "scores": size.scores, "cells": len(cells), "wrong": wrong, "left": left,
            "write_seconds": wrote, "late_seconds": late, "seconds": took,
            **_attempts(deps, tenant),
        }  # fmt: skip


def _cells(deps: Deps, tenant: Tenant, campus: Campus, size: Size) -> list[tuple[Launch, str, str]]:
    """Make learners, links and line items on both sides: a launch as the flows see it, for each cell."""
    for number in range(size.links):
        campus.control("PUT", f"lms/links/link-{number}", {"title": f"Link {number}"})
    items = campus.control("GET", "lms/line-items")
    learners = [
        campus.control(
            "PUT", f"people/learner-{number}", {"given": "Learner", "family": str(number)}
        )
        for number in range(size.learners)
    ]
    everyone = [Person(deps.ids.new(), display_name=f"Learner {n}") for n in range(size.learners)]
    with deps.db.system() as system:
        (platform,) = stored.listed(system, tenant.id)
        (deployed,) = stored.deployments(system, platform.registration.id)
    found = []
    with deps.db.tx(tenant.id) as tx:
        now = deps.clock()
        people.add_all(tx, everyone, now)
        for item in items:
            place = courses.settle(tx, Seen(
                platform.registration.id, deployed.id, item["resourceLinkId"], item["label"],
                line_item_url=f"{campus.url}/lms/api/courses/sales-onboarding/lineitems/{item['id']}/lineitem",
                scopes=[ags.SCOPE_SCORE],
            ), deps.ids.new, now)  # fmt: skip
            for someone, learner in zip(everyone, learners, strict=True):
                launch = Launch(
                    id=deps.ids.new(), person=someone, tenant=tenant, identity_id="",
                    registration_id=platform.registration.id, context_id=None,
                    resource_link_id=place.resource_link_id, line_item_id=place.line_item_id,
                    activity_id=None, user_id=learner["lms_id"], roles=(LEARNER,), instructor=False,
                    return_url=None, issuer=campus.url, auth_login_url=campus.url, created_at=now,
                    expires_at=now + timedelta(hours=6),
                )  # fmt: skip
                found.append((launch, item["id"], learner["lms_id"]))
    return found


def _write(
    deps: Deps, tenant: Tenant, cells: list[tuple[Launch, str, str]], size: Size
) -> tuple[dict[tuple[str, str], list[float]], float]:
    """Write the scores, each in a transaction; returns them by cell, and how late the last one was."""
    written: dict[tuple[str, str], list[float]] = {}
    started = time.monotonic()
    late = 0.0
    for number in range(size.scores):
        if size.rate:
            late = time.monotonic() - started - number / size.rate
            if late < 0:
                time.sleep(-late)
        launch, item, user = cells[number % len(cells)]
        score = (number * 37 % 1001) / 1000
        now = deps.clock()
        with deps.db.tx(tenant.id) as tx:
            grades.enqueue(
                deps, tx, launch=launch, score=score, completed=False, submitted_at=None, now=now
            )
        written.setdefault((item, user), []).append(round(score * 100, 2))
    return written, max(late, 0.0)


def _fits(campus: Campus, over: threading.Event) -> None:
    number = 0
    while not over.wait(FIT_SECONDS):
        campus.control("PUT", "faults/lms", ILL | FITS[number % len(FITS)])
        number += 1


def _drain(deps: Deps, tenant: Tenant) -> int:
    """Wait until nothing waits, trying the failed ones now as an administrator can; returns what is left."""
    with deps.db.read(tenant.id) as read:
        platform = read.conn.execute(select(delivery.c.destination).limit(1)).scalar_one()
    assert platform.startswith(REGISTRATION)
    until, before = time.monotonic() + MOST_SECONDS, -1
    while (left := _waiting(deps, tenant)) and time.monotonic() < until:
        if left == before:
            with deps.db.tx(tenant.id) as tx:
                lanes.try_now(tx, platform, deps.clock())
        before = left
        time.sleep(0.5)
    return left


def _waiting(deps: Deps, tenant: Tenant) -> int:
    with deps.db.read(tenant.id) as read:
        mine = (delivery.c.tenant_id == tenant.id) & (delivery.c.status == "waiting")
        return int(read.conn.execute(select(func.count()).where(mine)).scalar_one())


def _wrong(written: Mapping[tuple[str, str], list[float]], found: Mapping[Any, Any]) -> list[str]:
    """What is wrong in the gradebook: a cell, its order, or something that came twice."""
    wrong = []
    for key, scores in written.items():
        cell = found.get(key)
        if cell is None:
            wrong.append(f"{key}: no cell")
            continue
        if cell["result"]["resultScore"] != scores[-1]:
            wrong.append(f"{key}: {cell['result']['resultScore']} instead of {scores[-1]}")
        history = [(one["timestamp"], one["scoreGiven"]) for one in cell["history"]]
        if history != sorted(set(history)):
            wrong.append(f"{key}: out of order or twice: {history}")
        later = iter(scores)
        if not all(score in later for _, score in history):
            wrong.append(f"{key}: {history} is no selection of {scores}")
    return wrong


def _attempts(deps: Deps, tenant: Tenant) -> dict[str, Any]:
    """How it went by the attempt log: statuses, tries, and from each fact to its first attempt."""
    with deps.db.read(tenant.id) as read:
        first = (
            select(delivery_attempt.c.delivery_id, func.min(delivery_attempt.c.at).label("at"))
            .where(delivery_attempt.c.tenant_id == tenant.id)
            .group_by(delivery_attempt.c.delivery_id)
            .subquery()
        )
        rows = read.conn.execute(
            select(event.c.at, first.c.at)
            .join(delivery, delivery.c.event_id == event.c.id)
            .join(first, first.c.delivery_id == delivery.c.id)
            .where(delivery.c.tenant_id == tenant.id)
        ).all()
        mine = delivery_attempt.c.tenant_id == tenant.id
        tally = {
            "statuses": _tally(read, delivery.c.status, delivery.c.tenant_id == tenant.id),
            "tries": _tally(read, delivery_attempt.c.outcome, mine),
            "errors": _tally(
                read, delivery_attempt.c.error, mine & delivery_attempt.c.error.is_not(None)
            ),
        }
    waits = sorted((begun - written).total_seconds() for written, begun in rows)
    named = {"p50": 0.5, "p95": 0.95, "p99": 0.99, "max": 1.0}
    picked = {
        name: waits[min(int(len(waits) * part), len(waits) - 1)] for name, part in named.items()
    }
    return tally | {"first_attempt_seconds": picked}


def _tally(read: Any, column: Any, mine: Any) -> dict[str, int]:
    rows = read.conn.execute(select(column, func.count()).where(mine).group_by(column))
    return {row[0]: row[1] for row in rows}


def table(name: str, found: Mapping[str, Any]) -> str:
    """Return one run as lines of text."""
    waits = "  ".join(f"{k} {v:.2f} s" for k, v in found["first_attempt_seconds"].items())
    lines = (
        f"{name}: {found['scores']} scores for {found['cells']} cells",
        f"  written in {found['write_seconds']:.0f} s, the last {found['late_seconds']:.1f} s late",
        f"  all there after {found['seconds']:.0f} s",
        f"  commit to first attempt: {waits}",
        f"  deliveries: {found['statuses']}; tries: {found['tries']}",
        f"  answers: {found['errors']}",
        f"  wrong cells: {len(found['wrong'])}; left over: {found['left']}",
    )
    return "\n".join(lines)


def main() -> None:
    """Read the arguments, run on each database, print; exit code 1 when a cell is wrong."""
    parser = argparse.ArgumentParser(prog="python -m bench.delivery", description=__doc__)
    parser.add_argument("--scores", type=int, default=10_000)
    parser.add_argument(
        "--rate", type=float, default=30.0, help="scores a second; 0: as fast as it goes"
    )
    parser.add_argument("--learners", type=int, default=100)
    parser.add_argument("--links", type=int, default=10)
    parser.add_argument("--database", nargs="+", choices=DATABASES, default=DATABASES)
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write every figure to FILE")
    given = parser.parse_args()
    size = Size(given.scores, given.rate, given.learners, given.links)
    found = {}
    with tempfile.TemporaryDirectory(prefix="ostiary-bench-") as folder, ExitStack() as stack:
        print("{cores} cores, Python {python}, {system}, {filesystem}\n".format(**report.machine(Path(folder))))  # fmt: skip
        for name in given.database:
            home = Path(folder, name)
            home.mkdir()
            found[name] = measure(home, database(name, stack), size)
            print(table(name, found[name]), flush=True)
    if given.json:
        given.json.write_text(json.dumps(found, indent=1) + "\n")
    if any(one["wrong"] or one["left"] for one in found.values()):
        sys.exit(f"bench: {[one['wrong'][:5] for one in found.values()]}")


if __name__ == "__main__":
    main()
