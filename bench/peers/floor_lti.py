"""The floor of a launch: two bare Flask requests, one RS256 verification, the gateway's durable commits."""

from __future__ import annotations

import json
import os
import secrets
from urllib.parse import urlencode

from flask import Flask, Response, redirect, request
from joserfc import jwt
from joserfc.jwk import KeySet
from werkzeug.wrappers import Response as AnyResponse

from bench.peers.durable import Durable

app = Flask(__name__)
_durable = Durable()
_keys = KeySet.import_key_set(json.loads(os.environ["BENCH_JWKS"]))
_commits = int(os.environ["BENCH_COMMITS"])


@app.get("/login")
def login() -> AnyResponse:
    """Send the browser on, with a state and a nonce that nobody remembers."""
    asked = {
        "scope": "openid",
        "response_type": "id_token",
        "response_mode": "form_post",
        "prompt": "none",
        "client_id": request.args["client_id"],
        "redirect_uri": f"{request.host_url}launch",
        "login_hint": request.args["login_hint"],
        "lti_message_hint": request.args["lti_message_hint"],
        "state": secrets.token_urlsafe(16),
        "nonce": secrets.token_urlsafe(16),
    }
    answer = redirect(f"{os.environ['BENCH_AUTH_URL']}?{urlencode(asked)}")
    answer.set_cookie("state", asked["state"], httponly=True)
    return answer


@app.post("/launch")
def launch() -> Response:
    """Verify the signature, keep the launch, greet."""
    claims = jwt.decode(request.form["id_token"], _keys, algorithms=["RS256"]).claims
    for _ in range(_commits):
        _durable.keep(secrets.token_hex(16), json.dumps(claims))
    return Response(f"<!doctype html><title>Launched</title><p>Hello {claims['name']}</p>")
