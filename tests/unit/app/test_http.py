import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from app import http
from app.http import AddressRefused, Http, HttpFailed, check_address


@dataclass
class Get:
    url: str
    method: str = "GET"
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes | None = None


class Handler(BaseHTTPRequestHandler):
    seen: list[str] = []

    def do_GET(self):
        self.seen.append(self.path)
        if self.path == "/redirect":
            self.send_response(302)
            self.send_header("Location", "/elsewhere")
            self.end_headers()
            return
        self.send_response(200)
        self.end_headers()
        size = 5 * 2**20 if self.path == "/huge" else 2
        try:
            self.wfile.write(b"x" * size)
        except ConnectionError:
            pass

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("X-Agent", self.headers["User-Agent"])
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture
def neighbour() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Handler.seen.clear()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.fixture
def practice() -> Iterator[Http]:
    made = Http(insecure=True)
    yield made
    made.close()


@pytest.fixture
def strict() -> Iterator[Http]:
    made = Http()
    yield made
    made.close()


def test_an_answer_comes_whole_with_its_headers_in_any_case(practice, neighbour):
    answer = practice.send(Get(neighbour + "/", "POST", {"Content-Type": "text/plain"}, b"hello"))
    assert (answer.status, answer.body) == (200, b"hello")
    assert answer.headers["x-agent"].startswith("Ostiary/")


def test_redirects_are_not_followed(practice, neighbour):
    assert practice.send(Get(neighbour + "/redirect")).status == 302
    assert Handler.seen == ["/redirect"]


def test_a_huge_answer_is_cut_off(practice, neighbour):
    with pytest.raises(HttpFailed, match="larger than"):
        practice.send(Get(neighbour + "/huge"))


def test_loopback_and_http_are_refused_unless_practising(strict, neighbour):
    with pytest.raises(HttpFailed, match="not an https address") as refused:
        strict.send(Get(neighbour + "/"))
    assert refused.value.permanent
    with pytest.raises(HttpFailed, match="not public"):
        strict.send(Get(neighbour.replace("http:", "https:")))
    assert Handler.seen == []


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc/passwd",
        "gopher://x",
        "https://",
        "https://user:pw@example.org/",
        "x" * 9000,
        "",
        "https://[1::2/",
        f"https://{'a' * 64}.example/",
        "https://a..b/",
    ],
)
def test_other_addresses_are_refused(practice, url):
    with pytest.raises(HttpFailed) as refused:
        practice.send(Get(url))
    assert refused.value.permanent


@pytest.mark.parametrize(
    "address",
    ["10.0.0.1", "192.168.1.1", "172.16.0.1", "169.254.169.254", "127.0.0.1", "::1", "fe80::1%eth0", "fc00::1",
     "::ffff:127.0.0.1", "::ffff:10.0.0.1", "0.0.0.0", "224.0.0.1", "100.64.0.1", "64:ff9b::7f00:1",
     "::7f00:1", "::ffff:0:7f00:1", "fec0::1"],
)  # fmt: skip
def test_only_public_addresses_are_connected_to(address):
    with pytest.raises(AddressRefused):
        check_address(address, insecure=False)


def test_practice_opens_loopback_and_nothing_else():
    check_address("127.0.0.1", insecure=True)
    check_address("8.8.8.8", insecure=False)
    with pytest.raises(AddressRefused):
        check_address("10.0.0.1", insecure=True)


def test_a_name_that_resolves_to_a_private_address_is_refused_where_it_connects(
    monkeypatch, strict
):
    monkeypatch.setattr(
        http.socket, "getaddrinfo", lambda *_a, **_k: [(2, 1, 6, "", ("10.1.2.3", 443))]
    )
    with pytest.raises(HttpFailed, match=r"10\.1\.2\.3 is not public"):
        strict.send(Get("https://looks-public.example/"))


def test_nobody_there_is_a_failure_to_try_again(practice):
    with pytest.raises(HttpFailed, match="can't be reached") as failed:
        practice.send(Get("http://127.0.0.1:9/"))
    assert not failed.value.permanent


@pytest.mark.parametrize(
    "head",
    [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n", b"HTTP/1.1 200 OK\r\n\r\n",
     b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"],
    ids=["headers", "length", "until the end", "chunked"],
)  # fmt: skip
def test_who_sends_a_byte_now_and_then_is_given_up(practice, monkeypatch, head):
    monkeypatch.setattr(http, "_TOTAL_SECONDS", 0.3)
    rest = {b"": b"HTTP/1.1 204 No more\r\n\r\n"}.get(head, b"x" * 20)
    if b"chunked" in head:
        rest = b"00000000000000001\r\nx\r\n0\r\n\r\n"
    with socket.create_server(("127.0.0.1", 0)) as server:

        def drip() -> None:
            line, _ = server.accept()
            with line:
                line.recv(65536)
                try:
                    line.sendall(head)
                    for byte in rest:
                        time.sleep(0.1)
                        line.sendall(bytes([byte]))
                except ConnectionError:
                    pass

        neighbour = threading.Thread(target=drip)
        neighbour.start()
        with pytest.raises(HttpFailed, match="too slowly") as failed:
            practice.send(Get(f"http://127.0.0.1:{server.getsockname()[1]}/"))
        assert not failed.value.permanent
        neighbour.join()


def test_a_line_from_the_pool_is_watched_too(practice, monkeypatch):
    monkeypatch.setattr(http, "_TOTAL_SECONDS", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer_then_drip() -> None:
            line, _ = server.accept()
            with line:
                line.recv(65536)
                line.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
                line.recv(65536)
                try:
                    for byte in b"HTTP/1.1 204 No more\r\n\r\n":
                        time.sleep(0.1)
                        line.sendall(bytes([byte]))
                except ConnectionError:
                    pass

        neighbour = threading.Thread(target=answer_then_drip)
        neighbour.start()
        url = f"http://127.0.0.1:{server.getsockname()[1]}/"
        assert practice.send(Get(url)).status == 200
        with pytest.raises(HttpFailed, match="too slowly"):
            practice.send(Get(url))
        neighbour.join()


@pytest.mark.parametrize(("host", "permanent"), [("127.0.0.1", True), ("localhost", False)])
def test_a_name_that_resolves_within_may_resolve_elsewhere_in_a_moment(strict, host, permanent):
    with pytest.raises(HttpFailed, match="not public") as refused:
        strict.send(Get(f"https://{host}:9/"))
    assert refused.value.permanent is permanent
