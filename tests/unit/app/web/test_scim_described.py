"""What the discovery documents say of each attribute is what the server does with it (RFC 7643 §7)."""

from __future__ import annotations

import base64
import json
from datetime import UTC
from itertools import count
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.flows import tenancy
from tests.provisioning import Idp, refused
from tests.unit.app.web.test_scim_hostile import WILD

OPERATORS = ("eq", "ne", "co", "sw", "ew", "gt", "ge", "lt", "le")
RUN = settings(
    max_examples=120, deadline=None, derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)  # fmt: skip
_word = st.text(
    st.characters(categories=("L", "N", "P", "S"), max_codepoint=0x2FFF), min_size=1, max_size=12
)
VALUES = {
    "string": _word,
    "reference": _word.map("https://acme.example/{}".format),
    "boolean": st.booleans(),
    "integer": st.integers(-(2**31), 2**31),
    "decimal": st.floats(-1e9, 1e9),
    "dateTime": st.datetimes(timezones=st.just(UTC)).map(lambda at: at.isoformat()),
    "binary": st.binary(min_size=1, max_size=9).map(lambda raw: base64.b64encode(raw).decode()),
}


@pytest.fixture
def idp(site, tenant, deps):
    return Idp(site, tenancy.issue_token(deps, tenant.slug, "scim")[1])


@pytest.fixture
def described(idp):
    """The schemas of a User by URN, and that of the User itself."""
    schemas = {one["id"]: one for one in idp.get("/Schemas")["Resources"]}
    (of,) = (one for one in idp.get("/ResourceTypes")["Resources"] if one["id"] == "User")
    return of["schema"], {urn: schemas[urn] for urn in (of["schema"], *(one["schema"] for one in of["schemaExtensions"]))}  # fmt: skip


def writable(attributes: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [one for one in attributes if one["mutability"] != "readOnly"]


def value_of(attribute: dict[str, Any]) -> Any:
    """Values that fit the description; at most one entry of a list is the primary one."""
    if attribute["type"] != "complex":
        one = VALUES[attribute["type"]]
    else:
        parts = {part["name"]: value_of(part) for part in writable(attribute["subAttributes"])}
        if "primary" in parts:
            parts["primary"] = st.just(value=False)
        # A label alone is no value.
        kept = "value" if "value" in parts else next(iter(parts))
        one = st.fixed_dictionaries({kept: parts.pop(kept)}, optional=parts)
    return st.lists(one, min_size=1, max_size=2) if attribute["multiValued"] else one


def object_of(attributes: list[dict[str, Any]]) -> Any:
    every = {one["name"]: value_of(one) for one in writable(attributes)}
    return st.fixed_dictionaries({}, optional=every)


def paths(described: Any) -> list[tuple[str, dict[str, Any], dict[str, Any]]]:
    """Every path, with the attribute that it begins with and the one that it ends with."""
    core, schemas = described
    found = []
    for urn, schema in schemas.items():
        for attribute in schema["attributes"]:
            path = attribute["name"] if urn == core else f"{urn}:{attribute['name']}"
            found.append((path, attribute, attribute))
            subs = attribute.get("subAttributes", ())
            found += [(f"{path}.{sub['name']}", attribute, sub) for sub in subs]
    return found


def test_what_fits_is_taken_and_shown_as_described(idp, described):
    core, schemas = described
    bodies = st.fixed_dictionaries({
        "": object_of(schemas[core]["attributes"]),
        **{urn: object_of(one["attributes"]) for urn, one in schemas.items() if urn != core},
    })  # fmt: skip
    names = count()

    @RUN
    @given(bodies)
    def run(said):
        body = {**said.pop(""), **said, "userName": f"user-{next(names)}"}
        made = idp.send("POST", "/Users", json.dumps(body))
        assert made.status_code == 201, made.text
        assert idp.get(f"/Users/{made.json['id']}") == made.json
        for urn, schema in schemas.items():
            given_, shown = (
                (body, made.json) if urn == core else (said[urn], made.json.get(urn, {}))
            )
            for attribute in writable(schema["attributes"]):
                name = attribute["name"]
                if attribute["returned"] == "never":
                    assert name not in shown
                elif name in given_:
                    assert shown[name] == once(given_[name])
        again = idp.send("PUT", f"/Users/{made.json['id']}", json.dumps(made.json))
        assert again.json == made.json

    run()


def once(value: Any) -> Any:
    """Without entries that stand twice."""
    if not isinstance(value, list):
        return value
    return [one for at, one in enumerate(value) if one not in value[:at]]


def test_what_is_described_can_be_asked_for_or_is_refused(idp, described):
    idp.user("ada", title="Dr.", active=True, emails=[{"value": "a@x.example", "type": "work"}])
    every = paths(described)
    literals = st.one_of(
        _word, st.integers(), st.booleans(), st.none(), st.just("2026-01-01T00:00:00Z")
    )

    @RUN
    @given(st.sampled_from(every), st.sampled_from(OPERATORS), literals, st.booleans())
    def run(path, operator, literal, turned):
        text, attribute, leaf = path
        said = f"{text} {operator} {json.dumps(literal)}"
        asked = f"not ({said})" if turned else said
        answer = idp.send("GET", "/Users", query_string={"filter": asked})
        if attribute["returned"] == "never":
            refused(answer, 400, answer.json["scimType"])
        elif leaf["type"] in {"string", "reference"} and isinstance(literal, str):
            assert answer.status_code == 200, (asked, answer.text)
        elif answer.status_code != 200:
            refused(answer, 400, "invalidFilter")

    run()
    for text, attribute, _ in every:
        answer = idp.send("GET", "/Users", query_string={"filter": f"{text} pr"})
        assert answer.status_code == (400 if attribute["returned"] == "never" else 200), text


def test_what_is_described_can_be_changed_or_is_refused(idp, described):
    key = idp.user("ada")
    every = paths(described)

    @RUN
    @given(st.sampled_from(every), st.sampled_from(["add", "replace", "remove"]), st.data())
    def run(path, op, data):
        text, attribute, leaf = path
        fits = data.draw(st.booleans())
        value = data.draw(
            value_of(leaf)
            if fits and writable([leaf]) and leaf.get("subAttributes") != []
            else WILD
        )
        change = {"Operations": [{"op": op, "path": text, "value": value}]}
        answer = idp.send("PATCH", f"/Users/{key}", json.dumps(change))
        assert answer.status_code in {200, 400}, (change, answer.text)
        if "readOnly" in (attribute["mutability"], leaf["mutability"]):
            refused(answer, 400, "mutability")
        elif answer.status_code == 400:
            refused(answer, 400, answer.json["scimType"])
        else:
            assert idp.get(f"/Users/{key}") == answer.json

    run()
