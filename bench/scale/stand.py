"""The application behind the links (``python -m bench.scale.stand PORT``): small and large bodies, and WebSockets."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import resource
import sys

import uvloop

LARGE = 2 * 1024**3
_ASSET = 2 * 1024**2
_PIECE = bytes(256 * 1024)
_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455, section 1.3


async def _answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            fields = {
                name.strip().lower(): value.strip()
                for name, _, value in (line.partition(b":") for line in head.split(b"\r\n")[1:])
            }
            if b"sec-websocket-key" in fields:
                digest = hashlib.sha1(fields[b"sec-websocket-key"] + _GUID).digest()
                writer.write(
                    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                    b"Sec-WebSocket-Accept: " + base64.b64encode(digest) + b"\r\n\r\n"
                )
                if head.startswith(b"GET /websocket/pings "):
                    await _send_endless(writer, b"\x89\x00")
                while await reader.read(len(_PIECE)):
                    pass
                return
            if head.startswith(b"GET /chunks "):
                writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
                await _send_endless(writer, b"1\r\nx\r\n")
            if b"transfer-encoding" in fields:
                while await reader.read(len(_PIECE)):
                    pass
                return
            left = int(fields.get(b"content-length", b"0"))
            while left:
                left -= len(await reader.read(min(left, len(_PIECE))))
            if head.startswith(b"GET /web/static/"):
                await _send(writer, _ASSET, b'ETag: "a"\r\nCache-Control: public, max-age=604800\r\n')
            else:
                await _send(writer, LARGE if head.startswith(b"GET /large ") else 1024)
    except (asyncio.IncompleteReadError, ConnectionError):
        pass
    finally:
        writer.close()


async def _send_endless(writer: asyncio.StreamWriter, unit: bytes) -> None:
    block = unit * (len(_PIECE) // len(unit))
    while True:
        writer.write(block)
        await writer.drain()


async def _send(writer: asyncio.StreamWriter, size: int, fields: bytes = b"") -> None:
    writer.write(b"HTTP/1.1 200 OK\r\n%bContent-Length: %d\r\n\r\n" % (fields, size))
    for first in range(0, size, len(_PIECE)):
        writer.write(_PIECE[: size - first])
        await writer.drain()


async def _serve(port: int) -> None:
    server = await asyncio.start_server(_answer, "127.0.0.1", port, limit=len(_PIECE), backlog=4096)
    await server.serve_forever()


if __name__ == "__main__":
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    uvloop.run(_serve(int(sys.argv[1])))
