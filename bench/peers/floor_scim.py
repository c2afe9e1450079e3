"""The floor of SCIM: bare Flask, the same JSON, one durable transaction for a create; no checks at all."""

from __future__ import annotations

import itertools
import json
import re
import secrets
from functools import cache

from flask import Flask, Response, request

from bench.peers.durable import Durable

app = Flask(__name__)
_durable = Durable()
_users: dict[str, str] = {}
_named: dict[str, str] = {}
_QUOTED = re.compile('"([^"]*)"')


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
    found = f'{{"totalResults":1,"Resources":[{text}]}}'
    _named[user["userName"]] = _named[user["externalId"]] = found
    return Response(text, 201, mimetype="application/scim+json")


@app.get("/scim/v2/Users")
def listed() -> Response:
    """Return a page that was written before, or for a filter the one person whom it names."""
    wanted = _QUOTED.findall(request.args.get("filter", ""))
    text = _named[wanted[-1]] if wanted else _page(tuple(itertools.islice(_users, 100)))
    return Response(text, mimetype="application/scim+json")


@app.patch("/scim/v2/Users/<user_id>")
def patch(user_id: str) -> Response:
    """Set what is said, and keep it."""
    user = json.loads(_users[user_id])
    for operation in json.loads(request.data)["Operations"]:
        user[operation["path"]] = operation["value"]
    _users[user_id] = text = json.dumps(user)
    _durable.put(user_id, text)
    return Response(text, mimetype="application/scim+json")


@cache
def _page(ids: tuple[str, ...]) -> str:
    return json.dumps(
        {"totalResults": len(ids), "Resources": [json.loads(_users[one]) for one in ids]}
    )


@app.get("/scim/v2/Users/<user_id>")
def get(user_id: str) -> Response:
    """Return the text as it is."""
    return Response(_users[user_id], mimetype="application/scim+json")
