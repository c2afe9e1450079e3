"""scim2-tester's checks, against the gateway over HTTP."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from threading import Thread
from typing import Any

import pytest
import requests
from flask import Flask
from werkzeug.serving import WSGIRequestHandler, make_server

from app.flows import tenancy
from tests.conftest import Deps, Tenant

pytestmark = pytest.mark.interop


class _Quiet(WSGIRequestHandler):
    def log(self, *args: Any) -> None:
        pass


@pytest.fixture
def served(app: Flask) -> Iterator[str]:
    server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=_Quiet)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.port}"
    server.shutdown()
    thread.join()
    server.server_close()


def over_http(url: str, token: str) -> Callable[..., Iterable[bytes]]:
    """A WSGI application that sends each request on over HTTP: scim2-client's other client wants httpx2."""
    session = requests.Session()
    session.headers["Authorization"] = f"Bearer {token}"

    def send(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        length = int(environ.get("CONTENT_LENGTH") or 0)
        query = f"?{environ['QUERY_STRING']}" if environ.get("QUERY_STRING") else ""
        answer = session.request(
            environ["REQUEST_METHOD"], url + environ["PATH_INFO"] + query,
            data=environ["wsgi.input"].read(length) if length else None,
            headers={"Content-Type": environ["CONTENT_TYPE"]} if environ.get("CONTENT_TYPE") else {},
            timeout=30,
        )  # fmt: skip
        headers = [(k, v) for k, v in answer.headers.items() if k.lower() != "connection"]
        start_response(f"{answer.status_code} {answer.reason}", headers)
        return [answer.content]

    return send


def test_every_check_passes(served: str, deps: Deps, tenant: Tenant):
    from scim2_client.engines.wsgi import WSGISCIMClient
    from scim2_tester import Status, check_server

    _, token = tenancy.issue_token(deps, tenant.slug, "scim")
    # Under the address that the gateway gives its resources, whatever port it has taken here.
    client = WSGISCIMClient(over_http(served, token), f"{deps.settings.base_url}/scim/v2")
    results = check_server(client)
    wrong = [
        f"{r.title} {r.resource_type}: {r.reason}"
        for r in results
        if r.status is not Status.SUCCESS
    ]
    assert wrong == []
    assert len(results) > 130
