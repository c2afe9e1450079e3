"""Filters drawn together with their meaning: each strategy gives (text, what it must answer)."""

import json
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from scim.attributes import Attribute, AttrType, ResourceType, Schema
from scim.errors import InvalidFilter
from scim.evaluate import matches
from scim.filters import parse_filter
from scim.schemas import COMMON, USER

_THING = ResourceType(
    "Thing",
    "/Things",
    "Things",
    Schema(
        "urn:example:Thing",
        "Thing",
        "A thing",
        (
            Attribute("word"),
            Attribute("exact", case_exact=True),
            Attribute("flag", AttrType.BOOLEAN),
            Attribute("size", AttrType.DECIMAL),
            Attribute("since", AttrType.DATE_TIME),
            Attribute("tags", multi_valued=True),
            Attribute(
                "parts",
                AttrType.COMPLEX,
                multi_valued=True,
                sub_attributes=(
                    Attribute("value"),
                    Attribute("type"),
                    Attribute("n", AttrType.INTEGER),
                ),
            ),
        ),
    ),
    (),
    COMMON,
)

_words = st.sampled_from(["a", "A", "b", "ab", "Ba", 'a"', "a\\", "é", "É", "%", "_", "a b"])
_sizes = st.one_of(st.integers(-20, 20), st.sampled_from([0.5, -0.5, 1.25e2, 12, -13, 2**53, 1e-3]))
_instants = st.sampled_from(
    [
        "2024-01-01T00:00:00Z",
        "2024-01-01T02:00:00+02:00",
        "2024-01-01T01:00:00+02:00",
        "2023-12-31T23:59:59.5Z",
        "2024-01-01T00:00:00.000001Z",
    ]
)
_part = st.fixed_dictionaries(
    {}, optional={"value": _words, "type": _words, "n": st.integers(-3, 3)}
).filter(bool)
_things = st.fixed_dictionaries(
    {},
    optional={
        "word": _words,
        "exact": _words,
        "flag": st.booleans(),
        "size": _sizes,
        "since": _instants,
        "tags": st.lists(_words, min_size=1, max_size=3),
        "parts": st.lists(_part, min_size=1, max_size=3),
    },
)

_ORDER = {
    "eq": lambda a, b: a == b,
    "ne": lambda a, b: a != b,
    "gt": lambda a, b: a > b,
    "ge": lambda a, b: a >= b,
    "lt": lambda a, b: a < b,
    "le": lambda a, b: a <= b,
}
_TEXT = _ORDER | {
    "co": lambda a, b: b in a,
    "sw": lambda a, b: a[: len(b)] == b,
    "ew": lambda a, b: b == "" or a[-len(b) :] == b,
}


def _read(thing, path):
    name, _, sub = path.partition(".")
    found = thing.get(name, [])
    items = found if isinstance(found, list) else [found]
    return [i[sub] for i in items if sub in i] if sub else items


def _said(path, op, test, ready, literal):
    def answer(thing):
        found = _read(thing, path)
        return any(test(ready(v), ready(literal)) for v in found) if found else op == "ne"

    return answer


def _instant(text):
    return datetime.fromisoformat(text).astimezone(UTC)


@st.composite
def _spelled(draw, word):
    return "".join(draw(st.sampled_from([c.lower(), c.upper()])) for c in word)


@st.composite
def _comparison(draw, paths):
    path = draw(st.sampled_from(paths))
    shown = draw(_spelled(path))
    if draw(st.integers(0, 5)) == 0:
        return f"{shown} pr", lambda thing: bool(_read(thing, path))
    kind = {"exact": "exact", "flag": "flag", "size": "size", "since": "since"}.get(path, "text")
    if path in {"n", "parts.n"}:
        kind = "size"
    values, tests, ready = {
        "text": (_words, _TEXT, str.casefold),
        "exact": (_words, _TEXT, str),
        "flag": (st.booleans(), {k: _ORDER[k] for k in ("eq", "ne")}, bool),
        "size": (_sizes, _ORDER, float),
        "since": (_instants, _ORDER, _instant),
    }[kind]
    op = draw(st.sampled_from(sorted(tests)))
    literal = draw(values)
    text = f"{shown} {draw(_spelled(op))} {json.dumps(literal, ensure_ascii=draw(st.booleans()))}"
    return text, _said(path, op, tests[op], ready, literal)


def _any_part(answer):
    return lambda thing: any(answer(part) for part in thing.get("parts", []))


def _leaf():
    plain = _comparison(
        ["word", "exact", "flag", "size", "since", "tags", "parts.value", "parts.n"]
    )
    inner = _expression(_comparison(["value", "type", "n"]))
    return st.one_of(plain, inner.map(lambda pair: (f"parts[{pair[0]}]", _any_part(pair[1]))))


def _joined(word, quantifier):
    def join(pairs):
        answers = [answer for _, answer in pairs]
        text = f" {word} ".join(text for text, _ in pairs)
        return text, lambda thing: quantifier(answer(thing) for answer in answers)

    return join


def _negated(pair):
    return f"not ({pair[0]})", lambda thing: not pair[1](thing)


def _expression(leaf):
    """or of ands of leaves, not (...) and (...): precedence is in how it is put together."""

    def wider(operand):
        both = st.lists(operand, min_size=1, max_size=3).map(_joined("and", all))
        either = st.lists(both, min_size=1, max_size=3).map(_joined("or", any))
        return st.one_of(either.map(lambda pair: (f"({pair[0]})", pair[1])), either.map(_negated))

    operand = st.recursive(leaf, wider, max_leaves=8)
    both = st.lists(operand, min_size=1, max_size=3).map(_joined("and", all))
    return st.lists(both, min_size=1, max_size=3).map(_joined("or", any))


@given(_expression(_leaf()), st.lists(_things, min_size=1, max_size=4))
def test_a_filter_means_what_it_was_made_to_mean(pair, things):
    text, answer = pair
    node = parse_filter(text, _THING)
    assert [matches(node, t, _THING) for t in things] == [answer(t) for t in things]


_pieces = st.lists(
    st.sampled_from(
        [
            '"x"',
            "userName",
            "emails",
            "[",
            "]",
            "(",
            ")",
            ".value",
            " ",
            " ",
            "eq",
            "pr",
            "not",
            "and",
            "or",
            "true",
            "null",
            "-1",
            "1.5e3",
            ":",
            "urn:x:",
            '"',
            "\\",
            "$",
            "\x00",
            "é",
        ]
    ),
    max_size=24,
).map("".join)


@given(st.one_of(st.text(max_size=60), _pieces))
def test_arbitrary_text_is_a_filter_or_refused(text):
    try:
        node = parse_filter(text, USER)
    except InvalidFilter:
        return
    matches(node, {"userName": "x", "emails": [{"value": "x"}]}, USER)
