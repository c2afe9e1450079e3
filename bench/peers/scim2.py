"""scim2-server with its in-memory storage and its bearer tokens, as its own command builds it.

The users who are there for good are made before gunicorn forks, so that each process knows them.
"""

from __future__ import annotations

import os
import secrets

from scim2_server.memory import InMemoryStorage
from scim2_server.service import ScimService
from scim2_server.testserver.application import BearerTokenApplication
from scim2_server.utils import load_default_provider
from werkzeug.test import Client

from bench.directory import entra_user

_TOKEN = os.environ["BENCH_TOKEN"]
_provider = load_default_provider()
app = BearerTokenApplication(
    InMemoryStorage(),
    _provider,
    ScimService(_provider, secret=secrets.token_urlsafe(32)),
    bearer_tokens=[_TOKEN],
)
_client = Client(app)
for _number in range(int(os.environ["BENCH_USERS"])):
    _made = _client.post(
        "/v2/Users", json=entra_user(_number), content_type="application/scim+json",
        headers={"Authorization": f"Bearer {_TOKEN}"},
    )  # fmt: skip
    assert _made.status_code == 201, _made.text
