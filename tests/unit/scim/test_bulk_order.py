from hypothesis import given
from hypothesis import strategies as st

from scim import bulk
from scim.bulk_order import steps


def makes(bulk_id, *needed, path="/Groups"):
    members = [{"value": f"bulkId:{name}"} for name in needed]
    return {"method": "POST", "bulkId": bulk_id, "path": path, "data": {"members": members}}


def adds(target, *needed):
    return makes("", *needed) | {"method": "PATCH", "path": f"/Groups/{target}", "bulkId": None}


def order(*operations):
    return steps(bulk.parse({"Operations": list(operations)}).operations)


def test_without_references_nothing_is_moved():
    assert order(makes("a"), adds("g"), makes("b"), adds("g")) == [(0,), (1,), (2,), (3,)]


def test_references_backwards_move_nothing():
    assert order(makes("a"), makes("b", "a"), adds("bulkId:b", "a")) == [(0,), (1,), (2,)]


def test_who_refers_forwards_waits_and_nobody_else_is_moved():
    assert order(makes("g", "b"), makes("a"), makes("b", "c"), makes("c"), makes("d")) == [
        (1,), (3,), (2,), (0,), (4,),
    ]  # fmt: skip


def test_operations_on_one_resource_keep_their_order():
    assert order(adds("g", "a"), adds("h"), adds("g"), makes("a")) == [(1,), (3,), (0,), (2,)]


def test_a_ring_is_one_step_where_its_last_operation_stands():
    assert order(makes("a", "b"), makes("x"), makes("b", "c"), makes("c", "a"), makes("y", "b")) == [
        (1,), (0, 2, 3), (4,),
    ]  # fmt: skip
    assert order(makes("a", "a"), makes("b")) == [(0,), (1,)]


def test_rings_behind_rings():
    found = order(
        makes("a", "b", "c"), makes("b", "a"), makes("c", "d"), makes("d", "c", "e"), makes("e")
    )
    assert found == [(4,), (2, 3), (0, 1)]


def test_who_waits_for_a_failing_reference_is_there_too():
    assert order(makes("a"), makes("a"), makes("b", "a"), adds("x", "nobody")) == [
        (0,), (1,), (2,), (3,),
    ]  # fmt: skip


@given(st.lists(st.sets(st.integers(0, 11), max_size=4), min_size=12, max_size=12))
def test_every_operation_comes_once_after_what_it_needs(needed):
    found = order(*(makes(str(n), *map(str, sorted(some))) for n, some in enumerate(needed)))
    flat = [number for step in found for number in step]
    assert sorted(flat) == list(range(12))
    done = set()
    for step in found:
        for number in step:
            assert needed[number] <= done | set(step)
        if len(step) > 1:
            assert all(_reaches(needed, one, two) for one in step for two in step)
        done |= set(step)


def _reaches(needed, one, two):
    seen, todo = set(), list(needed[one])
    while todo:
        at = todo.pop()
        if at not in seen:
            seen.add(at)
            todo += needed[at]
    return two in seen


def test_a_ring_of_a_thousand_and_a_chain_of_a_thousand():
    ring = [makes(str(n), str((n + 1) % 1000)) for n in range(1000)]
    assert order(*ring) == [tuple(range(1000))]
    chain = [makes(str(n), *([str(n + 1)] if n < 999 else [])) for n in range(1000)]
    assert order(*chain) == [(n,) for n in reversed(range(1000))]
