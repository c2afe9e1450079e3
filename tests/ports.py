"""Ports for servers that are stopped and started again at the same place."""

from __future__ import annotations

import random
import socket
from pathlib import Path

_LOWEST = 12_000


def free_port() -> int:
    """Return a loopback port that is free now, and that no outgoing connection is ever given.

    Of the ports that the kernel gives to connections one could be taken while its server is away; a
    client that keeps trying there would in the end even meet itself.
    """
    given_from = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    drawn = random.SystemRandom()
    while True:
        port = drawn.randrange(_LOWEST, max(given_from, _LOWEST + 1_000))
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        return port
