from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.kernel import credential
from app.kernel.delivery import TRIES, Outcome, next_try, pause
from app.kernel.ids import uuid7
from app.kernel.person import Person, told
from app.kernel.tenant import TenantId

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
TENANT = TenantId("019cadc6-9a80-7514-b13a-a06c8e934c46")
ROW = "019cadc6-9a81-7514-b13a-a06c8e934c46"


def test_ids_are_version_7_and_sort_by_time():
    ids = [uuid7(NOW + timedelta(milliseconds=n), 0x3FFFFFFFFFFFFFFFFFF - n) for n in range(50)]
    assert ids == sorted(ids)
    assert {one[14] for one in ids} == {"7"}
    assert {one[19] for one in ids} <= set("89ab")


def test_a_credential_reads_back_and_names_its_tenant():
    text = credential.mint("ost_scim_", TENANT, ROW, b"s" * 24)
    found = credential.parse("ost_scim_", text)
    assert (found.tenant, found.id, found.secret) == (TENANT, ROW, b"s" * 24)
    assert credential.matches(found, credential.digest(b"s" * 24))
    assert not credential.matches(found, credential.digest(b"t" * 24))


@given(st.text(max_size=300))
def test_no_text_is_mistaken_for_a_credential(text):
    assert credential.parse("ost_scim_", text) is None
    found = credential.parse("", text)
    assert found is None or credential.mint("", found.tenant, found.id, found.secret) == text


@pytest.mark.parametrize("tail", ["=", "A", "\n", " "])
def test_a_credential_has_one_spelling(tail):
    assert credential.parse("x_", credential.mint("x_", TENANT, ROW, b"s" * 24) + tail) is None


def test_the_waits_add_up_to_about_75_hours_in_ten_tries():
    total, attempts = timedelta(0), 1
    while (when := next_try(attempts, NOW, 0.5)) is not None:
        total += when - NOW
        attempts += 1
    assert attempts == TRIES == 10
    assert timedelta(hours=75) < total < timedelta(hours=76)


@given(st.integers(1, 9), st.floats(0, 1))
def test_waits_spread_by_a_fifth(attempts, random):
    middle = next_try(attempts, NOW, 0.5) - NOW
    wait = next_try(attempts, NOW, random) - NOW
    assert middle * 0.799 <= wait <= middle * 1.201 or wait == timedelta(hours=24)


def test_retry_after_is_honoured_and_bounded():
    assert next_try(1, NOW, 0.5, retry_after=2) == NOW + timedelta(seconds=2)
    assert next_try(2, NOW, 0.5, retry_after=1) == NOW + timedelta(minutes=5)
    assert next_try(2, NOW, 0.5, retry_after=10**9) == NOW + timedelta(hours=24)
    assert next_try(TRIES, NOW, 0.5, retry_after=1) is None


@given(st.integers(2, 10**6), st.floats(0, 1), st.sampled_from(["failed", "throttled"]))
def test_a_pause_lies_between_a_moment_and_five_minutes(failures, random, kind):
    wait = pause(failures, random, Outcome(kind))
    shortest = {"failed": 0.0399, "throttled": 0.799}[kind]
    assert timedelta(seconds=shortest) <= wait <= timedelta(minutes=5)


def test_who_throttles_says_for_how_long_up_to_a_day():
    asked = [pause(9, 0.5, Outcome("throttled", retry_after=one)) for one in (0, 2, 10**9)]
    assert asked == [timedelta(seconds=1), timedelta(seconds=2), timedelta(days=1)]


def test_who_fails_is_left_alone_for_the_longer_of_both():
    assert pause(9, 0.5, Outcome("failed", retry_after=2)) == timedelta(seconds=6.4)
    assert pause(9, 0.5, Outcome("failed", retry_after=60)) == timedelta(seconds=60)


def test_one_failure_is_no_outage():
    assert pause(1, 0.5, Outcome("failed")) == timedelta(0)
    assert pause(1, 0.5, Outcome("failed", retry_after=3)) == timedelta(seconds=3)
    assert pause(1, 0.5, Outcome("throttled")) == timedelta(seconds=1)


def test_scim_has_the_last_word_and_silence_of_the_lesser_says_nothing():
    ada = told(Person("p"), {"display_name": "Ada L.", "email": "a@x.org"}, "lti", NOW)
    ada = told(ada, {"display_name": "Ada Lovelace"}, "scim:default", NOW)
    after = told(ada, {"display_name": "ADA", "email": None}, "lti", NOW)
    assert after is ada
    assert ada.display_name == "Ada Lovelace"
    assert ada.email == "a@x.org"
    assert ada.sources["display_name"]["source"] == "scim:default"


def test_scim_can_take_a_value_away_and_sign_in_cannot():
    ada = told(Person("p"), {"email": "a@x.org"}, "oidc", NOW)
    assert told(ada, {"email": None}, "oidc", NOW).email == "a@x.org"
    assert told(ada, {"email": None}, "scim", NOW).email is None


def test_who_is_inactive_or_deleted_may_not_enter():
    assert Person("p").may_enter
    assert not Person("p", active=False).may_enter
    assert not Person("p", deleted_at=NOW).may_enter
