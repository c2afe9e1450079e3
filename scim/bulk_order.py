"""The order in which the operations of a bulk request can be done (RFC 7644 §3.7.1).

That of the request, but that what refers to a POST's bulkId comes after it. Where POSTs refer to each
other in a ring, none can come first: they are one step, done together or not at all.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from heapq import heapify, heappop, heappush
from typing import TypeAlias

from scim.bulk import Operation

Needs: TypeAlias = Mapping[int, set[int]]
"""Each operation's number, and those of the operations that must be done before it."""


def steps(operations: Sequence[Operation]) -> list[tuple[int, ...]]:
    """The numbers of the operations, those of a ring together, in an order that can be gone.

    Who waits for nobody is never moved, so that a userName that one operation gives up is free for a
    later one. Operations on one resource keep their order.
    """
    needs = _needs(operations)
    rings = _rings(needs, needs.keys() - set(_ordered(needs)))
    # A ring stands where its last operation does: what comes before that one in the request has been done.
    place = {number: ring[-1] for ring in rings for number in ring}
    merged: dict[int, set[int]] = defaultdict(set)
    for number, needed in needs.items():
        at = place.get(number, number)
        merged[at] |= {place.get(one, one) for one in needed} - {at}
    together = {ring[-1]: ring for ring in rings}
    return [together.get(number, (number,)) for number in _ordered(merged)]


def _needs(operations: Sequence[Operation]) -> dict[int, set[int]]:
    makers = {one.makes: number for number, one in enumerate(operations) if one.makes is not None}
    needs, latest = dict[int, set[int]](), dict[object, int]()
    for number, one in enumerate(operations):
        needs[number] = {makers[name] for name in one.refers_to if name in makers}
        if one.of is not None and one.target is not None:
            resource = (one.of.name, one.target)
            if resource in latest:
                needs[number].add(latest[resource])
            latest[resource] = number
    return needs


def _ordered(needs: Needs) -> list[int]:
    """The lowest number first whose needs are done; without those in a ring, or behind one."""
    waiting = {number: len(needed) for number, needed in needs.items()}
    behind: dict[int, list[int]] = defaultdict(list)
    for number, needed in needs.items():
        for one in needed:
            behind[one].append(number)
    ready = [number for number, count in waiting.items() if count == 0]
    heapify(ready)
    order = []
    while ready:
        done = heappop(ready)
        order.append(done)
        for number in behind[done]:
            waiting[number] -= 1
            if waiting[number] == 0:
                heappush(ready, number)
    return order


def _rings(needs: Needs, stuck: Collection[int]) -> list[tuple[int, ...]]:
    """Those of the stuck that need each other, each ring in order; one may need itself."""
    # A set of numbers as the bits of an integer: a thousand operations take a tenth of a second at worst.
    reach = {number: sum(1 << one for one in needs[number] if one in stuck) for number in stuck}
    for through in stuck:
        for number in stuck:
            if reach[number] >> through & 1:
                reach[number] |= reach[through]
    rings = {
        tuple(sorted(two for two in stuck if reach[one] >> two & reach[two] >> one & 1))
        for one in stuck
    }
    return sorted(ring for ring in rings if ring)
