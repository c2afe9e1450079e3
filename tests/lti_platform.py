"""A small learning platform for tests: it signs what it is told to, and answers our calls in memory."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from urllib.parse import parse_qs, urlsplit

from app.flows import platforms
from app.http import HttpFailed, Response
from app.kernel import transaction
from app.store.tables.lti import launch as launch_table
from keys import jwk, jwt
from lti import ags, nrps
from lti import claims as names
from lti.registration import Registration

ISSUER = "https://lms.example"
LAUNCH = "http://127.0.0.1:8000/lti/launch"
KEY = jwk.generate()
LEARNER = "http://purl.imsglobal.org/vocab/lis/v2/membership#Learner"
INSTRUCTOR = "http://purl.imsglobal.org/vocab/lis/v2/membership#Instructor"
LINE_ITEM = f"{ISSUER}/items/1/lineitem?type=1"
ABSENT = object()


@dataclass
class Neighbours:
    """Takes the place of the outbound client: canned answers by address, and a list of the calls."""

    answers: dict[str, object] = field(default_factory=dict)
    calls: list = field(default_factory=list)

    def send(self, request):
        assert not transaction.is_open(), "no HTTP inside a transaction"
        self.calls.append(request)
        answer = self.answers.get(request.url.partition("?")[0])
        if callable(answer):
            answer = answer(request)
        if answer is None:
            raise HttpFailed("nobody answers there")
        return answer

    def to(self, url):
        return [call for call in self.calls if call.url.partition("?")[0] == url]


def json_answer(body, status=200, **headers):
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Response(status, named, json.dumps(body).encode())


@dataclass
class Lms:
    """One registered platform with one deployment."""

    deps: object
    http: Neighbours
    client_id: str = "client-1"
    issuer: str = ISSUER
    key: jwk.SigningKey = KEY
    id: str = ""

    def __post_init__(self):
        self.publish(self.key)
        self.http.answers[f"{self.issuer}/token"] = json_answer(
            {"access_token": "token-1", "token_type": "Bearer", "expires_in": 3600}
        )

    def register(self, slug, *, deployment="dep-1", link_by="none"):
        at = self.issuer
        made = Registration(
            self.deps.ids.new(), at, self.client_id, f"{at}/auth", f"{at}/token", f"{at}/jwks"
        )
        self.id, _ = platforms.add(self.deps, slug, "The LMS", made, deployment, link_by)
        return self

    def publish(self, *keys):
        self.http.answers[f"{self.issuer}/jwks"] = json_answer(
            jwk.jwks(k.public_jwk() for k in keys)
        )

    def initiation(self, **changes):
        return _with({
            "iss": self.issuer, "login_hint": "user-1", "target_link_uri": LAUNCH,
            "lti_message_hint": "hint", "client_id": self.client_id,
        }, changes)  # fmt: skip

    def claims(self, nonce, /, **changes):
        now = int(self.deps.clock().timestamp())
        return _with({
            "iss": self.issuer, "aud": self.client_id, "sub": "user-1", "nonce": nonce,
            "iat": now - 1, "exp": now + 60,
            names.MESSAGE_TYPE: "LtiResourceLinkRequest",
            names.VERSION: "1.3.0",
            names.DEPLOYMENT_ID: "dep-1",
            names.TARGET_LINK_URI: LAUNCH,
            names.RESOURCE_LINK: {"id": "link-1", "title": "Pricing"},
            names.ROLES: [LEARNER],
            names.CONTEXT: {"id": "course-1", "title": "Sales", "type": ["CourseSection"]},
            names.CUSTOM: {"activity": "pricing"},
            names.LIS: {"person_sourcedid": "E1001"},
            names.AGS_ENDPOINT: {
                "scope": [ags.SCOPE_SCORE], "lineitem": LINE_ITEM, "lineitems": f"{self.issuer}/items",
            },
            names.NRPS_SERVICE: {"context_memberships_url": f"{self.issuer}/members"},
            names.LAUNCH_PRESENTATION: {"return_url": f"{self.issuer}/course/1", "locale": "en"},
            "name": "Ada Byron", "given_name": "Ada", "family_name": "Byron",
            "email": "ada@acme.example",
        }, changes)  # fmt: skip

    def sign(self, nonce, /, *, key=None, header=None, **changes):
        return jwt.sign(self.claims(nonce, **changes), key or self.key, header)

    # the browser's part

    def login(self, client, *, method="get", headers=None, **changes):
        sent = {"query_string" if method == "get" else "data": self.initiation(**changes)}
        return getattr(client, method)("/lti/login", headers=headers, **sent)

    def begin(self, client, **changes):
        """Log in; gives (state, nonce) as the platform gets them."""
        answer = self.login(client, **changes)
        assert answer.status_code == 302, answer.text
        assert answer.location.startswith(f"{self.issuer}/auth?")
        asked = {name: one for name, (one,) in parse_qs(urlsplit(answer.location).query).items()}
        return asked["state"], asked["nonce"]

    def launch(self, client, **changes):
        """The whole way of one browser: login and launch."""
        state, nonce = self.begin(client)
        return post(client, self.sign(nonce, **changes), state)


def post(client, id_token, state, **more):
    return client.post("/lti/launch", data={"id_token": id_token, "state": state, **more})


def members_page(*members, link=None):
    body = {"id": "x", "context": {"id": "course-1"}, "members": list(members)}
    headers = {"Content-Type": nrps.MEDIA_MEMBERS} | ({"Link": link} if link else {})
    return Response(200, headers, json.dumps(body).encode())


def with_http(deps, http):
    return replace(deps, http=http)


def rows(deps, tenant):
    with deps.db.read(tenant.id) as read:
        return read.conn.execute(launch_table.select()).all()


def code(answer):
    found = answer.text.partition("<code>")[2].partition("</code>")[0]
    assert found, answer.text
    return found


def refused(answer, *codes):
    assert 400 <= answer.status_code < 500, answer.text
    assert answer.content_type.startswith("text/html")
    assert "Traceback" not in answer.text
    if codes:
        assert code(answer) in codes
    return True


def _with(values, changes):
    """`changes` by claim, or by its name in lti.claims; ABSENT takes a claim away."""
    values.update({getattr(names, name, name): value for name, value in changes.items()})
    return {name: value for name, value in values.items() if value is not ABSENT}
