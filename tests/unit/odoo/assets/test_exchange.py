"""An asset on its way to a visitor: framing, slow readers, and links that end meanwhile."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.unit.gateway.exchanges import body_of, fields_of, status_of
from tests.unit.gateway.playbook import LINK_ID, Playbook, request
from tests.unit.odoo.assets.played import GET, PATH, answer, assets_of, fetch, icon, until

from guestpass.odoo.assets.bodies import LARGEST_IN_MEMORY
from guestpass.odoo.assets.files import PIECE

SMALL = b"an icon"
IN_MEMORY = b"m" * (3 * PIECE)
ON_DISK = b"d" * (LARGEST_IN_MEMORY + 2 * PIECE)


async def _kept(book: Playbook, body: bytes) -> None:
    """Have the asset in the cache, and the client served."""
    upstream = await fetch(book)
    upstream.deliver(icon(body))
    await until(book, lambda: body_of(book.client.written) == body)
    book.client.take()


async def _sent_in_part(book: Playbook) -> bytes:
    """What a client gets that stops reading in the body."""
    book.client.takes_at_most = 1000
    book.client.deliver(GET)
    await until(book, lambda: book.client.takes_at_most is None)
    await book.settle()
    return book.client.take()


@pytest.mark.parametrize(
    ("line", "fields", "kept", "said"),
    [
        (b"GET %b HTTP/1.1", (), True, None),
        (b"GET %b HTTP/1.1", (b"Connection: close",), False, b"Connection: close"),
        (b"GET %b HTTP/1.0", (b"Connection: keep-alive",), True, b"Connection: keep-alive"),
        (b"GET %b HTTP/1.0", (), False, b"Connection: close"),
    ],
)
async def test_the_connection_is_kept_as_its_client_asks(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    line: bytes,
    fields: tuple[bytes, ...],
    *,
    kept: bool,
    said: bytes | None,
) -> None:
    async with assets_of(monkeypatch, tmp_path) as book:
        await _kept(book, SMALL)
        book.client.deliver(request(line % PATH, *fields))
        got = await answer(book, SMALL)
        assert [field for field in fields_of(got) if field.startswith(b"Connection")] == ([said] if said else [])
        assert b"Content-Length: %d" % len(SMALL) in fields_of(got)
        await book.settle()
        assert (book.client.is_closing() or book.client.finished_writing) is not kept


async def test_head_gets_the_length_and_no_body(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    async with assets_of(monkeypatch, tmp_path) as book:
        await _kept(book, SMALL)
        book.client.deliver(request(b"HEAD " + PATH + b" HTTP/1.1"))
        got = await answer(book, b"\r\n\r\n")
        assert status_of(got) == 200
        assert b"Content-Length: %d" % len(SMALL) in fields_of(got)


@pytest.mark.parametrize("body", [IN_MEMORY, ON_DISK], ids=["in memory", "on disk"])
async def test_a_client_that_stops_reading_gets_the_rest_when_it_goes_on(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, body: bytes
) -> None:
    async with assets_of(monkeypatch, tmp_path) as book:
        await _kept(book, body)
        sent = await _sent_in_part(book)
        assert len(body_of(sent)) < len(body)
        book.client.protocol.resume_writing()
        await until(book, lambda: len(body_of(sent)) + len(book.client.written) == len(body))
        assert body_of(sent) + book.client.take() == body
        # The next request on the connection is served too.
        book.client.deliver(GET)
        await until(book, lambda: body_of(book.client.written) == body)


@pytest.mark.parametrize("body", [IN_MEMORY, ON_DISK], ids=["in memory", "on disk"])
async def test_what_is_on_its_way_is_cut_when_its_link_ends(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, body: bytes
) -> None:
    async with assets_of(monkeypatch, tmp_path) as book:
        await _kept(book, body)
        sent = await _sent_in_part(book)
        book.end_link()
        await book.settle()
        assert book.client.aborted
        assert len(body_of(sent)) + len(book.client.written) < len(body)


async def test_a_client_that_leaves_in_the_middle_leaves_nothing_open(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    async with assets_of(monkeypatch, tmp_path) as book:
        await _kept(book, ON_DISK)
        entry = book.gateway.services.link_cache.get(LINK_ID)
        assert entry is not None
        await _sent_in_part(book)
        assert entry.live
        book.client.break_off()
        await book.settle()
        assert not entry.live
