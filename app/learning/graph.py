"""How the parts of an activity hang together: references, prerequisites, enough items."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain

from app.learning.content import Activity, Item
from app.learning.errors import Problem


def problems(activity: Activity) -> list[Problem]:
    """Every fault that only the whole activity shows."""
    broken = [*_duplicates(activity), *_unknown(activity)]
    if broken:
        return broken
    cycle = _cycle(activity)
    if cycle:
        place = f"skills[{[skill.key for skill in activity.skills].index(cycle[0])}].prerequisites"
        return [Problem(place, "is a cycle: " + " -> ".join(cycle))]
    return list(_too_few(activity))


def ancestors(activity: Activity) -> dict[str, frozenset[str]]:
    """Each skill's prerequisites, theirs too, all the way; needs a graph without cycles."""
    found: dict[str, frozenset[str]] = {}
    for key in in_order(activity):
        skill = activity.skill(key)
        direct = skill.prerequisites if skill else ()
        found[key] = frozenset(chain(direct, *(found[other] for other in direct)))
    return found


def in_order(activity: Activity) -> tuple[str, ...]:
    """The skills, prerequisites first, otherwise as the author wrote them (Kahn)."""
    waiting = {skill.key: set(skill.prerequisites) for skill in activity.skills}
    order: list[str] = []
    while waiting:
        ready = next((key for key, needs in waiting.items() if not needs), None)
        if ready is None:
            break
        order.append(ready)
        del waiting[ready]
        for needs in waiting.values():
            needs.discard(ready)
    return tuple(order)


def _repeated(name: str, keys: Iterable[str]) -> Iterator[Problem]:
    seen: set[str] = set()
    for i, key in enumerate(keys):
        if key in seen:
            yield Problem(f"{name}[{i}].key", f"{key!r} stands twice")
        seen.add(key)


def _duplicates(activity: Activity) -> Iterator[Problem]:
    yield from _repeated("skills", (skill.key for skill in activity.skills))
    yield from _repeated("items", (item.key for item in activity.items))
    yield from _repeated("resources", (resource.key for resource in activity.resources))


def _unknown(activity: Activity) -> Iterator[Problem]:
    known = {skill.key for skill in activity.skills}
    places = chain(
        ((f"skills[{i}].prerequisites", s.prerequisites) for i, s in enumerate(activity.skills)),
        ((f"items[{i}].skills", item.skills) for i, item in enumerate(activity.items)),
        ((f"resources[{i}].skills", r.skills) for i, r in enumerate(activity.resources)),
    )
    for place, keys in places:
        for key in keys:
            if key not in known:
                yield Problem(place, f"{key!r} is no skill of this activity")


def _cycle(activity: Activity) -> list[str]:
    """One cycle of prerequisites, first and last the same; empty where there is none."""
    left = {s.key: s.prerequisites for s in activity.skills}
    for key in in_order(activity):
        del left[key]
    if not left:
        return []
    path = [next(iter(left))]
    while True:
        step = next(key for key in left[path[-1]] if key in left)
        if step in path:
            return [*path[path.index(step) :], step]
        path.append(step)


def usable(item: Item, reach: frozenset[str]) -> bool:
    """Whether every skill of the item has been reached."""
    return all(skill in reach for skill in item.skills)


def _too_few(activity: Activity) -> Iterator[Problem]:
    """A skill must be provable with what its learner has reached: itself and its ancestors."""
    # One item more than a repetition needs, so that nobody is asked the same twice in a row.
    need = max(2, activity.policy.min_answers)
    above = ancestors(activity)
    for i, skill in enumerate(activity.skills):
        reach = above[skill.key] | {skill.key}
        count = sum(usable(item, reach) for item in activity.items_of(skill.key))
        if count < need:
            yield Problem(
                f"skills[{i}]",
                f"{skill.key!r} needs at least {need} items that ask for nothing beyond it"
                f" and its prerequisites, it has {count}",
            )
