"""Behind a reverse proxy: its word counts where TRUSTED_PROXIES names it, and only there."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from tests.gateway.raw_upstream import RawUpstream
from tests.gateway.shared import Share, Shared, sharing
from tests.installation import Installation, installation

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def behind_proxy() -> AsyncIterator[Installation]:
    async with installation(trusted_proxies="127.0.0.0/8, 10.0.0.0/8") as running:
        yield running


@pytest_asyncio.fixture(loop_scope="session")
async def share_behind_proxy(behind_proxy: Installation) -> AsyncIterator[Share]:
    async with sharing(behind_proxy) as making:
        yield making


async def _forwarded(shared: Shared, upstream: RawUpstream, *fields: bytes) -> dict[bytes, bytes]:
    client = await shared.connect()
    client.send(shared.get(b"/", *fields))
    end = await upstream.accept()
    return {name.lower(): value for name, value in (await end.head()).fields}


@pytest.mark.parametrize(
    ("chain", "client"),
    [
        (b"203.0.113.9", b"203.0.113.9"),
        (b"203.0.113.9, 10.1.2.3", b"203.0.113.9"),
        (b"198.51.100.7, 203.0.113.9, 10.1.2.3,127.0.0.2", b"203.0.113.9"),
        (b"203.0.113.9, junk, 10.1.2.3", b"10.1.2.3"),
        (b"junk", b"127.0.0.1"),
        (b"2001:db8::1, ::ffff:10.1.2.3", b"2001:db8::1"),
        (b"", b"127.0.0.1"),
    ],
)
async def test_a_visitors_address_is_the_last_one_that_a_trusted_proxy_did_not_bear(
    share_behind_proxy: Share, upstream: RawUpstream, chain: bytes, client: bytes
) -> None:
    shared = await share_behind_proxy(upstream)
    fields = await _forwarded(shared, upstream, b"X-Forwarded-For: " + chain)
    assert fields[b"x-forwarded-for"] == client


async def test_the_host_that_a_trusted_proxy_forwards_is_the_host(
    share_behind_proxy: Share, upstream: RawUpstream
) -> None:
    shared = await share_behind_proxy(upstream)
    name = b"localhost:%d" % shared.server.public_port
    fields = await _forwarded(shared, upstream, b"X-Forwarded-Host: evil.example, " + name.upper())
    assert (fields[b"host"], fields[b"x-forwarded-host"]) == (name, name)


async def test_other_forwarding_fields_of_a_trusted_proxy_are_written_anew(
    share_behind_proxy: Share, upstream: RawUpstream
) -> None:
    shared = await share_behind_proxy(upstream)
    fields = await _forwarded(
        shared,
        upstream,
        b"X-Forwarded-Proto: https",
        b"X-Forwarded-Port: 443",
        b"X-Forwarded-Prefix: /x",
        b"X-Real-IP: 203.0.113.9",
        b"Forwarded: for=203.0.113.9",
    )
    assert set(fields) == {b"host", b"x-forwarded-for", b"x-forwarded-host", b"x-forwarded-proto"}
    assert fields[b"x-forwarded-proto"] == b"http", "the scheme is PUBLIC_URL's"


async def test_a_forwarded_host_that_is_not_ours_is_421(share_behind_proxy: Share, upstream: RawUpstream) -> None:
    shared = await share_behind_proxy(upstream)
    assert (await shared.ask(b"GET / HTTP/1.1", b"X-Forwarded-Host: evil.example")).status == 421
    assert upstream.accepted == 0


@pytest.mark.parametrize("host", [b"a b", b"127.0.0.1:x", b"user@127.0.0.1", b"\xe9", b"", b"127.0.0.1/x", b"[::1"])
async def test_a_forwarded_host_that_is_junk_is_400(
    share_behind_proxy: Share, upstream: RawUpstream, host: bytes
) -> None:
    shared = await share_behind_proxy(upstream)
    assert (await shared.ask(b"GET / HTTP/1.1", b"X-Forwarded-Host: " + host)).status == 400
    assert upstream.accepted == 0


async def test_a_proxy_that_is_not_trusted_is_named_once_in_the_log(upstream: RawUpstream) -> None:
    async with installation() as server, sharing(server) as share:
        shared = await share(upstream)
        assert "untrusted_proxy" not in server.log
        for _ in range(3):
            fields = await _forwarded(shared, upstream, b"X-Forwarded-For: 203.0.113.9")
            assert fields[b"x-forwarded-for"] == b"127.0.0.1"
        [warning] = [line for line in server.log.splitlines() if "untrusted_proxy" in line]
        assert "GUESTPASS_TRUSTED_PROXIES" in warning
