"""`ostiary serve` as an operator sees it: it drains, it mends itself, it leaves nobody behind."""

from __future__ import annotations

import json
import os
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from tests.demo import Demo, eventually
from tests.served import USER, Served, children_of, gone


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    made = Served(tmp_path)
    assert made.ostiary("db", "upgrade").returncode == 0
    try:
        made.start()
        yield made
    finally:
        made.stop()


def test_it_refuses_to_start_on_a_database_that_is_behind(tmp_path: Path):
    made = Served(tmp_path)
    refused = made.ostiary("serve")
    assert refused.returncode == 1
    assert "Run `ostiary db upgrade`" in refused.stderr
    assert "Traceback" not in refused.stderr


def test_it_refuses_to_start_with_wrong_settings_and_names_them_all(tmp_path: Path):
    made = Served(tmp_path)
    made.environ |= {"OSTIARY_WEB_THREADS": "0", "OSTIARY_SPEED": "11"}
    refused = made.ostiary("serve")
    assert refused.returncode == 1
    assert "OSTIARY_WEB_THREADS" in refused.stderr
    assert "OSTIARY_SPEED: there is no such setting" in refused.stderr


def test_it_refuses_to_listen_where_another_does_and_says_so(tmp_path: Path):
    made = Served(tmp_path)
    assert made.ostiary("db", "upgrade").returncode == 0
    with socket.create_server(("127.0.0.1", made.port)):
        refused = made.ostiary("serve")
    assert refused.returncode == 1
    assert f"127.0.0.1:{made.port}: another program listens there already" in refused.stderr
    assert "Traceback" not in refused.stderr


@pytest.mark.parametrize("bind", ["8000", "127.0.0.1:", "127.0.0.1:http", "127.0.0.1:99999"])
def test_it_refuses_an_address_that_is_none(tmp_path: Path, bind: str):
    made = Served(tmp_path)
    assert made.ostiary("db", "upgrade").returncode == 0
    refused = made.ostiary("serve", "--bind", bind)
    assert refused.returncode == 1
    assert f"Can't listen on {bind}" in refused.stderr
    assert "Traceback" not in refused.stderr


def test_sigterm_lets_a_request_under_way_finish(served: Served):
    token = served.scim_token()
    body = json.dumps({"schemas": [USER], "userName": "late"}).encode()
    with socket.create_connection(("127.0.0.1", served.port), timeout=30) as line:
        head = (
            f"POST /scim/v2/Users HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {token}\r\n"
            f"Content-Type: application/scim+json\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
        )
        line.sendall(head.encode() + body[:10])
        # A second request answered means that the first, which came before it, has been taken up.
        assert requests.get(served.url + "/healthz", timeout=5).ok
        served.process.terminate()
        eventually(lambda: not served.answers())
        line.sendall(body[10:])
        answer = b""
        while chunk := line.recv(65536):
            answer += chunk
    assert answer.startswith(b"HTTP/1.1 201"), answer[:200]
    assert served.stop() == 0
    served.start()
    found = requests.get(
        served.url + "/scim/v2/Users", params={"filter": 'userName eq "late"'},
        headers={"Authorization": f"Bearer {token}"}, timeout=10,
    )  # fmt: skip
    assert found.json()["totalResults"] == 1


def both(served: Served) -> dict[str, int]:
    return eventually(lambda: found if len(found := served.children()) == 2 else None)


def test_a_worker_that_is_killed_is_started_again(served: Served):
    before = both(served)["worker"]
    os.kill(before, signal.SIGKILL)
    assert eventually(lambda: served.children().get("worker") not in {None, before})
    assert served.answers()


def test_a_web_process_that_is_killed_is_replaced_and_no_connection_is_refused(served: Served):
    for _ in range(2):  # the second time quickly after the start
        before = both(served)["web"]
        workers = served.web_workers()
        for pid in (before, *workers):
            os.kill(pid, signal.SIGKILL)
        eventually(lambda: all(gone(pid) for pid in (before, *workers)))  # noqa: B023
        # Nobody is there to take it; it waits in the supervisor's socket.
        assert requests.get(served.url + "/readyz", timeout=60).ok
        assert both(served)["web"] != before


def test_nobody_is_left_behind_when_the_supervisor_is_killed(served: Served):
    children = both(served)
    served.process.kill()
    served.process.wait()
    assert eventually(lambda: all(gone(pid) for pid in children.values()))


def test_the_log_is_json_a_line(served: Served):
    served.restarted()
    requests.get(served.url + "/nothing", timeout=5)
    eventually(lambda: "unmatched" in served.log.read_text())
    for line in served.log.read_text().splitlines():
        assert {"event", "level", "timestamp"} <= set(json.loads(line)), line


def test_each_request_has_its_line_also_those_before_the_end(served: Served):
    ids = [f"request-{number:04}" for number in range(300)]
    with requests.Session() as client:
        for one in ids:
            client.get(served.url + "/healthz", headers={"X-Request-Id": one}, timeout=10)
    assert served.stop() == 0
    told = [line["request_id"] for line in served.lines() if line["event"] == "request"]
    assert [one for one in told if one.startswith("request-")] == ids


def test_the_doctor_finds_what_is_wrong(served: Served):
    served.founded("tenant", "domain", "acme.example", "--tenant", "acme", "--verified")
    examined = served.ostiary("doctor", "--json")
    found = {row["check"]: row for row in json.loads(examined.stdout)}
    assert found["database"]["ok"]
    assert found["secret keys"]["ok"]
    assert not found["address"]["ok"]
    assert examined.returncode == 1
    served.environ["OSTIARY_SECRET_KEYS"] = "quite another secret that is long enough 98765"
    found = {row["check"]: row for row in json.loads(served.ostiary("doctor", "--json").stdout)}
    assert not found["secret keys"]["ok"]
    assert "OSTIARY_SECRET_KEYS" in found["secret keys"]["detail"]


def test_a_terminal_that_closes_over_the_demo_leaves_nothing_behind(tmp_path: Path):
    demo = Demo(tmp_path, {}, "--no-campus")
    (serve,) = children_of(demo.process.pid)
    # The terminal's SIGHUP goes to the demo's group, and would tell `serve` to go on anew.
    assert os.getpgid(serve) != os.getpgid(demo.process.pid)
    demo.process.send_signal(signal.SIGHUP)
    demo.process.wait(60)
    assert demo.stop() == 0
    assert gone(serve)
