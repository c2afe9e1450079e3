"""A campus in memory, a clock that a test may move, and a tool and a SCIM service to talk to."""

import json
import shutil
from dataclasses import dataclass, field

import pytest
from flask.testing import FlaskClient
from joserfc import jwt
from joserfc.jwk import RSAKey

from sandbox.errors import OutsideError
from sandbox.factory import create_app
from sandbox.outside import Answer

BASE = "http://127.0.0.1:8100"
TOOL = "http://127.0.0.1:8000"
LAUNCH = f"{TOOL}/lti/launch"


@dataclass
class Clock:
    seconds: float = 1_800_000_000.0

    def __call__(self):
        return self.seconds


@dataclass
class Neighbour:
    """The gateway's side: publishes keys, signs assertions, answers SCIM as it is told to."""

    key: RSAKey
    calls: list = field(default_factory=list)
    answers: list = field(default_factory=list)
    silent: bool = False

    def send(self, method, url, headers, body):
        self.calls.append((method, url, headers, None if body is None else json.loads(body)))
        if self.silent:
            raise OutsideError("nobody answers")
        if url.endswith("/lti/jwks/acme"):
            return Answer(200, {}, json.dumps({"keys": [self.key.as_dict(private=False)]}))
        status, value = self.answers.pop(0)
        return Answer(status, {}, "" if value is None else json.dumps(value))

    def rotate(self):
        self.key = RSAKey.generate_key(2048, auto_kid=True)

    def claims(self, now, **changed):
        claims = {
            "iss": "tool-1",
            "sub": "tool-1",
            "aud": f"{BASE}/lms/token",
            "iat": int(now),
            "exp": int(now) + 60,
            "jti": "once-1",
        } | changed
        return {name: value for name, value in claims.items() if value is not None}

    def assertion(self, now, header=None, key=None, **changed):
        claims = self.claims(now, **changed)
        head = {"alg": "RS256", "kid": self.key.kid} | (header or {})
        return jwt.encode(head, claims, key or self.key, algorithms=[head["alg"]])


@pytest.fixture(scope="session")
def tool_key():
    return RSAKey.generate_key(2048, auto_kid=True)


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def neighbour(tool_key):
    return Neighbour(tool_key)


@pytest.fixture(scope="session")
def founded(tmp_path_factory):
    """A campus that was started once, so that not every test makes keys anew."""
    directory = tmp_path_factory.mktemp("founded")
    create_app(directory, BASE, TOOL).extensions["campus"].store.close()
    return directory / "campus.sqlite3"


@pytest.fixture
def site(tmp_path, founded, clock, neighbour):
    shutil.copy(founded, tmp_path)
    made = create_app(tmp_path, BASE, TOOL, clock=clock, send=neighbour.send)
    yield made
    made.extensions["campus"].store.close()


@pytest.fixture
def visit(site):
    """A browser on the campus."""
    return browser(site)


@pytest.fixture
def another(site):
    """A second browser on the campus."""
    return browser(site)


@pytest.fixture
def course(visit):
    """The visitor's browser, once the tool and one activity are in place."""
    ok(
        visit.put(
            "/control/lms/tool",
            json={
                "login_url": f"{TOOL}/lti/login",
                "launch_url": LAUNCH,
                "jwks_url": f"{TOOL}/lti/jwks/acme",
                "client_id": "tool-1",
                "deployment_id": "dep-1",
            },
        )
    )
    ok(
        visit.put(
            "/control/lms/links/pricing",
            json={"title": "Pricing", "custom": {"activity": "pricing-update"}},
        )
    )
    return visit


@pytest.fixture
def bearer(course, clock, neighbour):
    """Asks for an access token with these scopes (short names), gives the header."""

    def ask(*scopes):
        clock.seconds += 0.001
        answer = course.post(
            "/lms/token",
            data={
                "grant_type": "client_credentials",
                "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
                "client_assertion": neighbour.assertion(clock(), jti=f"jti-{clock()}"),
                "scope": " ".join(SCOPE[name] for name in scopes),
            },
        )
        assert answer.status_code == 200, answer.text
        return {"Authorization": f"Bearer {json.loads(answer.text)['access_token']}"}

    return ask


SCOPE = {
    "lineitem": "https://purl.imsglobal.org/spec/lti-ags/scope/lineitem",
    "lineitem.readonly": "https://purl.imsglobal.org/spec/lti-ags/scope/lineitem.readonly",
    "score": "https://purl.imsglobal.org/spec/lti-ags/scope/score",
    "result": "https://purl.imsglobal.org/spec/lti-ags/scope/result.readonly",
    "members": "https://purl.imsglobal.org/spec/lti-nrps/scope/contextmembership.readonly",
}


@pytest.fixture
def scope_names():
    return SCOPE


class Browser(FlaskClient):
    """Asks for everything under the campus's own address."""

    def open(self, *args, **kwargs):
        kwargs.setdefault("base_url", BASE)
        return super().open(*args, **kwargs)


def browser(made):
    return Browser(made, made.response_class, use_cookies=True)


def ok(answer):
    assert answer.status_code < 300, answer.text
    return answer
