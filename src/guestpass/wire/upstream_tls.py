"""Connect to upstreams with TLS."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from typing import TypeVar

from guestpass.wire.run_queue import RunQueue
from guestpass.wire.tls_transport import TlsTransport

P = TypeVar("P", bound=asyncio.Protocol)


async def connect_with_tls(
    factory: Callable[[], P],
    address: str,
    port: int,
    *,
    context: ssl.SSLContext,
    server_hostname: str,
    run_queue: RunQueue,
) -> tuple[asyncio.Transport, P]:
    """Return a connection whose handshake is complete; raises OSError, ssl.SSLError included."""
    loop = asyncio.get_running_loop()
    protocol = factory()
    secured = TlsTransport(loop, run_queue, context, protocol, server_hostname=server_hostname)
    try:
        await loop.create_connection(lambda: secured, address, port)
        await secured.shake_hands()
    except BaseException:
        secured.abort()
        raise
    return secured, protocol
