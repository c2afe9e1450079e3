"""The only outbound client: time-outs, a size cap, no redirects, and no way into private networks.

The address is checked where the connection is made, on the very address that is connected to, so a
name that resolves differently a moment later gains nothing.
"""

from __future__ import annotations

import ipaddress
import os
import socket
import threading
from collections.abc import Mapping
from contextlib import suppress
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Protocol, Self
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from requests.structures import CaseInsensitiveDict
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.util.connection import create_connection

from app.kernel import transaction

USER_AGENT = "Ostiary/0.1 (+learning gateway)"
_CONNECT_SECONDS = 5.0
_READ_SECONDS = 15.0
_TOTAL_SECONDS = 20.0
"""For all of a request: who sends a byte now and then would never meet the others."""
_TOO_SLOW = "The answer came too slowly."
_MAX_BYTES = 4 * 1024 * 1024
_LONGEST_URL = 8_000
_TUNNELS = [
    ipaddress.ip_network(n)
    for n in (
        "64:ff9b::/96", "64:ff9b:1::/48", "2002::/16", "2001::/32", "::/96", "::ffff:0:0:0/96", "fec0::/10"
    )
]  # fmt: skip
"""NAT64, 6to4, Teredo and older: IPv6 addresses that lead to an IPv4 address within, or inside a site."""


class HttpFailed(Exception):  # noqa: N818 - it failed; the name says so
    """No usable response came; `reason` is a sentence, `permanent` when trying again can't help."""

    def __init__(self, reason: str, *, permanent: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.permanent = permanent


class Request(Protocol):
    """What the protocol packages hand over."""

    @property
    def method(self) -> str: ...
    @property
    def url(self) -> str: ...
    @property
    def headers(self) -> Mapping[str, str]: ...
    @property
    def body(self) -> bytes | None: ...


@dataclass(frozen=True, slots=True)
class Response:
    """A whole response; header names are looked up in any case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Http:
    """Sends requests. `insecure` allows http and loopback, for practice and tests."""

    def __init__(self, *, insecure: bool = False, pool_size: int = 16) -> None:
        self._insecure = insecure
        self._session = requests.Session()
        self._session.trust_env = False
        adapter = _GuardedAdapter(insecure=insecure, pool_size=pool_size)
        self._session.mount("https://", adapter)
        self._session.mount("http://", adapter)

    def send(self, request: Request) -> Response:
        """Send and read the whole answer; raises HttpFailed, and RuntimeError inside a transaction."""
        if transaction.is_open():
            raise RuntimeError("no HTTP inside a database transaction")
        host = self._check(request.url)
        try:
            with _Watch(_TOTAL_SECONDS) as watch:
                try:
                    return self._exchange(request, watch)
                except requests.RequestException as error:
                    if watch.over:
                        raise HttpFailed(_TOO_SLOW) from error
                    raise HttpFailed(_why(error, host)) from error
        except AddressRefused as error:
            # A name may resolve elsewhere in a moment; an address that is written out never will.
            raise HttpFailed(str(error), permanent=_is_address(host)) from None
        except UnicodeError:
            raise HttpFailed(f"{host[:200]!r} is not the name of a host.", permanent=True) from None

    def _exchange(self, request: Request, watch: _Watch) -> Response:
        answer = self._session.request(
            request.method, request.url,
            headers={"User-Agent": USER_AGENT, **request.headers},
            data=request.body, timeout=(_CONNECT_SECONDS, _READ_SECONDS),
            allow_redirects=False, stream=True,
        )  # fmt: skip
        with answer:
            body = _bounded(answer)
        if watch.over:  # a line that we broke looks like the end of a body without a length
            raise HttpFailed(_TOO_SLOW)
        return Response(answer.status_code, CaseInsensitiveDict(answer.headers), body)

    def close(self) -> None:
        """Close every pooled connection."""
        self._session.close()

    def _check(self, url: str) -> str:
        allowed = {"https", "http"} if self._insecure else {"https"}
        try:
            parts = urlsplit(url) if len(url) <= _LONGEST_URL else None
        except ValueError:
            parts = None
        if parts is None or parts.scheme not in allowed or not parts.hostname or parts.username:
            raise HttpFailed(f"The address {url[:200]!r} is not an https address.", permanent=True)
        return parts.hostname


class _Watch:
    """Breaks a request's line once its time is up: time-outs of a socket begin anew with each byte."""

    def __init__(self, seconds: float) -> None:
        self.over = False
        self._line: socket.socket | None = None
        self._lock = threading.Lock()
        self._timer = threading.Timer(seconds, self._break)
        self._timer.daemon = True

    def __enter__(self) -> Self:
        self._before = _watch.set(self)
        self._timer.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()
        _watch.reset(self._before)
        with self._lock:
            self._drop()

    def hold(self, line: int) -> None:
        """Watch over a connection: by a copy of its descriptor, since TLS takes the socket itself away."""
        with self._lock:
            self._drop()
            self._line = socket.socket(fileno=os.dup(line))
        if self.over:
            self._break()

    def _break(self) -> None:
        with self._lock:
            self.over = True
            if self._line is not None:
                with suppress(OSError):
                    self._line.shutdown(socket.SHUT_RDWR)

    def _drop(self) -> None:
        if self._line is not None:
            self._line.close()
            self._line = None


_watch: ContextVar[_Watch] = ContextVar("watch")


class AddressRefused(Exception):  # noqa: N818 - a verdict; no OSError, which urllib3 would take for a broken line
    """The name resolves only to addresses that we don't connect to."""


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return True


def check_address(address: str, *, insecure: bool) -> None:
    """Refuse addresses that are not public; loopback passes when `insecure`."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    ip = getattr(ip, "ipv4_mapped", None) or ip
    tunnelled = ip.version == 6 and any(ip in network for network in _TUNNELS)  # noqa: PLR2004
    public = ip.is_global and not ip.is_multicast and not tunnelled
    if not public and not (insecure and ip.is_loopback):
        raise AddressRefused(f"The address {ip} is not public, so nothing is sent to it.")


def _bounded(answer: requests.Response) -> bytes:
    chunks, size = [], 0
    for chunk in answer.iter_content(65536):
        size += len(chunk)
        if size > _MAX_BYTES:
            raise HttpFailed(f"The answer is larger than {_MAX_BYTES // 2**20} MiB.")
        chunks.append(chunk)
    return b"".join(chunks)


def _why(error: requests.RequestException, host: str) -> str:
    if isinstance(error, requests.exceptions.SSLError):
        return f"The certificate of {host} can't be trusted."
    if isinstance(error, requests.exceptions.Timeout):
        return f"{host} did not answer in time."
    if isinstance(error, requests.exceptions.ConnectionError):
        return f"{host} can't be reached."
    return f"{host} gave no readable answer ({type(error).__name__})."


class _GuardedAdapter(HTTPAdapter):
    """Connects only where `check_address` allows."""

    def __init__(self, *, insecure: bool, pool_size: int) -> None:
        self._guarded_pools = {
            "http": _pool_class(HTTPConnectionPool, HTTPConnection, insecure=insecure),
            "https": _pool_class(HTTPSConnectionPool, HTTPSConnection, insecure=insecure),
        }
        super().__init__(pool_connections=pool_size, pool_maxsize=pool_size, max_retries=0)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = self._guarded_pools


def _pool_class(pool: Any, connection: Any, *, insecure: bool) -> Any:
    class Guarded(connection):  # type: ignore[misc]
        def _new_conn(self) -> socket.socket:
            made = _connect(self, insecure=insecure)
            _watch.get().hold(made.fileno())
            return made

        def request(self, *args: Any, **kwargs: Any) -> None:
            if self.sock is not None:  # one from the pool
                _watch.get().hold(self.sock.fileno())
            super().request(*args, **kwargs)

    return type("GuardedPool", (pool,), {"ConnectionCls": Guarded})


def _connect(connection: Any, *, insecure: bool) -> socket.socket:
    host, port = connection._dns_host, connection.port  # noqa: SLF001 - urllib3's own hook point
    refused: Exception | None = None
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError as error:
        raise requests.exceptions.ConnectionError(f"{host} can't be found") from error
    for *_, address in found:
        if _watch.get().over:
            break
        try:
            check_address(str(address[0]), insecure=insecure)
            return create_connection((str(address[0]), port), connection.timeout)
        except (OSError, AddressRefused) as error:
            refused = error
    if isinstance(refused, AddressRefused):
        raise refused
    raise requests.exceptions.ConnectionError(f"{host} can't be reached") from refused
