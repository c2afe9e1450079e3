"""Whatever was acknowledged survives: walks while processes, neighbours and the database are broken."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import pytest

from tests.faults.base import Base
from tests.faults.plan import plan
from tests.faults.run import run, seed_of_run
from tests.faults.walker import planned
from tests.faults.world import World

_LONGEST, _MOST, _MOST_TOLD = 1_000, 40, 400


@pytest.fixture
def world(
    request: pytest.FixtureRequest, database_environ: dict[str, str], tmp_path: Path
) -> Iterator[World]:
    on_sqlite = database_environ["OSTIARY_DATABASE_URL"].startswith("sqlite:")
    server = None if on_sqlite else request.getfixturevalue("postgres")
    made = World(tmp_path, Base(database_environ, server))
    try:
        made.start()
        yield made
    finally:
        made.stop()


@pytest.mark.timeout(1200)
def test_fifteen_walks_through_trouble(world: World):
    walk_through(world, 15)


@pytest.mark.faults
def test_three_hundred_walks_through_trouble(world: World):
    walk_through(world, 300)


def walk_through(world: World, count: int) -> None:
    seed = seed_of_run()
    try:
        found = run(world, seed, count)
    except Exception as error:
        found = [f"the run broke off: {type(error).__name__}: {error}"]
        raise AssertionError(report(world, seed, found)) from error
    assert not found, report(world, seed, found)


def report(world: World, seed: int, found: list[str]) -> str:
    """What must not be, how to run the same plan again, and what was done when."""
    lines = [
        f"OSTIARY_FAULT_SEED={seed} replays this plan of troubles. {len(found)} violations:",
        *(each[:_LONGEST] for each in found[:_MOST]),
        "What happened when, in seconds:",
        *world.told[-_MOST_TOLD:],
    ]
    return "\n  ".join(lines)


def test_a_seed_brings_the_same_plan_again():
    for postgres in (False, True):
        once, again = (list(islice(plan(7, postgres=postgres), 100)) for _ in range(2))
        assert once == again
        assert once != list(islice(plan(8, postgres=postgres), 100))
    assert planned(7, 30) == planned(7, 30)
