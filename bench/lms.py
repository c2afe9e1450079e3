"""A small LMS of the bench's own: it signs launches in the client's process and serves its key set."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from joserfc import jwt
from joserfc.jwk import RSAKey

CLIENT_ID = "bench-tool"
DEPLOYMENT_ID = "bench-deployment"
LEARNERS = 50
"""Launches come from a class of this size; the warm-up launches everybody once."""

_LTI = "https://purl.imsglobal.org/spec/lti/claim/"
_AGS = "https://purl.imsglobal.org/spec/lti-ags/"
_NRPS = "https://purl.imsglobal.org/spec/lti-nrps/"
_MEMBERSHIP = "http://purl.imsglobal.org/vocab/lis/v2/membership"


class Lms:
    """An issuer with one RSA key, one course and one link."""

    def __init__(self, url: str) -> None:
        self.issuer = url
        self.auth_url = f"{url}/auth"
        self.token_url = f"{url}/token"
        self.jwks_url = f"{url}/jwks"
        self._key = RSAKey.generate_key(2048, {"kid": "bench", "use": "sig", "alg": "RS256"})
        self.jwks = {"keys": [self._key.as_dict(private=False)]}

    def id_token(self, learner: int, nonce: str, target: str, activity: str) -> str:
        """Sign the resource link launch of one learner (LTI 1.3 Core §5.3)."""
        claims = _claims(self.issuer, learner, target, activity) | {"nonce": nonce}
        return jwt.encode({"alg": "RS256", "kid": "bench"}, claims, self._key)


@contextmanager
def running() -> Iterator[Lms]:
    """Serve a new LMS's key set from a thread."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _KeySet)
    lms = Lms(f"http://127.0.0.1:{server.server_port}")
    _KeySet.body = json.dumps(lms.jwks).encode()
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield lms
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _KeySet(BaseHTTPRequestHandler):
    """Answers every GET with the key set."""

    body = b""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(self.body)))
        self.end_headers()
        self.wfile.write(self.body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def _claims(issuer: str, learner: int, target: str, activity: str) -> dict[str, Any]:
    now = int(time.time())
    course = f"{issuer}/courses/1"
    return {
        "iss": issuer,
        "aud": CLIENT_ID,
        "azp": CLIENT_ID,
        "sub": f"learner-{learner}",
        "iat": now,
        "exp": now + 300,
        "name": f"Robin {learner}",
        "given_name": "Robin",
        "family_name": str(learner),
        "email": f"robin.{learner}@bench.example",
        f"{_LTI}message_type": "LtiResourceLinkRequest",
        f"{_LTI}version": "1.3.0",
        f"{_LTI}deployment_id": DEPLOYMENT_ID,
        f"{_LTI}target_link_uri": target,
        f"{_LTI}resource_link": {"id": "link-1", "title": "Product update"},
        f"{_LTI}roles": [f"{_MEMBERSHIP}#Learner"],
        f"{_LTI}context": {"id": "course-1", "label": "BENCH", "title": "Benchmark"},
        f"{_LTI}tool_platform": {"guid": "bench", "name": "Bench", "product_family_code": "bench"},
        f"{_LTI}launch_presentation": {"document_target": "iframe", "locale": "en"},
        f"{_LTI}custom": {"activity": activity},
        f"{_AGS}claim/endpoint": {
            "scope": [f"{_AGS}scope/lineitem", f"{_AGS}scope/score"],
            "lineitems": f"{course}/lineitems",
            "lineitem": f"{course}/lineitems/1",
        },
        f"{_NRPS}claim/namesroleservice": {
            "context_memberships_url": f"{course}/members",
            "service_versions": ["2.0"],
        },
    }
