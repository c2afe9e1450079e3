"""The clients' dialects of PATCH, brought into RFC 7644's form before it is parsed.

A row of QUIRKS rewrites one raw operation (its names already in lower case) or leaves it alone;
they run in order. Which apply is by the kind of the client: AUTO takes them all, STANDARD none. What needs the schema to be told right is done where the schema is at hand:
`"True"` for a boolean, a bare string for a `manager`, names in another letter case in `scim.cast`
and `scim.attributes`; dotted and URN-prefixed keys, and entries made for a filter that matches
none, in `scim.patch`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

RawOperation: TypeAlias = dict[str, Any]

AUTO: Final = "auto"
STANDARD: Final = "standard"
KINDS: Final = (
    AUTO, STANDARD, "entra", "jumpcloud", "keycloak", "okta", "onelogin", "sailpoint", "workday",
)  # fmt: skip
"""Whose dialect of PATCH is taken."""

_ENTRA = "learn.microsoft.com/entra/identity/app-provisioning/application-provisioning-config-problem-scim-compatibility"


@dataclass(frozen=True, slots=True)
class Quirk:
    """`rewrite` gives the operations that stand for one, usually a single one; `kinds` send such."""

    name: str
    source: str
    kinds: frozenset[str]
    rewrite: Callable[[RawOperation], list[RawOperation]]


def _lower_op(operation: RawOperation) -> list[RawOperation]:
    op = operation.get("op")
    return [operation | {"op": op.strip().lower()} if isinstance(op, str) else operation]


def _drop_empty_path(operation: RawOperation) -> list[RawOperation]:
    path = operation.get("path")
    if path is None or (isinstance(path, str) and not path.strip()):
        return [{k: v for k, v in operation.items() if k != "path"}]
    return [operation]


def _remove_without_path(operation: RawOperation) -> list[RawOperation]:
    value = operation.get("value")
    if operation.get("op") != "remove" or "path" in operation or not isinstance(value, dict):
        return [operation]

    # Of members a null names nobody; of all else it says which attribute is meant.
    def of_members(path: str) -> bool:
        return path.rpartition(":")[2].strip().lower() == "members"

    return [
        {
            "op": "remove",
            "path": path,
            "value": [] if what is None and of_members(path) else what,
        }
        for path, what in value.items()
    ]


def _value_names_its_path(operation: RawOperation) -> list[RawOperation]:
    value, path = operation.get("value"), operation.get("path")
    if isinstance(value, dict) and isinstance(path, str) and len(value) == 1:
        ((name, inner),) = value.items()
        if name.lower() == path.strip().lower() and isinstance(inner, list):
            return [operation | {"value": inner}]
    return [operation]


_OF_ENTRA = frozenset({"entra"})
_NAMED = frozenset(KINDS) - {AUTO, STANDARD}
QUIRKS: Final = (
    Quirk("the operation's name in any letter case", _ENTRA, _NAMED, _lower_op),
    Quirk(
        "an empty path for none",
        "SailPoint SCIM 2.0 connector",
        frozenset({"sailpoint"}),
        _drop_empty_path,
    ),
    Quirk("remove without a path, its value by attribute", _ENTRA, _OF_ENTRA, _remove_without_path),
    Quirk("a value wrapped in its own path's name", _ENTRA, _OF_ENTRA, _value_names_its_path),
)


def normalise(operation: RawOperation, kind: str = AUTO) -> list[RawOperation]:
    """The operations in RFC 7644's form that one raw operation stands for."""
    operations = [operation]
    for quirk in QUIRKS:
        if kind == AUTO or kind in quirk.kinds:
            operations = [new for old in operations for new in quirk.rewrite(old)]
    return operations
