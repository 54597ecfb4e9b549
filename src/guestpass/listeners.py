"""The sockets that connections arrive at, and what is said where an address can't be listened on."""

from __future__ import annotations

import errno
import socket
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from typing import Final

from guestpass.domain.errors import GuestpassError
from guestpass.keepalive import probe_when_silent
from guestpass.settings import Listen, Settings, variable

BACKLOG: Final = 1024
"""Connections that wait to be accepted, at most, on one listener."""


class ListenerUnusable(GuestpassError):
    """An address can't be listened on; the text names the setting and the remedy."""


@contextmanager
def listening(settings: Settings) -> Iterator[tuple[socket.socket, socket.socket]]:
    """The public and the admin listener of a process that has them to itself; raises ListenerUnusable."""
    with (
        closing(_bound(settings.listen, "listen")) as public,
        closing(_bound(settings.admin_listen, "admin_listen")) as admin,
    ):
        yield public, admin


@contextmanager
def sharing(settings: Settings, count: int) -> Iterator[list[tuple[socket.socket, socket.socket]]]:
    """`count` pairs of listeners on the same two addresses, among which Linux spreads the connections.

    The first pair listens already, so that another server finds the addresses taken; each other pair begins to when
    its worker does. Raises ListenerUnusable.
    """
    with ExitStack() as stack:
        for listen, name in ((settings.listen, "listen"), (settings.admin_listen, "admin_listen")):
            # With SO_REUSEPORT a second server of the same user would be let in, and get half of the visitors.
            _bound(listen, name).close()
        pairs = [
            (
                stack.enter_context(closing(_bound(settings.listen, "listen", shared=True))),
                stack.enter_context(closing(_bound(settings.admin_listen, "admin_listen", shared=True))),
            )
            for _ in range(count)
        ]
        for listener in pairs[0]:
            listener.listen(BACKLOG)
        yield pairs


def _bound(listen: Listen, name: str, *, shared: bool = False) -> socket.socket:
    """A bound socket; raises ListenerUnusable."""
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
        another = f"set {variable(name)} to another address."
        match error.errno:
            case errno.EADDRINUSE:
                why = f"something else listens there: end that, or {another}"
            case errno.EADDRNOTAVAIL:
                why = f"this machine has no such address: {another}"
            case errno.EACCES:
                why = f"this user may not listen there (ports below 1024 are for root alone): {another}"
            case _:
                why = f"nothing can listen there ({error.strerror or error}): {another}"
        raise ListenerUnusable(f"{variable(name)} is {listen}, and {why}") from None
    return listener
