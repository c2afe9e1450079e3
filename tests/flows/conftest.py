"""The gateway as an application without a request around it, and the practice campus on loopback."""

from __future__ import annotations

import html
import re
import shutil
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import urlsplit

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.serving import WSGIRequestHandler, make_server

from app.deps import Deps
from app.factory import create_app
from app.flows.provision_act import Client
from app.kernel.person import Person
from app.kernel.tenant import Tenant
from sandbox.campus import Campus as Rooms
from sandbox.factory import create_app as create_campus
from scim.custom import STANDARD
from tests import access
from tests.conftest import TestClock
from tests.provisioning import ADA, Desk

GATEWAY = "http://127.0.0.1:8000"


def hidden(page: str) -> dict[str, str]:
    """The hidden fields of a page's forms."""
    fields = re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', page)
    return {name: html.unescape(value) for name, value in fields}


def local(url: str) -> str:
    """The path and query of an absolute address, for a test client of that site."""
    parts = urlsplit(url)
    return f"{parts.path}?{parts.query}" if parts.query else parts.path


class Browser(FlaskClient):
    """A test client that asks under its site's own address."""

    site = GATEWAY

    def open(self, *args: Any, **kwargs: Any) -> Any:
        kwargs.setdefault("base_url", self.site)
        return super().open(*args, **kwargs)

    def cookie(self, name: str) -> str:
        held = self.get_cookie(name, domain="127.0.0.1")
        assert held is not None, name
        return held.value

    def give(self, name: str, value: str) -> None:
        self.set_cookie(name, value, domain="127.0.0.1")


def browser(app: Flask, site: str = GATEWAY) -> Browser:
    made = Browser(app, app.response_class, use_cookies=True)
    made.site = site
    return made


class _Quiet(WSGIRequestHandler):
    def log(self, *args: Any) -> None:
        pass


@dataclass
class Campus:
    """The practice campus: `rooms` is its inside, `visit()` a browser on its pages."""

    app: Flask
    url: str

    @property
    def rooms(self) -> Rooms:
        return self.app.extensions["campus"]

    @property
    def issuer(self) -> str:
        return self.rooms.issuer("idp")

    def visit(self) -> Browser:
        return browser(self.app, self.url)

    def put(self, path: str, **body: Any) -> Any:
        answer = self.visit().put(f"/control/{path}", json=body)
        assert answer.status_code < 300, answer.text
        return answer.json

    def post(self, path: str, **body: Any) -> Any:
        answer = self.visit().post(f"/control/{path}", json=body)
        assert answer.status_code < 300, answer.text
        return answer.json


@pytest.fixture(scope="session")
def founded_campus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A campus that was started once, so that not every test makes keys anew."""
    directory = tmp_path_factory.mktemp("campus")
    create_campus(directory, "http://127.0.0.1:1", GATEWAY).extensions["campus"].store.close()
    return directory / "campus.sqlite3"


@pytest.fixture
def campus(tmp_path: Path, founded_campus: Path, clock: TestClock) -> Iterator[Campus]:
    """A campus that listens on loopback and lives by the test's clock."""
    directory = tmp_path / "campus"
    directory.mkdir()
    shutil.copy(founded_campus, directory)
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    app = create_campus(directory, url, GATEWAY, clock=lambda: clock().timestamp())
    server = make_server(
        "127.0.0.1", port, app, threaded=True, fd=listener.fileno(), request_handler=_Quiet
    )
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    yield Campus(app, url)
    server.shutdown()
    thread.join()
    server.server_close()
    listener.detach()
    app.extensions["campus"].store.close()


@pytest.fixture
def gateway(deps: Deps) -> Callable[[], Browser]:
    """Makes browsers on the gateway. (pytest-flask's `app` would share one `g` among all requests.)"""
    app = create_app(deps)
    app.testing = True
    return lambda: browser(app)


@pytest.fixture
def desk(deps: Deps, tenant: Tenant) -> Desk:
    """The tenant's provisioning client."""
    return Desk(deps, Client(tenant.id, "default", types=STANDARD))


@pytest.fixture
def ada(desk: Desk) -> Person:
    """Someone whom the client has provisioned."""
    return desk.person(desk.create(**ADA)["id"])


@pytest.fixture
def trust(deps: Deps, tenant: Tenant) -> str:
    """The id of a connection by which people sign in."""
    return access.trusted(deps, tenant)
