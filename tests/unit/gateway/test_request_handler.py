"""What is decided about a request without waiting for anything."""

from __future__ import annotations

import asyncio
import hmac
from collections import Counter
from types import SimpleNamespace
from typing import Any

import pytest
from tests.unit.gateway.playbook import TOKEN, Playbook, playing

from guestpass.app.link_cache import LinkEntry
from guestpass.signing import tokens

_SHARE_URL = f"GET /share/{TOKEN}?a=1 HTTP/1.1".encode()
_HOST = b"Host: share.example.com"
_BROWSER = (b"Sec-Fetch-Mode: navigate", b"Sec-Fetch-Dest: document", b"Sec-Fetch-Site: none")


def _ask(*lines: bytes) -> bytes:
    return b"\r\n".join([*lines, b"", b""])


async def _look_up(book: Playbook, token: str) -> LinkEntry | None:
    links = book.gateway.services.link_cache
    return (await links.look_up(links.recall(token))).entry


@pytest.fixture
def worked_out(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often a token's keyed hash and its checksum have been worked out."""
    counted: Counter[str] = Counter()
    checksum = tokens._checksum

    def digest(*given: Any) -> bytes:
        counted["hash"] += 1
        return hmac.digest(*given)

    def counted_checksum(secret: str) -> str:
        counted["checksum"] += 1
        return checksum(secret)

    monkeypatch.setattr(tokens, "hmac", SimpleNamespace(digest=digest))
    monkeypatch.setattr(tokens, "_checksum", counted_checksum)
    return counted


async def _answers_at_once(book: Playbook, *lines: bytes) -> bytes:
    """The answer to a request that no task works on; what a turn sends leaves at its end."""
    before = asyncio.all_tasks()
    book.client.deliver(_ask(*lines))
    assert asyncio.all_tasks() == before
    await asyncio.sleep(0)
    return book.client.take()


async def test_a_share_url_that_memory_knows_is_answered_in_the_same_turn(worked_out: Counter[str]) -> None:
    async with playing() as book:
        assert await _look_up(book, TOKEN) is not None
        worked_out.clear()
        answer = await _answers_at_once(book, _SHARE_URL, _HOST, *_BROWSER)
    assert answer.startswith(b"HTTP/1.1 303")
    assert b"\r\nLocation: /?a=1\r\n" in answer
    assert worked_out == {"hash": 1, "checksum": 1}


async def test_a_share_url_that_memory_does_not_know_is_worked_out_once_too(worked_out: Counter[str]) -> None:
    async with playing() as book:
        book.client.deliver(_ask(_SHARE_URL, _HOST, *_BROWSER))
        await book.settle()
        assert book.client.take().startswith(b"HTTP/1.1 303")
    assert worked_out == {"hash": 1, "checksum": 1}


@pytest.mark.parametrize(
    "token", ["gp_mistyped", TOKEN[:-1] + ("a" if TOKEN[-1] != "a" else "b")], ids=["too short", "one letter is wrong"]
)
async def test_what_is_no_token_is_refused_in_the_same_turn(token: str) -> None:
    async with playing() as book:
        answer = await _answers_at_once(book, f"GET /share/{token} HTTP/1.1".encode(), _HOST, *_BROWSER)
    assert answer.startswith(b"HTTP/1.1 404")


async def test_an_unknown_token_is_looked_for_once_and_then_refused_in_the_same_turn() -> None:
    async with playing() as book:
        wrong = book.gateway.services.link_cache._vault.new()
        assert await _look_up(book, wrong) is None
        answer = await _answers_at_once(book, f"GET /share/{wrong} HTTP/1.1".encode(), _HOST, *_BROWSER)
    assert answer.startswith(b"HTTP/1.1 404")
