"""The composition root of the web processes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask import Flask
from werkzeug.middleware.proxy_fix import ProxyFix

from app import config, deps
from app.store.migrate import require_current
from app.web import (
    admin_watch,
    api,
    errors,
    headers,
    health,
    learn,
    login,
    logs,
    lti,
    oauth,
    pages,
    scim,
    ssf,
    sso,
)

_LARGEST_BODY = 1024 * 1024


def create_app(given: deps.Deps | None = None) -> Flask:
    """Build the application; raises SettingsError or SchemaUnfit rather than start half right."""
    ready = given or deps.assemble(config.load())
    require_current(ready.db)
    app = _App("app", static_folder="web/static", template_folder="web/templates")
    app.config["MAX_CONTENT_LENGTH"] = _LARGEST_BODY
    app.extensions["ostiary"] = ready
    if ready.settings.trusted_proxies:
        hops = ready.settings.trusted_proxies
        # The address to show and bind comes from the settings; only the client's is read from proxies.
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=hops, x_proto=0, x_host=0)  # type: ignore[method-assign]
    for room in (logs, headers, errors, health):
        room.install(app)
    for blueprint in (
        pages.blueprint, login.blueprint, scim.blueprint, lti.blueprint, sso.blueprint,
        learn.blueprint, admin_watch.blueprint, api.blueprint, oauth.blueprint, ssf.blueprint,
    ):  # fmt: skip
        app.register_blueprint(blueprint)
    return app


class _App(Flask):
    """Flask with handlers that are plain functions, so that none has to be asked whether it is."""

    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        return func
