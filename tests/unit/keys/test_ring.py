from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keys import ring
from keys.errors import NoSigningKey, RotationPending
from keys.ring import KeyRecord

T0 = datetime(2026, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)
MINUTE = timedelta(minutes=1)


def rotate(records, kid, now, overlap=DAY):
    plan = ring.plan_rotation(records, kid, now, overlap)
    changed = {record.kid: record for record in plan.retiring}
    return [changed.get(record.kid, record) for record in records] + [plan.new]


def test_the_first_key_signs_at_once():
    records = rotate([], "a", T0)
    assert ring.signing_key(records, T0).kid == "a"
    assert [r.kid for r in ring.published_keys(records, T0)] == ["a"]


def test_publish_then_sign_then_retire_then_gone():
    records = rotate(rotate([], "a", T0), "b", T0 + 10 * DAY)
    told = {
        T0 + 10 * DAY: ("a", ["b", "a"]),
        T0 + 11 * DAY - MINUTE: ("a", ["b", "a"]),
        T0 + 11 * DAY: ("b", ["b", "a"]),
        T0 + 12 * DAY - MINUTE: ("b", ["b", "a"]),
        T0 + 12 * DAY: ("b", ["b"]),
    }
    for now, (signs, published) in told.items():
        assert ring.signing_key(records, now).kid == signs
        assert [r.kid for r in ring.published_keys(records, now)] == published
    assert not ring.gone_keys(records, T0 + 12 * DAY - MINUTE)
    assert [r.kid for r in ring.gone_keys(records, T0 + 12 * DAY)] == ["a"]


def test_a_second_rotation_waits_for_the_first():
    records = rotate(rotate([], "a", T0), "b", T0 + DAY)
    with pytest.raises(RotationPending):
        ring.plan_rotation(records, "c", T0 + 2 * DAY - MINUTE, DAY)
    assert ring.plan_rotation(records, "c", T0 + 2 * DAY, DAY).retiring[0].kid == "b"


def test_an_empty_ring_or_one_before_its_time_signs_nothing():
    for records in ([], [KeyRecord("a", T0, T0 + DAY)]):
        with pytest.raises(NoSigningKey):
            ring.signing_key(records, T0)


def test_a_ring_that_lost_its_signing_key_signs_again_at_once():
    dead = KeyRecord("a", T0, T0, retires_at=T0 + DAY, gone_at=T0 + 2 * DAY)
    records = rotate([dead], "b", T0 + 5 * DAY)
    assert ring.signing_key(records, T0 + 5 * DAY).kid == "b"


def test_no_overlap_or_a_known_kid_is_a_mistake():
    with pytest.raises(ValueError):
        ring.plan_rotation([], "a", T0, timedelta(0))
    with pytest.raises(ValueError):
        ring.plan_rotation(rotate([], "a", T0), "a", T0, DAY)


@given(
    st.lists(st.integers(min_value=1, max_value=5000), max_size=8),
    st.integers(min_value=1, max_value=1000),
    st.integers(min_value=0, max_value=1000),
)
def test_a_cached_jwks_always_verifies(gaps, overlap_minutes, cache_age_minutes):
    """Whoever fetched our JWKS at most one overlap ago holds the key that signs now."""
    overlap = timedelta(minutes=overlap_minutes)
    now, records = T0, rotate([], "k", T0, overlap)
    for number, gap in enumerate(gaps):
        now += timedelta(minutes=gap)
        fetched = max(T0, now - min(overlap, timedelta(minutes=cache_age_minutes)))
        cached = {record.kid for record in ring.published_keys(records, fetched)}
        assert ring.signing_key(records, now).kid in cached
        try:
            records = rotate(records, f"k{number}", now, overlap)
        except RotationPending:
            continue
