"""What PATCH does to the entries of a multi-valued attribute (RFC 7644 §3.5.2.1 to §3.5.2.3)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from scim.attributes import Attribute, AttrPath
from scim.cast import (
    assigned,
    cast,
    cast_item,
    check_items,
    distinct,
    is_primary,
    is_void,
    only,
    parts,
)
from scim.errors import InvalidValue, NoTarget
from scim.evaluate import matches_item
from scim.nodes import PatchPath, equalities
from scim.values import item_rows


def assign(
    path: PatchPath, attribute: Attribute, op: str, value: Any, current: list[Any]
) -> list[Any] | None:
    """An add or a replace. An entry is made where the filter finds none but says what it would be:
    Entra replaces `emails[type eq "work"].value` of people who have no such address.
    """
    if path.selector is None and path.sub is None:
        given = cast(attribute, value, path.text) or []
        if not given and value:
            _check_names(attribute, value, path.text)
        return given or None if op == "replace" else _added(given, current, path.text)
    items = list(current)
    touched = _selected(path, attribute, items)
    for index in touched:
        after = _altered(path, attribute, op, value, items[index])
        items[index] = _marked(attribute, items[index], after)
    if not touched:
        made = _made(path, attribute, value)
        if made is not None:
            touched = [len(items)]
            items.append(made)
    return _settled(items, touched, path.text)


def remove(
    path: PatchPath, attribute: Attribute, value: Any, current: list[Any]
) -> list[Any] | None:
    """Removes the selected entries, or their sub-attribute; a `value` names the entries meant
    (Entra), and an empty one none. What is not there is removed already. Raises InvalidValue.
    """
    selected = set(_selected(path, attribute, current))
    if value is not None:
        _check_names(attribute, value, path.text)
        meant = [
            {(r.path, r.text) for r in item_rows(attribute, item, "")}
            for item in cast(attribute, value, path.text) or []
        ]
        selected = {i for i in selected if _is_meant(attribute, current[i], meant)}
    items = [
        item
        if i not in selected
        else (
            None if path.sub is None else _marked(attribute, item, with_part(item, path.sub, None))
        )
        for i, item in enumerate(current)
    ]
    return _settled(items, [], path.text)


def without_emptied(items: list[Any]) -> list[Any] | None:
    """Without the entries of which a request has left no more than labels.

    To be done when all of it is done: what it takes from an entry it may give it anew.
    """
    return [item for item in items if not isinstance(item, _Emptied)] or None


class _Emptied(dict[str, Any]):
    """An entry that had a value before the request."""


def _marked(attribute: Attribute, before: Any, after: Any) -> Any:
    had = isinstance(before, _Emptied) or not is_void(attribute, before)
    return _Emptied(after) if had and is_void(attribute, after) else after


def _check_names(attribute: Attribute, value: Any, text: str) -> None:
    """Refuse an entry of which nothing is known: it names none, and the client would take it for removed."""
    if not attribute.is_complex:
        return
    for item in value if isinstance(value, list) else [value]:
        if isinstance(item, dict) and item and not any(map(attribute.sub, item)):
            name = next(iter(item))[:100]
            raise InvalidValue(f"No entry of {text} has anything called {name!r}.")


def with_part(item: dict[str, Any], sub: Attribute, part: Any) -> dict[str, Any]:
    """The complex value with one sub-attribute set, or without it where `part` is None."""
    rest = {name: value for name, value in item.items() if name != sub.name}
    return rest if part is None else rest | {sub.name: part}


def _selected(path: PatchPath, attribute: Attribute, items: list[Any]) -> list[int]:
    if path.selector is None:
        return list(range(len(items)))
    whole = AttrPath(path.urn, attribute)
    return [i for i, item in enumerate(items) if matches_item(path.selector, item, whole)]


def _is_meant(attribute: Attribute, item: Any, meant: Iterable[set[tuple[str, str]]]) -> bool:
    rows = {(r.path, r.text) for r in item_rows(attribute, item, "")}
    return any(one <= rows for one in meant)


def _added(given: list[Any], current: list[Any], text: str) -> list[Any] | None:
    """New entries appended; one of the same value and type is brought up to date instead."""
    items = list(current)
    known = {_key(item): i for i, item in enumerate(items)}
    touched = []
    for item in given:
        index = known.get(_key(item))
        if index is None:
            touched.append(len(items))
            items.append(item)
        else:
            touched.append(index)
            items[index] = items[index] | item if isinstance(item, dict) else item
    return _settled(items, touched, text)


def _key(item: Any) -> Any:
    if not isinstance(item, dict):
        return item
    if "value" in item:
        return item["value"], item.get("type")
    return tuple(sorted((name, repr(value)) for name, value in item.items()))


def _altered(path: PatchPath, attribute: Attribute, op: str, value: Any, item: Any) -> Any:
    if path.sub is not None:
        part = cast(path.sub, value, path.text)
        return item if part is None and op == "add" else with_part(item, path.sub, part)
    if not attribute.is_complex:
        given = cast_item(attribute, only(value, path.text), path.text)
        return item if given is None and op == "add" else given
    said = parts(attribute, only(value, path.text), path.text)
    if said is None:
        return item if op == "add" else None
    # Whoever only takes parts away leaves the rest as it is.
    keeps = op == "add" or assigned(said) is None
    return assigned((item if keeps else _described(path, attribute)) | said)


def _made(path: PatchPath, attribute: Attribute, value: Any) -> Any | None:
    """The entry that the filter describes, with the value in it; None where there is no value."""
    if path.sub is not None:
        part = cast(path.sub, value, path.text)
        given = None if part is None else {path.sub.name: part}
    else:
        given = cast_item(attribute, only(value, path.text), path.text)
    if given is None or not isinstance(given, dict):
        return given
    item = _described(path, attribute, strict=True) | given
    if path.selector is not None and not matches_item(
        path.selector, item, AttrPath(path.urn, attribute)
    ):
        raise NoTarget(f"No entry of {path.text} is the one that the path selects.")
    return item


def _described(path: PatchPath, attribute: Attribute, *, strict: bool = False) -> dict[str, Any]:
    """What the path's filter says of an entry: `type eq "work"` gives `{"type": "work"}`."""
    said = () if path.selector is None else equalities(path.selector)
    if said is None:
        if strict:
            raise NoTarget(f"No entry of {path.text} is the one that the path selects.")
        return {}
    item: dict[str, Any] = {}
    for comparison in said:
        part = comparison.path.sub
        value = None if part is None else cast(part, comparison.literal, attribute.name)
        if part is not None and value is not None:
            item[part.name] = value
    return item


def _settled(items: list[Any], touched: list[int], text: str) -> list[Any] | None:
    """Those that have become alike dropped but for one (RFC 7643 §2.4); one that has become primary
    takes it from the others (RFC 7644 §3.5.2).
    """
    primaries = {i for i in touched if is_primary(items[i])}
    if len(primaries) > 1:
        raise InvalidValue(f"Only one of {text} may be primary.")
    if primaries:
        items = [
            type(item)(item | {"primary": False})
            if is_primary(item) and i not in primaries
            else item
            for i, item in enumerate(items)
        ]
    return check_items(distinct(items), text) or None
