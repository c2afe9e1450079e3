"""A tenant's own schemas: the reader of their documents, and what may change."""

from __future__ import annotations

import pytest

from scim import custom
from scim.attributes import AttrType
from scim.errors import InvalidValue
from scim.schemas import ENTERPRISE_URN, USER

URN = "urn:example:badge:1.0"


def document(*attributes, **more):
    return {"id": URN, "attributes": list(attributes) or [{"name": "code"}], **more}


def test_a_document_is_read_as_the_rfc_writes_it():
    said = document(
        {"name": "level", "type": "integer", "multiValued": False, "description": "How high."},
        {"name": "door", "type": "complex", "multiValued": True, "subAttributes": [
            {"name": "value", "caseExact": True}, {"name": "opens", "type": "dateTime"},
        ]},
        name="Badge", description="A badge.",
    )  # fmt: skip
    read = custom.read(said)
    assert (read.id, read.name, read.description) == (URN, "Badge", "A badge.")
    level, door = read.attributes
    assert (level.type, level.description) == (AttrType.INTEGER, "How high.")
    assert door.multi_valued
    assert [one.name for one in door.sub_attributes] == ["value", "opens"]
    assert door.sub_attributes[0].case_exact
    assert custom.written(custom.read(custom.written(read))) == custom.written(read)


@pytest.mark.parametrize(
    "wrong",
    [
        [], None, {"id": URN}, document(id="badge"), document(id="urn:x"), document(id=7),
        document(id="urn:example:" + "x" * 200), document(id=ENTERPRISE_URN), document(id=USER.schema.id),
        document(id='urn:example:"'), document(attributes=[]), document("code"), document(name=7),
        document(attributes=[{"name": f"a{n}"} for n in range(101)]),
        document({"name": "a"}, {"name": "A"}), document({"name": "1a"}), document({"name": "a.b"}),
        document({"name": "a:b"}), document({"name": "x" * 101}), document({}),
        document({"name": "members"}), document({"name": "Schemas"}), document({"name": "password"}),
        document({"name": "a", "type": "text"}), document({"name": "a", "required": True}),
        document({"name": "a", "multiValued": "true"}), document({"name": "a", "mutability": "readOnly"}),
        document({"name": "a", "mutability": "immutable"}), document({"name": "a", "uniqueness": "server"}),
        document({"name": "a", "returned": "never"}), document({"name": "a", "returned": ["x"]}),
        document({"name": "a", "type": "complex"}), document({"name": "a", "canonicalValues": "x"}),
        document({"name": "a", "description": "\ud800"}),
        document({"name": "a", "type": "complex", "subAttributes": [{"name": "b", "multiValued": True}]}),
        document({"name": "a", "type": "complex", "subAttributes": [
            {"name": "b", "type": "complex", "subAttributes": [{"name": "c"}]}]}),
    ],
)  # fmt: skip
def test_what_the_server_would_not_keep_to_is_refused(wrong):
    with pytest.raises(InvalidValue, match=r"\.$"):
        custom.read(wrong)


def test_new_attributes_may_come_and_none_may_go_or_change():
    before = custom.read(document({"name": "a"}, {"name": "c", "type": "complex", "subAttributes": [{"name": "x"}]}))  # fmt: skip
    more = custom.read(document({"name": "b"}, {"name": "a", "returned": "request"}, {"name": "c", "type": "complex", "subAttributes": [{"name": "y"}, {"name": "x"}]}))  # fmt: skip
    assert custom.hindrance(before, more) is None
    assert custom.hindrance(more, before) == "b must stay"
    changed = custom.read(document({"name": "a", "type": "integer"}))
    assert custom.hindrance(before, changed) == "a must stay as it is"
    fewer = custom.read(document({"name": "a"}, {"name": "c", "type": "complex", "subAttributes": [{"name": "y"}]}))  # fmt: skip
    assert custom.hindrance(before, fewer) == "c.x must stay"


def test_a_short_name_stays_the_standards():
    own = custom.read(document({"name": "department"}, {"name": "level"}, {"name": "title"}))
    of = custom.types([("User", own)], 1)
    assert of.user.find("department").urn == ENTERPRISE_URN
    assert of.user.find("title").urn is None
    assert of.user.find("level").urn == URN
    assert of.user.find(f"{URN.upper()}:DEPARTMENT").urn == URN
    assert of.group.find(f"{URN}:level") is None
    assert of.every.find(f"{URN}:level").urn == URN
