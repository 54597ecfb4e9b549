"""The end of a connection to an upstream."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from guestpass.wire.upstream_connection import CLOSE_SECONDS, UpstreamConnection
from guestpass.wire.write_buffer import FlushQueue


class _Transport(asyncio.Transport):
    """One that closes when the other side has taken all; `waits` are the bytes that it has yet to take."""

    def __init__(self, waits: int) -> None:
        super().__init__()
        self._waits = waits
        self.is_dropped = False

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """Nothing is written here."""

    def get_write_buffer_size(self) -> int:
        return self._waits

    def close(self) -> None:
        """It waits."""

    def abort(self) -> None:
        self.is_dropped = True


@pytest.mark.parametrize("waits", [1, 0])
async def test_an_upstream_that_never_takes_the_rest_does_not_keep_its_connection(
    monkeypatch: pytest.MonkeyPatch, waits: int
) -> None:
    loop, later = asyncio.get_running_loop(), dict[float, Callable[[], None]]()
    monkeypatch.setattr(loop, "call_later", later.__setitem__)
    transport, connection = _Transport(waits), UpstreamConnection(FlushQueue(loop))
    connection.connection_made(transport)
    connection.close()
    assert not transport.is_dropped
    assert list(later) == [CLOSE_SECONDS][:waits]
    for drop in later.values():
        drop()
    assert transport.is_dropped is bool(waits)
