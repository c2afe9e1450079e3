"""The socket on which `serve` listens."""

from __future__ import annotations

import socket

from app.cli import serve


def test_who_connects_before_anybody_serves_is_answered_without_delay():
    with (
        serve._listening("127.0.0.1:0") as listener,
        socket.create_connection(listener.getsockname()),
    ):
        waited, _ = listener.accept()
        with waited:
            assert waited.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
