"""Idle connections to upstreams, over real sockets: what may carry another request."""

from __future__ import annotations

import asyncio
import socket

from guestpass.gateway.connector import AddressPolicy, Connector, Origin
from guestpass.gateway.outgoing import Outbox
from guestpass.gateway.pool import Pool, Upstream
from guestpass.gateway.resolver import Resolver


async def test_a_connection_on_which_something_was_said_unasked_is_not_used_again() -> None:
    loop = asyncio.get_running_loop()
    pool = Pool(loop, Connector(AddressPolicy(allow=[], deny=[], own_listeners=[]), Resolver()), Outbox(loop))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        upstream = Upstream("environment", 1, Origin("127.0.0.1", listener.getsockname()[1], None))
        quiet, talking = await pool.connect(upstream), await pool.connect(upstream)
        with listener.accept()[0], listener.accept()[0] as end:
            pool.give_back(upstream, quiet)
            pool.give_back(upstream, talking)
            # No turn of the loop lies between this and the next request, so nobody has read it.
            end.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nsmuggled")
            assert pool.take(upstream, repeatable=True) is quiet
            assert pool.take(upstream, repeatable=True) is None
            assert talking.lost
            quiet.close()
