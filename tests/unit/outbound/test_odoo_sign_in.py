"""Sign in to an Odoo and out of it."""

from __future__ import annotations

import asyncio

import pytest
from tests.storage.samples import make_environment
from tests.unit.outbound.upstreams import http_client

from guestpass.app.ports import NotSignedOut
from guestpass.domain.environment import OdooAddress
from guestpass.outbound.odoo_sign_in import OdooSignIn


@pytest.mark.parametrize(("status", "ends"), [(303, True), (200, True), (404, False), (502, False)])
async def test_a_session_is_ended_under_the_name_where_it_was_made(status: int, *, ends: bool) -> None:
    received: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        received.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(b"HTTP/1.1 %d Any\r\nContent-Length: 0\r\n\r\n" % status)
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        at = OdooAddress(make_environment().key, url, "https://odoo.example.com", tls_verify=True)
        if ends:
            await OdooSignIn(http_client()).sign_out(at, "the-id")
        else:
            with pytest.raises(NotSignedOut) as failed:
                await OdooSignIn(http_client()).sign_out(at, "the-id")
            assert failed.value.answered
    [head] = received
    lines = head.decode().split("\r\n")
    assert lines[0] == "GET /web/session/logout HTTP/1.1"
    assert {"Host: odoo.example.com", "X-Forwarded-Proto: https", "Cookie: session_id=the-id"} <= set(lines)


async def test_an_address_that_is_denied_by_now_is_told_nothing() -> None:
    reached: list[object] = []
    async with await asyncio.start_server(lambda *both: reached.append(both), "127.0.0.1", 0) as server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        at = OdooAddress(make_environment().key, url, url, tls_verify=True)
        with pytest.raises(NotSignedOut) as failed:
            await OdooSignIn(http_client(deny="127.0.0.0/8")).sign_out(at, "the-id")
    assert not failed.value.answered
    assert reached == []
