"""The discovery documents (RFC 7644 §4; RFC 7643 §5, §6, §7), rendered from the definitions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from scim.attributes import Attribute, AttrType, ResourceType, Schema

SCHEMA_URN = "urn:ietf:params:scim:schemas:core:2.0:Schema"
RESOURCE_TYPE_URN = "urn:ietf:params:scim:schemas:core:2.0:ResourceType"
CONFIG_URN = "urn:ietf:params:scim:schemas:core:2.0:ServiceProviderConfig"


@dataclass(frozen=True, slots=True)
class Features:
    """What the running server really does; the caller knows, this module only says it.

    `bulk_max_operations` 0 means that there is no bulk. `filter_max_results` is the largest page,
    `page_size` one for which no size is asked (0: the largest). `cursor_timeout` is for how many
    seconds a cursor is good, 0 where there are none. `event_uris`: what receivers are told of.
    """

    filter_max_results: int
    patch: bool = True
    sort: bool = False
    etag: bool = False
    change_password: bool = False
    bulk_max_operations: int = 0
    bulk_max_payload: int = 0
    page_size: int = 0
    cursor_timeout: int = 0
    documentation_uri: str | None = None
    event_uris: tuple[str, ...] = ()


def service_provider_config(features: Features, base_url: str) -> dict[str, object]:
    """RFC 7643 §5, RFC 9865 §4, RFC 9967 §4. `base_url` is that of the SCIM root, without a slash at its end."""
    document: dict[str, object] = {
        "schemas": [CONFIG_URN],
        "patch": {"supported": features.patch},
        "bulk": {
            "supported": features.bulk_max_operations > 0,
            "maxOperations": features.bulk_max_operations,
            "maxPayloadSize": features.bulk_max_payload,
        },
        "filter": {"supported": True, "maxResults": features.filter_max_results},
        "changePassword": {"supported": features.change_password},
        "sort": {"supported": features.sort},
        "etag": {"supported": features.etag},
        "pagination": _pagination(features),
        "authenticationSchemes": [
            {
                "type": "oauthbearertoken",
                "name": "Bearer token",
                "description": "A token that an administrator of the organization issued.",
                "specUri": "https://www.rfc-editor.org/info/rfc6750",
                "primary": True,
            },
            {
                "type": "oauth2",
                "name": "OAuth 2.0 client credentials",
                "description": "A token for an hour, given to a client that an administrator made.",
                "specUri": "https://www.rfc-editor.org/info/rfc6749",
                "primary": False,
            },
        ],
        "meta": {
            "resourceType": "ServiceProviderConfig",
            "location": f"{base_url}/ServiceProviderConfig",
        },
    }
    if features.event_uris:
        uris = list(features.event_uris)
        document["securityEvents"] = {"asyncRequest": "none", "eventUris": uris}
    if features.documentation_uri is not None:
        document["documentationUri"] = features.documentation_uri
    return document


def _pagination(features: Features) -> dict[str, object]:
    said: dict[str, object] = {
        "cursor": features.cursor_timeout > 0,
        "index": True,
        "defaultPaginationMethod": "index",
        "defaultPageSize": features.page_size or features.filter_max_results,
        "maxPageSize": features.filter_max_results,
    }
    if features.cursor_timeout:
        said["cursorTimeout"] = features.cursor_timeout
    return said


def resource_type(of: ResourceType, base_url: str) -> dict[str, object]:
    """RFC 7643 §6."""
    return {
        "schemas": [RESOURCE_TYPE_URN],
        "id": of.name,
        "name": of.name,
        "endpoint": of.endpoint,
        "description": of.description,
        "schema": of.schema.id,
        "schemaExtensions": [{"schema": s.id, "required": False} for s in of.extensions],
        "meta": {
            "resourceType": "ResourceType",
            "location": f"{base_url}/ResourceTypes/{of.name}",
        },
    }


def schema(of: Schema, base_url: str) -> dict[str, object]:
    """RFC 7643 §7."""
    return {
        "schemas": [SCHEMA_URN],
        "id": of.id,
        "name": of.name,
        "description": of.description,
        "attributes": [_attribute(a) for a in of.attributes],
        "meta": {"resourceType": "Schema", "location": f"{base_url}/Schemas/{of.id}"},
    }


def schemas_of(types: Sequence[ResourceType]) -> tuple[Schema, ...]:
    """Every schema that the types use, each once, in order."""
    found = {s.id: s for of in types for s in (of.schema, *of.extensions)}
    return tuple(found.values())


def _attribute(of: Attribute) -> dict[str, object]:
    document: dict[str, object] = {
        "name": of.name,
        "type": of.type.value,
        "multiValued": of.multi_valued,
        "description": of.description,
        "required": of.required,
        "mutability": of.mutability,
        "returned": of.returned,
    }
    if of.type is AttrType.COMPLEX:
        document["subAttributes"] = [_attribute(sub) for sub in of.sub_attributes]
        return document
    if of.type in {AttrType.STRING, AttrType.REFERENCE, AttrType.BINARY}:
        document["caseExact"] = of.case_exact
    document["uniqueness"] = of.uniqueness
    if of.canonical_values:
        document["canonicalValues"] = list(of.canonical_values)
    if of.type is AttrType.REFERENCE:
        document["referenceTypes"] = list(of.reference_types)
    return document
