from datetime import UTC, datetime

import pytest

from scim.attributes import Attribute, AttrType, ResourceType, Schema
from scim.schemas import ENTERPRISE_URN, USER, USER_URN
from scim.text import format_instant, instant_number, parse_instant
from scim.values import Row, index_values


def test_rows(babs):
    assert sorted(index_values(babs, USER), key=lambda r: (r.path, r.item)) == sorted(
        [
            Row("userName", 0, "bjensen@example.com", None),
            Row("externalId", 0, "Ext-1", None),
            Row("active", 0, "true", 1.0),
            Row("name.givenName", 0, "barbara", None),
            Row("name.familyName", 0, "jensen", None),
            Row("title", 0, "tour guide", None),
            Row("emails.value", 0, "babs@work.example", None),
            Row("emails.type", 0, "work", None),
            Row("emails.primary", 0, "true", 1.0),
            Row("emails.value", 1, "babs@home.example", None),
            Row("emails.type", 1, "home", None),
            Row("schemas", 0, USER_URN, None),
            Row("schemas", 1, ENTERPRISE_URN, None),
            Row(f"{ENTERPRISE_URN}:employeeNumber", 0, "701984", None),
            Row(f"{ENTERPRISE_URN}:department", 0, "tours", None),
            Row(f"{ENTERPRISE_URN}:manager.value", 0, "m-1", None),
        ],
        key=lambda r: (r.path, r.item),
    )


def test_a_password_has_no_row():
    rows = index_values({"userName": "a", "password": "t0p"}, USER)
    assert not [row for row in rows if "t0p" in row.text]


def test_what_is_never_returned_has_no_row_inside_a_complex_value_either():
    inner = (Attribute("pin", returned="never"), Attribute("value"))
    badge = Attribute("badge", AttrType.COMPLEX, sub_attributes=inner)
    of = ResourceType("Thing", "/Things", "", Schema("urn:example:Thing", "Thing", "", (badge,)))
    rows = index_values({"badge": {"pin": "1234", "value": "b"}}, of)
    assert [row.path for row in rows] == ["badge.value", "schemas"]


def test_a_certificate_is_a_digest():
    rows = index_values({"userName": "a", "x509Certificates": [{"value": "A" * 60_000}]}, USER)
    assert max(len(row.text) for row in rows) == 64


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("2026-01-02T03:04:05Z", "2026-01-02T03:04:05Z"),
        ("2026-01-02t03:04:05z", "2026-01-02T03:04:05Z"),
        ("2026-01-02T03:04:05", "2026-01-02T03:04:05Z"),
        ("2026-01-02T03:04:05.1234567+02:00", "2026-01-02T01:04:05.123456Z"),
        ("2026-01-02T03:04:05-00:30", "2026-01-02T03:34:05Z"),
    ],
)
def test_instants(text, canonical):
    assert format_instant(parse_instant(text)) == canonical


@pytest.mark.parametrize(
    "text",
    [
        *("", "2026-01-02", "2026-02-30T00:00:00Z", "2026-01-02T24:00:00Z", "now"),
        *("2026-01-02 03:04:05Z", "2026-01-02T03:04:05+99:00", "0001-01-01T00:00:00+14:00"),
        *("9999-12-31T23:59:59-14:00", "٢٠٢٦-01-02T03:04:05Z", "2026-W01-1T03:04:05Z"),
    ],
)
def test_no_instants(text):
    assert parse_instant(text) is None


def test_instants_are_numbered_in_microseconds():
    assert instant_number(datetime(1970, 1, 1, 0, 0, 1, 1, tzinfo=UTC)) == 1_000_001.0
