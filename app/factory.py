"""The composition root of the web processes."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any
from urllib.parse import SplitResult, urlsplit

from flask import Flask, Request
from flask.sessions import NullSession, SessionInterface
from werkzeug.middleware.proxy_fix import ProxyFix
from werkzeug.routing import MapAdapter

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


class _NoSession(SessionInterface):
    """Flask's own session is not used: ours are rows (`app.store.sessions`)."""

    _none = NullSession()

    def open_session(self, app: Flask, request: Request) -> NullSession:  # noqa: ARG002
        return self._none


class _App(Flask):
    """Flask without what its ways cost at each request and nobody here asks for.

    Handlers are plain functions, and rules are of paths alone: no Host header is read to find one.
    """

    session_interface = _NoSession()

    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        return func

    def create_url_adapter(self, request: Request | None) -> MapAdapter | None:
        if request is None:
            return super().create_url_adapter(request)
        environ = request.environ
        return MapAdapter(
            self.url_map, self.address.netloc, environ.get("SCRIPT_NAME", ""), "", self.address.scheme,
            request.path, request.method, request.query_string.decode("latin-1"),
        )  # fmt: skip

    @cached_property
    def address(self) -> SplitResult:
        """Ours, to which redirects lead."""
        ready: deps.Deps = self.extensions["ostiary"]
        return urlsplit(ready.settings.base_url)
