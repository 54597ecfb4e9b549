"""What a visitor hears whose request waits for something that does not come."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import cast

import pytest
from tests.unit.gateway import playbook
from tests.unit.gateway.playbook import LINK_ID, playing, request

from guestpass.app.visitor_sessions import VisitorSessions
from guestpass.domain.environment import Kind


class _Sessions:
    """Ends no session: the database is away, or keeps whoever asks waiting."""

    def __init__(self, *, is_away: bool) -> None:
        self._is_away = is_away
        self.may_end = asyncio.Event()

    async def end(self, *_: object) -> None:
        if self._is_away:
            raise RuntimeError("the database is away")
        await self.may_end.wait()


@pytest.mark.parametrize("is_away", [True, False], ids=["the database is away", "the link ends meanwhile"])
async def test_who_logs_out_is_answered_although_nothing_is_written(
    monkeypatch: pytest.MonkeyPatch, is_away: bool
) -> None:
    monkeypatch.setattr(playbook, "_ENVIRONMENT", replace(playbook._ENVIRONMENT, kind=Kind.ODOO))
    async with playing() as book:
        entry = book.gateway.directory.get(LINK_ID)
        assert entry is not None
        entry.link = replace(entry.link, account="anna")
        sessions = _Sessions(is_away=is_away)
        monkeypatch.setattr(book.gateway.odoo, "_sessions", cast("VisitorSessions", sessions))
        book.client.deliver(request(b"GET /web/session/logout HTTP/1.1"))
        await book.settle()
        if not is_away:
            book.end_link()
            await book.settle()
        assert book.client.written.startswith(b"HTTP/1.1 503 ") if is_away else book.client.aborted
        assert not entry.live
        sessions.may_end.set()
