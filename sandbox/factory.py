"""Puts the campus together."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from flask import Flask, jsonify, render_template
from flask.json.provider import DefaultJSONProvider
from werkzeug.wrappers import Response as AnyResponse

from sandbox import control, outside, web
from sandbox.campus import Campus
from sandbox.idp.admin import admin
from sandbox.idp.provider import provider
from sandbox.lms.pages import pages as lms_pages
from sandbox.lms.services import services as lms_services
from sandbox.lrs.api import pages as lrs_pages
from sandbox.lrs.api import xapi
from sandbox.people import People
from sandbox.signing import Ring
from sandbox.store import Store

_LARGEST_BODY = 8_000_000


def create_app(
    directory: Path,
    base_url: str,
    gateway: str,
    *,
    clock: Callable[[], float] = time.time,
    send: outside.Send = outside.send,
) -> Flask:
    """The campus as one WSGI application; what it remembers lies in `directory`/campus.sqlite3."""
    store = Store(directory / "campus.sqlite3")
    store.forget(clock())
    if store.get("lrs", "credentials") is None:
        store.put("lrs", "credentials", control.new_credentials())
    campus = Campus(
        base_url=base_url.rstrip("/"),
        gateway=gateway.rstrip("/"),
        store=store,
        people=People(store),
        keys={service: Ring(store, service) for service in ("lms", "idp")},
        clock=clock,
        send=send,
    )
    app = Flask("sandbox", root_path=str(Path(__file__).parent))
    app.config["MAX_CONTENT_LENGTH"] = _LARGEST_BODY
    app.extensions["campus"] = campus
    as_sent = DefaultJSONProvider(app)
    as_sent.sort_keys = False  # a log shows bodies as they were sent
    app.json = as_sent
    web.install(app, campus)
    for blueprint in (lms_pages, lms_services, provider, admin, xapi, lrs_pages, control.control):
        app.register_blueprint(blueprint)

    @app.get("/")
    def home() -> str:
        return render_template("home.html")

    @app.get("/healthz")
    def healthz() -> AnyResponse:
        return jsonify(status="ok")

    @app.context_processor
    def shared() -> dict[str, str]:
        return {"gateway": campus.gateway}

    @app.template_filter("clock")
    def clock_time(seconds: float) -> str:
        return datetime.fromtimestamp(seconds, UTC).strftime("%H:%M:%S")

    return app
