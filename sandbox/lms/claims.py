"""The claims of a resource link launch (LTI 1.3 §5.3, AGS §3.1, NRPS §3.6)."""

from __future__ import annotations

from sandbox.campus import Campus
from sandbox.lms.course import (
    COURSE,
    LABEL,
    TITLE,
    api,
    find_link,
    flavour,
    line_item_url,
)
from sandbox.people import Person
from sandbox.store import Json

_LTI = "https://purl.imsglobal.org/spec/lti/claim/"
_AGS = "https://purl.imsglobal.org/spec/lti-ags/"
_NRPS = "https://purl.imsglobal.org/spec/lti-nrps/"
_MEMBERSHIP = "http://purl.imsglobal.org/vocab/lis/v2/membership#"
_INSTITUTION = "http://purl.imsglobal.org/vocab/lis/v2/institution/person#"
_LIFE_S = 60

SCOPES = (
    f"{_AGS}scope/lineitem",
    f"{_AGS}scope/lineitem.readonly",
    f"{_AGS}scope/score",
    f"{_AGS}scope/result.readonly",
    f"{_NRPS}scope/contextmembership.readonly",
)


def claims(campus: Campus, tool: Json, hint: Json, nonce: str) -> Json:
    """All claims of one launch; they hold for a minute."""
    person = campus.people[hint["person"]]
    link = find_link(campus, hint["link"])
    now = campus.now()
    return {
        "iss": campus.issuer("lms"),
        "aud": tool["client_id"],
        "azp": tool["client_id"],
        "sub": person.lms_id,
        "iat": now,
        "exp": now + _LIFE_S,
        "nonce": nonce,
        **identity(person, tool["privacy"]),
        f"{_LTI}message_type": "LtiResourceLinkRequest",
        f"{_LTI}version": "1.3.0",
        f"{_LTI}deployment_id": tool["deployment_id"],
        f"{_LTI}target_link_uri": tool["launch_url"],
        f"{_LTI}roles": launch_roles(person),
        f"{_LTI}context": _context(campus),
        f"{_LTI}resource_link": {name: link[name] for name in ("id", "title", "description")},
        f"{_LTI}tool_platform": _platform(campus),
        f"{_LTI}launch_presentation": {
            "document_target": hint["target"],
            "return_url": f"{campus.base_url}/lms/return",
            "locale": "en",
        },
        f"{_LTI}lis": {
            "person_sourcedid": person.employee,
            "course_section_sourcedid": LABEL,
        },
        f"{_LTI}custom": _custom(campus, {**tool["custom"], **link["custom"]}, person, link),
        **_services(campus, link),
    }


def identity(person: Person, privacy: str) -> Json:
    """What the tool may learn of the person, as its registration says."""
    named = {"name": person.name, "given_name": person.given, "family_name": person.family}
    mailed = {"email": person.email}
    return {
        "public": {**named, **mailed},
        "name": named,
        "email": mailed,
        "none": {},
    }[privacy]


def launch_roles(person: Person) -> list[str]:
    """Context role first, institution role beside it (LTI 1.3 §A.2)."""
    if person.teacher:
        return [f"{_MEMBERSHIP}Instructor", f"{_INSTITUTION}Staff"]
    return [f"{_MEMBERSHIP}Learner", f"{_INSTITUTION}Student"]


def _context(campus: Campus) -> Json:
    urn = "http://purl.imsglobal.org/vocab/lis/v2/course#CourseSection"
    kind = "CourseSection" if flavour(campus).short_names else urn
    return {"id": COURSE, "label": LABEL, "title": TITLE, "type": [kind]}


def _platform(campus: Campus) -> Json:
    return {
        "guid": campus.base_url.partition("://")[2],
        "name": "Practice campus",
        "product_family_code": flavour(campus).family,
        "version": "1",
    }


def _custom(campus: Campus, wanted: Json, person: Person, link: Json) -> Json:
    known = {
        "$User.id": person.lms_id,
        "$Person.sourcedId": person.employee,
        "$Person.email.primary": person.email,
        "$ResourceLink.id": link["id"],
        "$Context.id": COURSE,
    }
    blank = flavour(campus).blank_unresolved

    def value(held: str) -> str:
        if held in known:
            return str(known[held])
        return "" if blank and held.startswith("$") else held

    return {name: value(held) for name, held in wanted.items()}


def _services(campus: Campus, link: Json) -> Json:
    endpoint: Json = {"scope": list(SCOPES[:4]), "lineitems": f"{api(campus)}/lineitems"}
    # The column can be gone: a tool with the right scope may have deleted it.
    if campus.store.get("line_item", link["line_item"]):
        endpoint["lineitem"] = line_item_url(campus, link["line_item"])
    return {
        f"{_AGS}claim/endpoint": endpoint,
        f"{_NRPS}claim/namesroleservice": {
            "context_memberships_url": f"{api(campus)}/members",
            "service_versions": ["2.0"],
        },
    }
