"""TLS in front of a gateway, as a proxy brings it: a certificate of our own and a forwarder of bytes."""

from __future__ import annotations

import ipaddress
import socket
import ssl
from datetime import UTC, datetime
from pathlib import Path
from threading import Thread

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

_HOST = "127.0.0.1"


class Front:
    """Listens with TLS on a free port and forwards to a port that speaks plain HTTP."""

    def __init__(self, directory: Path) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(_certificate(directory))
        self._listener = socket.create_server((_HOST, 0))
        self._tls = context
        self.base_url = f"https://{_HOST}:{self._listener.getsockname()[1]}"

    def forward(self, port: int) -> None:
        Thread(target=self._accept, args=(port,), daemon=True).start()

    def close(self) -> None:
        self._listener.close()

    def _accept(self, port: int) -> None:
        while True:
            try:
                plain, _ = self._listener.accept()
            except OSError:
                return  # closed
            Thread(target=self._serve, args=(plain, port), daemon=True).start()

    def _serve(self, plain: socket.socket, port: int) -> None:
        try:
            with (
                self._tls.wrap_socket(plain, server_side=True) as outside,
                socket.create_connection((_HOST, port)) as inside,
            ):
                back = Thread(target=_pump, args=(inside, outside), daemon=True)
                back.start()
                _pump(outside, inside)
                back.join()
        except OSError:
            plain.close()  # the browser went away


def _pump(source: socket.socket, sink: socket.socket) -> None:
    try:
        while data := source.recv(65536):
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)
    except OSError:
        pass  # one side went away; the other notices


def _certificate(directory: Path) -> Path:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "Ostiary's tests")])
    made = (
        x509.CertificateBuilder()
        .subject_name(name).issuer_name(name).public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(datetime(2020, 1, 1, tzinfo=UTC)).not_valid_after(datetime(2100, 1, 1, tzinfo=UTC))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(_HOST))]), critical=False)
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    path = directory / "front.pem"
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + made.public_bytes(serialization.Encoding.PEM)
    )
    return path
