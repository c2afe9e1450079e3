"""PATCH beside scim2-models, which reads RFC 7644 §3.5.2 for itself: the same operations, the same resource."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scim import patch, resource
from scim.errors import ScimError
from scim.schemas import ENTERPRISE_URN as E
from scim.schemas import USER, USER_URN

pytestmark = pytest.mark.interop

_word = st.sampled_from(["a", "Bo", "Ada L.", "x y", "ü"])
_type = st.sampled_from(["work", "home", "other"])
_email = st.fixed_dictionaries(
    {"value": st.sampled_from(["a@x.example", "b@x.example", "c@x.example"]), "type": _type}
)
_address = st.fixed_dictionaries({"type": _type, "country": _word}, optional={"locality": _word})


def _each_type_once(of: Any) -> Any:
    # Which of two entries a filter means is not in question here.
    return st.lists(of, min_size=1, max_size=3, unique_by=lambda one: one["type"])


_user = st.fixed_dictionaries(
    {"schemas": st.just([USER_URN, E]), "userName": st.just("ada")},
    optional={
        "displayName": _word, "title": _word, "active": st.booleans(),
        "name": st.fixed_dictionaries({"givenName": _word}, optional={"familyName": _word}),
        "emails": _each_type_once(_email), "addresses": _each_type_once(_address),
        E: st.fixed_dictionaries({"department": _word}, optional={"costCenter": _word}),
    },
)  # fmt: skip


def _write(path: str, value: Any) -> Any:
    return st.fixed_dictionaries(
        {"op": st.sampled_from(["add", "replace"]), "path": st.just(path), "value": value}
    )


def _remove(*paths: str) -> Any:
    return st.fixed_dictionaries({"op": st.just("remove"), "path": st.sampled_from(paths)})


_operation = st.one_of(
    _write("displayName", _word),
    _write("title", _word),
    _write("active", st.booleans()),
    _write("name.givenName", _word),
    _write("name.familyName", _word),
    _write("name", st.fixed_dictionaries({"givenName": _word}, optional={"formatted": _word})),
    _write("addresses", _each_type_once(_address)),
    _write(f"{E}:department", _word),
    _write(f"{E}:manager.value", _word),
    _write('emails[type eq "work"].value', st.just("d@x.example")),
    _write('addresses[type eq "home"].country', _word),
    st.fixed_dictionaries({
        "op": st.just("replace"), "path": st.just("emails"), "value": _each_type_once(_email),
    }),
    st.fixed_dictionaries({
        "op": st.sampled_from(["add", "replace"]),
        "value": st.fixed_dictionaries({}, optional={"title": _word, "nickName": _word, "active": st.booleans()}),
    }),
    _remove(
        "displayName", "title", "nickName", "name.givenName", "name", "emails", "addresses",
        'emails[type eq "work"]', 'addresses[type eq "home"]', 'addresses[type eq "work"].locality',
        f"{E}:department",
    ),
)  # fmt: skip


@settings(max_examples=600, deadline=None)
@given(_user, st.lists(_operation, min_size=1, max_size=4))
def test_the_same_comes_out(user: dict[str, Any], operations: list[dict[str, Any]]) -> None:
    ours = _ours(deepcopy(user), deepcopy(operations))
    theirs = _theirs(user, operations)
    assert ours == theirs


def _ours(user: dict[str, Any], operations: list[dict[str, Any]]) -> Any:
    before = resource.parse(user, USER).resource
    try:
        said = patch.parse_operations({"Operations": operations})
        return _comparable(patch.apply(before, said, USER).resource)
    except ScimError as why:
        return why.scim_type


def _theirs(user: dict[str, Any], operations: list[dict[str, Any]]) -> Any:
    from scim2_models import EnterpriseUser, PatchOp, ScimPolicy, User
    from scim2_models.exceptions import SCIMException

    before = User[EnterpriseUser].model_validate(user)
    try:
        asked = PatchOp[User[EnterpriseUser]].model_validate({"operations": operations})
        asked.patch(before, ScimPolicy(unmatched_path_filter=ScimPolicy.UnmatchedPathFilter.create))
    except SCIMException as why:
        return why.scim_type
    return _comparable(resource.parse(before.model_dump(), USER).resource)


def _comparable(found: dict[str, Any]) -> dict[str, Any]:
    """Without a mark that only says that an entry is not the primary one."""
    return {
        name: [_unmarked(one) for one in value] if isinstance(value, list) else value
        for name, value in found.items()
    }


def _unmarked(entry: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in entry.items() if (name, value) != ("primary", False)}
