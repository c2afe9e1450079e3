import pytest

from lti.claims import Launch, LaunchPresentation, Lis, ResourceLink, ToolPlatform


def test_everything_a_platform_says_is_read(platform):
    launch = platform.verify(
        CUSTOM={"activity": "pricing", "n": 3, "yes": True, "none": None, "list": [1], "f": 1.5},
        AGS_ENDPOINT={
            "scope": ["https://purl.imsglobal.org/spec/lti-ags/scope/score"],
            "lineitem": "https://lms.example/items/1?type=Ab",
            "lineitems": "https://lms.example/items",
        },
        NRPS_SERVICE={
            "context_memberships_url": "https://lms.example/members",
            "service_versions": ["2.0"],
        },
        LIS={"person_sourcedid": "p-1", "course_section_sourcedid": "s-1"},
        LAUNCH_PRESENTATION={
            "document_target": "iframe",
            "return_url": "https://lms.example/course/1",
            "locale": "de-CH",
        },
        TOOL_PLATFORM={"guid": "g", "product_family_code": "canvas", "version": 7},
        name="  Ada \n Byron ",
        locale="de",
    )
    assert launch.custom == {"activity": "pricing", "n": "3", "yes": "true", "f": "1.5"}
    assert launch.ags.lineitem == "https://lms.example/items/1?type=Ab"
    assert launch.ags.scopes == ("https://purl.imsglobal.org/spec/lti-ags/scope/score",)
    assert launch.nrps.context_memberships_url == "https://lms.example/members"
    assert launch.lis == Lis("p-1", None, "s-1")
    assert launch.presentation == LaunchPresentation(
        "iframe", "https://lms.example/course/1", "de-CH"
    )
    assert launch.platform == ToolPlatform("g", None, "canvas", None)
    assert launch.resource_link == ResourceLink("link-1", "Pricing")
    assert launch.context.types == ("CourseSection",)
    assert (launch.name, launch.locale) == ("Ada Byron", "de")


def test_a_plain_launch_has_no_services(platform):
    launch = platform.verify()
    assert isinstance(launch, Launch)
    assert (launch.ags, launch.nrps, dict(launch.custom)) == (None, None, {})


@pytest.mark.parametrize("value", ["", " ", "$Canvas.course.id", "$ResourceLink.id.history"])
def test_an_unresolved_custom_variable_counts_as_absent(platform, value):
    assert platform.verify(CUSTOM={"activity": value}).custom_value("activity") is None
    assert platform.verify().custom_value("activity") is None


def test_a_custom_value_is_trimmed(platform):
    assert platform.verify(CUSTOM={"activity": " pricing "}).custom_value("activity") == "pricing"


@pytest.mark.parametrize("url", ["javascript:alert(1)", "data:text/html,x", "//x", 7, "x" * 5000])
def test_a_return_url_that_is_no_web_address_is_dropped(platform, url):
    assert platform.verify(LAUNCH_PRESENTATION={"return_url": url}).presentation.return_url is None


def test_oversized_texts_that_are_only_shown_are_dropped(platform):
    launch = platform.verify(
        name="x" * 300,
        email="x" * 400,
        RESOURCE_LINK={"id": "l", "title": "x" * 300},
        CUSTOM={"a": "x" * 5000, "b" * 300: "c"},
    )
    assert (launch.name, launch.email, launch.resource_link.title) == (None, None, None)
    assert dict(launch.custom) == {}


def test_a_launch_cannot_be_changed(platform):
    launch = platform.verify(CUSTOM={"activity": "a"})
    with pytest.raises(AttributeError):
        launch.sub = "admin"
    with pytest.raises(TypeError):
        launch.custom["activity"] = "b"
