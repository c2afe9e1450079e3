import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lti.errors import ServiceRefused
from lti.paging import next_url

HERE = "https://lms.example/members?page=1"
NEXT = "https://lms.example/members?bookmark=aBc,D&page=2"


@pytest.mark.parametrize(
    "link",
    [
        f'<{NEXT}>; rel="next"',
        f"<{NEXT}>; rel=next",
        f"<{NEXT}>;rel='next'",
        f'<{NEXT}>; title="a"; REL="Next"',
        f'<{NEXT}>; rel="next last"',
        f"<{NEXT}>; rel=\u201cnext\u201d",
        f"<{NEXT}>; rel=" + "\u201cnext\u201d".encode().decode("latin-1"),
        f"<{NEXT.replace('&', '&amp;')}>; rel=\u201cnext\u201d",
        f'<https://lms.example/x>; rel="prev", <{NEXT}>; rel="next"',
        f'<{NEXT}>; rel="next", <https://lms.example/x>; rel="last"',
        f'< {NEXT} >; rel="next"',
        '</members?bookmark=aBc,D&page=2>; rel="next"',
        f'<{NEXT.replace("https", "http")}>; rel="next"',
    ],
)
@pytest.mark.parametrize("name", ["Link", "link", "LINK"])
def test_the_next_page_is_found_as_it_is_written(answer, link, name):
    assert next_url(answer(200, b"", **{name: link}), HERE) == NEXT


@pytest.mark.parametrize(
    "link",
    [
        "",
        "next",
        f'<{NEXT}>; rel="prev"',
        f'<{NEXT}>; rel="nextish"',
        f'<{NEXT}>; rel="not-next"',
        f"<{NEXT}>",
        f'<{HERE}>; rel="next"',
        f'{NEXT}; rel="next"',
    ],
)
def test_the_last_page(answer, link):
    assert next_url(answer(200, b"", Link=link), HERE) is None
    assert next_url(answer(200), HERE) is None


@pytest.mark.parametrize(
    "target",
    [
        "https://evil.example/members",
        "//evil.example/members",
        "https://lms.example:8443/members",
        "https://lms.example@evil.example/",
        "http://lms.example:8080/members",
        "javascript:alert(1)",
        "https://lms.example\\@evil.example/",
    ],
)
def test_our_token_goes_nowhere_else(answer, target):
    with pytest.raises(ServiceRefused):
        next_url(answer(200, b"", Link=f'<{target}>; rel="next"'), HERE)


def test_an_endless_header_is_refused(answer):
    with pytest.raises(ServiceRefused):
        next_url(answer(200, b"", Link="<" * 20_000), HERE)


@given(st.text(st.characters(codec="latin-1")), st.text(max_size=30))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_wild_links(answer, link, target):
    for value in (link, f'<{target}>; rel="next"'):
        try:
            url = next_url(answer(200, b"", Link=value), HERE)
        except ServiceRefused:
            continue
        assert url is None or url.startswith("https://lms.example")
