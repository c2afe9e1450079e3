"""The claims of an LTI 1.3 message as typed values (LTI 1.3 Core §5).

Claims that decide something must be what the specification says, or the launch is refused; those
that are only shown (names, titles) are dropped when they are not, since no learner should stand
at a closed door for them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from keys.jwt import VerifiedClaims
from lti.errors import LaunchRefused, Refusal
from lti.urls import is_http_url

_LTI = "https://purl.imsglobal.org/spec/lti/claim/"
MESSAGE_TYPE = _LTI + "message_type"
VERSION = _LTI + "version"
DEPLOYMENT_ID = _LTI + "deployment_id"
TARGET_LINK_URI = _LTI + "target_link_uri"
RESOURCE_LINK = _LTI + "resource_link"
ROLES = _LTI + "roles"
CONTEXT = _LTI + "context"
CUSTOM = _LTI + "custom"
LIS = _LTI + "lis"
LAUNCH_PRESENTATION = _LTI + "launch_presentation"
TOOL_PLATFORM = _LTI + "tool_platform"
AGS_ENDPOINT = "https://purl.imsglobal.org/spec/lti-ags/claim/endpoint"
NRPS_SERVICE = "https://purl.imsglobal.org/spec/lti-nrps/claim/namesroleservice"

MAX_ID = 255
MAX_TEXT = 4096
MAX_LIST = 100


@dataclass(frozen=True, slots=True)
class Context:
    """The course, or whatever else holds the link (§5.4.1); `types` as sent, short or URI."""

    id: str
    label: str | None = None
    title: str | None = None
    types: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ResourceLink:
    """The placement that was launched (§5.3.5); `id` is unique in its deployment."""

    id: str
    title: str | None = None
    description: str | None = None


@dataclass(frozen=True, slots=True)
class AgsEndpoint:
    """Where grades go: `lineitem` is this link's own, `lineitems` the container."""

    scopes: tuple[str, ...] = ()
    lineitem: str | None = None
    lineitems: str | None = None


@dataclass(frozen=True, slots=True)
class NrpsService:
    context_memberships_url: str


@dataclass(frozen=True, slots=True)
class Lis:
    """Ids of the institution's student information system (§5.4.5)."""

    person_sourcedid: str | None = None
    course_offering_sourcedid: str | None = None
    course_section_sourcedid: str | None = None


@dataclass(frozen=True, slots=True)
class LaunchPresentation:
    """How the platform shows us (§5.4.4); `return_url` is an http or https URL."""

    document_target: str | None = None
    return_url: str | None = None
    locale: str | None = None


@dataclass(frozen=True, slots=True)
class ToolPlatform:
    """Which platform this is (§5.4.2): Canvas, Moodle… in `product_family_code`."""

    guid: str | None = None
    name: str | None = None
    product_family_code: str | None = None
    version: str | None = None


@dataclass(frozen=True, slots=True)
class Launch:
    """A resource link launch. `sub` is unique per issuer, None in an anonymous launch."""

    issuer: str
    client_id: str
    deployment_id: str
    message_type: str
    sub: str | None
    nonce: str
    target_link_uri: str
    roles: tuple[str, ...]
    resource_link: ResourceLink
    context: Context | None = None
    custom: Mapping[str, str] = field(default_factory=dict)
    ags: AgsEndpoint | None = None
    nrps: NrpsService | None = None
    lis: Lis = Lis()
    presentation: LaunchPresentation = LaunchPresentation()
    platform: ToolPlatform = ToolPlatform()
    name: str | None = None
    given_name: str | None = None
    family_name: str | None = None
    email: str | None = None
    locale: str | None = None

    def custom_value(self, name: str) -> str | None:
        """A custom parameter, None where absent, empty or a variable the platform left unresolved."""
        value = self.custom.get(name, "").strip()
        return None if not value or value.startswith("$") else value


def read_launch(claims: VerifiedClaims, client_id: str) -> Launch:
    """Read a resource link launch out of verified claims. Raises LaunchRefused (`bad_claim`)."""
    return Launch(
        issuer=required_text(claims, "iss"),
        client_id=client_id,
        deployment_id=required_text(claims, DEPLOYMENT_ID),
        message_type=required_text(claims, MESSAGE_TYPE),
        sub=optional_id(claims, "sub"),
        nonce=required_text(claims, "nonce"),
        target_link_uri=required_text(claims, TARGET_LINK_URI, MAX_TEXT),
        roles=read_roles(claims),
        resource_link=_resource_link(claims),
        context=_context(claims),
        custom=_custom(claims),
        ags=_ags(claims),
        nrps=_nrps(claims),
        lis=_lis(claims),
        presentation=_presentation(claims),
        platform=_platform(claims),
        name=_shown(claims, "name"),
        given_name=_shown(claims, "given_name"),
        family_name=_shown(claims, "family_name"),
        email=_shown(claims, "email", 320),
        locale=_shown(claims, "locale", 35),
    )


def required_text(claims: Mapping[str, object], name: str, limit: int = MAX_ID) -> str:
    """A claim that must be there: non-empty text of at most `limit` characters."""
    value = claims.get(name)
    if value is None or value == "":
        raise LaunchRefused(Refusal.MISSING_CLAIM, f"The launch has no {_short(name)}.")
    if not isinstance(value, str) or len(value) > limit or not value.isprintable():
        raise _bad(name)
    return value


def optional_id(claims: Mapping[str, object], name: str) -> str | None:
    """An id that may be left out; an empty one counts as left out."""
    if claims.get(name) in (None, ""):
        return None
    return required_text(claims, name)


def read_roles(claims: Mapping[str, object]) -> tuple[str, ...]:
    """The roles claim (§5.3.7): required, a list of texts, which may be empty."""
    if ROLES not in claims:
        raise LaunchRefused(Refusal.MISSING_CLAIM, "The launch has no roles.")
    return _texts(claims, ROLES)


def _short(name: str) -> str:
    return name.rpartition("/")[2]


def _bad(name: str) -> LaunchRefused:
    return LaunchRefused(Refusal.BAD_CLAIM, f"The launch's {_short(name)} is not usable.")


def _object(claims: Mapping[str, object], name: str) -> Mapping[str, object]:
    value = claims.get(name)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise _bad(name)
    return value


def _texts(claims: Mapping[str, object], name: str) -> tuple[str, ...]:
    value = claims.get(name)
    if not isinstance(value, list) or len(value) > MAX_LIST:
        raise _bad(name)
    if not all(isinstance(item, str) and len(item) <= MAX_ID for item in value):
        raise _bad(name)
    return tuple(value)


def _shown(claims: Mapping[str, object], name: str, limit: int = MAX_ID) -> str | None:
    value = claims.get(name)
    if not isinstance(value, str) or not value.strip() or len(value) > limit:
        return None
    return " ".join(value.split())


def _url(claims: Mapping[str, object], name: str) -> str | None:
    value = claims.get(name)
    if value is None or value == "":
        return None
    if not isinstance(value, str) or not is_http_url(value):
        raise _bad(name)
    return value


def _resource_link(claims: Mapping[str, object]) -> ResourceLink:
    link = _object(claims, RESOURCE_LINK)
    return ResourceLink(
        required_text({"resource_link id": link.get("id")}, "resource_link id"),
        _shown(link, "title"),
        _shown(link, "description", MAX_TEXT),
    )


def _context(claims: Mapping[str, object]) -> Context | None:
    context = _object(claims, CONTEXT)
    context_id = optional_id(context, "id")
    if context_id is None:
        return None
    types = context.get("type")
    known = types if isinstance(types, list) else []
    return Context(
        context_id,
        _shown(context, "label"),
        _shown(context, "title"),
        tuple(item for item in known[:MAX_LIST] if isinstance(item, str) and len(item) <= MAX_ID),
    )


def _custom(claims: Mapping[str, object]) -> Mapping[str, str]:
    custom = _object(claims, CUSTOM)
    if len(custom) > MAX_LIST:
        raise _bad(CUSTOM)
    # §5.4.6 wants texts; some platforms send bare numbers and booleans.
    kept = {
        name: value if isinstance(value, str) else str(value).lower()
        for name, value in custom.items()
        if isinstance(value, str | int | float) and len(name) <= MAX_ID
    }
    return MappingProxyType({name: v for name, v in kept.items() if len(v) <= MAX_TEXT})


def _ags(claims: Mapping[str, object]) -> AgsEndpoint | None:
    endpoint = _object(claims, AGS_ENDPOINT)
    if not endpoint:
        return None
    scopes = _texts(endpoint, "scope") if endpoint.get("scope") is not None else ()
    return AgsEndpoint(scopes, _url(endpoint, "lineitem"), _url(endpoint, "lineitems"))


def _nrps(claims: Mapping[str, object]) -> NrpsService | None:
    url = _url(_object(claims, NRPS_SERVICE), "context_memberships_url")
    return None if url is None else NrpsService(url)


def _lis(claims: Mapping[str, object]) -> Lis:
    lis = _object(claims, LIS)
    return Lis(
        optional_id(lis, "person_sourcedid"),
        _shown(lis, "course_offering_sourcedid"),
        _shown(lis, "course_section_sourcedid"),
    )


def _presentation(claims: Mapping[str, object]) -> LaunchPresentation:
    shown = _object(claims, LAUNCH_PRESENTATION)
    url = shown.get("return_url")
    return LaunchPresentation(
        _shown(shown, "document_target"),
        # Another scheme would run as a script where the page links to it.
        url if isinstance(url, str) and is_http_url(url) else None,
        _shown(shown, "locale", 35),
    )


def _platform(claims: Mapping[str, object]) -> ToolPlatform:
    platform = _object(claims, TOOL_PLATFORM)
    names = ("guid", "name", "product_family_code", "version")
    return ToolPlatform(*(_shown(platform, name) for name in names))
