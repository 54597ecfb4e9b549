"""Who is gone without a word, and was only listened to: the kernel asks after a while, as nothing else would tell."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.gateway.raw_upstream import RawUpstream
from tests.gateway.shared import Share
from tests.links.waiting import until

pytestmark = pytest.mark.asyncio(loop_scope="session")

IDLE_SECONDS = 60.0
"""How long a connection is silent before its other end is asked for the first time."""
EVENT = b"data: first\n\n"
_ASKING = "02"  # as Linux writes a timer that is neither for sending again nor for a closed window
_TICKS = 100  # of Linux's to a second


def _seconds_until_asked(*, remote: int, local: int | None = None) -> float:
    """In how many seconds Linux asks the other end, at port `remote`, of a connection; infinitely many for never."""
    for line in Path("/proc/net/tcp").read_text(encoding="ascii").splitlines()[1:]:
        _, here, there, state, _, timer, *_ = line.split()
        here_port, there_port = (int(end.partition(":")[2], 16) for end in (here, there))
        if state == "01" and there_port == remote and local in (None, here_port):
            kind, _, ticks = timer.partition(":")
            return int(ticks, 16) / _TICKS if kind == _ASKING else float("inf")
    raise AssertionError("there is no such connection")


@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_both_ends_of_a_silent_stream_are_asked_whether_they_are_there(
    share: Share, upstream: RawUpstream, tls_upstream: RawUpstream, scheme: str
) -> None:
    upstream = upstream if scheme == "http" else tls_upstream
    shared = await share(upstream, tlsVerify=False)
    client = await shared.connect()
    client.send(shared.get(b"/events"))
    end = await upstream.accept()
    await end.head()
    end.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n" + EVENT)
    assert (await client.head()).status == 200
    assert await client.read(18) == b"d\r\n%b\r\n" % EVENT

    async def visitor_is_asked() -> bool:
        # What was sent a moment ago has a timer of its own until the other end has confirmed it.
        return _seconds_until_asked(local=shared.server.public_port, remote=client.local_port) <= IDLE_SECONDS

    async def environment_is_asked() -> bool:
        return _seconds_until_asked(remote=upstream.port) <= IDLE_SECONDS

    await until(visitor_is_asked)
    await until(environment_is_asked)
