"""Activities and interactions, xAPI Data 1.0.3 §2.4.4.1."""

from __future__ import annotations

import re
from typing import Any

from app.xapi import formats
from app.xapi.checks import (
    Check,
    array_of,
    extensions,
    fail,
    language_map,
    record,
    text,
    well_formed,
)

_iri = well_formed(formats.is_iri, "an absolute IRI")
_COMPONENTS: dict[str, tuple[str, ...]] = {
    "true-false": (),
    "choice": ("choices",),
    "fill-in": (),
    "long-fill-in": (),
    "matching": ("source", "target"),
    "performance": ("steps",),
    "sequencing": ("choices",),
    "likert": ("scale",),
    "numeric": (),
    "other": (),
}
_ALL_COMPONENTS = ("choices", "scale", "source", "target", "steps")
_NUMBER = r"-?\d{1,30}(\.\d{1,30})?"
_NUMERIC = re.compile(rf"{_NUMBER}|{_NUMBER}\[:\]({_NUMBER})?|\[:\]{_NUMBER}", re.ASCII)
_MAX_PARTS = 500


def activity(value: object, place: str) -> None:
    checks = {
        "objectType": well_formed(lambda t: t == "Activity", "'Activity'"),
        "id": _iri,
        "definition": _definition,
    }
    record(value, place, checks, required=("id",))


def _definition(value: object, place: str) -> None:
    components = array_of(_component, most=_MAX_PARTS)
    members = record(
        value,
        place,
        {
            "name": language_map,
            "description": language_map,
            "type": _iri,
            "moreInfo": _iri,
            "extensions": extensions,
            "interactionType": well_formed(_COMPONENTS.__contains__, "an interaction type"),
            "correctResponsesPattern": array_of(text, most=_MAX_PARTS),
            **dict.fromkeys(_ALL_COMPONENTS, components),
        },
    )
    kind = members.get("interactionType")
    allowed = _COMPONENTS[kind] if kind else ()
    for name in _ALL_COMPONENTS:
        if name in members:
            if name not in allowed:
                fail(f"{place}.{name}", f"does not go with the interaction type {kind!r}")
            _different(members[name], f"{place}.{name}")
    if kind is None and "correctResponsesPattern" in members:
        fail(f"{place}.correctResponsesPattern", "needs an interactionType")
    for i, pattern in enumerate(members.get("correctResponsesPattern", [])):
        _pattern(kind, pattern, members, f"{place}.correctResponsesPattern[{i}]")


def _component(value: object, place: str) -> None:
    checks: dict[str, Check] = {
        "id": well_formed(lambda t: bool(t) and not re.search(r"\s", t), "without white space"),
        "description": language_map,
    }
    record(value, place, checks, required=("id",))


def _different(components: list[dict[str, Any]], place: str) -> None:
    ids = [component["id"] for component in components]
    if len(set(ids)) != len(ids):
        fail(place, "two components have the same id")


def _pattern(kind: str | None, pattern: str, members: dict[str, Any], place: str) -> None:
    """The patterns that can be checked against the definition itself."""
    if kind == "true-false" and pattern not in ("true", "false"):
        fail(place, "must be true or false")
    if kind == "numeric" and not _NUMERIC.fullmatch(pattern):
        fail(place, "must be a number or a range such as 1[:]2")
    listed = {"choice": "choices", "sequencing": "choices", "likert": "scale"}.get(kind or "")
    if listed and listed in members:
        known = {component["id"] for component in members[listed]}
        for part in pattern.split("[,]"):
            if part not in known:
                fail(place, f"{part[:64]!r} is not among the {listed}")
