import pytest
from hypothesis import given
from hypothesis import strategies as st

from lti import urls

BASE = "https://tool.example/lti/launch"


@pytest.mark.parametrize(
    "url",
    [
        BASE,
        BASE + "/",
        BASE + "?activity=a%2Fb",
        BASE + "/activity/pricing?x=..",
        "https://TOOL.example/lti/launch/a",
        "https://tool.example:443/lti/launch",
    ],
)
def test_lies_under(url):
    assert urls.lies_under(url, BASE)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "/lti/launch",
        "//tool.example/lti/launch",
        "http://tool.example/lti/launch",
        "https://tool.example/",
        "https://tool.example/lti/launcher",
        "https://tool.example/LTI/launch",
        "https://tool.example:444/lti/launch",
        "https://tool.example:0/lti/launch",
        "https://tool.example:x/lti/launch",
        "https://tool.example.evil.example/lti/launch",
        "https://tool.example@evil.example/lti/launch",
        "https://user@tool.example/lti/launch",
        "https://evil.example/lti/launch",
        "https://evil.example\\@tool.example/lti/launch",
        "https://evil.example#@tool.example/lti/launch",
        BASE + "/../../admin",
        BASE + "/%2e%2e/admin",
        BASE + "/..%2fadmin",
        BASE + "/.%2E/admin",
        BASE + "/./a",
        BASE + "\\..\\admin",
        BASE + "//evil.example",
        BASE + "#fragment",
        BASE + "\n",
        BASE + "/a b",
        BASE + "/\x00",
        BASE + "/é",
        "javascript:alert(1)//" + BASE,
        "https://[::1/lti/launch",
        BASE + "?" + "a" * 5000,
    ],
)
def test_does_not_lie_under(url):
    assert not urls.lies_under(url, BASE)


@given(st.text())
def test_no_text_breaks_the_check(text):
    assert not urls.lies_under(text, BASE)
    urls.lies_under("https://" + text, BASE)
    urls.lies_under(BASE + text, BASE)


def test_a_base_at_the_root_holds_its_origin():
    assert urls.lies_under("https://tool.example", "https://tool.example/")
    assert urls.lies_under("https://tool.example/x", "https://tool.example")


def test_a_query_grows_without_changing_what_stood_there():
    grown = urls.with_query("https://a.example/x?Bookmark=aB%2f&c", [("d e", "f&g=ü")])
    assert grown == "https://a.example/x?Bookmark=aB%2f&c&d+e=f%26g%3D%C3%BC"
    assert urls.with_query("https://a.example/x", [("a", "1")]) == "https://a.example/x?a=1"
    assert urls.with_query("https://a.example/x?", []) == "https://a.example/x?"


def test_a_segment_goes_to_the_path():
    assert urls.with_segment("https://a.example/i/1", "scores") == "https://a.example/i/1/scores"
    assert urls.with_segment("https://a.example/i/1/", "scores") == "https://a.example/i/1/scores"
    kept = urls.with_segment("https://a.example/i?type_id=1&x=a?b", "scores")
    assert kept == "https://a.example/i/scores?type_id=1&x=a?b"
