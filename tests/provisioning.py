"""A provisioning client for tests, and whom it meets."""

from __future__ import annotations

import json
from dataclasses import replace

from app.flows import provision
from app.kernel.person import Person, told
from app.store import audit, connections, people, sessions
from app.store.connections import Connection
from app.store.people import Identity
from scim.represent import EVERYTHING
from scim.schemas import USER, USER_URN

ADA = {"userName": "ada@x.example", "externalId": "e-1", "name": {"givenName": "Ada"}}


class Desk:
    """A provisioning client's verbs, shortly."""

    def __init__(self, deps, client):
        self.deps, self.client = deps, client

    def create(self, of=USER, **body):
        return json.loads(provision.create(self.deps, self.client, of, body, EVERYTHING).text)

    def create_raw(self, body, of=USER):
        return provision.create(self.deps, self.client, of, body, EVERYTHING)

    def get(self, key, of=USER):
        return json.loads(provision.get(self.deps, self.client, of, key, EVERYTHING).text)

    def patch(self, key, *operations, of=USER, if_match=None):
        body = {"Operations": list(operations)}
        done = provision.patch(self.deps, self.client, of, key, body, if_match, EVERYTHING)
        return json.loads(done.text)

    def put(self, key, of=USER, if_match=None, **body):
        done = provision.replace(self.deps, self.client, of, key, body, if_match, EVERYTHING)
        return json.loads(done.text)

    def delete(self, key, of=USER, if_match=None):
        provision.delete(self.deps, self.client, of, key, if_match)

    def found(self, text=None, of=USER, **more):
        asked = more if text is None else more | {"filter": text}
        return json.loads(provision.search(self.deps, self.client, of, asked))

    def total(self, text=None, of=USER):
        return self.found(text, of, count=0)["totalResults"]

    def as_client(self, name):
        return Desk(self.deps, replace(self.client, name=name))

    def person(self, key):
        with self.deps.db.read(self.client.tenant) as read:
            return people.get(read, key)

    def log(self, key):
        with self.deps.db.read(self.client.tenant) as read:
            return [(one["action"], one["detail"]) for one in audit.about(read, key)]


def off(value="False"):
    return {"op": "Replace", "path": "active", "value": value}


def ids(document):
    return {one["value"] for one in document.get("members", ())}


def refs(*keys):
    return [{"value": key} for key in keys]


def arrived_by(source, deps, tenant, name, rule="userName"):
    """A person whom a sign-in or a launch made; by a connection with this rule."""
    made = told(
        Person(deps.ids.new()), {"user_name": name, "given_name": "A."}, source, deps.clock()
    )
    trust = deps.ids.new()
    with deps.db.tx(tenant.id) as tx:
        people.add(tx, made, deps.clock())
        if source in {"oidc", "saml"}:
            connections.add(tx, Connection(
                tenant, trust, source, "IdP", "https://idp.example", {}, None, rule, True, True, deps.clock(),
            ))  # fmt: skip
        people.identify(
            tx, Identity(deps.ids.new(), made.id, source, trust, name), "new", deps.clock()
        )
    return made.id


def standing(deps, presented):
    with deps.db.read(presented.tenant) as read:
        return sessions.standing(read, presented, deps.clock()) is not None


class Idp:
    """A provisioning client that speaks HTTP with a bearer token."""

    def __init__(self, site, token):
        self._client, self._token = site.test_client(), token

    def send(self, method, path, body=None, **more):
        headers = {"Authorization": f"Bearer {self._token}", **more.pop("headers", {})}
        if body is not None:
            more["data"] = body if isinstance(body, bytes | str) else json.dumps(body)
            headers.setdefault("Content-Type", "application/scim+json")
        headers = {name: value for name, value in headers.items() if value is not None}
        return self._client.open(f"/scim/v2{path}", method=method, headers=headers, **more)

    def user(self, user_name="babs@x.com", **body):
        answer = self.send("POST", "/Users", {"schemas": [USER_URN], "userName": user_name, **body})
        assert answer.status_code == 201, answer.text
        return answer.json["id"]

    def group(self, name="G", *members):
        refs = [{"value": one} for one in members]
        answer = self.send("POST", "/Groups", {"displayName": name, "members": refs})
        assert answer.status_code == 201, answer.text
        return answer.json["id"]

    def get(self, path, **query):
        answer = self.send("GET", path, query_string=query)
        assert answer.status_code == 200, answer.text
        return answer.json

    def find(self, text, kind="Users"):
        return [one["id"] for one in self.get(f"/{kind}", filter=text)["Resources"]]

    def patch(self, key, *operations, kind="Users"):
        body = {
            "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
            "Operations": list(operations),
        }
        answer = self.send("PATCH", f"/{kind}/{key}", body)
        assert answer.status_code in {200, 204}, answer.text
        return self.get(f"/{kind}/{key}")

    def members(self, key):
        return {one["value"] for one in self.get(f"/Groups/{key}").get("members", ())}


def refused(answer, status, scim_type=None):
    assert answer.status_code == status, answer.text
    assert answer.content_type == "application/scim+json"
    assert answer.json["status"] == str(status)
    assert answer.json["schemas"] == ["urn:ietf:params:scim:api:messages:2.0:Error"]
    assert answer.json.get("scimType") == scim_type
    assert "Traceback" not in answer.text
