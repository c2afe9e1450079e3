"""LTI 1.3: one login initiation and one resource link launch, each time in a new browser."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qs, urlencode, urlsplit

from bench import lms as platform
from bench.client import Client, Wrong
from bench.gateway import TENANT, Gateway, serve_beside
from bench.lms import Lms
from bench.procs import ROOT, Server
from bench.rounds import Case, Subject

ACTIVITY = ROOT / "app" / "learning" / "seed" / "product_update.json"
COMMITS = 1
"""Durable commits of the gateway for one login and launch: the launch's own transaction."""


@dataclass
class Tool:
    """A tool as its LMS knows it. A good launch is answered with `status`."""

    lms: Lms
    login_url: str
    launch_url: str
    activity: str
    status: int
    _numbers: Iterator[int] = field(default_factory=itertools.count)

    def launch(self, client: Client) -> None:
        """Go the whole way of LTI Security Framework 1.0 §5.1.1, to the answer to the launch."""
        learner = next(self._numbers) % platform.LEARNERS
        login = {
            "iss": self.lms.issuer,
            "login_hint": f"learner-{learner}",
            "target_link_uri": self.launch_url,
            "lti_message_hint": "link-1",
            "client_id": platform.CLIENT_ID,
            "lti_deployment_id": platform.DEPLOYMENT_ID,
        }
        path = urlsplit(self.login_url).path
        sent_on = client.send("GET", f"{path}?{urlencode(login)}")
        if sent_on.status not in {302, 303}:
            raise Wrong(f"the login was answered with {sent_on.status}: {sent_on.body[:500]!r}")
        asked = parse_qs(urlsplit(sent_on.headers["Location"]).query)
        nonce, state = asked["nonce"][0], asked["state"][0]
        token = self.lms.id_token(learner, nonce, self.launch_url, self.activity)
        client.send(
            "POST",
            urlsplit(self.launch_url).path,
            urlencode({"id_token": token, "state": state}).encode(),
            {
                "Content-Type": "application/x-www-form-urlencoded",
                "Cookie": sent_on.cookies(),
            },
        ).expect(self.status)


@contextmanager
def cases(home: Path) -> Iterator[list[Case]]:
    """Start the LMS and the tools, and stop them afterwards."""
    with ExitStack() as stack:
        lms = stack.enter_context(platform.running())
        gateway = Gateway(home)
        registered = _register(gateway, lms)
        activity = gateway.ostiary("activity", "import", str(ACTIVITY), "--tenant", TENANT)["slug"]
        ostiary = gateway.serve()
        stack.callback(ostiary.stop)
        settings = _settings(lms, home)
        files = {**settings, "BENCH_CACHE": str(home / "cache")}
        peer = serve_beside(gateway, "PyLTI1p3, files", "bench.peers.pylti", home, files)
        stack.callback(peer.stop)
        memory = serve_beside(gateway, "PyLTI1p3, memory", "bench.peers.pylti", home, settings)
        stack.callback(memory.stop)
        floor = serve_beside(gateway, "bare Flask", "bench.peers.floor_lti", home, settings)
        stack.callback(floor.stop)
        ours = Tool(lms, registered["login_url"], registered["launch_url"], activity, 303)
        yield [
            Case("LTI login + launch", "launches", (
                Subject("gateway", ostiary, ours.launch),
                Subject("peer", peer, _bare_tool(lms, peer, activity).launch),
                Subject("peer", memory, _bare_tool(lms, memory, activity).launch),
                Subject("floor", floor, _bare_tool(lms, floor, activity).launch),
            ))
        ]  # fmt: skip


def _register(gateway: Gateway, lms: Lms) -> dict[str, str]:
    registered: dict[str, str] = gateway.ostiary(
        "platform", "add", "--tenant", TENANT, "--name", "Bench", "--issuer", lms.issuer,
        "--client-id", platform.CLIENT_ID, "--deployment-id", platform.DEPLOYMENT_ID,
        "--auth-url", lms.auth_url, "--token-url", lms.token_url, "--jwks-url", lms.jwks_url,
    )  # fmt: skip
    return registered


def _settings(lms: Lms, home: Path) -> dict[str, str]:
    return {
        "BENCH_ISSUER": lms.issuer,
        "BENCH_CLIENT_ID": platform.CLIENT_ID,
        "BENCH_DEPLOYMENT_ID": platform.DEPLOYMENT_ID,
        "BENCH_AUTH_URL": lms.auth_url,
        "BENCH_TOKEN_URL": lms.token_url,
        "BENCH_JWKS_URL": lms.jwks_url,
        "BENCH_JWKS": json.dumps(lms.jwks),
        "BENCH_COMMITS": str(COMMITS),
        "BENCH_DATABASE": str(home / "floor.db"),
    }


def _bare_tool(lms: Lms, server: Server, activity: str) -> Tool:
    url = f"http://127.0.0.1:{server.port}"
    return Tool(lms, f"{url}/login", f"{url}/launch", activity, 200)
