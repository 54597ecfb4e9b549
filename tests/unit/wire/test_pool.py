"""Idle connections to upstreams, over real sockets: what may carry another request, and whose."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from guestpass.gateway.address_policy import AddressPolicy
from guestpass.wire.connector import Connector, UpstreamOrigin
from guestpass.wire.pool import Holder, Pool, Upstream
from guestpass.wire.resolver import Resolver
from guestpass.wire.upstream_connection import UpstreamConnection
from guestpass.wire.write_buffer import FlushQueue

ANNA: Holder = ("aaaaaaaaaaaaaaaa", "anna")
BERT: Holder = ("aaaaaaaaaaaaaaaa", "bert")
MOST = 256


class Stage:
    """A pool, and an upstream that takes connections; `ends` are its ends of them."""

    def __init__(self, listener: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        self.pool = Pool(
            loop, Connector(AddressPolicy(allow=[], deny=[], own_listeners=[]), Resolver()), FlushQueue(loop)
        )
        self.upstream = Upstream("environment", 1, UpstreamOrigin("127.0.0.1", listener.getsockname()[1], None))
        self.ends: list[socket.socket] = []
        self.made: list[UpstreamConnection] = []
        self._listener = listener

    async def connect(self) -> UpstreamConnection:
        connection = await self.pool.connect(self.upstream)
        self.ends.append(self._listener.accept()[0])
        self.made.append(connection)
        return connection

    async def keep(self, holder: Holder, count: int = 1) -> list[UpstreamConnection]:
        """So many connections of a holder's, idle."""
        connections = [await self.connect() for _ in range(count)]
        for connection in connections:
            self.pool.give_back(self.upstream, holder, connection)
        return connections

    def take(
        self, holder: Holder, preferred: UpstreamConnection | None = None, *, repeatable: bool = True
    ) -> UpstreamConnection | None:
        return self.pool.take(self.upstream, holder, preferred, repeatable=repeatable)


@pytest_asyncio.fixture
async def stage() -> AsyncIterator[Stage]:
    with socket.create_server(("127.0.0.1", 0), backlog=300) as listener:
        stage = Stage(listener)
        yield stage
        for connection in stage.made:
            connection.abort()
        for end in stage.ends:
            end.close()


@pytest.mark.parametrize("repeatable", [True, False])
async def test_a_connection_on_which_something_was_said_unasked_is_not_used_again(
    stage: Stage, *, repeatable: bool
) -> None:
    [quiet, talking] = await stage.keep(ANNA, 2)
    # No turn of the loop lies between this and the next request, so nobody has read it.
    stage.ends[1].sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nsmuggled")
    assert stage.take(ANNA, repeatable=repeatable) is quiet
    assert stage.take(ANNA, repeatable=repeatable) is None
    assert talking.lost


@pytest.mark.parametrize("other", [BERT, ("bbbbbbbbbbbbbbbb", "anna"), ("aaaaaaaaaaaaaaaa", None), None])
async def test_a_connection_is_its_holders_and_nobody_elses(stage: Stage, other: Holder) -> None:
    [connection] = await stage.keep(ANNA)
    assert stage.take(other) is None
    assert stage.take(ANNA) is connection


async def test_the_last_that_was_given_back_is_taken_first(stage: Stage) -> None:
    first, last = await stage.keep(ANNA, 2)
    assert [stage.take(ANNA), stage.take(ANNA), stage.take(ANNA)] == [last, first, None]


async def test_a_connection_on_which_a_client_signs_in_waits_for_that_client(stage: Stage) -> None:
    plain, signing = await stage.keep(ANNA, 2)
    signing.signs_in = True
    assert [stage.take(ANNA), stage.take(ANNA)] == [plain, None]
    assert stage.take(BERT, signing) is None
    assert stage.take(ANNA, signing) is signing


async def test_where_there_are_too_many_who_was_silent_longest_gives_way(stage: Stage) -> None:
    holders: list[Holder] = [("aaaaaaaaaaaaaaaa", f"visitor {number}") for number in range(MOST)]
    kept = {holder: (await stage.keep(holder))[0] for holder in holders}
    # The first has just been here again.
    again = stage.take(holders[0])
    assert again is not None
    stage.pool.give_back(stage.upstream, holders[0], again)
    await stage.keep(ANNA)
    assert [holder for holder, connection in kept.items() if connection.lost] == [holders[1]]


async def test_who_keeps_more_than_a_share_takes_no_room_from_others(stage: Stage) -> None:
    [of_bert] = await stage.keep(BERT)
    of_anna = await stage.keep(ANNA, MOST + 20)
    assert not of_bert.lost
    assert [connection.lost for connection in of_anna] == [True] * 21 + [False] * (MOST - 1)


async def test_what_is_idle_for_long_is_closed_whoever_holds_it(stage: Stage) -> None:
    [of_anna], [of_bert] = await stage.keep(ANNA), await stage.keep(BERT)
    stage.pool.sweep(asyncio.get_running_loop().time() + 29)
    assert (of_anna.lost, of_bert.lost) == (False, False)
    stage.pool.sweep(asyncio.get_running_loop().time() + 31)
    assert (of_anna.lost, of_bert.lost) == (True, True)
    assert stage.take(ANNA) is None
