"""An application in a process of its own, which can be killed; and one that speaks https, whose certificate changes."""

from __future__ import annotations

import asyncio
import ssl
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from tests.faults.visitors import until_true
from tests.supervisor.upstream import answer


class Application:
    """``/quick`` and ``/drip`` on one port, whichever process serves them."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.url = f"http://127.0.0.1:{port}"
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        """Start it and wait until it listens."""
        self._process = await asyncio.create_subprocess_exec(sys.executable, "-m", __name__, str(self.port))
        async with asyncio.timeout(60):
            while True:
                try:
                    _, writer = await asyncio.open_connection("127.0.0.1", self.port)
                except OSError:
                    await asyncio.sleep(0.02)
                else:
                    writer.close()
                    return

    async def kill(self) -> None:
        """End it as a crash does."""
        if self._process is not None:
            self._process.kill()
            await self._process.wait()
            self._process = None


class Secured:
    """An https application; `context` is what it shows its certificate with."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self.context = context
        self.url = ""
        self.writers: set[asyncio.StreamWriter] = set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        self.writers.add(writer)
        try:
            await answer(reader, writer)
        finally:
            self.writers.discard(writer)

    async def show(self, certificate: str, key: str) -> None:
        """Show another certificate from now on, as a server does that was started anew."""
        self.context.load_cert_chain(certificate, key)
        for writer in tuple(self.writers):
            writer.transport.abort()
        await until_true(lambda: not self.writers)


@asynccontextmanager
async def secured(certificate: str, key: str) -> AsyncIterator[Secured]:
    """One that runs."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key)
    application = Secured(context)
    async with await asyncio.start_server(application.serve, "127.0.0.1", 0, ssl=context) as server:
        application.url = f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        yield application


async def _main() -> None:
    async with await asyncio.start_server(answer, "127.0.0.1", int(sys.argv[1])) as server:
        await server.serve_forever()


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        asyncio.run(_main())
