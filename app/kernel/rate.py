"""A limit that several processes share: who may give out how much, without asking each time.

In each window of time a process gives out one block on trust, so that whoever asks seldom costs nothing.
Beyond that it takes blocks from a count that all share, and has what it gave on trust counted too. So in a
window at most `limit + processes x block` are given, and by one process alone exactly `limit`.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import NamedTuple

_BLOCKS = 10
_APART = 5
"""So many windows the clocks of two machines may be apart."""


@dataclass(frozen=True, slots=True)
class Limit:
    """So many in a window, taken from the shared count in blocks."""

    most: int

    @property
    def block(self) -> int:
        """A tenth of it: the bound of what a process gives on trust."""
        return max(1, self.most // _BLOCKS)


class Count(NamedTuple):
    """The shared count: the number of its window, and how much is taken in it."""

    window: int
    taken: int


@dataclass(slots=True)
class Share:
    """What one process has of a limit in one window. Its lock is for threads of that process."""

    window: int = -1
    given: int = 0
    taken: int = 0
    """Of the shared count."""
    spent: bool = False
    """The shared count has no more in this window."""
    lock: threading.Lock = field(default_factory=threading.Lock, compare=False, repr=False)

    def give(self, window: int, limit: Limit) -> bool:
        """Give one out, if one is in hand in this window."""
        if window != self.window:
            self.window, self.given, self.taken, self.spent = window, 0, 0, False
        if self.given >= max(self.taken, limit.block):
            return False
        self.given += 1
        return True

    def wanted(self, limit: Limit) -> int:
        """How much to take of the shared count: what was given on trust, and a block."""
        return max(0, self.given - self.taken) + limit.block

    def take(self, granted: int) -> None:
        """Note what the shared count granted."""
        self.taken += granted
        self.spent = granted == 0


def grant(count: Count, window: int, wanted: int, limit: Limit) -> tuple[Count, int]:
    """Take from the shared count; returns it as it then is, and how much was granted.

    A process whose clock is a little behind takes from the window that others are in already. One far
    ahead is of a clock that has been put right since, and must keep nobody waiting until it comes.
    """
    now = count if 0 <= count.window - window <= _APART else Count(window, 0)
    granted = max(0, min(wanted, limit.most - now.taken))
    return Count(now.window, now.taken + granted), granted


class Shares:
    """This process's shares, by whom they limit and in what."""

    def __init__(self) -> None:
        self._shares: dict[tuple[str, str], Share] = {}

    def of(self, whom: str, what: str) -> Share:
        """Return the share, a fresh one at first."""
        return self._shares.setdefault((whom, what), Share())
