import pytest

from scim.discovery import (
    Features,
    resource_type,
    schema,
    schemas_of,
    service_provider_config,
)
from scim.schemas import ENTERPRISE_URN, GROUP, GROUP_URN, USER, USER_URN

BASE = "https://x.example/scim/v2"


def test_schemas_are_each_said_once():
    assert [s.id for s in schemas_of([USER, GROUP])] == [USER_URN, ENTERPRISE_URN, GROUP_URN]


def _walk(attributes):
    for attribute in attributes:
        yield attribute
        yield from _walk(attribute.get("subAttributes", ()))


@pytest.mark.parametrize("of", schemas_of([USER, GROUP]), ids=lambda s: s.name)
def test_every_attribute_has_its_characteristics(of):
    document = schema(of, BASE)
    assert document["meta"]["location"] == f"{BASE}/Schemas/{of.id}"
    for attribute in _walk(document["attributes"]):
        assert {"name", "type", "multiValued", "description", "required"} <= attribute.keys()
        assert attribute["mutability"] in {"readOnly", "readWrite", "immutable", "writeOnly"}
        assert attribute["returned"] in {"always", "never", "default", "request"}
        assert ("subAttributes" in attribute) == (attribute["type"] == "complex")
        assert ("referenceTypes" in attribute) == (attribute["type"] == "reference")
        if attribute["type"] == "string":
            assert isinstance(attribute["caseExact"], bool)
            assert attribute["uniqueness"] in {"none", "server", "global"}


def test_the_attributes_of_a_user_are_those_of_the_rfc():
    names = {a["name"] for a in schema(USER.schema, BASE)["attributes"]}
    assert names == {
        *("userName", "name", "displayName", "nickName", "profileUrl", "title", "userType"),
        *("preferredLanguage", "locale", "timezone", "active", "password", "emails"),
        *("phoneNumbers", "ims", "photos", "addresses", "groups", "entitlements", "roles"),
        "x509Certificates",
    }


def test_resource_types():
    document = resource_type(USER, BASE)
    assert document["endpoint"] == "/Users"
    assert document["schema"] == USER_URN
    assert document["schemaExtensions"] == [{"schema": ENTERPRISE_URN, "required": False}]


def test_the_configuration_says_what_it_is_told():
    document = service_provider_config(Features(filter_max_results=200), BASE)
    assert document["filter"] == {"supported": True, "maxResults": 200}
    assert document["patch"] == {"supported": True}
    for feature in ("bulk", "sort", "etag", "changePassword"):
        assert document[feature]["supported"] is False
    assert "documentationUri" not in document
    features = Features(200, etag=True, sort=True, bulk_max_operations=10, bulk_max_payload=99)
    document = service_provider_config(features, BASE)
    assert document["bulk"] == {"supported": True, "maxOperations": 10, "maxPayloadSize": 99}
    assert document["etag"]["supported"]
    assert document["sort"]["supported"]


def test_the_configuration_says_how_pages_go():
    by_index = service_provider_config(Features(200), BASE)["pagination"]
    assert by_index == {
        "cursor": False, "index": True, "defaultPaginationMethod": "index",
        "defaultPageSize": 200, "maxPageSize": 200,
    }  # fmt: skip
    both = service_provider_config(Features(200, page_size=50, cursor_timeout=60), BASE)
    assert both["pagination"] == by_index | {
        "cursor": True, "defaultPageSize": 50, "cursorTimeout": 60,
    }  # fmt: skip
