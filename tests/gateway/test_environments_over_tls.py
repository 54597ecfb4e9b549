"""What an https environment has said arrives, also where its connection ends before all of that was unsealed."""

from __future__ import annotations

import asyncio
import socket
import ssl
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress

import pytest
from tests.gateway.raw_client import BrokenOffError
from tests.gateway.raw_upstream import RawUpstream
from tests.gateway.shared import Share

pytestmark = pytest.mark.asyncio(loop_scope="session")


class Leaving:
    """An environment that answers with as many bytes as the path says, closes, and waits for nobody in that."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self._context = context
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"https://127.0.0.1:{self._listener.getsockname()[1]}"

    def answer_one(self) -> None:
        """Return when all of the answer is the system's to send, and the connection is closed."""
        asked = b""
        while not asked:
            # Connections on which nothing is said were made to see whether somebody listens.
            with suppress(OSError), self._context.wrap_socket(self._listener.accept()[0], server_side=True) as end:
                if asked := end.recv(64 * 1024):
                    size = int(asked.split(b" ")[1].removeprefix(b"/"))
                    head = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % size
                    end.sendall(head + bytes(size))
                    # What says the end in TLS, without waiting for the same of the other side.
                    end.setblocking(False)
                    end.unwrap()

    def close(self) -> None:
        self._listener.close()


async def test_the_end_of_an_answer_waits_for_a_slow_visitor(share: Share, speaks_tls: ssl.SSLContext) -> None:
    """How much systems keep in between varies; with one of these sizes it is the end that waits in the gateway."""
    sizes = range(3_500_000, 6_500_000, 150_000)
    environment = Leaving(speaks_tls)
    loop = asyncio.get_running_loop()
    with closing(environment), ThreadPoolExecutor(len(sizes)) as threads:
        left = [loop.run_in_executor(threads, environment.answer_one) for _ in sizes]
        shared = await share(environment.url, tlsVerify=False)
        clients = [await shared.connect(receive_buffer=4096) for _ in sizes]
        for client, size in zip(clients, sizes, strict=True):
            client.send(shared.get(b"/%d" % size))
        for client in clients:
            await client.head()
        # Where more is kept in between than this size is, the environment is gone; the others wait for their visitors.
        await asyncio.wait(left, timeout=1)
        for client, size in zip(clients, sizes, strict=True):
            assert await client.read(size) == bytes(size)
        await asyncio.gather(*left)


async def test_an_answer_without_a_length_whose_tls_breaks_does_not_look_whole(
    share: Share, tls_upstream: RawUpstream
) -> None:
    shared = await share(tls_upstream, tlsVerify=False)
    client = await shared.connect()
    client.send(shared.request(b"GET /uncounted HTTP/1.0"))
    end = await tls_upstream.accept()
    await end.head()
    end.send(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nhalf")
    assert (await client.head()).status == 200
    assert await client.read(4) == b"half"
    end.send_below_tls(b"\x17\x03\x03\x00\x20" + bytes(32))
    with pytest.raises(BrokenOffError):
        await client.rest()
