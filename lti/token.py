"""Access tokens for a platform's services (LTI Security Framework 1.0 §4.1, RFC 7523)."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from types import MappingProxyType
from urllib.parse import urlencode

from keys import jwt
from keys.jwk import SigningKey
from keys.strict_json import StrictJsonError, parse_object
from lti.errors import ServiceRefused, ServiceUnavailable
from lti.registration import Registration
from lti.service import HttpRequest, HttpResponse, Kind, classify, detail, is_page

ASSERTION_LIFETIME = timedelta(minutes=5)
CLOCK_SLACK = timedelta(seconds=5)
MAX_TOKEN_LENGTH = 16_000
MAX_LIFETIME = timedelta(days=1)
DEFAULT_LIFETIME = timedelta(minutes=5)
_VISIBLE = re.compile(r"[!-~]+", re.ASCII)
_ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


@dataclass(frozen=True, slots=True)
class AccessToken:
    """A granted token; use it before `expires_at`, which lies a little before its true end.

    `missing` are the scopes that we asked for and did not get: platforms drop them silently.
    """

    token: str = field(repr=False)
    expires_at: datetime
    scopes: frozenset[str]
    missing: frozenset[str]


def grant_request(
    registration: Registration,
    key: SigningKey,
    scopes: Collection[str],
    *,
    now: datetime,
    jti: str,
) -> HttpRequest:
    """POST a client credentials grant with a signed assertion (§4.1.1). `jti` is fresh each time."""
    issued = int((now - CLOCK_SLACK).timestamp())
    assertion = jwt.sign(
        {
            "iss": registration.client_id,
            "sub": registration.client_id,
            "aud": registration.token_audience or registration.auth_token_url,
            "iat": issued,
            "exp": int((now + ASSERTION_LIFETIME).timestamp()),
            "jti": jti,
        },
        key,
    )
    form = {
        "grant_type": "client_credentials",
        "client_assertion_type": _ASSERTION_TYPE,
        "client_assertion": assertion,
        "scope": " ".join(sorted(set(scopes))),
    }
    headers = {
        "Content-Type": "application/x-www-form-urlencoded",
        "Accept": "application/json",
    }
    body = urlencode(form).encode("ascii")
    return HttpRequest("POST", registration.auth_token_url, MappingProxyType(headers), body)


def read_grant(response: HttpResponse, scopes: Collection[str], now: datetime) -> AccessToken:
    """Read the answer to a grant for `scopes` (RFC 6749 §5), whatever its Content-Type.

    Raises ServiceUnavailable (repeat later) and ServiceRefused (`invalid_client`,
    `invalid_scope`…: an administrator must act).
    """
    outcome = classify(response, now)
    if outcome.kind in (Kind.THROTTLED, Kind.RETRY) or is_page(response):
        raise ServiceUnavailable(outcome.kind, outcome.message, outcome.retry_after)
    try:
        answer = parse_object(response.body)
    except StrictJsonError:
        answer = {}
    if outcome.kind is not Kind.ACCEPTED:
        error = answer.get("error")
        code = (
            error if isinstance(error, str) and re.fullmatch(r"[a-z_]{1,40}", error) else "denied"
        )
        raise ServiceRefused(code, "The platform gave us no access token." + detail(response))
    return _granted(answer, frozenset(scopes), now)


def _granted(answer: dict[str, object], wanted: frozenset[str], now: datetime) -> AccessToken:
    token, kind = answer.get("access_token"), answer.get("token_type", "Bearer")
    if not isinstance(token, str) or len(token) > MAX_TOKEN_LENGTH or not _VISIBLE.fullmatch(token):
        raise ServiceRefused("bad_response", "The platform's answer holds no access token.")
    if not isinstance(kind, str) or kind.lower() != "bearer":
        raise ServiceRefused("bad_response", "The platform's access token is not a bearer token.")
    scope = answer.get("scope")
    # Left out, it means all that we asked for (RFC 6749 §5.1).
    given = frozenset(scope.split()) if isinstance(scope, str) else wanted
    return AccessToken(token, now + _lifetime(answer.get("expires_in")), given, wanted - given)


def _lifetime(expires_in: object) -> timedelta:
    try:
        seconds = float(expires_in) if isinstance(expires_in, int | float | str) else -1.0
    except ValueError:
        seconds = -1.0
    if not seconds >= 0:
        seconds = DEFAULT_LIFETIME.total_seconds()
    whole = min(seconds, MAX_LIFETIME.total_seconds())
    # Given up a tenth early, at most a minute, so that it never ends on its way.
    return timedelta(seconds=whole - min(60.0, whole / 10))
