"""A receiver of security events for tests: takes pushes, and reads tokens with PyJWT."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import jwt


class Receiver(ThreadingHTTPServer):
    """`answers` are (status, JSON or None) to give first; afterwards all is taken."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.taken: list[str] = []
        self.headers: list[dict[str, str]] = []
        self.answers: list[tuple[int, dict | None]] = []
        self.url = f"http://127.0.0.1:{self.server_port}/events"


class _Handler(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self):
        token = self.rfile.read(int(self.headers["Content-Length"])).decode()
        self.server.headers.append(dict(self.headers))
        status, said = self.server.answers.pop(0) if self.server.answers else (202, None)
        if status == 202:
            self.server.taken.append(token)
        body = b"" if said is None else json.dumps(said).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@contextmanager
def receiving() -> Iterator[Receiver]:
    server = Receiver()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()


def opened(token, jwks):
    """The claims of a token whose signature one of these keys made."""
    header = jwt.get_unverified_header(token)
    assert header["typ"] == "secevent+jwt"
    (key,) = (one for one in jwt.PyJWKSet.from_dict(jwks).keys if one.key_id == header["kid"])
    return jwt.decode(token, key, algorithms=["RS256"], options={"verify_aud": False})
