"""A server that is none of ours: it answers as the test says, by HTTP or HTTPS."""

from __future__ import annotations

import json
import ssl
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from tests.operate.certificates import serving

Played = tuple[int, dict[str, str], bytes]


def data(body: Any, *, status: int = 200, media_type: str = "application/json") -> Played:
    return status, {"Content-Type": media_type}, json.dumps(body).encode()


def problem(status: int, code: str, detail: str = "No.") -> Played:
    body = {"type": "about:blank", "title": "", "status": status, "code": code, "detail": detail, "requestId": "r-1"}
    return data(body, status=status, media_type="application/problem+json")


@contextmanager
def playing(
    answers: Mapping[str, Played], default: Played, *, tls: ssl.SSLContext | None = None, ahead: timedelta = timedelta()
) -> Iterator[str]:
    """The address of a server that answers by the path; its clock is so far `ahead`."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, fields, body = answers.get(self.path.partition("?")[0], default)
            self.send_response(status)
            for name, value in (fields | {"Content-Length": str(len(body))}).items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def date_time_string(self, timestamp: float | None = None) -> str:  # noqa: ARG002 as the base class has it
            return format_datetime(datetime.now(UTC) + ahead, usegmt=True)

        def log_message(self, format: str, *args: Any) -> None: ...

    class Server(ThreadingHTTPServer):
        def handle_error(self, request: Any, client_address: Any) -> None:
            """A client that does not like our certificate is no error of the test."""

    server = Server(("127.0.0.1", 0), Handler)
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield f"{'https' if tls else 'http'}://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def certificate(folder: Path, *, days: int = 90) -> tuple[ssl.SSLContext, Path]:
    """A context with a certificate for 127.0.0.1 that nobody but itself vouches for, and its file."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "played")])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=days))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    (folder / "authority.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    (folder / "key.pem").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return serving(folder / "authority.pem", folder / "key.pem"), folder / "authority.pem"
