"""Where environments may live, and how an https environment proves who it is."""

from __future__ import annotations

import ipaddress
import json
import socket
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import pytest_asyncio
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from tests.gateway.raw_client import Answer
from tests.gateway.raw_upstream import raw_upstream
from tests.gateway.shared import OK, Share, Shared, sharing
from tests.installation import Installation, installation
from tests.operate.certificates import serving

pytestmark = pytest.mark.asyncio(loop_scope="session")


def _cause(shared: Shared, answer: Answer) -> str:
    request_id = json.loads(answer.body)["requestId"]
    [line] = [line for line in shared.server.log.splitlines() if f'"{request_id}"' in line]
    return str(json.loads(line)["cause"])


@pytest.mark.parametrize(
    "address",
    [
        "169.254.169.254",
        "169.254.0.1:8080",
        "100.100.100.200",
        "0.0.0.0:8069",
        "224.0.0.1",
        "[::]",
        "[::ffff:169.254.169.254]",
        "[::ffff:a9fe:a9fe]",
        "[64:ff9b::a9fe:a9fe]",
        "[64:ff9b:1::a9fe:a9fe]",
        "[::169.254.169.254]",
        "[::ffff:0:a9fe:a9fe]",
        "[2001:0:a9fe:a9fe::]",
        "[2001:db8::5efe:a9fe:a9fe]",
        "[fe80::1]",
        "[fd00:ec2::254]",
    ],
)
async def test_an_environment_at_a_denied_address_is_502_and_the_log_names_the_setting(
    share: Share, address: str
) -> None:
    shared = await share(f"http://{address}")
    answer = await shared.ask(b"GET /latest/meta-data/ HTTP/1.1")
    assert answer.status == 502
    assert "GUESTPASS_UPSTREAM_DENY" in _cause(shared, answer)


@pytest.mark.parametrize("listener", ["public_port", "admin_port"])
@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::ffff:127.0.0.1]"])
async def test_an_environment_that_is_our_own_listener_is_502_and_the_log_says_so(
    share: Share, server: Installation, host: str, listener: str
) -> None:
    shared = await share(f"http://{host}:{getattr(server, listener)}")
    answer = await shared.ask(b"GET /readyz HTTP/1.1")
    assert answer.status == 502
    assert "our own listeners" in _cause(shared, answer)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def with_lists() -> AsyncIterator[Installation]:
    async with installation(upstream_deny="127.0.0.0/8,10.0.0.0/8", upstream_allow="127.0.0.1") as running:
        yield running


async def test_allowed_addresses_are_reached_although_denied(with_lists: Installation) -> None:
    async with raw_upstream() as upstream, sharing(with_lists) as share:
        shared = await share(upstream)
        client = await shared.connect()
        client.send(shared.get(b"/allowed"))
        end = await upstream.accept()
        await end.head()
        end.send(OK)
        assert (await client.answer()).status == 200


@pytest.mark.parametrize("host", ["127.0.0.2", "[::ffff:127.0.0.2]"])
async def test_a_value_of_upstream_deny_is_kept_to(with_lists: Installation, host: str) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.2", 0))
        listener.listen()
        listener.setblocking(False)
        async with sharing(with_lists) as share:
            shared = await share(f"http://{host}:{listener.getsockname()[1]}")
            answer = await shared.ask(b"GET / HTTP/1.1")
            assert answer.status == 502
            assert "GUESTPASS_UPSTREAM_DENY" in _cause(shared, answer)
        with pytest.raises(BlockingIOError):
            listener.accept()


async def test_our_own_listeners_are_never_allowed(with_lists: Installation) -> None:
    async with sharing(with_lists) as share:
        shared = await share(f"http://127.0.0.1:{with_lists.public_port}")
        answer = await shared.ask(b"GET / HTTP/1.1")
        assert answer.status == 502
        assert "our own listeners" in _cause(shared, answer)


@dataclass(frozen=True)
class Certificate:
    """A certificate for 127.0.0.1, and the authority that made it."""

    authority: Path
    context: ssl.SSLContext


# From Python 3.13 on an authority is refused that does not say in this way too that it is one (RFC 5280, 4.2.1.3).
_SIGNS_CERTIFICATES = x509.KeyUsage(
    digital_signature=False,
    content_commitment=False,
    key_encipherment=False,
    data_encipherment=False,
    key_agreement=False,
    key_cert_sign=True,
    crl_sign=True,
    encipher_only=False,
    decipher_only=False,
)


def _certificate(folder: Path) -> Certificate:
    now = datetime.now(UTC)

    def named(name: str) -> x509.Name:
        return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])

    def begun(name: str, issuer: str, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder()
            .subject_name(named(name))
            .issuer_name(named(issuer))
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(hours=1))
            .not_valid_after(now + timedelta(days=1))
        )

    authority_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    authority = (
        begun("Test authority", "Test authority", authority_key)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(authority_key.public_key()), critical=False)
        .add_extension(_SIGNS_CERTIFICATES, critical=True)
        .sign(authority_key, hashes.SHA256())
    )
    certificate = (
        begun("environment", "Test authority", key)
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(authority_key.public_key()), critical=False)
        .sign(authority_key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    (folder / "authority.pem").write_bytes(authority.public_bytes(pem))
    (folder / "server.pem").write_bytes(
        certificate.public_bytes(pem)
        + key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return Certificate(folder / "authority.pem", serving(folder / "server.pem"))


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    return _certificate(tmp_path_factory.mktemp("certificate"))


async def test_a_certificate_that_nobody_vouches_for_is_502_and_the_log_says_why(
    share: Share, certificate: Certificate
) -> None:
    async with raw_upstream(certificate.context) as upstream:
        shared = await share(upstream)
        answer = await shared.ask(b"GET / HTTP/1.1")
        assert answer.status == 502
        assert "certificate verify failed" in _cause(shared, answer)
        assert upstream.accepted == 0


async def test_tls_without_verification_serves_and_keeps_the_connection(share: Share, certificate: Certificate) -> None:
    async with raw_upstream(certificate.context) as upstream:
        shared = await share(upstream, tlsVerify=False)
        client = await shared.connect()
        client.send(shared.get(b"/one"))
        end = await upstream.accept()
        assert (await end.head()).target == b"/one"
        end.send(OK)
        assert (await client.answer()).body == b"ok"
        client.send(shared.request(b"POST /two HTTP/1.1", b"Content-Length: 300000", body=b"x" * 300_000))
        assert (await end.head()).target == b"/two"
        assert len(await end.read(300_000)) == 300_000
        end.send(b"HTTP/1.1 200 OK\r\nContent-Length: 300000\r\n\r\n" + b"y" * 300_000)
        assert (await client.answer()).body == b"y" * 300_000


async def test_a_certificate_of_a_known_authority_is_accepted_for_its_own_name_only(
    certificate: Certificate, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate.authority))
    async with installation() as server, raw_upstream(certificate.context) as upstream, sharing(server) as share:
        shared = await share(upstream)
        client = await shared.connect()
        client.send(shared.get())
        end = await upstream.accept()
        await end.head()
        end.send(OK)
        assert (await client.answer()).body == b"ok"
        elsewhere = await share(f"https://localhost:{upstream.port}")
        answer = await elsewhere.ask(b"GET / HTTP/1.1")
        assert answer.status == 502
        assert "localhost" in _cause(elsewhere, answer)


async def test_a_plain_environment_behind_an_https_url_is_502(share: Share) -> None:
    async with raw_upstream() as upstream:
        upstream.greeting = b"HTTP/1.1 400 Bad Request\r\n\r\n"
        shared = await share(upstream.url.replace("http:", "https:"), tlsVerify=False)
        assert (await shared.ask(b"GET / HTTP/1.1")).status == 502
