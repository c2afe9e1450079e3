import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lti import nrps, roles
from lti.errors import ServiceError, ServiceRefused
from lti.nrps import Member, Status

PAGE = "https://lms.example/members?type=course"
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text("ab", max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["user_id", "roles", "status", "name"]), inner)
    ),
    max_leaves=5,
)


def read(answer, now, *members, **headers):
    body = {"id": PAGE, "context": {"id": "course-1"}, "members": list(members)}
    return nrps.read_members(answer(200, body, **headers), PAGE, now)


def test_a_members_request():
    request = nrps.members_request(PAGE, "tok", rlid="a&b", role="Learner", limit=50)
    assert request.url == PAGE + "&rlid=a%26b&role=Learner&limit=50"
    assert request.headers == {
        "Authorization": "Bearer tok",
        "Accept": "application/vnd.ims.lti-nrps.v2.membershipcontainer+json",
    }
    assert (request.method, request.body) == ("GET", None)
    assert nrps.members_request(PAGE, "tok").url == PAGE


def test_members_are_read(answer, now):
    page = read(
        answer,
        now,
        {
            "user_id": "u1",
            "status": "Active",
            "roles": ["Learner"],
            "name": "Ada Byron",
            "given_name": "Ada",
            "family_name": "Byron",
            "email": "a@b.example",
            "lis_person_sourcedid": "p1",
        },
        {"user_id": "u2", "roles": ["Instructor", 7], "name": 5, "email": "x" * 400},
    )
    assert page.context_id == "course-1"
    assert page.members == (
        Member("u1", ("Learner",), Status.ACTIVE, "Ada Byron", "Ada", "Byron", "a@b.example", "p1"),
        Member("u2", ("Instructor",)),
    )
    assert [roles.is_instructor(member.roles) for member in page.members] == [False, True]


@pytest.mark.parametrize(
    ("status", "read_as"),
    [
        ("Active", Status.ACTIVE),
        (None, Status.ACTIVE),
        ("Inactive", Status.INACTIVE),
        ("Deleted", Status.DELETED),
        ("active", Status.INACTIVE),
        ("Invited", Status.INACTIVE),
        (["Active"], Status.INACTIVE),
    ],
)
def test_an_unknown_status_opens_nothing(answer, now, status, read_as):
    page = read(answer, now, {"user_id": "u", "roles": [], "status": status})
    assert page.members[0].status == read_as


def test_entries_without_a_user_are_counted(answer, now):
    page = read(answer, now, {"user_id": "u"}, {}, {"user_id": 7}, {"user_id": ""}, None, "x")
    assert [member.user_id for member in page.members] == ["u"]
    assert page.skipped == 5


def test_pages_follow_until_one_is_empty(answer, now):
    link = "<https://lms.example/members?type=course&amp;Page=2>; rel=\u201cnext\u201d"
    page = read(answer, now, {"user_id": "u"}, Link=link)
    assert page.next_url == "https://lms.example/members?type=course&Page=2"
    assert read(answer, now, Link=link).next_url is None


def test_a_thousand_members_in_one_page(answer, now):
    members = [{"user_id": f"u{n}", "roles": ["Learner"]} for n in range(1005)]
    assert len(read(answer, now, *members).members) == 1005


@pytest.mark.parametrize("body", [[], {}, {"members": {}}, {"members": None}, "x", None])
def test_what_is_no_membership_container_is_refused(answer, now, body):
    with pytest.raises(ServiceRefused):
        nrps.read_members(answer(200, body), PAGE, now)


def test_too_many_members_are_refused(answer, now):
    with pytest.raises(ServiceRefused):
        read(answer, now, *[0] * 20_001)


@given(JSON)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_wild_members(answer, now, value):
    for body in (value, {"members": value}, {"members": [value], "context": value}):
        try:
            page = nrps.read_members(answer(200, body), PAGE, now)
        except ServiceError:
            continue
        assert all(isinstance(member.user_id, str) for member in page.members)
