"""Certificates that a test makes for itself."""

from __future__ import annotations

import ipaddress
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

_NAMES = ("localhost", "share.test", "*.links.test", "guestpass.test")


def write_pair(certificate: Path, key: Path, *, days: float = 60, serial: int = 1) -> None:
    """A certificate that vouches for itself, for so many days from now, and its key; as one step each."""
    private = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"Test {serial}")])
    now = datetime.now(UTC)
    names = [*map(x509.DNSName, _NAMES), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(private.public_key())
        .serial_number(serial)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=days))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .sign(private, hashes.SHA256())
    )
    _replace(certificate, made.public_bytes(serialization.Encoding.PEM))
    _replace(
        key,
        private.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ),
    )


def trusting(certificate: Path) -> ssl.SSLContext:
    """What a client needs to check it."""
    return ssl.create_default_context(cafile=str(certificate))


def serving(certificate: Path, key: Path | None = None) -> ssl.SSLContext:
    """What a server needs to show it; where there is no `key`, that lies in the same file."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    return context


def _replace(path: Path, data: bytes) -> None:
    draft = path.with_suffix(".new")
    draft.write_bytes(data)
    draft.rename(path)
