"""Certificates are renewed and workers replaced while visitors come, and none of them notices."""

from __future__ import annotations

import asyncio
import signal
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from cryptography import x509
from tests.gateway.raw_client import RawClient
from tests.installation import Installation, installation
from tests.links.waiting import until
from tests.operate.certificates import trusting, write_pair
from tests.supervisor.processes import SECONDS, until_gone, worker_ids

pytestmark = pytest.mark.asyncio(loop_scope="session")

VISITORS = 4
ENOUGH = 8
"""Visits one after the other of which each worker serves one, as good as surely."""


@dataclass
class Visits:
    """What visitors have seen: the serial number of the certificate at each of their connections."""

    serials: list[int] = field(default_factory=list)
    is_over: bool = False


def any_certificate() -> ssl.SSLContext:
    """They vouch for themselves, each for itself alone; what is checked here is which one is shown."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


async def visit_on_and_on(server: Installation, visits: Visits) -> None:
    """New connections, one after the other, with two requests on each; whatever fails is raised."""
    trust = any_certificate()
    request = b"GET / HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n\r\n" % server.public_port
    while not visits.is_over:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.public_port, ssl=trust)
        client = RawClient(reader, writer)
        shown = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
        client.send(request)
        first = await client.answer()
        assert first.status == 401
        # A worker that is being replaced says with an answer that it is the last.
        if first.get(b"connection") != b"close":
            client.send(request)
            assert (await client.answer()).status == 401
        await client.close()
        visits.serials.append(x509.load_der_x509_certificate(shown).serial_number)


@asynccontextmanager
async def visited(server: Installation) -> AsyncIterator[Visits]:
    visits = Visits()
    async with asyncio.TaskGroup() as tasks:
        for _ in range(VISITORS):
            tasks.create_task(visit_on_and_on(server, visits))
        yield visits
        visits.is_over = True


async def until_all_see(visits: Visits, serial: int) -> None:
    async def do_all() -> bool:
        lately = visits.serials[-ENOUGH * VISITORS :]
        return len(lately) == ENOUGH * VISITORS and set(lately) == {serial}

    await until(do_all, SECONDS)


async def test_no_visitor_notices_that_certificates_and_workers_are_replaced(tmp_path: Path) -> None:
    certificate, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    write_pair(certificate, key)
    async with installation(
        workers=2, trust=trusting(certificate), tls_cert=str(certificate), tls_key=str(key), drain="5s"
    ) as server:
        async with visited(server) as visits:
            await until_all_see(visits, 1)
            for serial in (2, 3):
                write_pair(certificate, key, serial=serial)
                await until_all_see(visits, serial)
            before = worker_ids(server)
            server.process.send_signal(signal.SIGHUP)
            write_pair(certificate, key, serial=4)
            await until_gone(*before)
            await until_all_see(visits, 4)
        assert len(worker_ids(server)) == 2
