"""What is broken and when: drawn from a seed alone, so that a seed brings the same plan again."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

_PAUSE_SECONDS = (0.2, 1.2)
_RARE_EVERY = 6
_KINDS = (
    *("web",) * 3, "master", "worker", "stall", "overtaken",
    *("lms",) * 3, *("lrs",) * 3, "keys", "campus stop", "campus kill",
)  # fmt: skip
_POSTGRES_KINDS = ("connections", "connections")


@dataclass(frozen=True, slots=True)
class Trouble:
    """One thing that goes wrong, `pause` seconds after the one before it is over.

    web, master, worker      kill -9 of a web process, of gunicorn's master, of the worker
    supervisor               kill -9 of `serve` itself, and a new start
    stall                    the worker is stopped (SIGSTOP) for `seconds`
    overtaken                as stall; its leases run out, and another worker takes them over
    lms, lrs                 the neighbour falls ill with `fault` until the next such trouble
    keys                     the LMS signs with a new key, and the old one is gone
    campus stop, campus kill SIGTERM or kill -9 of the campus, and a new start after `seconds`
    connections              PostgreSQL breaks a `share` of the gateway's connections
    server                   PostgreSQL stops hard and starts again
    """

    kind: str
    pause: float
    detail: dict[str, Any] = field(default_factory=dict)


def plan(seed: int, *, postgres: bool) -> Iterator[Trouble]:
    """Troubles without end, in rounds: each holds every kind, in an order of its own."""
    drawn, number = random.Random(f"troubles {seed}"), 0
    while True:
        kinds = list(_KINDS + (_POSTGRES_KINDS if postgres else ()))
        drawn.shuffle(kinds)
        if number % _RARE_EVERY == 0:
            # Early, so that even the shortest run meets them.
            for rare in ("supervisor", "server") if postgres else ("supervisor",):
                kinds.insert(drawn.randint(2, 8), rare)
        for kind in kinds:
            yield Trouble(kind, drawn.uniform(*_PAUSE_SECONDS), _detail(kind, drawn))
        number += 1


def _detail(kind: str, drawn: random.Random) -> dict[str, Any]:
    if kind in {"lms", "lrs"}:
        return {"fault": _fault(drawn)}
    if kind in {"stall", "campus stop", "campus kill"}:
        return {"seconds": round(drawn.uniform(0.2, 3.0), 2)}
    if kind == "connections":
        return {"share": drawn.choice((0.3, 1.0)), "seed": drawn.randrange(1000)}
    return {"which": drawn.random()} if kind == "web" else {}


def _fault(drawn: random.Random) -> dict[str, Any]:
    """What the campus's control API takes as a fault; `{}` is health."""
    return drawn.choice((
        {"error_rate": 0.2},
        {"error_rate": 0.2, "slow_ms": drawn.randint(100, 600)},
        {"slow_ms": drawn.randint(300, 1500)},
        {"throttle_next": drawn.randint(5, 20), "retry_after": drawn.randint(1, 3)},
        {"html_next": drawn.randint(3, 12), "html_status": drawn.choice((200, 503))},
        {"lose_next": drawn.randint(2, 8)},
        {},
    ))  # fmt: skip
