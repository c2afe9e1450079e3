"""One run: walks and troubles side by side, then health, then the verdict."""

from __future__ import annotations

import os
import secrets
import threading
import time
from concurrent.futures import ThreadPoolExecutor

from tests.faults.base import let_leases_run_out, waiting
from tests.faults.checks import violations
from tests.faults.plan import plan
from tests.faults.troubles import Troubles
from tests.faults.walker import Walker, planned
from tests.faults.world import World

_WALKERS = 5
_SETTLE_SECONDS = 120


def seed_of_run() -> int:
    """The seed that OSTIARY_FAULT_SEED names, else a new one."""
    return int(os.environ.get("OSTIARY_FAULT_SEED") or secrets.randbelow(2**32))


def run(world: World, seed: int, count: int) -> list[str]:
    """Let `count` learners walk while the plan of `seed` is carried out; returns what must not be."""
    walks, troubles, over = planned(seed, count), Troubles(world), threading.Event()
    with ThreadPoolExecutor(_WALKERS) as pool:
        under_way = [pool.submit(Walker(world, walk, over).walk) for walk in walks]
        try:
            for one in plan(seed, postgres=world.base.is_postgres):
                world.wait(one.pause, lambda: all(each.done() for each in under_way))
                if all(each.done() for each in under_way):
                    break
                troubles.make(one)
        except BaseException:
            over.set()
            raise
    world.say("every walk is over")
    troubles.heal()
    _settle(world)
    found = violations(world, walks)
    world.stop()
    return found + [f"left behind: {each}" for each in world.left_behind()]


def _settle(world: World) -> None:
    """Wait until nothing waits; what is still left after a while is for the verdict."""
    world.database(let_leases_run_out)
    until = time.monotonic() + _SETTLE_SECONDS
    while world.database(waiting) and time.monotonic() < until:
        world.wait(0.5)
    world.say(f"{world.database(waiting)} wait in the outbox and the streams")
