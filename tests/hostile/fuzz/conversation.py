"""Play bytes through the gateway's own protocols in memory, and keep what it made of them.

Between a client's wire and the environment's runs the code that serves visitors; only transports and the clock, which
stands still, are played.
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, TypeVar, cast

from tests.hostile.fuzz.grammar import pieces
from tests.unit.gateway.playbook import LINK_ID, Playbook, Wire, playing, request

from guestpass.app.link_cache import LinkEntry
from guestpass.domain.environment import Kind
from guestpass.gateway.request_handler import RequestHandler
from guestpass.wire.client_connection import ClientConnection, ConnectionHandler
from guestpass.wire.exchange import Exchange
from guestpass.wire.heads import RequestHead
from guestpass.wire.roles import Cuttable
from guestpass.wire.upstream_connection import UpstreamConnection

T = TypeVar("T")

NOTHING: Final = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
_TICKS: Final = 6
_TURNS: Final = 40


class _StillLoop(asyncio.SelectorEventLoop):
    """No time passes, so how fast the machine is decides nothing."""

    def time(self) -> float:
        return 0.0


def run(conversation: Coroutine[Any, Any, T]) -> T:
    """Run one conversation in a loop of its own."""
    with asyncio.Runner(loop_factory=lambda: _StillLoop(selectors.SelectSelector())) as runner:
        return runner.run(conversation)


@dataclass(slots=True)
class Accepted:
    """One head as the gateway read it, and the exchange that it began; None where the gateway answered by itself."""

    head: RequestHead
    exchange: Exchange | None = None


class _WatchingHandler:
    """Handles like another one, and keeps the heads that clients have sent."""

    def __init__(self, handler: RequestHandler, accepted: list[Accepted]) -> None:
        self._handler = handler
        self._accepted = accepted

    def __getattr__(self, name: str) -> Any:
        return getattr(self._handler, name)

    def receive(self, client: ClientConnection, head: RequestHead) -> None:
        self._accepted.append(Accepted(head))
        self._handler.receive(client, head)


class _WatchingLive(set[Cuttable]):
    """What is open through a link; keeps the exchange that the latest head has begun."""

    def __init__(self, accepted: list[Accepted]) -> None:
        super().__init__()
        self._accepted = accepted

    def add(self, each: Cuttable, /) -> None:
        if isinstance(each, Exchange):
            self._accepted[-1].exchange = each
        super().add(each)


@dataclass(slots=True)
class Heard:
    """What became of a client's bytes: the heads read, the bytes that went up on each connection, and the answers.

    `waits` says that the gateway waits for more of the last request's body.
    """

    accepted: list[Accepted] = field(default_factory=list)
    upstream: list[bytes] = field(default_factory=list)
    answers: bytes = b""
    waits: bool = False


def _is(book: Playbook, kind: Kind) -> LinkEntry:
    """From now on the environment is of that kind; returns what is known of the link."""
    entry = book.gateway.services.link_cache.get(LINK_ID)
    assert entry is not None
    entry.environment = replace(entry.environment, kind=kind)
    return entry


def _exchange_on(wire: Wire) -> Exchange | None:
    return cast("Exchange | None", cast("UpstreamConnection", wire.protocol).exchange)


async def requests(data: bytes, cuts: Sequence[int], *, early: bool = False, kind: Kind = Kind.WEB) -> Heard:
    """Let a client send `data`; the environment answers each request when it is whole, or as soon as it is `early`."""
    async with playing() as book:
        accepted: list[Accepted] = []
        _is(book, kind).live = _WatchingLive(accepted)
        handler = cast("ConnectionHandler", _WatchingHandler(book.handler, accepted))
        gateway, patience = book.gateway, book.gateway.services.limits.caps.patience
        connection = ClientConnection(gateway.runtime, gateway.lifecycle, handler, patience=patience)
        client = Wire(connection)
        for piece in pieces(data, cuts):
            if client.is_closing():
                break
            client.deliver(piece)
            await _answer_all(book, client, early=early)
        last = accepted[-1].exchange if accepted else None
        waits = last is not None and not (last.is_over or last.request_done) and connection.is_open
        heard = Heard(accepted, [wire.written for wire in book.upstreams], client.written, waits=waits)
        client.abort()
        await book.settle(_TICKS)
        return heard


async def _answer_all(book: Playbook, client: Wire, *, early: bool) -> None:
    for _ in range(_TURNS):
        await book.settle(_TICKS)
        waiting = [
            wire for wire in book.upstreams if (each := _exchange_on(wire)) is not None and (early or each.request_done)
        ]
        if not waiting or client.is_closing():
            return
        for wire in waiting:
            wire.deliver(NOTHING)


INNOCENT: Final = b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\nX-Answer: innocent\r\n\r\ninnocent"


@dataclass(slots=True)
class Answered:
    """What a client was told: `closed` is how its connection ended, None where it is open still."""

    said: bytes
    ended: str | None


async def answers(asked: bytes, said: bytes, cuts: Sequence[int], *, ends: bool, kind: Kind = Kind.WEB) -> Answered:
    """Let an environment say `said` to the request `asked`, and close behind it where it `ends`.

    When all of that has arrived, the client asks for ``/innocent``, which any new connection answers well.
    """
    async with playing() as book:
        _is(book, kind)
        client = book.client
        client.deliver(asked)
        await book.settle(_TICKS)
        [wire] = book.upstreams
        wire.take()
        for piece in pieces(said, cuts):
            if not wire.is_closing():
                wire.deliver(piece)
                await book.settle(_TICKS)
        if ends and not wire.lost:
            wire.deliver_end()
            await book.settle(_TICKS)
        if not client.is_closing() and not client.finished_writing:
            client.deliver(request(b"GET /innocent HTTP/1.1"))
            await book.settle(_TICKS)
            for each in book.upstreams:
                if b"/innocent" in each.written and not each.is_closing():
                    each.deliver(INNOCENT)
            await book.settle(_TICKS)
        ended = "aborted" if client.aborted else "closed" if client.lost or client.finished_writing else None
        answered = Answered(client.written, ended)
        client.abort()
        await book.settle(_TICKS)
        return answered
