import pytest

from scim.errors import PreconditionFailed
from scim.etag import check_if_match, etag, not_modified


@pytest.mark.parametrize(
    "header", [None, "*", " * ", 'W/"7"', '"7"', '"1", W/"7"', 'W/"1",W/"7" , "9"', etag(7)]
)
def test_names_the_version(header):
    check_if_match(header, 7)
    assert not_modified(header, 7) is (header is not None)


@pytest.mark.parametrize(
    "header", ["", "7", 'W/"77"', '"7', "W/7", '"a,7"', 'w/"7"x', '"1" "7"', ",", '"1";"7"']
)
def test_names_another_or_none(header):
    assert not not_modified(header, 7)
    with pytest.raises(PreconditionFailed) as caught:
        check_if_match(header, 7)
    assert caught.value.status == 412
