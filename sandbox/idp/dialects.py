"""How two real SCIM clients word their requests: Microsoft Entra ID and Okta.

Pure: a person or group in, method, path and body out. Only the shapes differ; what is pushed when
is in `push`. The externalId is the employee number, as an administrator would map it where the
HR number is what all systems share.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from sandbox.people import Person
from sandbox.store import Json

_CORE = "urn:ietf:params:scim:schemas:core:2.0:"
_ENTERPRISE = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
_PATCH = "urn:ietf:params:scim:api:messages:2.0:PatchOp"
_AD_GROUP = "http://schemas.microsoft.com/2006/11/ResourceManagement/ADSCIM/2.0/Group"


@dataclass(frozen=True, slots=True)
class Call:
    """One SCIM request, its path below the service's base URL."""

    method: str
    path: str
    body: Json | None = None


class Entra:
    """Capital op words, booleans as text, one path an operation; no User-Agent."""

    name = "entra"
    headers = {"Accept": "application/scim+json", "Content-Type": "application/scim+json"}  # noqa: RUF012
    may_delete = True

    def find_user(self, person: Person) -> Call:
        return Call("GET", f"/Users?filter={_equals('userName', person.email)}")

    def create_user(self, person: Person) -> Call:
        return Call(
            "POST",
            "/Users",
            {
                "schemas": [f"{_CORE}User", _ENTERPRISE],
                "externalId": person.employee,
                "userName": person.email,
                "active": person.active,
                "displayName": person.name,
                "title": person.title,
                "emails": [{"primary": True, "type": "work", "value": person.email}],
                "meta": {"resourceType": "User"},
                "name": {
                    "formatted": person.name,
                    "familyName": person.family,
                    "givenName": person.given,
                },
                "roles": [],
                _ENTERPRISE: {
                    "department": person.department,
                    "employeeNumber": person.employee,
                },
            },
        )

    def update_user(self, person: Person, remote: Json) -> Call:
        operations = [
            _replace("displayName", person.name),
            _replace("title", person.title),
            _replace('emails[type eq "work"].value', person.email),
            _replace("name.givenName", person.given),
            _replace("name.familyName", person.family),
            _replace(f"{_ENTERPRISE}:department", person.department),
        ]
        return _patch(f"/Users/{quote(remote['id'])}", operations)

    def set_active(self, remote: Json, *, active: bool) -> Call:
        return _patch(f"/Users/{quote(remote['id'])}", [_replace("active", str(active))])

    def find_group(self, group: str) -> Call:
        wanted = _equals("displayName", group)
        return Call("GET", f"/Groups?excludedAttributes=members&filter={wanted}")

    def create_group(self, group: str, external_id: str) -> Call:
        return Call(
            "POST",
            "/Groups",
            {
                "schemas": [f"{_CORE}Group", _AD_GROUP],
                "externalId": external_id,
                "displayName": group,
                "meta": {"resourceType": "Group"},
            },
        )

    def add_member(self, group: Json, member: Json) -> Call:
        return self._member("Add", group, member)

    def remove_member(self, group: Json, member: Json) -> Call:
        return self._member("Remove", group, member)

    def _member(self, word: str, group: Json, member: Json) -> Call:
        value = [{"$ref": None, "value": member["id"]}]
        operation = {"op": word, "path": "members", "value": value}
        return _patch(f"/Groups/{quote(group['id'])}", [operation])


class Okta:
    """Small op words and no path, whole resources back by PUT, a password that is never used."""

    name = "okta"
    headers = {  # noqa: RUF012
        "Accept": "application/scim+json",
        "Content-Type": "application/scim+json; charset=utf-8",
        "User-Agent": "Okta SCIM Client 1.0.0",
    }
    may_delete = False

    def find_user(self, person: Person) -> Call:
        wanted = _equals("userName", person.email)
        return Call("GET", f"/Users?filter={wanted}&startIndex=1&count=100")

    def create_user(self, person: Person) -> Call:
        return Call(
            "POST",
            "/Users",
            {
                **self._profile(person),
                "schemas": [f"{_CORE}User", _ENTERPRISE],
                "password": f"unused-{person.oid[:8]}",
                "groups": [],
                "active": person.active,
            },
        )

    def update_user(self, person: Person, remote: Json) -> Call:
        body = {**remote, **self._profile(person), "groups": [], "active": person.active}
        return Call("PUT", f"/Users/{quote(remote['id'])}", body)

    def set_active(self, remote: Json, *, active: bool) -> Call:
        operation = {"op": "replace", "value": {"active": active}}
        return _patch(f"/Users/{quote(remote['id'])}", [operation])

    def find_group(self, group: str) -> Call:
        return Call("GET", f"/Groups?filter={_equals('displayName', group)}&startIndex=1&count=100")

    def create_group(self, group: str, external_id: str) -> Call:  # noqa: ARG002 - Okta sends none
        body = {"schemas": [f"{_CORE}Group"], "displayName": group, "members": []}
        return Call("POST", "/Groups", body)

    def add_member(self, group: Json, member: Json) -> Call:
        value = [{"value": member["id"], "display": member.get("userName", "")}]
        operation = {"op": "add", "path": "members", "value": value}
        return _patch(f"/Groups/{quote(group['id'])}", [operation])

    def remove_member(self, group: Json, member: Json) -> Call:
        operation = {"op": "remove", "path": f"members[value eq {json.dumps(member['id'])}]"}
        return _patch(f"/Groups/{quote(group['id'])}", [operation])

    def _profile(self, person: Person) -> Json:
        return {
            "userName": person.email,
            "name": {"givenName": person.given, "familyName": person.family},
            "emails": [{"primary": True, "value": person.email, "type": "work"}],
            "displayName": person.name,
            "title": person.title,
            "locale": "en-US",
            "externalId": person.employee,
            _ENTERPRISE: {
                "department": person.department,
                "employeeNumber": person.employee,
            },
        }


Dialect = Entra | Okta
DIALECTS: dict[str, Dialect] = {"entra": Entra(), "okta": Okta()}


def _equals(attribute: str, value: str) -> str:
    return quote(f"{attribute} eq {json.dumps(value)}")


def _replace(path: str, value: Any) -> Json:
    return {"op": "Replace", "path": path, "value": value}


def _patch(path: str, operations: list[Json]) -> Call:
    return Call("PATCH", path, {"schemas": [_PATCH], "Operations": operations})
