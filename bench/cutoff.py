"""`python -m bench.cutoff`: how soon who is cut off is out, and whether anybody slips through.

A gateway with two web processes, a crowd of standing sessions, clients that load it, and for each trial one
person whose browser asks without pause over two connections. Then one trigger cuts the person off. Counted:
requests begun after the trigger's answer that still succeeded (there must be none). Measured: from the
sending of the trigger to the first refusal.
"""

from __future__ import annotations

import argparse
import itertools
import json
import multiprocessing
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlencode

from app.store.tables.access import connection
from app.store.tables.lti import registration
from app.store.tables.tenants import tenant
from bench.client import Client, Wrong
from bench.crowd import Crowd
from bench.gateway import DATABASES, Gateway, database

PROBES = 2
_REFUSALS = 3
"""A prober stops after so many in a row."""
_LONGEST = 10.0
_LOADS = 2
_LOAD_PAUSE = 0.005


@dataclass
class Victim:
    """What one prober sends: who is to be cut off."""

    cookie: str
    person_id: str
    target: str = "/api/v1/me"


@dataclass(frozen=True, slots=True)
class Trigger:
    """One way of cutting off: `make` a victim, `cut` it off, and `mend` what others need for the next trial."""

    name: str
    make: Callable[[str], Victim]
    cut: Callable[[Client, Victim], None]
    mend: Callable[[], None] = lambda: None


@dataclass
class Seen:
    """What the probers saw of one trial: (begun, answered, status)."""

    answers: list[tuple[float, float, int]] = field(default_factory=list)

    def slipped(self, acknowledged: float) -> int:
        """Count what was begun after the acknowledgement and still succeeded."""
        return sum(1 for begun, _, status in self.answers if begun > acknowledged and status == 200)

    def first_refusal(self) -> float:
        """When the first refusal was answered."""
        return min(answered for _, answered, status in self.answers if status == 401)


def triggers(crowd: Crowd) -> list[Trigger]:
    """Every way of cutting off that there is so far."""

    def session(person_id: str) -> Victim:
        return Victim(crowd.cookie(crowd.signs_in(person_id)), person_id)

    def by_connection(person_id: str) -> Victim:
        return Victim(crowd.cookie(crowd.signs_in(person_id, crowd.connection)), person_id)

    def launch(person_id: str) -> Victim:
        public = crowd.launches(person_id)
        return Victim(crowd.browser_cookie, person_id, f"/api/v1/me?launch={public}")

    def users(method: str, body: object, status: int) -> Callable[[Client, Victim], None]:
        headers = {
            "Authorization": f"Bearer {crowd.scim_token}",
            "Content-Type": "application/scim+json",
        }
        sent = None if body is None else json.dumps(body).encode()

        def cut(client: Client, victim: Victim) -> None:
            at = f"/scim/v2/Users/{victim.person_id}"
            client.send(method, at, sent, headers).expect(status)

        return cut

    def put(client: Client, victim: Victim) -> None:
        body = {"userName": victim.person_id, "active": False}
        users("PUT", body, 200)(client, victim)

    def form(path: Callable[[Victim], str]) -> Callable[[Client, Victim], None]:
        headers = {
            "Cookie": crowd.cookie(crowd.root),
            "Content-Type": "application/x-www-form-urlencoded",
        }
        sent = urlencode({"csrf": crowd.csrf()}).encode()

        def cut(client: Client, victim: Victim) -> None:
            client.send("POST", path(victim), sent, headers).expect(303)

        return cut

    operations = [{"op": "Replace", "path": "active", "value": "False"}]
    return [
        Trigger("SCIM PATCH", session, users("PATCH", {"Operations": operations}, 200)),
        Trigger("SCIM PATCH, of a launch", launch, users("PATCH", {"Operations": operations}, 200)),
        Trigger("SCIM PUT", session, put),
        Trigger("SCIM DELETE", session, users("DELETE", None, 204)),
        Trigger(
            "an administrator's click", session, form(lambda v: f"/admin/people/{v.person_id}/keep-out")
        ),
        Trigger(
            "connection off", by_connection, form(lambda _: f"/admin/connections/{crowd.connection}/disable"),
            lambda: crowd.revive(connection, crowd.connection),
        ),
        Trigger(
            "platform off", launch, form(lambda _: f"/admin/platforms/{crowd.registration}/disable"),
            lambda: crowd.revive(registration, crowd.registration),
        ),
        Trigger(
            "tenant closed", session, lambda *_: crowd.close_tenant(),
            lambda: crowd.revive(tenant, crowd.tenant.id),
        ),
    ]  # fmt: skip


def trial(trigger: Trigger, victim: Victim, port: int) -> tuple[int, float, float]:
    """Cut one victim off; returns (slipped through, seconds to the first refusal, to the answer)."""
    seen, warm = Seen(), threading.Barrier(PROBES + 1)
    probers = [
        threading.Thread(target=_probe, args=(victim, port, seen, warm)) for _ in range(PROBES)
    ]
    for prober in probers:
        prober.start()
    client = Client(port)
    warm.wait()
    sent = time.monotonic()
    trigger.cut(client, victim)
    acknowledged = time.monotonic()
    for prober in probers:
        prober.join()
    client.close()
    return seen.slipped(acknowledged), seen.first_refusal() - sent, acknowledged - sent


def _probe(victim: Victim, port: int, seen: Seen, warm: threading.Barrier) -> None:
    client, headers = Client(port), {"Cookie": victim.cookie}
    client.send("GET", victim.target, None, headers).expect(200)
    warm.wait()
    refused, until = 0, time.monotonic() + _LONGEST
    while refused < _REFUSALS and time.monotonic() < until:
        begun = time.monotonic()
        status = client.send("GET", victim.target, None, headers).status
        seen.answers.append((begun, time.monotonic(), status))
        refused = refused + 1 if status == 401 else 0
    client.close()


@contextmanager
def loaded(port: int, cookies: Sequence[str]) -> Iterator[None]:
    """Let other people use the gateway meanwhile, from processes of their own."""
    stop = multiprocessing.Event()
    others = [
        multiprocessing.Process(target=_load, args=(port, cookies[n::_LOADS], stop), daemon=True)
        for n in range(_LOADS)
    ]
    for each in others:
        each.start()
    try:
        yield
    finally:
        stop.set()
        for each in others:
            each.join(10)


def _load(port: int, cookies: Sequence[str], stop: multiprocessing.synchronize.Event) -> None:
    client = Client(port)
    for cookie in itertools.cycle(cookies):
        if stop.is_set():
            return
        with suppress(OSError):  # the gateway is being stopped
            client.send("GET", "/api/v1/me", None, {"Cookie": f"ostiary_session={cookie}"})
        time.sleep(_LOAD_PAUSE)


def run(on: str, trials: int, sessions: int, only: str | None = None) -> int:
    """Run all trials of all triggers on a database and print a table; returns how many slipped through."""
    slipped_in_all = 0
    print(on)
    with tempfile.TemporaryDirectory(prefix="ostiary-cutoff-") as folder, ExitStack() as stack:
        settings = database(on, stack)
        gateway = Gateway(Path(folder), OSTIARY_WEB_PROCESSES="2", **settings)
        crowd = Crowd(gateway)
        cookies = crowd.fill(sessions)
        server = gateway.serve()
        try:
            for trigger in triggers(crowd):
                if only and only not in trigger.name:
                    continue
                people = crowd.arrive(trials, trigger.name.replace(" ", "-").replace(",", ""))
                took, slipped = list[tuple[float, float]](), 0
                with loaded(server.port, cookies):
                    for person_id in people:
                        through, out, answered = trial(
                            trigger, trigger.make(person_id), server.port
                        )
                        slipped += through
                        took.append((out * 1000, answered * 1000))
                        trigger.mend()
                slipped_in_all += slipped
                print(_line(trigger.name, slipped, took), flush=True)
        finally:
            server.stop()
            crowd.deps.db.close()
    return slipped_in_all


def _line(name: str, slipped: int, took: Sequence[tuple[float, float]]) -> str:
    out = sorted(one for one, _ in took)
    answered = sorted(one for _, one in took)
    return (
        f"{name:<26} {len(took):>5} trials   {slipped} slipped through   to the first refusal "
        f"p50 {statistics.median(out):6.1f} ms, p99 {_p99(out):6.1f}, worst {out[-1]:6.1f}   "
        f"to the answer p50 {statistics.median(answered):6.1f}, p99 {_p99(answered):6.1f}"
    )


def _p99(ordered: Sequence[float]) -> float:
    return ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))]


def main() -> None:
    """Read the arguments and run."""
    parser = argparse.ArgumentParser(prog="python -m bench.cutoff", description=__doc__)
    parser.add_argument("--trials", type=int, default=200, help="trials of each trigger (200)")
    parser.add_argument("--sessions", type=int, default=100_000, help="standing sessions (100,000)")
    parser.add_argument("--database", nargs="+", choices=DATABASES, default=DATABASES)
    parser.add_argument("--only", help="only triggers whose name holds this")
    given = parser.parse_args()
    try:
        each = [run(on, given.trials, given.sessions, given.only) for on in given.database]
    except Wrong as error:
        sys.exit(f"bench: {error}")
    sys.exit(1 if any(each) else 0)


if __name__ == "__main__":
    main()
