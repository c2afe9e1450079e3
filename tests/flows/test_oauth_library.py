"""Authlib's own client, which asks as identity providers do, against a gateway on a socket."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from dataclasses import replace
from threading import Thread

import pytest
from authlib.integrations.requests_client import OAuth2Session, OAuthError
from authlib.oauth2.rfc7523 import PrivateKeyJWT
from werkzeug.serving import WSGIRequestHandler, make_server

from app.deps import Deps
from app.factory import create_app
from app.kernel.clock import system_clock
from app.kernel.tenant import Tenant
from tests import oauth


class _Quiet(WSGIRequestHandler):
    def log(self, *args):
        pass


@pytest.fixture
def served(deps: Deps, tenant: Tenant, clock, monkeypatch) -> Iterator[Deps]:
    """What the gateway that listens has been assembled from; the library signs by the real clock."""
    clock.now = system_clock()
    monkeypatch.setenv("AUTHLIB_INSECURE_TRANSPORT", "1")
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    ready = replace(deps, settings=deps.settings.model_copy(update={"base_url": url}))
    server = make_server(
        "127.0.0.1", port, create_app(ready), threaded=True, fd=listener.fileno(),
        request_handler=_Quiet,
    )  # fmt: skip
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    yield ready
    server.shutdown()
    thread.join()
    server.server_close()
    listener.detach()


def users(session, deps):
    return session.get(f"{deps.settings.base_url}/scim/v2/Users")


def provision(session, deps):
    """Make somebody and find them."""
    body = {"schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "userName": "ada@x.com"}
    made = session.post(f"{deps.settings.base_url}/scim/v2/Users", json=body)
    assert made.status_code == 201, made.text
    assert users(session, deps).json()["totalResults"] == 1


@pytest.mark.parametrize("method", ["client_secret_basic", "client_secret_post"])
def test_a_client_with_a_secret(served, method):
    of = oauth.made(served)
    with OAuth2Session(
        of.client_id, of.client_secret, token_endpoint_auth_method=method, scope="scim.write"
    ) as session:
        token = session.fetch_token(of.token_url, grant_type="client_credentials")
        assert (token["token_type"], token["scope"]) == ("Bearer", "scim.write")
        provision(session, served)
        oauth.switched(served, of.id, enabled=False)
        assert users(session, served).status_code == 401
        with pytest.raises(OAuthError, match="invalid_client"):
            session.fetch_token(of.token_url, grant_type="client_credentials")


@pytest.mark.parametrize(("kind", "alg"), [("RSA", "RS256"), ("RSA", "PS256"), ("EC", "ES256")])
def test_a_client_that_signs(served, kind, alg):
    key = oauth.key(kind)
    of = oauth.made(served, keys=oauth.key_set(oauth.key("RSA", 7), key))
    with OAuth2Session(
        of.client_id, key, token_endpoint_auth_method=PrivateKeyJWT(of.token_url, alg=alg)
    ) as session:
        session.fetch_token(of.token_url, grant_type="client_credentials")
        provision(session, served)


def test_a_client_asks_again_by_itself_once_its_token_has_expired(served, clock):
    of = oauth.made(served)
    with OAuth2Session(
        of.client_id, of.client_secret, token_endpoint=of.token_url, grant_type="client_credentials",
        leeway=0,
    ) as session:  # fmt: skip
        first = session.fetch_token()["access_token"]
        clock.move(hours=1)
        assert users(session, served).status_code == 401
        session.token["expires_at"] = 1
        assert users(session, served).status_code == 200
        assert session.token["access_token"] != first


@pytest.mark.parametrize(
    ("asked", "error"),
    [({"scope": "scim.write"}, "invalid_scope"), ({"scope": "x"}, "invalid_scope")],
)
def test_it_understands_why_it_gets_nothing(served, asked, error):
    of = oauth.made(served, scope="read")
    with OAuth2Session(of.client_id, of.client_secret, **asked) as session:
        with pytest.raises(OAuthError) as refusal:
            session.fetch_token(of.token_url, grant_type="client_credentials")
        assert refusal.value.error == error
