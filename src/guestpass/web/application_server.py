"""Run the ASGI application behind a private socket, inside the worker's own event loop."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Iterator
from pathlib import Path

import uvicorn
from starlette.types import ASGIApp

# Longer than the gateway keeps idle connections, so that the server never closes one that is being reused.
_KEEP_ALIVE_S = 120


class ApplicationServer(uvicorn.Server):
    """uvicorn on the Unix socket `path`, in a private folder. The worker handles signals."""

    def __init__(self, application: ASGIApp, path: Path) -> None:
        super().__init__(
            uvicorn.Config(
                application,
                uds=str(path),
                http="httptools",
                ws="none",
                lifespan="off",
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=False,
                timeout_keep_alive=_KEEP_ALIVE_S,
                timeout_graceful_shutdown=5,
            )
        )
        self.listening = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Open the socket and set `listening`."""
        await super().startup(sockets)
        self.listening.set()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Handle no signals."""
        yield
