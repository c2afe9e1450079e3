"""The floor of SCIM: bare Flask, the same JSON, one durable transaction for a create; no checks at all.

The users who are there for good are made before gunicorn forks, so that each process knows them.
"""

from __future__ import annotations

import itertools
import json
import os
import re
import secrets
from functools import cache
from typing import Any

from flask import Flask, Response, request

from bench.directory import entra_user
from bench.peers.durable import Durable

app = Flask(__name__)
_durable = Durable()
_users: dict[str, str] = {}
_named: dict[str, str] = {}
_QUOTED = re.compile('"([^"]*)"')


@app.post("/scim/v2/Users")
def create() -> Response:
    """Keep what came under a new id."""
    key, text = _kept(json.loads(request.data), request.base_url)
    _durable.keep(key, text)
    return Response(text, 201, mimetype="application/scim+json")


def _kept(user: dict[str, Any], base: str) -> tuple[str, str]:
    user["id"] = secrets.token_hex(16)
    user["meta"] = {
        "resourceType": "User",
        "created": "2026-01-01T00:00:00Z",
        "lastModified": "2026-01-01T00:00:00Z",
        "location": f"{base}/{user['id']}",
        "version": 'W/"1"',
    }
    text = json.dumps(user)
    _users[user["id"]] = text
    found = f'{{"totalResults":1,"Resources":[{text}]}}'
    _named[user["userName"]] = _named[user["externalId"]] = found
    return user["id"], text


for _number in range(int(os.environ["BENCH_USERS"])):
    _kept(entra_user(_number), "http://127.0.0.1/scim/v2/Users")


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
