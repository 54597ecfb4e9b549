"""Until a connection stands nothing was sent, so whoever has one made is judged again when it does."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any, cast
from unittest.mock import Mock

import pytest
from tests.storage.samples import make_environment, make_link
from tests.unit.gateway.requests import request

from guestpass.app.link_cache import LinkEntry
from guestpass.domain.reasons import Reason
from guestpass.wire.exchange import Exchange


class SlowPool:
    """Has no idle connection, and makes one when it is told to."""

    def __init__(self) -> None:
        self.connected = asyncio.Event()
        self.connection = Mock(lost=False)

    def take(self, *_args: object, **_named: object) -> None:
        return None

    async def connect(self, _upstream: object) -> Mock:
        await self.connected.wait()
        return self.connection


@pytest.mark.parametrize("reason", [None, Reason.LINK_EXPIRED, Reason.PASS_MISSING])
@pytest.mark.parametrize("line", ["GET /", "POST /"])
async def test_a_request_whose_connection_took_its_time_is_judged_again(line: str, reason: Reason | None) -> None:
    pool = SlowPool()
    entry = LinkEntry(make_link(), make_environment())
    async with asyncio.TaskGroup() as tasks:
        runtime = SimpleNamespace(pool=pool, spawn=tasks.create_task, loop=asyncio.get_running_loop())
        client = Mock(patience=10.0, write_paused=False)
        owner = Mock(reason=lambda: reason, live=entry.live, visitor="anna")
        exchange = Exchange(
            client, cast("Any", runtime), request(line), b"the head", Mock(), Mock(),
            body_limit=1, response_timeout=1, owner=owner,
        )  # fmt: skip
        exchange.begin()
        assert entry.live == {exchange}
        pool.connected.set()
    if reason is None:
        pool.connection.write.assert_called_once_with(b"the head")
        client.refuse.assert_not_called()
    else:
        pool.connection.write.assert_not_called()
        pool.connection.abort.assert_called_once_with()
        client.refuse.assert_called_once_with(reason, None, read=True, request_id=None)
        assert entry.live == set()
