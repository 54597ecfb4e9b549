"""A server of names (RFC 1035) for one installation alone, which falls silent, fails, and comes back."""

from __future__ import annotations

import asyncio
import os
import random
import socket
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

_A: Final = 1
_SERVFAIL: Final = 2
_NXDOMAIN: Final = 3
_OWN_MOUNTS: Final = ("unshare", "--mount", *(() if os.geteuid() == 0 else ("--user", "--map-root-user")))


class NameServer(asyncio.DatagramProtocol):
    """What it knows, what it was asked for, and what it is silent about; without `is_up` it fails at all."""

    def __init__(self) -> None:
        self.known: dict[str, str] = {}
        self.silent: set[str] = set()
        self.is_up = True
        self.asked: Counter[str] = Counter()
        self._transport: asyncio.DatagramTransport

    def connection_made(self, transport: asyncio.DatagramTransport) -> None:  # type: ignore[override]
        self._transport = transport

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        """Answer one question."""
        end = data.index(b"\0", 12)
        labels, at = [], 12
        while at < end:
            labels.append(data[at + 1 : at + 1 + data[at]].decode())
            at += 1 + data[at]
        name, kind = ".".join(labels).lower(), int.from_bytes(data[end + 1 : end + 3])
        self.asked[name] += 1
        if name in self.silent:
            return
        address = self.known.get(name)
        code = _SERVFAIL if not self.is_up else _NXDOMAIN if address is None else 0
        answers = b""
        if code == 0 and address is not None and kind == _A:
            # A pointer to the name, class IN, to be kept for no time.
            answers = b"\xc0\x0c\0\x01\0\x01\0\0\0\0\0\x04" + socket.inet_aton(address)
        head = data[:2] + bytes((0x81, 0x80 | code)) + b"\0\x01" + (b"\0\x01" if answers else b"\0\0") + b"\0\0\0\0"
        self._transport.sendto(head + data[12 : end + 5] + answers, addr)


@asynccontextmanager
async def serving_names(folder: Path) -> AsyncIterator[tuple[NameServer, tuple[str, ...]]]:
    """One that runs, and what the command of a server begins with that asks it and no other.

    It has a loopback address of its own, as port 53 is the only one that resolv.conf knows.
    """
    address = f"127.{random.randrange(1, 255)}.{random.randrange(256)}.{random.randrange(1, 255)}"
    transport, server = await asyncio.get_running_loop().create_datagram_endpoint(NameServer, (address, 53))
    (folder / "resolv.conf").write_text(f"nameserver {address}\n")
    mount = 'mount --bind "$0" /etc/resolv.conf && exec "$@"'
    try:
        yield server, (*_OWN_MOUNTS, "sh", "-c", mount, str(folder / "resolv.conf"))
    finally:
        transport.close()
