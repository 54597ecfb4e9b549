"""What an Odoo may say before it answers a question for an asset."""

from __future__ import annotations

import asyncio

import pytest

from guestpass.gateway.address_policy import AddressPolicy
from guestpass.odoo.assets.fetching import fetched
from guestpass.odoo.fairness.fair_queue import RequestQueue
from guestpass.odoo.http.requests import FixedName
from guestpass.wire.connector import Connector, UpstreamOrigin
from guestpass.wire.heads import MAX_HEAD, MAX_INTERIM
from guestpass.wire.resolver import Resolver
from guestpass.wire.response_reader import BrokenResponseError

INTERIM = b"HTTP/1.1 103 Early Hints\r\n\r\n"
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nasset"


async def fetch(said: bytes) -> bytes:
    """The body of what is fetched from an upstream that says this."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(said)
        await writer.drain()
        writer.close()

    connector = Connector(AddressPolicy(allow=[], deny=[], own_listeners=[]), Resolver())
    name = FixedName(b"odoo.test", b"https", b"https://odoo.test")
    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        origin = UpstreamOrigin("127.0.0.1", server.sockets[0].getsockname()[1], None)
        path = b"/web/assets/1/a.js"
        async with fetched(connector, origin, name, path, (), address=b"127.0.0.1", turns=RequestQueue(1)) as answer:
            assert answer.head.status == 200
            return b"".join([piece async for piece in answer.body])


async def test_some_interim_answers_are_passed_over() -> None:
    assert await fetch(INTERIM * MAX_INTERIM + ANSWER) == b"asset"


async def test_a_switch_of_protocols_that_nobody_asked_for_is_no_answer() -> None:
    with pytest.raises(BrokenResponseError, match="switched protocols"):
        await fetch(b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n" + ANSWER)


@pytest.mark.parametrize(
    "said",
    [
        INTERIM * (MAX_INTERIM + 1) + ANSWER,
        b"HTTP/1.1 200 OK\r\nX: %b\r\nContent-Length: 5\r\n\r\nasset" % (b"x" * MAX_HEAD),
    ],
    ids=["more of them", "a head that is too large"],
)
async def test_no_more_of_a_head_is_read_than_there_may_be(said: bytes) -> None:
    with pytest.raises(BrokenResponseError):
        await fetch(said)
