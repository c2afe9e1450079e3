from contextlib import suppress
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.learning.content import (
    Choice,
    Item,
    MultipleChoice,
    ShortNumber,
    ShortText,
    SingleChoice,
)
from app.learning.errors import ResponseInvalid
from app.learning.score import MAX_TEXT, Response, as_number, read_response, score

CHOICES = tuple(Choice(k, k.upper(), f"about {k}") for k in "wxyz")


def ask(question):
    return Item("q", ("a",), "?", question, "e", feedback_right="Yes.", feedback_wrong="No.")


def earned(question, raw):
    return score(ask(question), read_response(ask(question), raw)).score


SINGLE = SingleChoice(CHOICES, "x")
MULTIPLE = MultipleChoice(CHOICES, ("w", "x"))


def test_single_choice():
    assert earned(SINGLE, "x") == 1
    assert earned(SINGLE, "w") == 0
    scored = score(ask(SINGLE), Response(picked=("w",)))
    assert scored.feedback == ("No.", "about w")
    assert not scored.correct


@pytest.mark.parametrize(
    ("raw", "points"),
    [
        (["w", "x"], 1),
        (["x", "w", "w"], 1),
        (["w"], 0.5),
        (["w", "y"], 0),
        (["w", "x", "y"], 0.5),
        (["w", "x", "y", "z"], 0),
        (["y", "z"], 0),
    ],
)
def test_multiple_choice_has_partial_credit_and_picking_all_earns_nothing(raw, points):
    assert earned(MULTIPLE, raw) == points


@pytest.mark.parametrize("raw", [None, 1, True, [], ["x"], {"x": 1}, "q", "", "X", b"x"])
def test_single_choice_refuses(raw):
    with pytest.raises(ResponseInvalid):
        read_response(ask(SINGLE), raw)


@pytest.mark.parametrize("raw", [None, "w", [], ["q"], [None], [["w"]], ["w"] * 5, {"w": 1}])
def test_multiple_choice_refuses(raw):
    with pytest.raises(ResponseInvalid):
        read_response(ask(MULTIPLE), raw)


@pytest.mark.parametrize(
    "raw",
    [
        "Café Noir",
        "  café   noir ",
        "CAFE\u0301 NOIR",
        "cafe\u0301 noir",
        "caf\u00e9\u00a0noir",
        "\uff23\uff21\uff26\uff25\u0301 noir",
    ],
)
def test_text_is_compared_as_people_mean_it(raw):
    assert earned(ShortText(("Café noir",)), raw) == 1


def test_text_that_differs_is_wrong():
    assert earned(ShortText(("Café noir",)), "cafe noir") == 0
    assert earned(ShortText(("it's",)), "it\u2019s") == 1
    assert earned(ShortText(("Straße",)), "STRASSE") == 1
    assert earned(ShortText(("SSO",), case_sensitive=True), "sso") == 0
    assert earned(ShortText(("SSO",), case_sensitive=True), " SSO ") == 1


@pytest.mark.parametrize(
    ("raw", "right"),
    [
        ("1200", True),
        ("1,200", True),
        ("1.200", True),
        ("1 200,00", True),
        ("1'200.00", True),
        ("€ 1,200.00", True),
        ("1200 €", True),
        ("1200 Euro", True),
        ("1200euro", True),
        ("+1200", True),
        ("1200.01", True),
        ("1200.011", False),
        ("-1200", False),
        ("\u22121200", False),
        ("12,00", False),
        ("12000", False),
    ],
)
def test_numbers_are_read_as_people_write_them(raw, right):
    assert earned(ShortNumber(1200.0, 0.01, "euro"), raw) == right


def test_tolerance_is_reckoned_in_decimals():
    assert earned(ShortNumber(0.3, 0.1), "0.4") == 1
    assert earned(ShortNumber(0.3, 0.1), "0,2") == 1
    assert earned(ShortNumber(0.3), ".3") == 1
    question = ask(ShortNumber(1.2))
    assert as_number(question, read_response(question, "1,200")) == Decimal("1.200")


@pytest.mark.parametrize(
    "raw",
    ["", " ", "twelve", "nan", "inf", "1e5", "0x10", "1_000", "1,2,3", "--1", "٣", "9" * 400, 12],
)
def test_what_is_no_number_can_be_tried_again(raw):
    with pytest.raises(ResponseInvalid):
        read_response(ask(ShortNumber(12.0)), raw)


@pytest.mark.parametrize(
    "raw", ["x" * (MAX_TEXT + 1), "a\x00b", "a\ud800b", " \n ", 5, None, ["x"]]
)
def test_text_refuses(raw):
    with pytest.raises(ResponseInvalid):
        read_response(ask(ShortText(("x",))), raw)


@given(
    st.sampled_from([SINGLE, MULTIPLE, ShortText(("x",)), ShortNumber(1.0, 0.5, "kg")]),
    st.one_of(
        st.text(), st.floats(), st.none(), st.lists(st.text()), st.lists(st.sampled_from("wxyz"))
    ),
)
def test_any_response_is_scored_within_bounds_or_refused(question, raw):
    with suppress(ResponseInvalid):
        response = read_response(ask(question), raw)
        assert 0 <= score(ask(question), response).score <= 1
