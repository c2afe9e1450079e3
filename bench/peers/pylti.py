"""A bare tool as PyLTI1p3's own documentation shows one for Flask: login, launch, key set cached.

It keeps its values where the documentation takes Flask-Caching: in files, as a tool with more than one
process must, or in the process, the fastest there is and gone with it. Neither is durable.
"""

from __future__ import annotations

import hashlib
import os
import pickle
import threading
import time
from pathlib import Path
from typing import Any

from flask import Flask, request
from pylti1p3.contrib.flask import (
    FlaskCacheDataStorage,
    FlaskMessageLaunch,
    FlaskOIDCLogin,
    FlaskRequest,
)
from pylti1p3.tool_config import ToolConfDict
from werkzeug.wrappers import Response


class InFiles:
    """Flask-Caching's get and set: one file for each key, written beside it and moved into place."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(exist_ok=True)

    def get(self, key: str) -> Any:
        """Return the value, or None when there is none or its time is up."""
        try:
            until, value = pickle.loads(self._path(key).read_bytes())
        except FileNotFoundError:
            return None
        return value if until > time.time() else None

    def set(self, key: str, value: Any, timeout: int | None = None) -> None:
        """Keep a value for `timeout` seconds, else for five minutes."""
        path = self._path(key)
        written = path.with_suffix(f".{threading.get_ident()}")
        written.write_bytes(pickle.dumps((time.time() + (timeout or 300), value)))
        written.replace(path)

    def _path(self, key: str) -> Path:
        return self._folder / hashlib.md5(key.encode()).hexdigest()


class InProcess:
    """The same in a dictionary."""

    def __init__(self) -> None:
        self._held: dict[str, tuple[float, Any]] = {}

    def get(self, key: str) -> Any:
        """Return the value, or None when there is none or its time is up."""
        until, value = self._held.get(key, (0.0, None))
        return value if until > time.time() else None

    def set(self, key: str, value: Any, timeout: int | None = None) -> None:
        """Keep a value for `timeout` seconds, else for five minutes."""
        self._held[key] = (time.time() + (timeout or 300), value)


app = Flask(__name__)
app.secret_key = os.urandom(32)
_folder = os.environ.get("BENCH_CACHE")
_storage = FlaskCacheDataStorage(InFiles(Path(_folder)) if _folder else InProcess())
_tool = ToolConfDict(
    {
        os.environ["BENCH_ISSUER"]: [
            {
                "default": True,
                "client_id": os.environ["BENCH_CLIENT_ID"],
                "auth_login_url": os.environ["BENCH_AUTH_URL"],
                "auth_token_url": os.environ["BENCH_TOKEN_URL"],
                "key_set_url": os.environ["BENCH_JWKS_URL"],
                "deployment_ids": [os.environ["BENCH_DEPLOYMENT_ID"]],
            }
        ]
    }
)
_tool.set_private_key(os.environ["BENCH_ISSUER"], "unused", client_id=os.environ["BENCH_CLIENT_ID"])


@app.get("/login")
def login() -> Response:
    """OIDC login initiation."""
    begun = FlaskOIDCLogin(FlaskRequest(), _tool, launch_data_storage=_storage)
    target: Response = begun.redirect(request.args["target_link_uri"])
    return target


@app.post("/launch")
def launch() -> str:
    """Validate the message and greet."""
    arrived = FlaskMessageLaunch(FlaskRequest(), _tool, launch_data_storage=_storage)
    arrived.set_public_key_caching(_storage, cache_lifetime=7200)
    claims = arrived.get_launch_data()
    return f"<!doctype html><title>Launched</title><p>Hello {claims['name']}</p>"
