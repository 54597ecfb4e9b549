"""Open the listening sockets, with errors that name setting and remedy."""

from __future__ import annotations

import errno
import socket
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from typing import Final, Protocol

from guestpass.domain.errors import GuestpassError
from guestpass.keepalive import probe_when_silent

_PUBLIC: Final = "GUESTPASS_LISTEN"
_ADMIN: Final = "GUESTPASS_ADMIN_LISTEN"
BACKLOG: Final = 1024
"""The listen(2) backlog of a listener."""


@dataclass(frozen=True, slots=True)
class Listen:
    """Where to accept connections: an IP address (without brackets) and a TCP port."""

    host: str
    port: int

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


class Addresses(Protocol):
    """Where visitors and owners are served."""

    @property
    def listen(self) -> Listen:
        """For visitors."""

    @property
    def admin_listen(self) -> Listen:
        """For owners."""


class ListenerUnusable(GuestpassError):
    """An address can't be listened on; the text names the setting and the remedy."""


@contextmanager
def listening(at: Addresses) -> Iterator[tuple[socket.socket, socket.socket]]:
    """Open the public and the admin listener for a single process; raises ListenerUnusable."""
    with (
        closing(_bound(at.listen, _PUBLIC)) as public,
        closing(_bound(at.admin_listen, _ADMIN)) as admin,
    ):
        yield public, admin


@contextmanager
def sharing(at: Addresses, count: int) -> Iterator[list[tuple[socket.socket, socket.socket]]]:
    """`count` pairs of listeners on the same two addresses, among which Linux spreads the connections.

    The first pair listens already, so that another server finds the addresses taken; each other pair begins to when
    its worker does. Raises ListenerUnusable.
    """
    with ExitStack() as stack:
        for listen, name in ((at.listen, _PUBLIC), (at.admin_listen, _ADMIN)):
            # With SO_REUSEPORT a second server of the same user would be let in, and get half of the visitors.
            _bound(listen, name).close()
        pairs = [
            (
                stack.enter_context(closing(_bound(at.listen, _PUBLIC, shared=True))),
                stack.enter_context(closing(_bound(at.admin_listen, _ADMIN, shared=True))),
            )
            for _ in range(count)
        ]
        for listener in pairs[0]:
            listener.listen(BACKLOG)
        yield pairs


def _bound(listen: Listen, name: str, *, shared: bool = False) -> socket.socket:
    """A bound socket for the setting of this name; raises ListenerUnusable."""
    family = socket.AF_INET6 if ":" in listen.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if shared:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, int(listen.host != "::"))
        probe_when_silent(listener)
        listener.bind((listen.host, listen.port))
        listener.setblocking(False)
    except OSError as error:
        listener.close()
        another = f"set {name} to another address."
        match error.errno:
            case errno.EADDRINUSE:
                why = f"something else listens there: end that, or {another}"
            case errno.EADDRNOTAVAIL:
                why = f"this machine has no such address: {another}"
            case errno.EACCES:
                why = f"this user may not listen there (ports below 1024 are for root alone): {another}"
            case _:
                why = f"nothing can listen there ({error.strerror or error}): {another}"
        raise ListenerUnusable(f"{name} is {listen}, and {why}") from None
    return listener
