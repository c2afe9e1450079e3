"""Whatever JSON comes: a ScimError or a resource that holds to the schema, nothing else."""

import json
from copy import deepcopy

from hypothesis import given
from hypothesis import strategies as st

from scim.cast import MAX_ITEMS, is_primary
from scim.errors import ScimError
from scim.patch import apply, parse_operations
from scim.resource import parse, replace
from scim.schemas import ENTERPRISE_URN, GROUP, USER, USER_URN
from scim.values import index_values

_scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=True),
    st.text(max_size=8),
    st.sampled_from(["", "True", "false", "work", "u1", "\x00", "\ud800", "AAAA"]),
)
_names = st.one_of(
    st.sampled_from(
        [
            *("userName", "USERNAME", "active", "name", "name.givenName", "emails", "emails.value"),
            *("givenName", "value", "Value", "type", "primary", "display", "$ref", "roles"),
            *("addresses", "x509Certificates", "manager", "department", "members", "displayName"),
            *("id", "meta", "groups", "schemas", "password", "externalId", "members.value", ""),
            *('emails[type eq "work"].value', 'emails[type eq "work"]', "emails[primary eq true]"),
            *('members[value eq "u1"]', "emails[", "roles[value pr].primary", "emails[not (a pr)]"),
            *(ENTERPRISE_URN, f"{ENTERPRISE_URN}:manager", f"{USER_URN}:title", USER_URN),
            f"{ENTERPRISE_URN}:manager.value",
        ]
    ),
    st.text(max_size=6),
)
_json = st.recursive(
    _scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(_names, inner, max_size=4)
    ),
    max_leaves=12,
)
_operation = st.one_of(
    _json,
    st.fixed_dictionaries(
        {"op": st.sampled_from(["add", "Replace", "REMOVE", "remove", "move", None, [], {}, 7])},
        optional={"path": st.one_of(_names, _scalars), "value": _json, "Name": _json},
    ),
)
_patches = st.one_of(
    _json, st.fixed_dictionaries({"Operations": st.lists(_operation, min_size=1, max_size=4)})
)
_users = st.dictionaries(_names, _json, max_size=6).map(lambda d: {"userName": "babs"} | d)


def _holds_to_the_schema(resource, of):
    json.dumps(resource, allow_nan=False).encode()
    roots = {a.name: a for a in of.roots}
    for name, value in resource.items():
        if name == ENTERPRISE_URN:
            assert value
            continue
        attribute = roots[name]
        assert attribute.mutability == "readWrite"
        assert name != of.members
        assert value not in (None, "", [], {})
        assert isinstance(value, list) == attribute.multi_valued
        if attribute.multi_valued:
            assert len(value) <= MAX_ITEMS
            assert sum(map(is_primary, value)) <= 1
    for row in index_values(resource, of):
        row.text.encode()
        assert "\x00" not in row.text
    # What was accepted once is accepted again, unchanged.
    assert parse(resource, of).resource == resource


@given(st.one_of(_json, _users))
def test_post_and_put(body):
    for of, required in ((USER, "userName"), (GROUP, "displayName")):
        for call in (parse, lambda b, of, r=required: replace({r: "x", "active": False}, b, of)):
            try:
                incoming = call(body, of)
            except ScimError:
                continue
            _holds_to_the_schema(
                {k: v for k, v in incoming.resource.items() if of is USER or k != "active"}, of
            )


@given(_patches, _users)
def test_patch(body, user):
    try:
        before = parse(user, USER).resource
    except ScimError:
        before = {"userName": "babs", "active": True, "emails": [{"type": "work", "value": "x"}]}
    for of, resource in ((USER, before), (GROUP, {"displayName": "All"})):
        kept = deepcopy(resource)
        try:
            result = apply(resource, parse_operations(body), of)
        except ScimError:
            assert resource == kept
            continue
        assert resource == kept
        assert result.changed == (result.resource != kept)
        assert not set(result.members.add) & set(result.members.remove)
        assert of is GROUP or not result.members
        _holds_to_the_schema(result.resource, of)
