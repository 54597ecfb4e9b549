"""Tunnels whose other side takes nothing, over real sockets: the gateway keeps little, and the link's end ends them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from tests.gateway.raw_upstream import raw_upstream
from tests.gateway.shared import sharing
from tests.hostile.websockets.tunnel import SWITCHED, masked
from tests.installation import Installation

pytestmark = pytest.mark.asyncio(loop_scope="session")

SENT = 64 * 1024 * 1024
KEPT = 24 * 1024 * 1024
_FIELDS = (
    b"Connection: Upgrade",
    b"Upgrade: websocket",
    b"Sec-WebSocket-Version: 13",
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
)


def _memory(pid: int) -> int:
    """Bytes that a process and its children hold."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return pages * os.sysconf("SC_PAGESIZE") + sum(_memory(int(child)) for child in children)


@pytest.mark.parametrize("speaker", ["client", "environment"])
async def test_what_nobody_takes_is_not_kept(server: Installation, speaker: str) -> None:
    async with raw_upstream() as upstream, sharing(server) as share:
        shared = await share(upstream)
        client = await shared.connect(receive_buffer=4096)
        client.send(shared.get(b"/socket", *_FIELDS))
        end = await upstream.accept()
        await end.head()
        end.send(SWITCHED)
        assert (await client.head()).status == 101
        before = _memory(server.process.pid)
        if speaker == "client":
            client.send(masked(0x82, b"", length=b"\xff" + SENT.to_bytes(8)) + bytes(SENT))
        else:
            end.send(b"\x82\x7f" + SENT.to_bytes(8) + bytes(SENT))
        # Others are served meanwhile, which also gives the gateway time to take too much.
        for number in range(200):
            answer = await shared.ask(b"GET /share/gp_none%d HTTP/1.1" % number)
            assert answer.status in (404, 429)
        assert _memory(server.process.pid) - before < KEPT
        await server.deactivate(shared.environment["id"], shared.link["id"])
        # Each side that waits to read something sees that it is over.
        await (end if speaker == "client" else client).gone()
