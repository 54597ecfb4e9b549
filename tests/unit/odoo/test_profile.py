"""What a visitor hears whose request waits for something that does not come."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import cast

import pytest
from tests.unit.gateway import playbook
from tests.unit.gateway.playbook import LINK_ID, playing, request

from guestpass.app.visitor_sessions import VisitorSessions
from guestpass.app.visitor_slots import VisitorSlots
from guestpass.domain.environment import Kind
from guestpass.domain.visitor_pass import VisitorPass


class _Sessions:
    """Ends no session: the database is away, or keeps whoever asks waiting."""

    def __init__(self, *, is_away: bool) -> None:
        self._is_away = is_away
        self.may_end = asyncio.Event()

    async def end(self, *_: object) -> None:
        if self._is_away:
            raise RuntimeError("the database is away")
        await self.may_end.wait()


class _Places:
    async def leave(self, passes: Sequence[VisitorPass]) -> None:
        """The visit is ended in the database, which is there so far."""


@pytest.mark.parametrize("is_away", [True, False], ids=["the database is away", "the link ends meanwhile"])
async def test_who_logs_out_is_answered_although_nothing_is_written(
    monkeypatch: pytest.MonkeyPatch, is_away: bool
) -> None:
    monkeypatch.setattr(playbook, "_ENVIRONMENT", replace(playbook._ENVIRONMENT, kind=Kind.ODOO))
    sessions = _Sessions(is_away=is_away)
    async with playing(sessions=cast("VisitorSessions", sessions), slots=cast("VisitorSlots", _Places())) as book:
        entry = book.gateway.services.link_cache.get(LINK_ID)
        assert entry is not None
        entry.link = replace(entry.link, account="anna")
        book.client.deliver(request(b"GET /web/session/logout HTTP/1.1"))
        await book.settle()
        if not is_away:
            # Leaving ends what the visitor has open, and this request must not be among that.
            book.end_link()
            await book.settle()
            assert book.client.written == b""
            sessions.may_end.set()
            await book.settle()
        assert not book.client.aborted
        assert (b'"code": "unavailable"' if is_away else b'"code": "visit_ended"') in book.client.written
        assert not entry.live
