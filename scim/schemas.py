"""User, Group and EnterpriseUser as this server serves them (RFC 7643 §4, §8.7).

Characteristics differ from the RFC's tables only where the server's behaviour does: identifiers
are compared exactly, and what the server computes is readOnly.
"""

from __future__ import annotations

from functools import partial

from scim.attributes import Attribute, AttrType, ResourceType, Schema

USER_URN = "urn:ietf:params:scim:schemas:core:2.0:User"
GROUP_URN = "urn:ietf:params:scim:schemas:core:2.0:Group"
ENTERPRISE_URN = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"

_string = Attribute
_boolean = partial(Attribute, type=AttrType.BOOLEAN)
_reference = partial(Attribute, type=AttrType.REFERENCE, case_exact=True)
_complex = partial(Attribute, type=AttrType.COMPLEX)
_instant = partial(Attribute, type=AttrType.DATE_TIME, mutability="readOnly")

COMMON = (
    _reference(
        "schemas",
        description="URNs of the schemas present.",
        multi_valued=True,
        mutability="readOnly",
        returned="always",
        reference_types=("uri",),
    ),
    _string(
        "id",
        description="The server's identifier.",
        case_exact=True,
        mutability="readOnly",
        returned="always",
        uniqueness="server",
    ),
    _string("externalId", description="The client's own identifier.", case_exact=True),
    _complex(
        "meta",
        description="What the server knows of the resource itself.",
        mutability="readOnly",
        sub_attributes=(
            _string("resourceType", mutability="readOnly", case_exact=True),
            _instant("created"),
            _instant("lastModified"),
            _reference("location", mutability="readOnly", reference_types=("uri",)),
            _string("version", mutability="readOnly", case_exact=True),
        ),
    ),
)


def _plural(
    name: str,
    description: str,
    types: tuple[str, ...] = (),
    value: Attribute | None = None,
) -> Attribute:
    """A multi-valued attribute with the default sub-attributes of RFC 7643 §2.4."""
    return _complex(
        name,
        description=description,
        multi_valued=True,
        sub_attributes=(
            value or _string("value", description="The value itself."),
            _string("display", description="A name for people to read."),
            _string("type", description="What it is used for.", canonical_values=types),
            _boolean("primary", description="The preferred one; true at most once."),
        ),
    )


_NAME = _complex(
    "name",
    description="The parts of the person's name.",
    sub_attributes=(
        _string("formatted", description="The full name, as it is written."),
        _string("familyName", description="The last name."),
        _string("givenName", description="The first name."),
        _string("middleName", description="The middle names."),
        _string("honorificPrefix", description="A title before the name."),
        _string("honorificSuffix", description="A suffix after the name."),
    ),
)

_ADDRESSES = _complex(
    "addresses",
    description="Postal addresses.",
    multi_valued=True,
    sub_attributes=(
        _string("formatted", description="The whole address, as it is written."),
        _string("streetAddress", description="Street, house, floor."),
        _string("locality", description="City."),
        _string("region", description="State or region."),
        _string("postalCode", description="Postal code."),
        _string("country", description="Country."),
        _string(
            "type",
            description="What it is used for.",
            canonical_values=("work", "home", "other"),
        ),
        _boolean("primary", description="The preferred one; true at most once."),
    ),
)

_GROUPS = _complex(
    "groups",
    description="The groups the person belongs to; changed through the groups.",
    multi_valued=True,
    mutability="readOnly",
    sub_attributes=(
        _string("value", description="The group's id.", case_exact=True, mutability="readOnly"),
        _reference("$ref", mutability="readOnly", reference_types=("Group",)),
        _string("display", description="The group's name.", mutability="readOnly"),
        _string(
            "type",
            description="How the person belongs.",
            mutability="readOnly",
            canonical_values=("direct", "indirect"),
        ),
    ),
)

_MEMBERS = _complex(
    "members",
    description="The people and groups in this group.",
    multi_valued=True,
    sub_attributes=(
        _string("value", description="The member's id.", case_exact=True, mutability="immutable"),
        _reference("$ref", mutability="immutable", reference_types=("User", "Group")),
        _string("display", description="The member's name.", mutability="readOnly"),
        _string(
            "type",
            description="What the member is.",
            mutability="immutable",
            canonical_values=("User", "Group"),
        ),
    ),
)

_MANAGER = _complex(
    "manager",
    description="The person's manager.",
    sub_attributes=(
        _string("value", description="The manager's id.", case_exact=True),
        _reference("$ref", reference_types=("User",)),
        _string("displayName", description="The manager's name.", mutability="readOnly"),
    ),
)

_WORK = ("work", "home", "other")

USER_SCHEMA = Schema(
    USER_URN,
    "User",
    "A person.",
    (
        _string(
            "userName",
            description="The name the person signs in with; unique in the organization.",
            required=True,
            uniqueness="server",
        ),
        _NAME,
        _string("displayName", description="The name to show."),
        _string("nickName", description="The casual name."),
        _reference("profileUrl", description="A page about the person.", reference_types=("uri",)),
        _string("title", description="The job title."),
        _string("userType", description="How the person relates to the organization."),
        _string("preferredLanguage", description="As in Accept-Language."),
        _string("locale", description="For formats of dates and numbers."),
        _string("timezone", description="A name from the IANA time zone database."),
        _boolean("active", description="False shuts the person out at once."),
        _string(
            "password",
            description="Accepted and never kept: people sign in through the identity provider.",
            case_exact=True,
            mutability="writeOnly",
            returned="never",
        ),
        _plural("emails", "E-mail addresses.", _WORK),
        _plural(
            "phoneNumbers",
            "Phone numbers.",
            ("work", "home", "mobile", "fax", "pager", "other"),
        ),
        _plural("ims", "Instant messaging addresses."),
        _plural(
            "photos",
            "Pictures of the person.",
            ("photo", "thumbnail"),
            _reference("value", description="Where the picture is.", reference_types=("external",)),
        ),
        _ADDRESSES,
        _GROUPS,
        _plural("entitlements", "What the person is entitled to."),
        _plural("roles", "The person's roles."),
        _plural(
            "x509Certificates",
            "Certificates.",
            value=Attribute("value", AttrType.BINARY, "DER in base64.", case_exact=True),
        ),
    ),
)

ENTERPRISE_SCHEMA = Schema(
    ENTERPRISE_URN,
    "EnterpriseUser",
    "What an employer adds.",
    (
        _string("employeeNumber", description="The number the employer gave."),
        _string("costCenter", description="The cost center."),
        _string("organization", description="The organization."),
        _string("division", description="The division."),
        _string("department", description="The department."),
        _MANAGER,
    ),
)

GROUP_SCHEMA = Schema(
    GROUP_URN,
    "Group",
    "A group of people.",
    (
        _string("displayName", description="The group's name.", required=True),
        _MEMBERS,
    ),
)

USER = ResourceType("User", "/Users", "People", USER_SCHEMA, (ENTERPRISE_SCHEMA,), COMMON)
GROUP = ResourceType("Group", "/Groups", "Groups", GROUP_SCHEMA, (), COMMON, members="members")
