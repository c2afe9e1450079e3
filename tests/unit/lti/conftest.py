"""A platform in memory that signs whatever a test wants signed."""

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest

from keys import jwk, jwt
from lti import claims as names
from lti import launch
from lti.login import LoginState, browser_binding
from lti.registration import Deployment, Registration

KEY = jwk.generate()
NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
TARGET = "https://tool.example/lti/launch?activity=pricing"

REGISTRATION = Registration(
    id="reg-1",
    issuer="https://lms.example",
    client_id="client-1",
    auth_login_url="https://lms.example/auth",
    auth_token_url="https://lms.example/token",
    jwks_url="https://lms.example/jwks",
)

STATE = LoginState(
    jti="state-1",
    registration_id="reg-1",
    nonce="nonce-1",
    target_link_uri=TARGET,
    browser=browser_binding("cookie"),
    deployment_id=None,
    created_at=NOW - timedelta(seconds=5),
    expires_at=NOW + timedelta(minutes=5),
)


def key_set(*keys):
    return jwk.parse_jwks(json.dumps(jwk.jwks(key.public_jwk() for key in keys)).encode())


@dataclass
class Platform:
    now: datetime = NOW
    key: jwk.SigningKey = KEY
    registration: Registration = REGISTRATION
    state: LoginState = STATE
    jwks: jwk.KeySet = field(default_factory=lambda: key_set(KEY))
    deployments: tuple = (Deployment("dep-1"), Deployment("anon", allows_anonymous=True))

    @property
    def at(self):
        return int(self.now.timestamp())

    def claims(self, **changes):
        """A plain learner's launch; a change to None takes a claim away."""
        claims = {
            "iss": "https://lms.example",
            "aud": "client-1",
            "sub": "user-1",
            "nonce": "nonce-1",
            "iat": self.at - 1,
            "exp": self.at + 60,
            names.MESSAGE_TYPE: "LtiResourceLinkRequest",
            names.VERSION: "1.3.0",
            names.DEPLOYMENT_ID: "dep-1",
            names.TARGET_LINK_URI: TARGET,
            names.RESOURCE_LINK: {"id": "link-1", "title": "Pricing"},
            names.ROLES: ["http://purl.imsglobal.org/vocab/lis/v2/membership#Learner"],
            names.CONTEXT: {"id": "course-1", "title": "Sales", "type": ["CourseSection"]},
        }
        claims.update({getattr(names, name, name): value for name, value in changes.items()})
        return {name: value for name, value in claims.items() if value is not None}

    def sign(self, **changes):
        return jwt.sign(self.claims(**changes), self.key)

    def verify(self, token=None, **changes):
        return launch.verify(
            token if token is not None else self.sign(**changes),
            registration=self.registration,
            jwks=self.jwks,
            state=self.state,
            deployments=self.deployments,
            now=self.now,
        )


@pytest.fixture
def platform():
    return Platform()


@dataclass
class Answer:
    status: int = 200
    body: bytes = b""
    headers: dict = field(default_factory=dict)


@pytest.fixture
def answer():
    def make(status=200, body=b"", **headers):
        if not isinstance(body, bytes):
            body = json.dumps(body).encode()
        return Answer(status, body, {n.replace("_", "-"): v for n, v in headers.items()})

    return make


@pytest.fixture
def registration():
    return REGISTRATION


@pytest.fixture
def now():
    return NOW
