"""Accept TLS connections, counting them from their arrival instead of the end of their handshake."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from guestpass.gateway.lifecycle import Lifecycle
from guestpass.listeners import BACKLOG
from guestpass.tls import HANDSHAKE_SECONDS
from guestpass.wire.client_connection import RESET, ClientConnection
from guestpass.wire.runtime import Runtime
from guestpass.wire.tls_transport import TlsTransport

_AT_ONCE: Final = 64
"""Connections accepted in one turn of the loop, so that a flood leaves time for open connections."""
_PAUSE_SECONDS: Final = 0.5
"""The pause in accepting when file descriptors are used up."""


class TlsListener:
    """Accept at `listener`; connections are served by what `make` returns once their handshake is complete.

    asyncio's server reports a connection only after its handshake, so that unfinished ones could not be limited.
    """

    def __init__(
        self,
        runtime: Runtime,
        lifecycle: Lifecycle,
        listener: socket.socket,
        context: ssl.SSLContext,
        make: Callable[[], ClientConnection],
    ) -> None:
        self._lifecycle = lifecycle
        self._run_queue = runtime.run_queue
        self._listener = listener
        self._context = context
        self._make = make
        self._loop = runtime.loop
        self._is_open = True
        listener.setblocking(False)
        listener.listen(BACKLOG)
        self._resume()

    def close(self) -> None:
        """Accept no more; handshakes that are under way go on."""
        if self._is_open:
            self._is_open = False
            self._loop.remove_reader(self._listener)
            self._listener.close()

    def _resume(self) -> None:
        if self._is_open:
            self._loop.add_reader(self._listener, self._accept)

    def _accept(self) -> None:
        for _ in range(_AT_ONCE):
            try:
                connection, address = self._listener.accept()
            except (BlockingIOError, ConnectionAbortedError):
                return
            except OSError:
                # Out of descriptors, the listener would stay ready. The gateway logs it.
                self._loop.remove_reader(self._listener)
                self._loop.call_later(_PAUSE_SECONDS, self._resume)
                return
            self._receive(connection, address[0].partition("%")[0])

    def _receive(self, connection: socket.socket, peer: str) -> None:
        client = self._make()
        if not self._lifecycle.lets_shake_hands(client, peer, lambda: self._shake_hands(client, connection)):
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            connection.close()

    async def _shake_hands(self, client: ClientConnection, connection: socket.socket) -> None:
        """Complete the handshake and hand the connection to the client's protocol; abort it otherwise."""
        connection.setblocking(False)
        secured = TlsTransport(self._loop, self._run_queue, self._context, client)
        try:
            # Failed handshakes are not logged.
            with suppress(OSError):
                async with asyncio.timeout(HANDSHAKE_SECONDS):
                    await self._loop.connect_accepted_socket(lambda: secured, connection)
                    await secured.shake_hands()
        finally:
            if not client.has_arrived:
                secured.abort()
            self._lifecycle.handshake_over(client)
