"""No visitor occupies one of Odoo's two workers, however slowly they send or read."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import httpx2
import pytest
import pytest_asyncio
from tests.doubles.odoo.handle import Odoo
from tests.installation import Installation
from tests.links.waiting import until
from tests.odoo.slow import Slow
from tests.odoo.visitor import NAVIGATION, Visitor, opened

pytestmark = pytest.mark.asyncio(loop_scope="session")

MIB = 1024 * 1024
LARGE = "/web/static/double/20000000/large.bin?v=1"
"""The query keeps it out of the asset cache, so it is Odoo's to give."""


@pytest_asyncio.fixture(loop_scope="session")
async def slow(visitor: Visitor) -> AsyncIterator[Slow]:
    async with AsyncExitStack() as stack:
        yield Slow(visitor, stack)


async def test_uploads_that_pause_hold_no_worker_and_arrive_whole_in_the_end(visitor: Visitor, slow: Slow) -> None:
    uploads = []
    for _ in range(6):
        upload = await slow.send("POST /web/double/echo HTTP/1.1", "Content-Length: 300000", "Content-Type: text/plain")
        upload.send(b"x" * 150_000)
        uploads.append(upload)

    page = await visitor.get("/contactus")
    assert page.status_code == 200
    assert visitor.odoo.requests("/web/double/echo") == [], "Odoo hears of a request when it is whole"

    for upload in uploads:
        upload.send(b"x" * 150_000)
        await upload.answer(to=b"POST")
    assert [seen["body_bytes"] for seen in visitor.odoo.requests("/web/double/echo")] == [300_000] * 6


async def test_a_chunked_upload_goes_up_with_its_length(visitor: Visitor, slow: Slow) -> None:
    upload = await slow.send("POST /web/double/echo HTTP/1.1", "Transfer-Encoding: chunked")
    for _ in range(30):
        upload.send(b"10000\r\n" + b"y" * 65_536 + b"\r\n")
    upload.send(b"0\r\n\r\n")
    assert (await upload.answer(to=b"POST")).status == 404, "Odoo's own answer"
    [seen] = visitor.odoo.requests("/web/double/echo")
    fields = {name.lower(): value for name, value in seen["fields"]}
    assert fields["content-length"] == str(30 * 65_536)
    assert "transfer-encoding" not in fields
    assert seen["body_bytes"] == 30 * 65_536


async def test_who_waits_for_permission_gets_it_from_us_and_not_beyond_the_limit(visitor: Visitor, slow: Slow) -> None:
    upload = await slow.send("POST /web/double/echo HTTP/1.1", "Content-Length: 5", "Expect: 100-continue")
    assert (await upload.head()).status == 100
    upload.send(b"hello")
    await upload.answer(to=b"POST")
    [seen] = visitor.odoo.requests("/web/double/echo")
    assert "expect" not in {name.lower() for name, _ in seen["fields"]}

    limit = visitor.environment["bodyLimit"]
    too_large = await slow.send("POST /x HTTP/1.1", f"Content-Length: {limit + 1}", "Expect: 100-continue")
    answer = await too_large.answer(to=b"POST")
    assert answer.status == 413
    assert b'"error"' in answer.body


@pytest.mark.double_only("has files of any size under any name")
async def test_readers_that_dawdle_hold_no_worker_and_get_everything(visitor: Visitor, slow: Slow) -> None:
    readers = [await slow.send(f"GET {LARGE} HTTP/1.1", receive_buffer=4096) for _ in range(4)]

    async def all_given() -> bool:
        seen = visitor.odoo.requests(LARGE.partition("?")[0])
        return len(seen) == 4 and all(each["complete"] for each in seen)

    await until(all_given)
    assert (await visitor.get("/contactus")).status_code == 200
    whole = httpx2.get(f"{visitor.odoo.url}{LARGE}").content
    assert len(whole) == 20_000_000
    for reader in readers:
        assert (await reader.answer()).body == whole


async def test_forty_requests_at_once_wait_for_their_turn_and_are_all_answered(visitor: Visitor, slow: Slow) -> None:
    visitor.odoo.trouble("/slow", held=True)
    held = [await slow.send("GET /slow HTTP/1.1") for _ in range(40)]

    async def at_work() -> bool:
        return len(visitor.odoo.requests("/slow")) >= 1

    await until(at_work)
    visitor.odoo.release()
    for client in held:
        await client.answer()
    assert len(visitor.odoo.requests("/slow")) == 40


async def test_an_end_of_the_link_while_a_request_waits_keeps_it_from_odoo(visitor: Visitor, slow: Slow) -> None:
    upload = await slow.send("POST /web/double/echo HTTP/1.1", "Content-Length: 10", "Content-Type: text/plain")
    upload.send(b"half.")
    await visitor.server.deactivate(visitor.environment["id"], visitor.link["id"])
    await upload.gone()
    assert visitor.odoo.requests("/web/double/echo") == []


async def test_who_leaves_lets_odoo_go(visitor: Visitor, slow: Slow) -> None:
    visitor.odoo.trouble("/slow", held=True)
    clients = [await slow.send("GET /slow HTTP/1.1") for _ in range(2)]

    async def at_work() -> bool:
        return len(visitor.odoo.requests("/slow")) == 2

    await until(at_work)
    for client in clients:
        client.reset()
    visitor.odoo.release()
    async with asyncio.timeout(60):
        assert (await visitor.get("/contactus")).status_code == 200


UPGRADE = (
    "Upgrade: websocket",
    "Connection: Upgrade",
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
)


async def test_a_page_that_is_asked_for_as_a_socket_is_a_page_like_any_other(visitor: Visitor, slow: Slow) -> None:
    page = await (await slow.send("GET /contactus HTTP/1.1", *UPGRADE)).answer()
    assert page.status == 200
    assert page.get(b"cache-control") == b"no-store"
    [seen] = visitor.odoo.requests("/contactus")
    assert "upgrade" not in {name.lower() for name, _ in seen["fields"]}


async def test_where_no_bus_was_found_its_paths_hold_no_worker_either(
    server: Installation, odoo: Odoo, tmp_path: Path
) -> None:
    async with opened(server, odoo, name=tmp_path.name, websocketUrl=None) as visitor, AsyncExitStack() as stack:
        slow = Slow(visitor, stack)
        uploads = []
        for path in ("/longpolling/poll", "/websocket/peek_notifications", "/websocket"):
            upload = await slow.send(f"POST {path} HTTP/1.1", "Content-Length: 4", "Content-Type: application/json")
            upload.send(b"{")
            uploads.append(upload)
        assert (await visitor.get("/contactus")).status_code == 200
        assert [seen["target"] for seen in odoo.requests()] == ["/contactus"]
        for upload in uploads:
            upload.send(b"}  ")
            await upload.answer(to=b"POST")


async def test_each_request_is_a_connection_of_its_own_and_none_is_opened_ahead(visitor: Visitor) -> None:
    before = visitor.odoo.state()["connections"]
    for _ in range(5):
        await visitor.get("/contactus")
    assert visitor.odoo.state()["connections"] == before + 5


async def _taken(visitor: Visitor) -> None:
    """Return when all that was sent before has been read: what comes later, on connections of its own, is answered."""
    for _ in range(2):
        async with httpx2.AsyncClient(base_url=visitor.origin, cookies=visitor.web.cookies) as web:
            assert (await web.get("/robots.txt")).status_code == 200


async def test_a_visitor_with_many_requests_does_not_hold_up_another(
    server: Installation, odoo: Odoo, tmp_path: Path
) -> None:
    async with opened(server, odoo, name=tmp_path.name, maxConcurrent=1) as first, AsyncExitStack() as stack:
        web = await stack.enter_async_context(httpx2.AsyncClient(base_url=first.origin))
        assert (await web.get(first.link["url"], headers=NAVIGATION)).status_code == 303
        second = Visitor(server, odoo, first.environment, first.link, web)
        odoo.trouble("/slow", held=True)
        many = [await Slow(first, stack).send("GET /slow HTTP/1.1") for _ in range(30)]
        await _taken(first)
        one = await Slow(second, stack).send("GET /slow?second HTTP/1.1")
        await _taken(first)
        odoo.release()
        for client in (*many, one):
            await client.answer()
        order = [seen["target"] for seen in odoo.requests("/slow")]
        assert len(order) == 31
        # One was at Odoo already, and one of the other visitor's may have been next.
        assert order.index("/slow?second") <= 2


async def test_who_finds_the_queue_full_is_told_when_to_come_back(visitor: Visitor, slow: Slow) -> None:
    visitor.odoo.trouble("/slow", held=True)
    at_odoo, waiting = visitor.environment["maxConcurrent"], 100
    clients = [await slow.send("GET /slow HTTP/1.1") for _ in range(at_odoo + waiting)]
    await _taken(visitor)
    refused = await (await slow.send("GET /slow HTTP/1.1")).answer()
    assert refused.status == 503
    assert int(refused.get(b"retry-after") or b"0") > 0
    call = await visitor.call("/web/webclient/version_info")
    assert call.status_code == 200
    assert "very busy" in call.json()["error"]["data"]["message"]
    visitor.odoo.release()
    for client in clients:
        assert (await client.answer()).status == 404
    assert len(visitor.odoo.requests()) == len(clients)
