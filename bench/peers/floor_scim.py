"""The floor of SCIM: bare Flask, the same JSON, one durable transaction for a create; no checks at all."""

from __future__ import annotations

import json
import secrets

from flask import Flask, Response, request

from bench.peers.durable import Durable

app = Flask(__name__)
_durable = Durable()
_users: dict[str, str] = {}


@app.post("/scim/v2/Users")
def create() -> Response:
    """Keep what came under a new id."""
    user = json.loads(request.data)
    user["id"] = secrets.token_hex(16)
    user["meta"] = {
        "resourceType": "User",
        "created": "2026-01-01T00:00:00Z",
        "lastModified": "2026-01-01T00:00:00Z",
        "location": f"{request.base_url}/{user['id']}",
        "version": 'W/"1"',
    }
    text = json.dumps(user)
    _durable.keep(user["id"], text)
    _users[user["id"]] = text
    return Response(text, 201, mimetype="application/scim+json")


@app.get("/scim/v2/Users/<user_id>")
def get(user_id: str) -> Response:
    """Return the text as it is."""
    return Response(_users[user_id], mimetype="application/scim+json")
