"""A platform's registration and its deployments (LTI 1.3 Core §3.1.3)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from lti.errors import BadRegistration
from lti.urls import parse_http_url

MAX_ID_LENGTH = 255


@dataclass(frozen=True, slots=True)
class Registration:
    """One tool registration at one platform: (issuer, client_id) is unique.

    `auth_login_url` is the platform's OIDC authorization endpoint, `auth_token_url` its OAuth
    token endpoint; `token_audience` replaces the latter as the assertion's audience where a
    platform wants that.
    """

    id: str
    issuer: str
    client_id: str
    auth_login_url: str
    auth_token_url: str
    jwks_url: str
    token_audience: str | None = None

    _URLS: ClassVar[tuple[str, ...]] = ("auth_login_url", "auth_token_url", "jwks_url")

    def check(self, *, allow_http: bool = False) -> None:
        """Raise BadRegistration unless ids are bounded text and URLs absolute https ones.

        The issuer is compared as it is written and never called, so only its length matters.
        `allow_http` admits plain http, for a demonstration on one machine.
        """
        for name in ("issuer", "client_id"):
            value = getattr(self, name)
            if not value.strip() or len(value) > MAX_ID_LENGTH or not value.isprintable():
                raise BadRegistration("bad_registration", f"The {name} is empty or too long.")
        for name in self._URLS:
            parts = parse_http_url(getattr(self, name))
            if parts is None or parts.fragment:
                raise BadRegistration("bad_registration", f"The {name} is not a web address.")
            if parts.scheme != "https" and not allow_http:
                raise BadRegistration("bad_registration", f"The {name} must begin with https.")


@dataclass(frozen=True, slots=True)
class Deployment:
    """An approved deployment of a registration; anonymous launches are off by default."""

    deployment_id: str
    allows_anonymous: bool = False
