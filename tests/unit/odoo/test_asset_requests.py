"""An asset is fetched once for all visitors; what the cache can't answer goes to Odoo, and who waits may leave."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.unit.gateway.exchanges import OK, body_of, fields_of, status_of
from tests.unit.gateway.playbook import request
from tests.unit.odoo.assets.played import GET, PATH, answer, assets_of, fetch, icon, until

BODY = b"an icon"


async def test_an_asset_is_fetched_once_and_for_nobody_in_particular(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    async with assets_of(monkeypatch, tmp_path) as book:
        upstream = await fetch(book)
        asked = upstream.take()
        assert asked.startswith(b"GET " + PATH + b" HTTP/1.1\r\n")
        assert b"203.0.113.9" not in asked
        assert b"cookie" not in asked.lower()
        # Another one who asks meanwhile waits for the same.
        other = book.connect()
        other.deliver(GET)
        await book.settle()
        upstream.deliver(icon(BODY, b"Set-Cookie: session_id=ours"))
        for client in (book.client, other):
            got = await answer(book, BODY, client)
            assert status_of(got) == 200
            assert b"set-cookie" not in got.lower()
        for _ in range(2):
            book.client.deliver(GET)
            assert body_of(await answer(book, BODY)) == BODY
        assert book.upstreams == [upstream]


async def test_who_has_it_already_gets_304_without_odoo(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    async with assets_of(monkeypatch, tmp_path) as book:
        upstream = await fetch(book)
        upstream.deliver(icon(BODY))
        got = await answer(book, BODY)
        [tag] = [field.partition(b": ")[2] for field in fields_of(got) if field.lower().startswith(b"etag")]
        book.client.deliver(request(b"GET " + PATH + b" HTTP/1.1", b"If-None-Match: " + tag))
        unchanged = await answer(book, b"\r\n\r\n")
        assert status_of(unchanged) == 304
        assert book.upstreams == [upstream]


@pytest.mark.parametrize(
    "refused",
    [
        b"HTTP/1.1 404 NOT FOUND\r\nContent-Length: 0\r\n\r\n",
        icon(BODY, b"Vary: Cookie"),
        icon(BODY).replace(b"public", b"private"),
    ],
    ids=["absent", "by cookie", "private"],
)
async def test_what_may_not_be_kept_is_asked_of_odoo_for_each_visitor(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, refused: bytes
) -> None:
    async with assets_of(monkeypatch, tmp_path) as book:
        upstream = await fetch(book)
        upstream.deliver(refused)
        await until(book, lambda: len(book.upstreams) > 1 and bool(book.upstreams[-1].written))
        asked = book.upstreams[-1].take()
        assert asked.startswith(b"GET " + PATH + b" HTTP/1.1\r\n")
        assert b"203.0.113.9" in asked
        book.upstreams[-1].deliver(OK)
        assert body_of(await answer(book, b"ok")) == b"ok"


async def test_who_waits_for_an_asset_ends_with_the_link(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    async with assets_of(monkeypatch, tmp_path) as book:
        upstream = await fetch(book)
        book.end_link()
        upstream.deliver(icon(BODY))
        await book.settle()
        assert book.client.aborted
        assert book.client.take() == b""


async def test_who_leaves_while_it_is_fetched_leaves_it_to_the_next(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    async with assets_of(monkeypatch, tmp_path) as book:
        upstream = await fetch(book)
        other = book.connect()
        other.deliver(GET)
        await book.settle()
        book.client.break_off()
        upstream.deliver(icon(BODY))
        assert body_of(await answer(book, BODY, other)) == BODY
        assert book.upstreams == [upstream]
