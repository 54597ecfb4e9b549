"""A client that leaves before it has the answer, over real sockets, in each order in which that can happen."""

from __future__ import annotations

import asyncio
import select
import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import pytest
import uvloop
from tests.operate.certificates import serving, trusting, write_pair

from guestpass.gateway.address_policy import AddressPolicy
from guestpass.wire.client_connection import RESET, ClientConnection
from guestpass.wire.connector import Connector
from guestpass.wire.heads import RequestHead
from guestpass.wire.resolver import Resolver
from guestpass.wire.runtime import Runtime
from guestpass.wire.tls_transport import TlsTransport

WAIT_SECONDS = 30
KEPT = b"POST / HTTP/1.1\r\nHost: share.example.com\r\nContent-Length: 0\r\n\r\n"
LAST = b"POST / HTTP/1.1\r\nHost: share.example.com\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


class Client:
    """A client whose calls block, so that it acts while the event loop does nothing."""

    def __init__(self, end: socket.socket) -> None:
        self.end = end
        self.tls: ssl.SSLObject | None = None
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()

    async def shake_hands(self, context: ssl.SSLContext) -> None:
        loop = asyncio.get_running_loop()
        self.tls = context.wrap_bio(self._incoming, self._outgoing, server_hostname="127.0.0.1")
        while True:
            try:
                self.tls.do_handshake()
                break
            except ssl.SSLWantReadError:
                self._flush()
                self._incoming.write(await loop.run_in_executor(None, self.end.recv, 65536))
        self._flush()

    def _flush(self) -> None:
        self.end.sendall(self._outgoing.read())

    def send(self, data: bytes) -> None:
        if self.tls is None:
            self.end.sendall(data)
        else:
            self.tls.write(data)
            self._flush()

    def read(self) -> bytes:
        """The answer, of which the last byte is a zero."""
        data = b""
        while not data.endswith(b"\0"):
            arrived = self.end.recv(65536)
            assert arrived
            if self.tls is None:
                data += arrived
            else:
                self._incoming.write(arrived)
                try:
                    data += self.tls.read(65536)
                except ssl.SSLWantReadError:
                    continue
        return data

    def close(self) -> None:
        if self.tls is not None:
            # What TLS said behind the handshake is read, since a close with unread bytes is a reset.
            self._incoming.write(self.end.recv(65536))
            with pytest.raises(ssl.SSLWantReadError):
                self.tls.unwrap()
            self._flush()
        self.end.close()

    def close_half(self) -> None:
        self.end.shutdown(socket.SHUT_WR)

    def reset(self) -> None:
        self.end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        self.end.close()


@dataclass
class Server:
    """Answers one request; `meanwhile` happens between its arrival and the answer, within one turn of the loop."""

    meanwhile: Callable[[], None]
    left: list[None] = field(default_factory=list)
    is_over: asyncio.Event = field(default_factory=asyncio.Event)
    is_answered: asyncio.Event = field(default_factory=asyncio.Event)

    # As the connection's handler

    def receive(self, client: ClientConnection, _: RequestHead) -> None:
        client.notify_if_left(lambda: self.left.append(None))
        self.meanwhile()
        client.answer(303, (("Location", "/"),), b"\0", read=True)
        self.is_answered.set()

    # As who keeps the connections

    def lets_in(self, _: ClientConnection) -> bool:
        return True

    def forget(self, _: ClientConnection) -> None:
        self.is_over.set()


def wait_for_end(end: socket.socket) -> None:
    """Wait, and let the event loop wait, until the other side's end has arrived and nobody has read it."""
    poll = select.poll()
    poll.register(end.fileno(), select.POLLRDHUP)
    assert poll.poll(WAIT_SECONDS * 1000)


def has_left(
    asked: bytes,
    *,
    before: Callable[[Client], None] | None = None,
    after: Callable[[Client], None] | None = None,
    folder: Path | None = None,
) -> bool:
    """Whether the server is told that a client has left, which acts before the answer or after it.

    With a folder for its certificate, over TLS.
    """

    async def served() -> bool:
        loop = asyncio.get_running_loop()
        with (
            socket.create_server(("127.0.0.1", 0)) as listener,
            socket.create_connection(listener.getsockname()) as end,
        ):
            client = Client(end)
            accepted, _ = listener.accept()

            def act() -> None:
                if before is not None:
                    before(client)
                    wait_for_end(accepted)

            server = Server(act)
            connector = Connector(AddressPolicy(allow=(), deny=(), own_listeners=()), Resolver())
            async with asyncio.timeout(WAIT_SECONDS), asyncio.TaskGroup() as tasks:
                runtime = Runtime(tasks, connector, time=lambda: 0.0, failed=lambda _: None)
                parts = cast("Any", server)
                connection: Any = ClientConnection(runtime, parts, parts, patience=60)
                if folder is not None:
                    write_pair(folder / "cert.pem", folder / "key.pem")
                    context = serving(folder / "cert.pem", folder / "key.pem")
                    transport = TlsTransport(loop, runtime.run_queue, context, connection)
                    await loop.connect_accepted_socket(lambda: transport, accepted)
                    trust = trusting(folder / "cert.pem")
                    await asyncio.gather(transport.shake_hands(), client.shake_hands(trust))
                else:
                    await loop.connect_accepted_socket(lambda: connection, accepted)
                client.send(asked)
                await server.is_answered.wait()
                if after is not None:
                    await asyncio.to_thread(after, client)
                await server.is_over.wait()
        return bool(server.left)

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(served())


def read_and_close(client: Client) -> None:
    client.read()
    client.end.close()


def read_and_close_half(client: Client) -> None:
    client.read()
    client.close_half()


either = pytest.mark.parametrize("asked", [KEPT, LAST], ids=["kept", "last"])


@either
@pytest.mark.parametrize("leave", [Client.close, Client.reset])
def test_a_client_that_left_unseen_before_the_answer_has_left(asked: bytes, leave: Callable[[Client], None]) -> None:
    assert has_left(asked, before=leave)


@either
def test_with_tls_too(tmp_path: Path, asked: bytes) -> None:
    assert has_left(asked, before=Client.close, folder=tmp_path)


@either
@pytest.mark.parametrize("leave", [Client.close, Client.reset])
def test_a_client_that_leaves_without_reading_the_answer_has_left(
    asked: bytes, leave: Callable[[Client], None]
) -> None:
    assert has_left(asked, after=leave)


@either
@pytest.mark.parametrize("leave", [read_and_close, read_and_close_half])
def test_a_client_that_leaves_with_the_answer_has_not_left_before_it(
    asked: bytes, leave: Callable[[Client], None]
) -> None:
    assert not has_left(asked, after=leave)


@either
def test_with_tls_neither(tmp_path: Path, asked: bytes) -> None:
    assert not has_left(asked, after=read_and_close, folder=tmp_path)
