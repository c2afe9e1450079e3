"""scim2-server with its in-memory storage and its bearer tokens, as its own command builds it."""

from __future__ import annotations

import os
import secrets

from scim2_server.memory import InMemoryStorage
from scim2_server.service import ScimService
from scim2_server.testserver.application import BearerTokenApplication
from scim2_server.utils import load_default_provider

_provider = load_default_provider()
app = BearerTokenApplication(
    InMemoryStorage(),
    _provider,
    ScimService(_provider, secret=secrets.token_urlsafe(32)),
    bearer_tokens=[os.environ["BENCH_TOKEN"]],
)
